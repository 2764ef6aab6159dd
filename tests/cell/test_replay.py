"""A hit shows what the miss showed, and what IPython itself shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Kernel, Ran, Terminal

from nbcache.outputs import resolve_text

CELLS = {
    "print": "print('a'); print('b', end='')",
    "both streams": (
        "import sys\nprint('a', flush=True)\nprint('b', file=sys.stderr, flush=True)\n"
        "print('c', flush=True)"
    ),
    "last value": "print('x')\n1 + 1",
    "semicolon": "1 + 1;",
    "semicolon and comment": "1 + 1;  # quiet",
    "none": "x = 1",
    "value and display": "display('shown')\n'result'",
    "frame": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "figures": (
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);\nprint('between')\n"
        "plt.figure(); plt.plot([2, 1])\n'value'"
    ),
    "shown figure": (
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nprint('after')"
    ),
    "updates": (
        "h = display('one', display_id=True)\nprint('x')\nh.update('two')\n"
        "h.update('three')"
    ),
    "clear": (
        "from IPython.display import clear_output\nprint(1)\nclear_output()\nprint(2)"
    ),
    "clear and wait": (
        "from IPython.display import clear_output\nfor i in range(3):\n"
        "    clear_output(wait=True)\n    print(i)"
    ),
    "clear at the end": (
        "from IPython.display import clear_output\nprint(1)\nclear_output(wait=True)"
    ),
    "progress": (
        "from tqdm import tqdm\nfor i in tqdm(range(3), ncols=40,"
        " bar_format='{l_bar}{bar}| {n_fmt}/{total_fmt}'): pass"
    ),
    "command": "!echo from the shell; echo to stderr >&2",
    "child": (
        "import subprocess, sys\nfor i in range(3): subprocess.run(['echo', str(i)])"
    ),
    "descriptor 1": "import os\nos.write(1, b'one\\n');",
    "descriptor 2": "import os\nos.write(2, b'two\\n');",
    "forked": (
        "import multiprocessing\n"
        "def show(i): print('from', i, flush=True)\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    pool.map(show, range(3));"
    ),
    "logging": (
        "import logging\nlogger = logging.getLogger('x')\nlogger.propagate = False\n"
        "logger.handlers[:] = [logging.StreamHandler()]\nlogger.warning('careful')"
    ),
    "warnings": (
        "import warnings\nwarnings.simplefilter('always')\nwarnings.warn('old')"
    ),
    "threads": (
        "import threading\n"
        "t = threading.Thread(target=print, args=('in a thread',))\nt.start(); t.join()"
    ),
    "html and bytes": (
        "from IPython.display import HTML\ndisplay(HTML('<b>x</b>'))\n"
        "display({'image/png': b'\\x89PNG', 'text/plain': 'p'}, raw=True)"
    ),
    "json": "display({'application/json': {'a': [1, 2.5, None]}}, raw=True)",
    "metadata": "display({'text/plain': 'x'}, metadata={'isolated': True}, raw=True)",
    "displays itself": (
        "class D:\n    def _ipython_display_(self): print('mine')\nD()"
    ),
    "prints in repr": (
        "class P:\n    def __repr__(self):\n        print('inside'); return 'P!'\nP()"
    ),
    "await": "import asyncio\nprint('a')\nawait asyncio.sleep(0)\nprint('b')\n3",
    "gather": (
        "import asyncio\nasync def f(i):\n    await asyncio.sleep(i / 100)\n"
        "    print(i)\n    return i\nawait asyncio.gather(f(2), f(1))"
    ),
    "async for": (
        "async def g():\n    yield 1\n    yield 2\nasync for i in g():\n    print(i)"
    ),
    "unicode": "print('grüße \\U0001f600')\n'λ'",
    "markup as text": "'<script>alert(1)</script>'",
}


LATE = ("child", "descriptor 1", "descriptor 2", "forked")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        assert kernel.run("%load_ext throwaway\nhits = 0").ok
        yield kernel


def _shown(ran: Ran) -> list[dict[str, object]]:
    """What stands under the cell, without what differs from run to run."""
    assert ran.ok, ran.traceback
    page = ran.page
    for item in page:
        item["id"] = bool(item.get("id"))
        if item["kind"] == "stream":
            # a stream that is overwritten later is stored as it looks
            text = resolve_text(item["text"].replace("\r\n", "\n"))
            item["text"] = re.sub(r"/tmp/\S+|\d+: UserWarning", "", text)
    return page


@pytest.mark.parametrize("name", CELLS)
def test_a_hit_shows_what_the_miss_and_ipython_show(kernel: Kernel, name: str) -> None:
    """Uncached, missed and hit: the same page, values and execution counts."""
    body = CELLS[name]
    # without the magic, what is written to descriptors may come too late
    wait = "\nimport time; time.sleep(0.5)" if name in LATE else ""
    plain = kernel.run(f"{body}{wait}")
    hits = int(kernel.run("hits").result["text/plain"])
    missed = kernel.run(f"%%cached\n{body}")
    out_missed = kernel.run("repr(_) if _ is not None else None").result
    again = kernel.run(f"%%cached\n{body}")
    assert _shown(missed) == _shown(plain)
    assert _shown(again) == _shown(plain)
    assert int(kernel.run("hits").result["text/plain"]) == hits + 1
    assert again.reply["execution_count"] == missed.reply["execution_count"] + 2
    assert out_missed is not None


@pytest.mark.parametrize(
    "mode", ["all", "last", "last_expr", "last_expr_or_assign", "none"]
)
@pytest.mark.parametrize(
    "body", ["1\n2", "1\nx = 3", "1\n2;", "if True:\n    5", "x = 1;"]
)
def test_values_follow_the_setting_of_the_shell(
    kernel: Kernel, mode: str, body: str
) -> None:
    """`ast_node_interactivity` decides on a miss and on a hit as it does uncached."""
    name = "%config InteractiveShell.ast_node_interactivity"
    kernel.run(f"{name} = '{mode}'")
    try:
        plain = kernel.run(body)
        missed = kernel.run(f"%%cached\n{body}\n# {mode}")
        again = kernel.run(f"%%cached\n{body}\n# {mode}")
    finally:
        kernel.run(f"{name} = 'last_expr'")
    assert _shown(missed) == _shown(plain)
    assert _shown(again) == _shown(plain)


def test_a_hit_sets_out_and_underscore(kernel: Kernel) -> None:
    """Restored values reach `Out[n]`, `_` and `_n`."""
    kernel.run("%%cached\n['kept']")
    count = kernel.run("%%cached\n['kept']").reply["execution_count"]
    assert kernel.run(f"(_, Out[{count}], _{count})").result == {
        "text/plain": "(['kept'], ['kept'], ['kept'])"
    }


def test_a_value_that_displays_itself_reaches_out(kernel: Kernel) -> None:
    """Such a value has no bundle of its own, but an `Out[n]`."""
    body = "class E:\n    def _ipython_display_(self): print('e')\ne = E(); e"
    kernel.run(f"%%cached\n{body}")
    count = kernel.run(f"%%cached\n{body}").reply["execution_count"]
    assert kernel.run(f"Out[{count}] is e").result == {"text/plain": "True"}


def test_a_display_replayed_can_be_updated(kernel: Kernel) -> None:
    """The display id is kept, so the handle still reaches the display."""
    body = "handle = display('first', display_id=True)"
    first = kernel.run(f"%%cached\n{body}").contents("display_data")
    second = kernel.run(f"%%cached\n{body}").contents("display_data")
    update = kernel.run("handle.update('later')").contents("update_display_data")
    ids = {one["transient"]["display_id"] for one in first + second + update}
    assert len(ids) == 1


def test_an_update_of_an_earlier_display_is_replayed(kernel: Kernel) -> None:
    """A cell may update what another cell shows."""
    kernel.run("earlier = display('before', display_id='earlier')")
    body = "earlier.update('one')\nearlier.update('two')"
    kernel.run(f"%%cached\n{body}")
    (update,) = kernel.run(f"%%cached\n{body}").contents("update_display_data")
    assert update["transient"] == {"display_id": "earlier"}
    assert update["data"] == {"text/plain": "'two'"}


def test_a_notebook_bar_is_replayed_as_its_final_text(kernel: Kernel) -> None:
    """A live widget ends with its kernel; the text it showed last is kept."""
    body = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from tqdm.notebook import tqdm\nfor i in tqdm(range(4), desc='bar'): pass"
    )
    missed = kernel.run(f"%%cached\n{body}")
    view = "application/vnd.jupyter.widget-view+json"
    assert view in missed.displays[0]
    (bundle,) = kernel.run(f"%%cached\n{body}").displays
    assert view not in bundle
    assert "bar: 100%" in bundle["text/plain"]
    assert "4/4" in bundle["text/plain"]


def test_a_bar_that_removes_itself_is_not_replayed(kernel: Kernel) -> None:
    """`leave=False` closes the widget, and front ends take its view away."""
    body = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from tqdm.notebook import tqdm\nfor i in tqdm(range(4), leave=False): pass\n"
        "import ipywidgets\nw = ipywidgets.IntSlider(3); display(w); w.close()"
    )
    kernel.run(f"%%cached\n{body}")
    assert kernel.run(f"%%cached\n{body}").page == []


def test_foreign_types_are_reduced_to_their_text(kernel: Kernel) -> None:
    """With an allow-list, active content is not shown."""
    body = (
        "from IPython.display import HTML, Javascript\n"
        "display(HTML('<script>1</script>')); display(Javascript('2'))\n"
        "display({'text/html': 'only'}, raw=True)"
    )
    kernel.run(f"%%cached\n{body}")
    shown = kernel.run(f"%%cached image/png\n{body}").displays
    assert shown == [
        {"text/plain": "<IPython.core.display.HTML object>"},
        {"text/plain": "<IPython.core.display.Javascript object>"},
        {"text/plain": "[nbcache: text/html is not shown]"},
    ]
    assert len(kernel.run(f"%%cached text/html\n{body}").displays[0]) == 2


def test_a_replay_inside_a_recording_is_recorded(kernel: Kernel) -> None:
    """A cell that runs another cached cell shows that one's outputs on its own hit."""
    kernel.run("%%cached\nprint('inner'); 5")
    body = (
        "print('before')\n"
        "get_ipython().run_cell_magic('cached', '', \"print('inner'); 5\\n\")\n"
        "print('after')"
    )
    missed = kernel.run(f"%%cached\n{body}")
    again = kernel.run(f"%%cached\n{body}")
    assert [item["kind"] for item in again.page] == [
        "stream",
        "execute_result",
        "stream",
    ]
    assert _shown(again) == _shown(missed)


