"""The body runs as IPython would run it: lines, names, errors, await."""

from __future__ import annotations

import ast
import asyncio
import inspect
import linecache
import logging
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from kernel import Kernel, Ran, Terminal, shell_in_process

from nbcache.cell.body import Body, run_nodes, user_traceback
from nbcache.cell.capture import uninstall
from nbcache.cell.transform import await_transformer


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        assert kernel.run("%load_ext throwaway").ok
        yield kernel


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Any]:
    with shell_in_process(tmp_path) as shell:
        yield shell
        uninstall(shell)


# ------------------------------------------------------------------ real tracebacks

ERRORS = {
    "at the top": "x = 1\n1 / 0",
    "in a function": "def f():\n    return 1 / 0\n\nf()",
    "while handling": (
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('v')"
    ),
    "from a cause": (
        "try:\n    {}['k']\nexcept KeyError as error:\n    raise ValueError from error"
    ),
    "in a library": "import json\njson.loads('{')",
    "syntax at run time": "x = 1\neval('1 +')",
    "found by the compiler": "x = 1\nreturn 3",
    "syntax": "x = 1\nx = (",
    "indentation": "x = 1\n  y = 2",
    "awaiting": "import asyncio\nawait asyncio.sleep(0)\n1 / 0",
    "in a coroutine": "async def f():\n    1 / 0\n\nawait f()",
    "in gather": (
        "import asyncio\nasync def f():\n    raise ValueError('g')\n\n"
        "await asyncio.gather(f(), asyncio.sleep(0))"
    ),
    "cancelled": "import asyncio\nraise asyncio.CancelledError()",
    "interrupted": "raise KeyboardInterrupt",
    "exit": "import sys\nsys.exit(3)",
    "with a note": "e = ValueError('v')\ne.add_note('n')\nraise e",
    "magic": "x = 1\n%nosuchmagic",
    "value": "x = [1]\nx[2]",
}


def _error(ran: Ran) -> tuple[str, str, str]:
    """What the user and the client see, without the number of the cell."""
    assert ran.reply["status"] == "error"
    shown = ran.traceback or ran.stderr
    shown = re.sub(r"In\[\d+\]", "In[n]", shown)
    # the message of a SyntaxError holds the file's name, a digest of the cell
    return shown, ran.reply["ename"], re.sub(r"\(\d+\.py", "(n.py", ran.reply["evalue"])


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_looks_as_in_a_cell_without_the_magic(
    kernel: Kernel, name: str
) -> None:
    """The same frames, lines and status as for a comment in place of the magic."""
    plain = _error(kernel.run(f"# %%cached fit\n{ERRORS[name]}"))
    missed = _error(kernel.run(f"%%cached fit\n{ERRORS[name]}"))
    assert missed == plain


@pytest.mark.parametrize("name", ["at the top", "in a function", "awaiting", "syntax"])
def test_an_error_in_a_terminal_names_cell_and_line(tmp_path: Path, name: str) -> None:
    """A terminal's IPython shows the same traceback as for a comment."""
    with Terminal(tmp_path) as terminal:
        terminal.run("%load_ext throwaway")
        plain = terminal.run(f"# %%cached fit\n{ERRORS[name]}")
        missed = terminal.run(f"%%cached fit\n{ERRORS[name]}")
    shown = re.sub(r"In\[\d+\]", "In[n]", missed.text)
    assert not missed.ok
    assert shown == re.sub(r"In\[\d+\]", "In[n]", plain.text)


def test_errors_in_a_group_begin_in_the_cell(kernel: Kernel) -> None:
    """Tasks of a group fail each with a traceback of its own."""
    ran = kernel.run(
        "%%cached\nimport asyncio\nasync def f():\n    1 / 0\n\n"
        "async with asyncio.TaskGroup() as group:\n    group.create_task(f())"
    )
    shown = ran.stderr + ran.traceback
    assert "group.create_task(f())" in shown or "asyncio.TaskGroup()" in shown
    assert "nbcache" not in shown


def test_an_exception_group_shows_the_line_of_the_cell(kernel: Kernel) -> None:
    """IPython prints groups as Python does; the user's line is there."""
    ran = kernel.run("%%cached\nx = 1\nraise ExceptionGroup('g', [ValueError('v')])")
    shown = ran.stderr + ran.traceback
    assert "raise ExceptionGroup('g', [ValueError('v')])" in shown
    assert "throwaway" not in shown


