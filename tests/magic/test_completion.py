"""Tab after the magics, as a front end asks for it."""

import pytest


@pytest.fixture
def matches(notebook):
    """Give a function that completes a cell at its end."""
    notebook("%%cached fit\nx = 1")
    notebook("%%cached 'my other'\nx = 2")

    def complete(code: str) -> list[str]:
        client = notebook.kernel.client
        asked = client.complete(code, len(code))
        while True:
            reply = client.get_shell_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == asked:
                break
        found = reply["content"]
        start = code[: found["cursor_start"]]
        return [start + text for text in found["matches"]]

    return complete


CASES = {
    "%%cached ": ["%%cached fit", '%%cached "my other"'],
    "%%cached f": ["%%cached fit"],
    "%%cached fit --op": ["%%cached fit --opaque"],
    "%cached --min": ["%cached --min-time"],
    "y = %cached --min": ["y = %cached --min-time"],
    "%%cached a --rng r": ["%%cached a --rng refuse"],
    "%%cached a --skip table_o": ["%%cached a --skip table_one"],
    "%%cached a -o x,table_o": ["%%cached a -o x,table_one"],
    "%nbcache cl": ["%nbcache clear"],
    "%nbcache clear f": ["%nbcache clear fit"],
    "%nbcache why fit f": ["%nbcache why fit fit"],
    "df = %nbcache l": ["df = %nbcache ls"],
    "%nbcache clear --a": ["%nbcache clear --all"],
    "%nbcache auto o": ["%nbcache auto off"],
}


@pytest.mark.parametrize("code", CASES)
def test_names_and_options_complete(notebook, matches, code):
    """And nothing else is offered beside them."""
    notebook("table_one = 1")
    assert sorted(matches(code)) == sorted(CASES[code])


def test_other_lines_complete_as_ever(notebook, matches):
    """Also the statement after `%cached`, and the body of a cell."""
    notebook("table_one = 1")
    assert "y = table_one" in matches("y = table_o")
    assert "%cached y = table_one" in matches("%cached y = table_o")
    assert "%%cached\ny = table_one" in matches("%%cached\ny = table_o")


def test_unloading_takes_the_matcher_away(notebook, matches):
    """No entry is offered then."""
    notebook("%unload_ext nbcache")
    assert "%nbcache clear fit" not in matches("%nbcache clear f")
