"""Running the cell of an entry again: what is replaced, and what stays untouched."""

from __future__ import annotations

import sys

import counting
import numpy as np
import pytest
from kernel import Kernel

import nbcache
from nbcache import api, randomness
from nbcache.cell.recompute import recompute_cell
from nbcache.errors import CacheWarning, NotCached, UntrustedEntry
from nbcache.keys import hashing
from nbcache.storage.entry import Entry

TIME = "%%cached fit\nimport time\ny = time.perf_counter_ns()"
COUNT = "import sys\nsys.audit('nbcache_test.ran', 1)\n"


@pytest.fixture(autouse=True)
def runs():
    """Count executions from here."""
    counting.ran.clear()


def run(shell, *cells: str) -> None:
    """Run cells; what they raise is raised."""
    for cell in cells:
        shell.run_cell(cell, store_history=True).raise_error()


def newest(name: str = "fit") -> Entry:
    """Give the newest entry of a name."""
    return api.default_core().store.by_name(name)[0]


def recompute(shell, name: str = "fit"):
    """Compute the newest entry of a name again."""
    return recompute_cell(shell, api.default_core(), newest(name))


# --- what is replaced


def test_recompute_replaces_the_entry(shell):
    """A hit restores what the second run left, under the key of before."""
    run(shell, TIME)
    first, key = shell.user_ns["y"], newest().key
    outcome = recompute(shell)
    assert (outcome.stored, outcome.reason, outcome.key) == (True, "refreshed", key)
    assert len(api.default_core().store.entries()) == 1
    run(shell, TIME)
    assert shell.user_ns["y"] > first


def test_recompute_stores_what_the_second_run_showed(shell, capsys):
    """Streams, displays and the last value are replayed by a hit."""
    cell = (
        "%%cached fit\nimport sys\nfrom IPython.display import HTML\n"
        "print('told')\ndisplay(HTML('<b>shown</b>'))\ny = 6 * 7\ny"
    )
    run(shell, cell)
    store = api.default_core().store
    shown = store.get(newest().key).outputs
    recompute(shell)
    assert store.get(newest().key).outputs == shown
    run(shell, "del y")
    capsys.readouterr()
    run(shell, cell)
    assert (shell.user_ns["y"], shell.user_ns["_"]) == (42, 42)
    assert "told" in capsys.readouterr().out


def test_recompute_keeps_the_options_of_the_magic(shell):
    """Names left out stay left out."""
    run(shell, "%%cached fit --skip b --compress\na = 1\nb = 2")
    recompute(shell)
    entry = newest()
    assert [row[0] for row in entry.variables] == ["a"]
    assert entry.options["compress"] is True
    assert entry.options["skip"] == ["b"]


def test_functions_of_the_notebook_see_what_the_cell_binds(shell):
    """A helper reads the cell's `scale`, not the notebook's of today."""
    cell = "%%cached fit\nscale = 10\ny = scaled(1)"
    run(shell, "scale = 2\ndef scaled(x):\n    return x * scale", cell)
    run(shell, "scale = 2")
    recompute(shell)
    assert shell.user_ns["scale"] == 2
    run(shell, cell)
    assert shell.user_ns["y"] == 10


def test_names_that_the_cell_binds_itself_are_no_difference(shell):
    """After the cell has run in a kernel, `last` is bound, which it was not before."""
    cell = "%%cached fit\nfor i in range(3):\n    last = i\ny = last * 2"
    run(shell, cell)
    key = newest().key
    assert recompute(shell).key == key
    assert shell.user_ns["last"] == 2


def test_a_cell_below_another_cell_magic_is_found(shell):
    """`%%time` above `%%cached` is left out."""
    run(shell, "%%time\n%%cached fit\ny = 1")
    assert recompute(shell).stored


def test_a_result_that_may_not_be_kept_leaves_the_entry(shell, tmp_path, monkeypatch):
    """The outcome says why it was not stored."""
    cell = (
        "%%cached fit\nimport sys\ny = 1\n"
        "if getattr(sys, 'nbcache_test', 0):\n"
        f"    with open({str(tmp_path / 'a')!r}, 'a') as file: file.write('1')"
    )
    run(shell, cell)
    before = newest()
    monkeypatch.setattr(sys, "nbcache_test", 1, raising=False)
    (tmp_path / "a").write_text("0")
    with pytest.warns(nbcache.CacheWarning, match="appends to the file"):
        outcome = recompute(shell)
    assert not outcome.stored
    assert "appends to the file" in outcome.refused
    assert newest() == before


# --- what stays untouched


def test_the_namespace_is_as_before(shell):
    """Bound, rebound and deleted names, and IPython's own."""
    run(shell, "a = 1\nb = 2\ngone = 3")
    run(shell, "%%cached fit\na = 10\nnew = 5\ndel gone\na + b")
    run(shell, "a = 1\ngone = 3", "'last'")
    shell.user_ns.pop("new")
    before, out = dict(shell.user_ns), dict(shell.user_ns["Out"])
    recompute(shell)
    assert shell.user_ns.keys() == before.keys()
    assert all(shell.user_ns[name] is value for name, value in before.items())
    assert shell.user_ns["Out"] == out
    run(shell, "'next'")
    assert (shell.user_ns["_"], shell.user_ns["__"]) == ("next", "last")