@pytest.mark.parametrize("name", ["value", "syntax", "awaiting"])
def test_an_error_names_the_number_of_the_cell(kernel: Kernel, name: str) -> None:
    """`In[n]` is the prompt that the front end shows."""
    ran = kernel.run(f"%%cached\n{ERRORS[name]}")
    (sent,) = ran.contents("execute_input")
    assert f"Cell In[{sent['execution_count']}], line" in ran.traceback


def test_lines_count_from_the_top_of_the_whole_cell(kernel: Kernel) -> None:
    """Other magics above the body do not shift its lines."""
    ran = kernel.run("%%time\n%%cached fit\nx = 1\n1 / 0")
    assert re.search(r"Cell In\[\d+\], line 4\n", ran.traceback)
    assert "----> 4 1 / 0" in ran.traceback
    assert "run_cell_magic" not in ran.traceback


def test_an_error_of_a_cached_function_keeps_the_users_lines(kernel: Kernel) -> None:
    """Frames of nbcache between two of the user's are gone from the traceback."""
    kernel.run(
        "exec('def call(f): f()', between := {'__name__': 'nbcache.between'})\n"
        "call = between['call']"
    )
    ran = kernel.run("def broken():\n    1 / 0\n\ncall(broken)")
    assert "between" not in ran.traceback
    assert "----> 4 call(broken)" in ran.traceback
    assert "----> 2     1 / 0" in ran.traceback


def test_an_error_of_nbcache_itself_keeps_our_frames(kernel: Kernel) -> None:
    """A bug must be found: its frames are shown."""
    kernel.run("exec('def bug(): 1 / 0', inside := {'__name__': 'nbcache.inside'})")
    ran = kernel.run("inside['bug']()")
    assert "in bug()" in ran.traceback


def test_an_interrupt_ends_the_cell(kernel: Kernel) -> None:
    """The stop button reaches the body, and nothing is stored."""
    cell = "%%cached\nimport time\nprint('started', flush=True)\ntime.sleep(60)"
    for _ in range(2):
        request = kernel.start(cell)
        kernel.wait_for(request, "started")
        time.sleep(0.2)
        kernel.interrupt()
        ran = kernel.finish(request, timeout_s=10)
        assert ran.reply["ename"] == "KeyboardInterrupt"
        assert "----> 4 time.sleep(60)" in ran.traceback


def test_an_interrupt_ends_a_cell_that_awaits(kernel: Kernel) -> None:
    """Its task is cancelled."""
    cell = (
        "%%cached\nimport asyncio\nprint('started', flush=True)\n"
        # a loop that sleeps does not see the signal before it wakes up
        "while True: await asyncio.sleep(0.05)"
    )
    request = kernel.start(cell)
    kernel.wait_for(request, "started")
    # the signal must find the kernel waiting, not still printing
    time.sleep(0.2)
    kernel.interrupt()
    ran = kernel.finish(request, timeout_s=10)
    assert ran.reply["ename"] in ("CancelledError", "KeyboardInterrupt")


def test_an_error_stops_what_was_queued(kernel: Kernel) -> None:
    """Run All does not go on after the cell."""
    cell = "%%cached\nimport time; time.sleep(0.5)\n1 / 0"
    first = kernel.start(cell, stop_on_error=True)
    second = kernel.start("print('went on')")
    assert not kernel.finish(first).ok
    reply = kernel.client.get_shell_msg(timeout=10)
    assert reply["parent_header"]["msg_id"] == second
    assert reply["content"]["status"] in ("aborted", "error")
    # what comes in the next moment is aborted as well, and would be the next test's
    until = time.monotonic() + 10
    while kernel.run("0").reply["status"] == "aborted":
        assert time.monotonic() < until


def test_await_where_no_magic_can_await_is_explained(kernel: Kernel) -> None:
    """No transformer sees a magic that is called by code."""
    ran = kernel.run("get_ipython().run_cell_magic('cached', '', 'await x')")
    assert not ran.ok
    assert "%%cached must be the first line of the cell" in ran.reply["evalue"]


# --------------------------------------------------------------- names and sources


