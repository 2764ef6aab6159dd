"""The strategies give what they say."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import strategies
from hypothesis import Phase, find, given, settings


@given(strategies.plain())
@settings(max_examples=50, deadline=None)
def test_plain_values_are_builtin_types(value):
    """Nothing but atoms, lists, tuples and dicts comes up."""
    assert type(value).__module__ == "builtins"


@given(strategies.values())
@settings(max_examples=50, deadline=None)
def test_values_can_be_copied_and_pickled(value):
    """Every value survives what a test does with it."""
    assert type(copy.deepcopy(value)) is type(value)
    assert type(pickle.loads(pickle.dumps(value))) is type(value)


def test_all_kinds_of_values_come_up():
    """Arrays, frames and user classes are among the values."""
    for kind in (np.ndarray, pd.DataFrame, strategies.Record, strategies.Point):
        found = find(
            strategies.values(),
            lambda value, kind=kind: isinstance(value, kind),
            settings=settings(
                max_examples=20_000,
                deadline=None,
                derandomize=True,
                database=None,
                # the smallest one is not asked for
                phases=[Phase.generate],
            ),
        )
        assert isinstance(found, kind)


@given(strategies.hashables())
@settings(max_examples=50, deadline=None)
def test_hashables_can_be_hashed(value):
    """They can be elements of a set."""
    hash(value)


def test_changes_reach_nested_items():
    """A change inside a list inside a dict is one of the changes."""
    assert {"a": [2]} in strategies.changes({"a": [1]})


def test_changes_keep_the_original():
    """Changed values are copies."""
    value = {"a": [1, (2,)]}
    list(strategies.changes(value))
    assert value == {"a": [1, (2,)]}
