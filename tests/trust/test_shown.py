"""What an entry of somebody else may show and bind in a notebook."""

import base64

import pytest

from nbcache.cell.harmless import harmless, require_own_names
from nbcache.errors import UntrustedEntry
from nbcache.keys.flow import Flow
from nbcache.outputs import Clear, Display, Result, Stream
from nbcache.storage.foreign import require_new_names

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
SCRIPT = "<script>alert(1)</script>"


def test_text_and_pictures_are_shown():
    """With their text."""
    data = {"text/plain": "<Figure>", "image/png": PNG}
    assert harmless([Display(data)]) == (Display(data),)
    assert harmless([Stream("stdout", "a\nb\t\r")]) == (Stream("stdout", "a\nb\t\r"),)


@pytest.mark.parametrize(
    "mime",
    [
        *("text/html", "application/javascript", "image/svg+xml", "text/markdown"),
        *("text/latex", "application/vnd.jupyter.widget-view+json", "TEXT/HTML"),
        *("application/vnd.plotly.v1+json", "application/json", "application/pdf"),
    ],
)
def test_what_a_browser_runs_becomes_its_text(mime):
    """Also where there is no text beside it."""
    [shown] = harmless([Result({mime: SCRIPT, "text/plain": "a table"})])
    assert shown == Result({"text/plain": "a table"})
    [shown] = harmless([Display({mime: SCRIPT})])
    assert list(shown.data) == ["text/plain"]
    assert SCRIPT not in shown.data["text/plain"]
    assert "did not sign" in shown.data["text/plain"]


@pytest.mark.parametrize("value", ['" onerror="alert(1)', SCRIPT, {"a": 1}, 5, "AAAA"])
def test_a_picture_is_a_picture(value):
    """Its text becomes part of a URL in the page."""
    [shown] = harmless([Display({"image/png": value, "text/plain": "x"})])
    assert shown == Display({"text/plain": "x"})


def test_metadata_updates_and_clearing_are_left_out():
    """They reach what other cells show."""
    other = {"display_id": "another cell's"}
    found = harmless(
        [
            Clear(wait=False),
            Display({"text/plain": "x"}, {"isolated": False}, other),
            Display({"text/plain": "y"}, {}, other, update=True),
        ]
    )
    assert found == (Display({"text/plain": "x"}),)


def test_terminals_are_not_steered():
    """Colours stay, commands go."""
    [shown] = harmless(
        [Stream("stderr", "\x1b[31mred\x1b[0m \x1b]52;c;eA==\x07\x9b2J")]
    )
    assert shown.text == "\x1b[31mred\x1b[0m �]52;c;eA==��2J"


def test_only_the_cells_own_names_are_bound_and_deleted():
    """An entry for ``x = 1`` does not replace ``np`` or delete ``data``."""
    flow = Flow(stores={"x"}, deletes={"y"})
    require_own_names({"x": 1, "<result>": 2}, {"deleted": ["y"]}, flow)
    with pytest.raises(UntrustedEntry, match="'np'"):
        require_own_names({"x": 1, "np": 2}, {}, flow)
    with pytest.raises(UntrustedEntry, match="'data'"):
        require_own_names({}, {"deleted": ["data"]}, flow)


@pytest.mark.parametrize("name", ["print", "__builtins__", "_", "f", "base64", "a b"])
def test_reading_by_name_hides_no_function(name):
    """``--read`` knows of no code that would bind the names."""
    scope = {"f": len, "base64": base64, "x": 1}
    require_new_names(["x", "new"], scope)
    with pytest.raises(UntrustedEntry):
        require_new_names([name], scope)