def test_getsource_gives_functions_of_the_cell(kernel: Kernel) -> None:
    """Also after a hit, whose cell IPython registers anew."""
    cell = "%%cached\ndef f(x):\n    return x\n\nclass C:\n    def m(self): pass"
    kernel.run(cell)
    for _ in range(2):
        shown = kernel.run("import inspect; print(inspect.getsource(f))").stdout
        assert shown == "def f(x):\n    return x\n\n"
        shown = kernel.run("print(inspect.getsource(C.m))").stdout
        assert shown == "    def m(self): pass\n\n"
        kernel.run(cell)


def test_a_debugger_finds_the_file_of_the_cell(kernel: Kernel) -> None:
    """A front end sets breakpoints under the name of the raw cell."""
    cell = "%%cached fit\ndef g(): pass"
    kernel.run(cell)
    ran = kernel.run(
        f"from ipykernel.compiler import get_file_name\n"
        f"g.__code__.co_filename == get_file_name({cell!r}), g.__code__.co_firstlineno"
    )
    assert ran.result == {"text/plain": "(True, 2)"}


def _nested_codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested_codes(constant)


@pytest.mark.parametrize(
    "body",
    [
        "def f(x, y=2):\n    'doc'\n    return [x + i for i in range(y)]\n",
        "x = 1\n\n\nclass C:\n    def f(self):\n        return lambda: super().f()\n",
        "async def f():\n    async with a as b:\n        yield await b\n",
        "import os\n%matplotlib inline\ndef f():\n    !ls\n    return 1\n",
        "x = '\x0c'\ndef g():\n    return 1\n",
        "def f():\r\n    return 1\r\n",
        "'first'\ndef f() -> int: ...\nf(); f()\n",
    ],
)
@pytest.mark.parametrize("mode", ["last_expr", "all"])
def test_the_cached_text_compiles_to_the_running_code(
    shell: Any, body: str, mode: str
) -> None:
    """Whoever compiles linecache's text gets the very code that runs."""
    shell.ast_node_interactivity = mode
    raw = f"%%cached fit --deps x\n{body}"
    running = Body(shell, body, raw)
    lines = linecache.getlines(running.filename)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    whole = compile("".join(lines), running.filename, "exec", flags, dont_inherit=True)
    theirs = list(_nested_codes(whole))
    ours = [nested for code in running._codes() for nested in _nested_codes(code)]
    assert ours == theirs
    assert ours


def test_future_statements_of_the_session_apply(shell: Any) -> None:
    """As in IPython, they hold for all later cells."""
    Body(shell, "from __future__ import annotations\n", None).run()
    Body(shell, "def f(x: nowhere): pass\n", None).run()
    assert shell.user_ns["f"].__annotations__ == {"x": "nowhere"}


def test_a_part_of_a_cell_leaves_the_cells_own_text(kernel: Kernel) -> None:
    """A call of the magic from code does not replace the source of that code."""
    cell = (
        "def before(): pass\n"
        "get_ipython().run_cell_magic('cached', '', 'def part(): pass\\n')\n"
        "import inspect\n"
        "print(inspect.getsource(before), inspect.getsource(part))"
    )
    assert kernel.run(cell).stdout == "def before(): pass\n def part(): pass\n\n"


def test_a_dedented_cell_keeps_its_lines(shell: Any) -> None:
    """IPython removes common indentation before it calls the magic."""
    body = Body(shell, "x = 1\ny = (\n  2)\n", "  %%cached\n  x = 1\n  y = (\n    2)\n")
    assert [node.lineno for node in body.tree.body] == [2, 3]


# ------------------------------------------------------------------ what a body is


def test_a_body_knows_source_tree_and_name(shell: Any) -> None:
    """The source has no head, the tree has the lines of the cell."""
    body = Body(shell, "%time 1\nx = 2\n", "\n%%cached fit\n%time 1\nx = 2\n")
    assert body.source == "get_ipython().run_line_magic('time', '1')\nx = 2\n"
    assert [node.lineno for node in body.tree.body] == [3, 4]
    assert linecache.getline(body.filename, 4) == "x = 2\n"
    number = shell.displayhook.prompt_count
    assert shell.compile.format_code_name(body.filename) == ("Cell", f"In[{number}]")