def test_an_ignored_input_is_not_changed(shell):
    """It is in no key, so the cell is given a copy."""
    run(shell, "import numpy as np\nlog = np.zeros(3)")
    run(shell, "%%cached fit --ignore log\nlog += 1\ny = 1")
    log = shell.user_ns["log"]
    before = log.copy()
    recompute(shell)
    assert shell.user_ns["log"] is log
    np.testing.assert_array_equal(log, before)


def test_random_generators_go_on_as_if_nothing_had_run(shell):
    """Seeding in the cell does not reach the notebook."""
    run(shell, "%%cached fit\nimport random\nrandom.seed(1)\ny = random.random()")
    run(shell, "import numpy as np, random\nrandom.seed(5); np.random.seed(5)")
    run(shell, "expected = random.random(), np.random.random()")
    run(shell, "random.seed(5); np.random.seed(5)")
    recompute(shell)
    run(shell, "drawn = random.random(), np.random.random()")
    assert shell.user_ns["drawn"] == shell.user_ns["expected"]


def test_a_seed_in_the_cell_is_none_of_the_notebook(shell):
    """A later cell that draws is not taken for one that depends on a seed."""
    cell = "%%cached fit\nimport numpy as np\nnp.random.seed(1)\ny = np.random.rand()"
    run(shell, cell)
    randomness._seeded.clear()
    recompute(shell)
    with pytest.warns(CacheWarning, match="nobody seeded"):
        run(shell, "%%cached drawn\nimport numpy as np\nz = np.random.rand()")
    assert newest("drawn").name == "drawn"


def test_an_error_leaves_entry_and_namespace(shell, monkeypatch):
    """The error is the cell's own; the old entry is still a hit."""
    cell = (
        "%%cached fit\nimport sys\nx = 10\n"
        "if getattr(sys, 'nbcache_test', 0):\n    raise OSError('gone')\ny = 2"
    )
    run(shell, "x = 1", cell, "x = 1")
    before, names = newest(), dict(shell.user_ns)
    monkeypatch.setattr(sys, "nbcache_test", 1, raising=False)
    with pytest.raises(OSError, match="gone"):
        recompute(shell)
    assert newest() == before
    assert shell.user_ns == names
    run(shell, "del y", cell)
    assert shell.user_ns["y"] == 2


def test_an_interrupt_leaves_entry_and_namespace(shell, monkeypatch):
    """It is passed on, and never kept as a result."""
    cell = (
        "%%cached fit\nimport sys\ny = 1\n"
        "if getattr(sys, 'nbcache_test', 0):\n    raise KeyboardInterrupt"
    )
    run(shell, cell, "y = 'mine'")
    before = newest()
    monkeypatch.setattr(sys, "nbcache_test", 1, raising=False)
    with pytest.raises(KeyboardInterrupt):
        recompute(shell)
    assert newest() == before
    assert shell.user_ns["y"] == "mine"


# --- what is refused before anything runs


def test_another_input_is_refused_by_name(shell):
    """The entry was made for `x = 1`, and 2 is not what it was computed from."""
    run(shell, "x = 1", f"%%cached fit\n{COUNT}y = x", "x = 2")
    with pytest.raises(NotCached, match=r"'fit' .*other inputs: input x: .*1 → .*2"):
        recompute(shell)
    assert len(counting.ran) == 1


def test_an_input_that_is_gone_is_refused_by_name(shell):
    """As after a restart of the kernel."""
    run(shell, "x = 1", f"%%cached fit\n{COUNT}y = x", "del x")
    with pytest.raises(NotCached, match=r"input x: .*undefined"):
        recompute(shell)
    assert len(counting.ran) == 1


def test_an_edited_helper_is_refused_by_name(shell):
    """Its code is an input too."""
    run(shell, "def half(x):\n    return x / 2", f"%%cached fit\n{COUNT}y = half(3)")
    run(shell, "def half(x):\n    return x // 2")
    with pytest.raises(NotCached, match="half"):
        recompute(shell)
    assert len(counting.ran) == 1


def test_a_deleted_entry_is_refused(shell):
    """It may have been cleared by another process since it was listed."""
    run(shell, TIME)
    entry = newest()
    nbcache.clear(all=True)
    with pytest.raises(NotCached, match="'fit' has been deleted"):
        recompute_cell(shell, api.default_core(), entry)


def test_the_source_is_taken_from_the_signed_entry(shell):
    """A listing that somebody has changed cannot say what is run."""
    run(shell, "%%cached fit\ny = 1")
    forged = Entry(**{**newest().to_json(), "source": f"%%cached fit\n{COUNT}y = 1"})
    recompute_cell(shell, api.default_core(), forged)
    assert counting.ran == []


