"""Outputs as data: what a front end shows in the end, and the stored form."""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbcache.outputs import (
    Clear,
    Display,
    Output,
    Result,
    Stream,
    coalesce,
    from_json,
    resolve_text,
    to_json,
)


def out(text: str) -> Stream:
    return Stream("stdout", text)


def shown(text: str, identity: str | None = None, *, update: bool = False) -> Display:
    transient = {"display_id": identity} if identity else {}
    return Display({"text/plain": text}, {}, transient, update)


# ------------------------------------------------------------------------ coalesce


def test_chunks_of_a_stream_are_joined() -> None:
    """A print makes two writes; the page shows one text."""
    assert coalesce([out("a"), out("\n"), out("b")]) == (out("a\nb"),)


def test_streams_stay_apart_and_in_order() -> None:
    """A front end starts a new output when the stream changes."""
    events = [out("1"), Stream("stderr", "2"), out("3"), shown("4"), out("5")]
    assert coalesce(events) == tuple(events)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("10%\r50%\r100%\n", "100%\n"),
        ("long line\rshort\n", "shortline\n"),
        ("a\r\nb\r\r\n", "a\r\nb\r\n"),
        ("abc\b\bX\n", "aX\n"),
        ("\b\ba\n\bb", "a\nb"),
        ("spin |\b/\b-", "spin -"),
        ("done\r", "done\r"),
        ("wait...\rOK", "OKit...\rOK"),
        ("plain", "plain"),
        ("\r", "\r"),
        ("", ""),
    ],
)
def test_text_looks_as_on_the_page(written: str, seen: str) -> None:
    r"""``\r`` returns to the start of the line, ``\b`` removes a character."""
    assert resolve_text(written) == seen


controls = st.text(st.sampled_from("ab\n\r\b"), max_size=30)


@given(controls, controls)
def test_text_may_be_resolved_in_parts(first: str, second: str) -> None:
    """What comes later lands where it would have without the first step."""
    whole = resolve_text(first + second)
    assert resolve_text(resolve_text(first) + second) == whole


def test_a_display_takes_its_updates() -> None:
    """Only the last state is shown, where the display stands."""
    events = [shown("1", "x"), out("a"), shown("2", "x", update=True), shown("3", "y")]
    assert coalesce(events) == (shown("2", "x"), out("a"), shown("3", "y"))


def test_all_displays_of_an_id_are_updated() -> None:
    """An id may be displayed twice."""
    events = [shown("1", "x"), shown("1", "x"), shown("2", "x", update=True)]
    assert coalesce(events) == (shown("2", "x"), shown("2", "x"))


def test_updates_of_other_cells_displays_are_kept_once() -> None:
    """They change a display that these outputs do not hold."""
    events = [shown("1", "x", update=True), shown("2", "x", update=True)]
    assert coalesce(events) == (shown("2", "x", update=True),)


def test_an_update_does_not_separate_a_stream() -> None:
    """It adds nothing to the page."""
    events = [shown("1", "x"), out("a"), shown("2", "x", update=True), out("b")]
    assert coalesce(events) == (shown("2", "x"), out("ab"))


def test_clear_removes_what_came_before() -> None:
    """The clear itself stays, for what an enclosing cell has shown."""
    events = [out("a"), shown("1", "x"), Clear(), out("b"), Result({"text/plain": "2"})]
    assert coalesce(events) == (Clear(), out("b"), Result({"text/plain": "2"}))


def test_a_waiting_clear_waits_for_something_to_show() -> None:
    """Without a next output the page stays as it is."""
    assert coalesce([out("a"), Clear(True)]) == (out("a"), Clear(True))
    assert coalesce([out("a"), Clear(True), out("b")]) == (Clear(True), out("b"))


def test_an_update_does_not_carry_out_a_waiting_clear() -> None:
    """JupyterLab clears only when an output is added."""
    events = [shown("1", "x"), Clear(True), shown("2", "x", update=True)]
    assert coalesce(events) == (shown("2", "x"), Clear(True))


def test_a_clear_at_once_replaces_one_that_waits() -> None:
    """Nothing is left to wait for."""
    assert coalesce([out("a"), Clear(True), Clear(), out("b")]) == (Clear(), out("b"))


_events = st.one_of(
    st.builds(Stream, st.sampled_from(["stdout", "stderr"]), controls),
    st.builds(Clear, st.booleans()),
    st.builds(
        shown,
        st.sampled_from("12"),
        st.sampled_from(["x", "y", None]),
        update=st.just(False),
    ),
    st.builds(
        shown, st.sampled_from("12"), st.sampled_from(["x", "y"]), update=st.just(True)
    ),
    st.builds(Result, st.just({"text/plain": "r"})),
)


@given(st.lists(_events, max_size=8), st.lists(_events, max_size=8))
def test_coalescing_in_parts_gives_the_same(
    first: list[Output], second: list[Output]
) -> None:
    """A long recording is shortened while it goes on."""
    assert coalesce([*coalesce(first), *second]) == coalesce([*first, *second])


