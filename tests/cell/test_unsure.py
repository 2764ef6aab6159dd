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


KEPT = {
    "a branch": "if flag:\n    a = 1\n    del a",
    "a loop": "for x in range(flag):\n    a = 1\n    del a",
    "a handler": "try:\n    1 + flag\nexcept TypeError as a:\n    pass",
    "a class": "class C:\n    a = 1\n    del a",
}
GONE = {
    "a walrus": "w = (a := 3) + 1\ndel a",
    "a branch": "if not flag:\n    a = 1\n    del a",
    "a try": "try:\n    pass\nfinally:\n    a = 1\n    del a",
    "a handler": "try:\n    1 / 0\nexcept ZeroDivisionError as a:\n    pass",
    "a block": "with open('/dev/null') as a:\n    pass\ndel a",
    "a function": "def f():\n    global a\n    a = 1\n    del a\nf()",
    "a helper": "helper()",
}
HELPER = "def helper():\n    global a\n    a = 1\n    del a\n"


@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("name", GONE)
def test_a_name_that_was_deleted_is_deleted(shell: Any, name: str, first: int) -> None:
    """Whether it was bound before, then or now, or not."""
    every = ("pass", "a = 1", "a = 7")
    for before in (every[first], *every):
        shell.reset(new_session=False)
        shell.run_cell(f"flag = 0\n{HELPER}\n{before}").raise_error()
        shell.run_cell(f"%%cached c\n{GONE[name]}").raise_error()
        assert "a" not in shell.user_ns
        assert nbcache.last().stored


@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("name", KEPT)
def test_a_name_that_was_not_deleted_stays(shell: Any, name: str, first: int) -> None:
    """And the cell does not run again for what it is."""
    every = ("pass", "a = 1", "a = 7")
    for number, before in enumerate((every[first], *every)):
        shell.reset(new_session=False)
        shell.run_cell(f"flag = 0\n{before}").raise_error()
        held = shell.user_ns.get("a", "unbound")
        shell.run_cell(f"%%cached c\n{KEPT[name]}").raise_error()
        assert shell.user_ns.get("a", "unbound") is held
        assert nbcache.last().hit == (number > 0)


@pytest.mark.parametrize("flag", [0, 1])
def test_what_a_helper_may_bind_is_bound_if_it_did(shell: Any, flag: int) -> None:
    """The value alone does not tell: small numbers are one object."""
    helper = "def helper():\n    global a\n    if flag:\n        a = 4"
    for before in (4, 7):
        shell.reset(new_session=False)
        shell.run_cell(f"flag = {flag}\na = {before}\n{helper}").raise_error()
        shell.run_cell("%%cached c\nhelper()").raise_error()
        assert shell.user_ns["a"] == (4 if flag else before)
    assert nbcache.last().hit


HELD = {
    "a list": ("held = [f]", "held[0]()"),
    "a partial": ("import functools; held = functools.partial(f)", "held()"),
    "a closure": ("def g(f): return lambda: f()\nheld = g(f)", "held()"),
    "an instance": (
        "class C:\n    def f(self): return a\nheld = C()",
        "held.f()",
    ),
    "a property": (
        "class C:\n    f = property(lambda self: a)\nheld = {'x': C()}",
        "held['x'].f",
    ),
}


@pytest.mark.parametrize("name", HELD)
def test_what_functions_inside_inputs_read_stays(shell: Any, name: str) -> None:
    """Taking it away would fail in the user's cell."""
    before, call = HELD[name]
    for value in (4, 7):
        shell.run_cell(f"flag = 0\na = {value}\ndef f(): return a\n{before}")
        shell.run_cell(f"%%cached c\nif flag: a = 1\ny = {call}").raise_error()
        assert shell.user_ns["y"] == value


HIDDEN = {
    "vars": "y = vars()['a']",
    "globals of a function": "y = f.__globals__['a']",
    "globals of a frame": "import sys\ny = sys._getframe().f_globals['a']",
    "the shell": "y = get_ipython().user_ns['a']",
    "evaluation here": "y = eval('a', None)",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_cell_that_hides_what_it_reads_keeps_its_names(
    shell: Any, name: str, recwarn: pytest.WarningsRecorder
) -> None:
    """It is not stored, and runs as it would have."""
    shell.run_cell("flag = 0\na = 4\ndef f(): pass")
    shell.run_cell(f"%%cached c\nif flag: a = 1\n{HIDDEN[name]}").raise_error()
    assert shell.user_ns["y"] == 4
    assert not nbcache.last().stored
    assert recwarn


def test_a_thread_keeps_what_it_reads(
    shell: Any, recwarn: pytest.WarningsRecorder
) -> None:
    """A name that the cell may bind is not taken from a thread that goes on."""
    shell.run_cell(
        "import threading, time\na, flag, failed, ended = 4, 0, [], []\n"
        "def work():\n"
        "    try:\n"
        "        while not ended: a; time.sleep(.001)\n"
        "    except NameError as error: failed.append(error)\n"
        "thread = threading.Thread(target=work)\nthread.start()"
    ).raise_error()
    try:
        shell.run_cell("%%cached c\nif flag: a = 1\nimport time; time.sleep(.05)")
        assert shell.user_ns["failed"] == []
    finally:
        shell.user_ns["ended"].append(1)
        shell.user_ns["thread"].join()
    assert "cannot be told while the thread" in str(recwarn.pop().message)
