"""`%nbcache auto`: cells as if `%%cached` stood above them."""

import pytest

SEEN = "[(o.name, o.hit) for o in nbcache.cache.outcomes][{before}:]"


@pytest.fixture
def seen(notebook):
    """Give a function that switches auto off and tells what was asked for."""
    before = notebook.count()

    def tell() -> list:
        notebook("%nbcache auto off")
        return eval(notebook.value(SEEN.format(before=before)))

    return tell


def test_cells_come_from_the_cache(notebook, seen):
    """With values and outputs, under the name that `%%cached` would give."""
    notebook("%nbcache auto")
    for _ in range(2):
        ran = notebook("\n\nx = 2\nprint('computing')\nx * 3")
        assert ran.stdout == "computing\n"
        assert ran.result == {"text/plain": "6"}
    assert seen() == [("x", False), ("x", True)]
    assert notebook("x = 2\nprint('computing')\nx * 3").stdout == "computing\n"
    assert seen() == [("x", False), ("x", True)]


def test_cells_that_await(notebook, seen):
    """Are kept as well."""
    notebook("import asyncio\n%nbcache auto")
    for _ in range(2):
        notebook("x = await asyncio.sleep(0, 5)")
    assert seen() == [("x", False), ("x", True)]
    assert notebook.value("x") == "5"


LEFT_ALONE = {
    "empty": "",
    "comment": "# nothing",
    "imports": "import math\nfrom os import path",
    "definitions": "'Text.'\ndef f(x):\n    return x\nclass C:\n    pass",
    "another cell magic": "%%capture shown\nx = 1",
    "itself": "%nbcache path",
    "an extension": "x = 1\n%reload_ext nbcache\n%nbcache auto",
    "a cached line": "%cached --dry-run x = 1\ny = 3",
    "a magic": "%who",
    "a shell line": "!true",
    "help": "print?",
}


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_what_is_left_alone(notebook, seen, case):
    """Nothing is looked up for it, and it runs as ever."""
    notebook("%nbcache auto")
    assert notebook(LEFT_ALONE[case]).stderr == ""
    assert seen() == []


def test_pieces_of_a_cell_are_left_alone(notebook, seen):
    """What a cell runs through the shell is part of that cell."""
    notebook("%nbcache auto")
    notebook("%%time\nx = 1\ny = x")
    notebook("%%capture c\nget_ipython().run_cell('z = 4\\nw = z')")
    assert seen() == []
    assert notebook.value("w") == "4"


def test_unseen_requests_of_a_front_end_are_left_alone(notebook, seen):
    """A variable inspector asks silently."""
    kernel = notebook.kernel
    notebook("%nbcache auto")
    kernel.finish(kernel.start("x = 40 + 2\nprint(x)", silent=True))
    assert seen() == []
    assert notebook.value("x") == "42"


@pytest.mark.parametrize(
    "cell",
    [
        "x = 1\n1 / 0",
        "\n\nx = 1\n1 / 0",
        "def f():\n    return 1 / 0\nf()",
        "import asyncio\nawait asyncio.sleep(0)\n1 / 0",
        "x = (1,\n  2\ny = 3",
        "x = 1\nreturn x",
    ],
)
def test_errors_look_as_without(notebook, seen, cell):
    """Tracebacks, line numbers and the text of the cell."""
    notebook("%nbcache auto")
    with_auto = notebook.run(cell)
    seen()
    without = notebook.run(cell)
    assert not with_auto.ok
    number, other = (str(one.reply["execution_count"]) for one in (with_auto, without))
    shown = with_auto.traceback.replace(f"[{number}]", f"[{other}]")
    assert shown == without.traceback
    assert with_auto.reply["evalue"].replace(number, "") == without.reply[
        "evalue"
    ].replace(other, "")


def test_source_of_functions_is_found(notebook):
    """As in any cell."""
    notebook("%nbcache auto")
    notebook("import inspect\ndef f(x):\n    return x\ny = f(2)")
    shown = notebook("%nbcache auto off\nprint(inspect.getsource(f))").stdout
    assert shown == "def f(x):\n    return x\n\n"


def test_min_time_is_handed_on(notebook):
    """Short cells are not stored."""
    notebook("%nbcache auto --min-time 1h")
    notebook("x = 1\ny = x")
    notebook("%nbcache auto off")
    assert notebook.value("nbcache.cache.outcomes[-1].stored") == "False"


def test_wrong_use_is_one_line(notebook):
    """And refused at once."""
    assert "not a duration" in notebook.wrong("%nbcache auto --min-time soon")
    assert "only off may follow" in notebook.wrong("%nbcache auto on")
    assert "belongs to" in notebook.wrong("%nbcache ls --min-time 2s")


def test_unloading_ends_it(notebook):
    """Nothing of it is left in the shell."""
    code = (
        "shell = get_ipython()\n"
        "left = [len(shell.input_transformers_cleanup), "
        "len(shell.Completer.custom_matchers), "
        "len(shell.events.callbacks['pre_run_cell']), "
        "len(shell.events.callbacks['post_run_cell']), "
        "len(shell.configurables), sorted(shell.magics_manager.registry)]"
    )
    notebook(f"%unload_ext nbcache\n{code}\nbefore = left")
    notebook(f"%load_ext nbcache\n%nbcache auto\n{code}")
    assert notebook.value("before == left") == "False"
    notebook(f"%unload_ext nbcache\n{code}")
    assert notebook.value("before") == notebook.value("left")


def test_an_entry_can_be_computed_again(notebook):
    """By the panel, like that of a cell with `%%cached`."""
    notebook("%nbcache auto")
    notebook("x = 4\ny = x")
    notebook("%nbcache auto off\np = nbcache.panel()")
    notebook("p.selected = list(p.df.index)\np.recompute()")
    assert notebook.last()["reason"] == "refreshed"
    assert notebook.last()["stored"]