@pytest.mark.parametrize(
    ("body", "quiet"),
    [
        ("1;", True),
        ("1; # x", True),
        ("1;\n\n# end\n", True),
        ("';'", False),
        ("a = 1; b", False),
        ("", False),
    ],
)
def test_a_semicolon_at_the_end_makes_it_quiet(
    shell: Any, body: str, quiet: bool
) -> None:
    """Only the last token counts."""
    assert Body(shell, body, None).quiet is quiet


@pytest.mark.parametrize(
    ("body", "is_async"),
    [
        ("await x", True),
        ("async for i in x: pass", True),
        ("[i async for i in x]", True),
        ("async def f(): await x", False),
        ("'await'", False),
    ],
)
def test_only_the_top_level_makes_it_async(
    shell: Any, body: str, is_async: bool
) -> None:
    """A coroutine function that is merely defined does not await."""
    assert Body(shell, body, None).is_async is is_async


def test_statements_before_one_that_cannot_be_compiled_run(shell: Any) -> None:
    """IPython compiles each statement when its turn comes."""
    body = Body(shell, "x = 'ran'\nbreak\n", None)
    with pytest.raises(SyntaxError, match="outside loop"):
        body.run()
    assert shell.user_ns["x"] == "ran"


def test_an_async_body_runs_where_no_loop_does(shell: Any) -> None:
    """The shell has a runner for it."""
    body = Body(shell, "import asyncio\nx = await asyncio.sleep(0, 'slept')\n", None)
    body.run()
    assert shell.user_ns["x"] == "slept"


def test_an_async_body_refuses_to_run_inside_a_loop(shell: Any) -> None:
    """Executing its code there would do nothing, silently."""
    body = Body(shell, "await nothing\n", None)

    async def inside() -> None:
        body.run()

    with pytest.raises(Exception, match="must be the first line of the cell"):
        asyncio.run(inside())


def test_a_syntax_error_names_the_line_of_the_cell(shell: Any) -> None:
    """The lines above the body count."""
    with pytest.raises(SyntaxError, match=r"incomplete input|never closed") as caught:
        Body(shell, "x = 1\ny = (\n", "%%time\n%%cached\nx = 1\ny = (\n")
    assert caught.value.lineno == 4


def test_empty_lines_above_the_code_count(shell: Any) -> None:
    """IPython takes them away, before and after the line of the magic."""
    body = Body(shell, "\n\nx = 1\n", "\n%%cached\n\n\nx = 1\n")
    assert [node.lineno for node in body.tree.body] == [5]


def test_an_indentation_that_fits_nowhere_names_the_line(shell: Any) -> None:
    """It is found before the code is parsed."""
    source = "if True:\n    x = 1\n  y = 2\n"
    with pytest.raises(SyntaxError, match="unindent") as caught:
        Body(shell, source, f"%%cached\n{source}")
    assert caught.value.lineno == 4


def test_a_body_is_parsed_once_for_the_same_cell(shell: Any) -> None:
    """Another head, future statement or transformer gives another tree."""
    source = "x = 1\ny = 2\n"
    first = Body(shell, source, f"%%cached\n{source}").tree
    assert Body(shell, source, f"%%cached\n{source}").tree is first
    assert Body(shell, source, f"%%cached a\n{source}").tree is not first
    shell.input_transformers_cleanup.append(
        lambda lines: [line.replace("1", "3") for line in lines]
    )
    assert Body(shell, source, f"%%cached\n{source}").source == "x = 3\ny = 2\n"


def test_a_single_line_depends_on_the_namespace(shell: Any) -> None:
    """A magic may be written without its sign where no variable has its name."""
    assert "run_line_magic" in Body(shell, "pwd\n", None).source
    shell.user_ns["pwd"] = 1
    assert Body(shell, "pwd\n", None).source == "pwd\n"


