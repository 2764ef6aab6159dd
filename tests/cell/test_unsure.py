"""Names that a cell may bind, or not: a hit leaves alone what the run left alone."""

from __future__ import annotations

from typing import Any

import pytest
from kernel import shell_in_process

import nbcache

CELLS = {
    "a condition": "if flag:\n    a = 4",
    "a match": "match [1]:\n    case [x]:\n        w = x\n    case _:\n        a = 4",
    "an empty loop": "for a in []:\n    pass",
    "a handler": "try:\n    w = 1\nexcept ValueError:\n    a = 4",
    "a walrus": "flag and (a := 4)",
    "a pass over": "import contextlib\nwith contextlib.suppress(KeyError):\n"
    "    {}['x']\n    a = 4",
}
BEFORE = ("a = 4", "a = 7", "", "a = [1]", "a = 4")


@pytest.mark.parametrize("name", CELLS)
def test_a_name_that_was_not_bound_keeps_its_value(shell: Any, name: str) -> None:
    """Whatever it is in this kernel; and the cell does not run again for it."""
    for number, before in enumerate(BEFORE):
        shell.reset(new_session=False)
        shell.run_cell(f"flag = False\n{before}").raise_error()
        held = shell.user_ns.get("a", "unbound")
        shell.run_cell(f"%%cached c\n{CELLS[name]}").raise_error()
        assert shell.user_ns.get("a", "unbound") is held
        assert nbcache.last().hit == (number > 0)


@pytest.mark.parametrize("before", ["a = 4", "a = 4; b = 0", ""])
def test_a_name_that_was_bound_to_the_same_object_is_stored(
    tmp_path: Any, before: str
) -> None:
    """Small numbers are one object: a run over them counts all the same."""
    with shell_in_process(tmp_path) as shell:
        nbcache.load_ipython_extension(shell)
        shell.run_cell(f"flag = True\n{before}").raise_error()
        shell.run_cell("%%cached c\nif flag:\n    a = 4\nfor b in range(3): pass")
        for other in ("a = 7", "b = 7", "pass"):
            shell.reset(new_session=False)
            shell.run_cell(f"flag = True\n{other}").raise_error()
            shell.run_cell("%%cached c\nif flag:\n    a = 4\nfor b in range(3): pass")
            assert (shell.user_ns["a"], shell.user_ns["b"]) == (4, 2)
            assert nbcache.last().hit
        nbcache.unload_ipython_extension(shell)


def test_an_error_leaves_the_names(shell: Any) -> None:
    """What was bound before is bound after it."""
    shell.run_cell("a = [1]")
    held = shell.user_ns["a"]
    shell.run_cell("%%cached c\nif 1 / 0:\n    a = 4")
    assert shell.user_ns["a"] is held