def test_large_output_is_cut_with_a_note(kernel: Kernel) -> None:
    """What is shown live is not limited; what is kept is."""
    kernel.run("%%cached\nfor i in range(130): print('x' * 100_000)")
    again = kernel.run("%%cached\nfor i in range(130): print('x' * 100_000)")
    assert 10_000_000 <= len(again.stdout) < 10_000_100
    assert again.stdout.endswith("[nbcache: text of more than 10 MB is not kept]\n")


TERMINAL_CELLS = {
    "print": "print('a')",
    "value": "print('x')\n[1, 2]",
    "lines": "import numpy as np\nnp.eye(2)",
    "display": "display('shown')\nprint('then')",
    "semicolon": "1;",
    "command": "!echo from the shell",
    "await": "import asyncio\nawait asyncio.sleep(0)\n'done'",
    "stderr": "import sys\nprint('e', file=sys.stderr, flush=True)",
}


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder: Path = tmp_path_factory.mktemp("terminal")
    with Terminal(folder) as terminal:
        assert terminal.run("%load_ext throwaway").ok
        yield terminal


@pytest.mark.parametrize("name", TERMINAL_CELLS)
def test_a_terminal_shows_the_same(terminal: Terminal, name: str) -> None:
    """Prompts and values of a terminal are written as text, and not twice."""
    body = TERMINAL_CELLS[name]

    def shown(cell: str) -> str:
        ran = terminal.run(cell)
        assert ran.ok, ran.text
        return re.sub(r"Out\[\d+\]", "Out[n]", ran.text).replace("\r\n", "\n")

    plain = shown(body)
    assert shown(f"%%cached\n{body}") == plain
    assert shown(f"%%cached\n{body}") == plain
