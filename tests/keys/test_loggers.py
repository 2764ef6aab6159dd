"""Loggers as parts of a key: by name, and by what becomes of their messages."""

import logging

import pytest

from nbcache.keys.hashing import digest


@pytest.fixture
def logger():
    made = logging.getLogger("nbcache_tests.inner")
    yield made
    outer = logging.getLogger("nbcache_tests")
    for one in (made, outer):
        one.setLevel(logging.NOTSET)
        one.handlers.clear()
    logging.disable(logging.NOTSET)


def test_logger_is_told_by_its_name(logger):
    """The same each time it is looked up; another one is another."""
    assert digest(logger) == digest(logging.getLogger("nbcache_tests.inner"))
    assert digest(logger) != digest(logging.getLogger("nbcache_tests"))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.setLevel(logging.DEBUG),
        lambda one: one.parent.setLevel(logging.ERROR),
        lambda one: one.parent.addHandler(logging.NullHandler()),
        lambda one: logging.disable(logging.CRITICAL),
    ],
    ids=["level", "level of its parent", "handler", "all disabled"],
)
def test_what_decides_on_its_messages_counts(logger, change):
    """They would be shown otherwise."""
    before = digest(logger)
    change(logger)
    assert digest(logger) != before


def test_level_that_is_inherited_anyway_does_not_count(logger):
    """The messages shown are the same."""
    before = digest(logger)
    logger.setLevel(logger.getEffectiveLevel())
    assert digest(logger) == before