def test_text_over_the_limit_is_cut_with_a_note() -> None:
    """Nothing follows a cut text: with a hole it would look complete."""
    events = [out("a" * 60), shown("x"), out("b" * 60), Stream("stderr", "c")]
    kept = coalesce(events, max_bytes=100)
    assert kept[:2] == tuple(events[:2])
    assert kept[2:] == (
        out("b" * 37 + "\n[nbcache: text of more than 0.0001 MB is not kept]\n"),
    )


def test_rich_data_over_the_limit_becomes_a_note() -> None:
    """Smaller outputs after it are kept."""
    big = Display({"image/png": b"x" * 2_000_000, "text/plain": "<Figure>"})
    kept = coalesce([big, out("after")], max_bytes=1_000_000)
    note = "[nbcache: 2.0 MB of rich output are not kept]"
    assert kept == (Display({"text/plain": note}), out("after"))


def test_the_limit_counts_bytes_and_cuts_between_characters() -> None:
    """A character that takes several bytes is kept whole or not at all."""
    kept = coalesce([out("ä" * 100)], max_bytes=11)
    assert isinstance(kept[0], Stream)
    assert kept[0].text.startswith("äääää\n[nbcache")


def test_the_default_limit_is_ten_megabytes() -> None:
    """Outputs just below it are kept whole."""
    assert coalesce([out("a" * 10_000_000)]) == (out("a" * 10_000_000),)
    assert coalesce([out("a" * 10_000_001)]) != (out("a" * 10_000_001),)


def test_a_bar_with_very_many_steps_is_fast() -> None:
    """A million rewritten lines are no reason to wait."""
    text = "".join(f"\r{step}%|####" for step in range(200_000))
    assert coalesce([out(text)]) == (out("199999%|####"),)


# ---------------------------------------------------------------------------- JSON

EVERYTHING: tuple[Output, ...] = (
    Clear(True),
    Stream("stdout", "a\x1b[31m ü \ud800"),
    Stream("stderr", "b"),
    Display(
        {
            "image/png": b"\x89PNG\x00",
            "text/plain": "p",
            "application/json": {"a": [1]},
        },
        {"image/png": {"width": 2}},
        {"display_id": "x"},
    ),
    Display({"application/json": {"base64": "no"}}, update=True),
    Result({"text/html": "<b>", "application/json": None}),
)


def test_stored_outputs_come_back_equal() -> None:
    """Also bytes, and JSON that looks like marked bytes."""
    text = json.dumps(to_json(EVERYTHING))
    assert from_json(json.loads(text)) == EVERYTHING


def test_values_are_stored_as_they_are_sent() -> None:
    """Jupyter turns numbers, dates, arrays and mappings into JSON's own types."""
    data: dict[str, Any] = {
        "application/json": {
            1: np.int64(2),
            "f": np.float32(0.5),
            "b": True,
            "d": datetime.datetime(2026, 11, 21),
            "a": np.arange(3),
            "t": (1, b"x"),
            "o": object,
        }
    }
    (stored,) = to_json([Display(data)])
    assert json.loads(json.dumps(stored))["data"]["application/json"]["json"] == {
        "1": 2,
        "f": 0.5,
        "b": True,
        "d": "2026-11-21T00:00:00",
        "a": [0, 1, 2],
        "t": [1, "eA=="],
        "o": "<class 'object'>",
    }


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        ["text"],
        [{}],
        [{"type": "unknown"}],
        [{"type": "stream", "name": "stdin", "text": ""}],
        [{"type": "stream", "name": "stdout", "text": 1}],
        [{"type": "stream", "name": "stdout"}],
        [{"type": "clear", "wait": "yes"}],
        [{"type": "result", "data": [], "metadata": {}}],
        [{"type": "result", "data": {"a": 1}, "metadata": {}}],
        [{"type": "result", "data": {"a": {"base64": "?"}}, "metadata": {}}],
        [{"type": "result", "data": {"a": {"base64": 1}}, "metadata": {}}],
        [{"type": "result", "data": {"a": {"x": 1, "json": 2}}, "metadata": {}}],
        [{"type": "result", "data": {}, "metadata": None}],
        [{"type": "display", "data": {}, "metadata": {}}],
        [{"type": "display", "data": {}, "metadata": {}, "transient": 3}],
        [{"type": ["list"], "data": {}, "metadata": {}, "transient": {}}],
    ],
)
def test_malformed_outputs_are_refused(stored: Any) -> None:
    """A damaged or foreign file gives a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"malformed|not of type"):
        from_json(stored)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "data", "json", "text"]), inner)
    ),
    max_leaves=10,
)


@given(_json)
def test_any_json_is_read_or_refused(stored: Any) -> None:
    """No other error gets out."""
    try:
        outputs = from_json(stored)
    except ValueError:
        return
    assert to_json(outputs) == stored