def test_ast_transformers_change_a_tree_of_their_own(shell: Any) -> None:
    """The remembered tree stays as it was parsed."""

    class Doubling(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.copy_location(ast.Constant(node.value * 2), node)

    source = "x = 1\ny = 2\n"
    plain = Body(shell, source, None)
    shell.ast_transformers.append(Doubling())
    for _ in range(2):
        Body(shell, source, None).run()
        assert shell.user_ns["x"] == 2
    assert ast.unparse(plain.tree) == "x = 1\ny = 2"


# ------------------------------------------------------------------------ run_nodes


def test_run_nodes_fills_the_namespace_and_shows_nothing(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Imports run again on a hit; the stored outputs hold what they print."""
    body = Body(shell, "import json\nprint('loud')\ndef f(): return json\n", None)
    namespace: dict[str, Any] = {}
    run_nodes(shell, body.tree.body, body.filename, namespace)
    assert namespace["f"]() is namespace["json"]
    assert "f" not in shell.user_ns
    assert capsys.readouterr().out == ""


def test_what_run_nodes_imports_keeps_the_real_streams(shell: Any) -> None:
    """A logging handler made by an import must not hold on to a replaced stream."""
    body = Body(shell, "import logging\nhandler = logging.StreamHandler()\n", None)
    namespace: dict[str, Any] = {}
    run_nodes(shell, body.tree.body, body.filename, namespace)
    assert isinstance(namespace["handler"], logging.StreamHandler)
    assert namespace["handler"].stream is sys.stderr


def test_run_nodes_passes_errors_on(shell: Any) -> None:
    """A failing import makes the hit a miss; that is for the caller to decide."""
    body = Body(shell, "import no_such_module\n", None)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        run_nodes(shell, body.tree.body, body.filename, {})


# ------------------------------------------------------------------- user_traceback


def _frames(error: BaseException) -> list[str]:
    frames, entry = [], error.__traceback__
    while entry is not None:
        frames.append(entry.tb_frame.f_code.co_name)
        entry = entry.tb_next
    return frames


def test_user_traceback_begins_in_the_cell(shell: Any) -> None:
    """Frames above it, hidden ones and nbcache's are gone; those below stay."""
    source = (
        "def hidden(f):\n    __tracebackhide__ = True\n    f()\n"
        "def broken():\n    1 / 0\n"
        "hidden(broken)\n"
    )
    body = Body(shell, source, None)
    with pytest.raises(ZeroDivisionError) as caught:
        body.run()
    error = user_traceback(caught.value, body.filename)
    assert error is caught.value
    assert _frames(error) == ["<module>", "broken"]


def test_user_traceback_leaves_foreign_errors_alone() -> None:
    """Without a frame of the body nothing is cut."""
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    frames = _frames(caught.value)
    assert _frames(user_traceback(caught.value, "nowhere")) == frames


# -------------------------------------------------------------------- transformers


def test_the_transformer_rewrites_only_cells_that_await(shell: Any) -> None:
    """All others are left to IPython."""
    transform = await_transformer(shell)
    for lines in (
        [],
        ["\n"],
        ["%%cached\n", "x = 1\n"],
        ["%%cached\n", "async def f(): await x\n"],
        ["%%cachedfit\n", "await x\n"],
        ["x = 1\n", "%%cached\n", "await x\n"],
    ):
        assert transform(lines) == lines
    (line,) = transform(["\n", "%%cached fit --deps 'a b'\n", "await x\n"])
    assert line == (
        "await get_ipython().magics_manager.registry['NbcacheMagics']"
        ".cached_async(\"fit --deps 'a b'\", 'await x\\n')\n"
    )


def test_a_half_typed_cell_is_not_taken_for_complete(shell: Any) -> None:
    """A terminal asks after each line whether it should run the cell."""
    shell.input_transformers_cleanup.append(await_transformer(shell))
    assert shell.check_complete("%%cached fit\ndef f():")[0] == "incomplete"
    assert shell.check_complete("%%cached fit\nawait x")[0] == "incomplete"


def test_without_autoawait_await_is_an_error(shell: Any) -> None:
    """`%autoawait off` holds for the body too."""
    shell.autoawait = False
    lines = ["%%cached\n", "await x\n"]
    assert await_transformer(shell)(lines) == lines
    with pytest.raises(SyntaxError, match="await"):
        Body(shell, "await x\n", None).run()


def test_bodies_are_shown_by_inspect(shell: Any) -> None:
    """`inspect.getsource` works in a plain shell too."""
    Body(shell, "def f():\n    return 1\n", "%%cached\ndef f():\n    return 1\n").run()
    assert inspect.getsource(shell.user_ns["f"]) == "def f():\n    return 1\n"