def test_an_entry_of_somebody_else_is_not_run(shell, tmp_path, monkeypatch):
    """Its source is their code."""
    run(shell, f"%%cached fit\n{COUNT}y = 1")
    counting.ran.clear()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "other"))
    store = type(api.default_core().store)(api.default_core().store.folder)
    with pytest.raises(UntrustedEntry):
        recompute_cell(shell, type(api.default_core())(store), newest())
    assert counting.ran == []


def test_a_cell_without_its_source_is_refused(shell):
    """A magic that was called as a function has no cell."""
    run(shell, "get_ipython().run_cell_magic('cached', 'fit', 'y = 1\\n')")
    with pytest.raises(NotCached, match="source of 'fit' was not kept"):
        recompute(shell)


def test_a_function_is_no_cell(shell):
    """Each kind has its own way."""
    run(shell, "import nbcache\n@nbcache.cached\ndef fit(x):\n    return x\nfit(1)")
    with pytest.raises(NotCached, match="'fit' is no cell"):
        recompute(shell)


# --- in a kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as running:
        running.run("import nbcache\n%load_ext nbcache")
        running.run(
            "from nbcache import api\n"
            "from nbcache.cell.recompute import recompute_cell\n"
            "def again(name):\n"
            "    core = api.default_core()\n"
            "    entry = core.store.by_name(name)[0]\n"
            "    recompute_cell(get_ipython(), core, entry)"
        )
        yield running


def test_nothing_that_it_shows_reaches_the_notebook(kernel):
    """Streams, displays, the value, threads, shell lines; a hit shows them all."""
    cell = (
        "%%cached shown\nimport sys, threading\n"
        "print('out')\nprint('err', file=sys.stderr)\ndisplay('displayed')\n"
        "thread = threading.Thread(target=print, args=('threaded',))\n"
        "thread.start()\nthread.join()\ndel thread\n!echo child\ny = 1\ny"
    )
    kernel.run(cell)
    hit = kernel.run(cell)
    silent = kernel.run("again('shown')")
    assert silent.ok, silent.traceback
    assert silent.page == []
    assert kernel.run(cell).page == hit.page
    assert len(hit.page) == 5


def test_a_cell_that_awaits_is_run_although_the_loop_is_busy(kernel):
    """A kernel's loop runs the cell, or the click, that asks for it."""
    cell = (
        "%%cached awaited\nimport asyncio, time\nawait asyncio.sleep(0)\n"
        "t = time.perf_counter_ns()\nprint('told')"
    )
    assert kernel.run(cell).ok
    kernel.run("before, t = t, None")
    ran = kernel.run("again('awaited')\nt")
    assert (ran.page, ran.traceback) == ([], "")
    assert kernel.run(cell).stdout == "told\n"
    assert kernel.run("t > before").result == {"text/plain": "True"}


# --- inputs that the cell changes in place

CHANGING = {
    "list": ("x = [1, [2]]", "x[1].append(3)"),
    "array": ("import numpy as np\nx = np.arange(3)", "x[0] = 9"),
    "frame": (
        "import pandas as pd\nx = pd.DataFrame({'a': [1, 2]})",
        "x['b'] = x.a * 2\nx.loc[0, 'a'] = 7",
    ),
    "generator": (
        "import numpy as np\nx = np.random.default_rng(1)",
        "x.random(5); x.spawn(1)",
    ),
    "instance": (
        "class M:\n    seen = []\nx = M()",
        "x.a = 1\nx.seen.append(2)\nM.count = 3",
    ),
}


@pytest.mark.parametrize("name", CHANGING)
def test_inputs_that_the_cell_changes_are_as_before(shell, name):
    """The entry holds what became of them, the notebook sees nothing of it."""
    before, change = CHANGING[name]
    cell = f"%%cached fit\n{change}\ny = 5"
    run(shell, before, cell)
    held = shell.user_ns["x"]
    after = hashing.digest(held)
    run(shell, before)
    again = shell.user_ns["x"]
    was = hashing.digest(again)
    outcome = recompute(shell)
    assert outcome.stored
    assert shell.user_ns["x"] is again
    assert hashing.digest(again) == was != after
    run(shell, cell)
    assert nbcache.last().hit
    assert hashing.digest(again) == after


def test_reading_an_entry_changes_its_inputs(shell):
    """``--read`` leaves what a hit leaves."""
    run(shell, "x = [1]", "%%cached fit\nx.append(2)\ny = x", "x = [1]; z = x; del y")
    run(shell, "%%cached fit --read\nx.append(2)\ny = x")
    assert shell.user_ns["z"] == [1, 2]
    assert shell.user_ns["y"] is shell.user_ns["z"]


def test_reading_an_entry_whose_input_is_gone_says_so(shell, capsys):
    """Nothing is bound."""
    run(shell, "x = [1]", "%%cached fit\nx.append(2)\ny = 1", "del x, y")
    shell.run_cell("%%cached fit --read\nx.append(2)\ny = 1")
    assert "'x', which the entry refers to, does not exist" in capsys.readouterr().err
    assert "y" not in shell.user_ns
