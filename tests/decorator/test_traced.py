"""What calls find outside their key, together with references, put, async, memory."""

import asyncio

import counting
import pytest

import nbcache


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "data.txt"
    found.write_text("one")
    return found


def test_a_changed_file_is_noticed_from_memory_too(cache, path, runs):
    """However often the result was handed out."""

    @cache.cached
    def f(path):
        counting.count()
        with open(path) as file:
            return file.read()

    for text in ("one", "two", "one", "three"):
        path.write_text(text)
        assert [f(str(path)) for _ in range(4)] == [text] * 4
    assert len(runs) == 3


def test_a_refresh_replaces_what_was_put(cache, path):
    """Although what was put had found nothing outside its key."""

    @cache.cached
    def f(path):
        with open(path) as file:
            return file.read()

    assert f.put("given", str(path))
    assert f(str(path)) == "given"
    assert f.refresh(str(path)) == "one"
    assert f(str(path)) == f(str(path)) == "one"
    assert f.put("given", str(path))
    assert f(str(path)) == "given"
    assert f.clear(str(path)) == 2
    assert f(str(path)) == "one"


def test_a_reference_made_inside_brings_its_files_along(cache, path, runs):
    """The outer result depends on what the inner one found, hit or not."""

    @cache.cached
    def inner(path):
        counting.count("inner")
        with open(path) as file:
            return [file.read()]

    @cache.cached
    def outer(path):
        counting.count("outer")
        return inner.ref(path).load()[0]

    inner(str(path))
    assert outer(str(path)) == "one"
    assert outer(str(path)) == "one"
    path.write_text("two")
    assert outer(str(path)) == "two"
    path.write_text("one")
    assert outer(str(path)) == "one"
    assert runs == [("inner",), ("outer",), ("outer",), ("inner",)]


def test_a_reference_to_a_path_counts_the_file(cache, path):
    """The function gets the path, and reads it."""
    name = str(path)
    g = cache.cached(lambda: name, name="g", track="none")

    @cache.cached
    def f(path):
        with open(path) as file:
            return file.read()

    assert f(g.ref()) == "one"
    path.write_text("two")
    assert f(g.ref()) == f(name) == "two"


def test_who_joins_late_depends_on_the_file_too(cache, path):
    """A task that waits for another's computation has not seen what that read."""

    @cache.cached
    async def inner(path, fails):
        with open(path) as file:
            text = file.read()
        await asyncio.sleep(0.1)
        if fails and text != "two":
            raise ValueError(text)
        return [text]

    @cache.cached
    async def outer(path, fails):
        try:
            return (await inner(path, fails))[0]
        except ValueError as error:
            return f"failed: {error}"

    async def main(fails):
        first = asyncio.ensure_future(inner(str(path), fails))
        # the file has been read before the outer call begins
        await asyncio.sleep(0.04)
        told = await outer(str(path), fails)
        await asyncio.gather(first, return_exceptions=True)
        return told

    for fails, text in ((False, "one"), (True, "failed: one")):
        path.write_text("one")
        assert asyncio.run(main(fails)) == text
        path.write_text("two")
        assert asyncio.run(outer(str(path), fails)) == "two"


def test_a_kept_failure_depends_on_the_file(cache, path, runs):
    """When it is mended, the call runs again."""

    @cache.cached(cache_exceptions=True)
    def f(path):
        counting.count()
        with open(path) as file:
            return int(file.read())

    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            f(str(path))
    assert len(runs) == 1
    path.write_text("5")
    assert f(str(path)) == 5


def test_a_missing_file_can_be_a_kept_failure(cache, path, runs):
    """Until it is there."""

    @cache.cached(cache_exceptions=FileNotFoundError)
    def f(path):
        counting.count()
        with open(path) as file:
            return file.read()

    path.unlink()
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as info:
            f(str(path))
        assert info.value.filename == str(path)
    assert len(runs) == 1
    path.write_text("now")
    assert f(str(path)) == "now"


def test_every_traced_entry_expires(cache, path, runs):
    """Each version of the file has a lifetime of its own."""

    @cache.cached(expires_after=0)
    def f(path):
        counting.count()
        with open(path) as file:
            return file.read()

    f(str(path)), f(str(path))
    assert len(runs) == 2
    assert nbcache.last().reason == "expired"
    assert len(f.entries()) == 1
