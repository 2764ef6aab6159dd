"""`%nbcache`: its actions, and what it says of wrong ones."""


def test_off_and_on(notebook):
    """Off: every cell and function runs plainly; `%config` says the same."""
    notebook("@nbcache.cached\ndef f(x):\n    return x")
    notebook("%nbcache off")
    before = notebook.count()
    notebook("%%cached a\nx = f(1)")
    notebook("%cached y = 3")
    assert notebook.count() == before
    assert notebook("%config NbCache.enabled").result == {"text/plain": "False"}
    notebook("%nbcache on")
    notebook("%%cached a\nx = f(1)")
    assert notebook.last()["stored"]
    notebook("%nbcache off\n%config NbCache.enabled = True")
    notebook("%%cached a\nx = f(1)")
    assert notebook.last()["hit"]


def test_path(notebook, tmp_path):
    """The folder of the default store."""
    assert notebook.value("%nbcache path") == repr(str(tmp_path / "store"))


def test_wrong_use_is_one_line(notebook):
    """With near matches."""
    empty = notebook.wrong("%nbcache info fit")
    assert empty == "no entry 'fit'.  The cache is empty"
    notebook("%%cached fit\nx = 1")
    notebook("%%cached other\nx = 2")
    for action in ("info", "why", "clear"):
        assert notebook.wrong(f"%nbcache {action} fti") == (
            "no entry 'fti'. Did you mean 'fit'?  %nbcache ls lists 2"
        )
        assert "needs the name" in notebook.wrong(f"%nbcache {action}")
    assert notebook.wrong("%nbcache claer fit") == (
        "%nbcache cannot 'claer'. Did you mean 'clear'?"
    )
    assert "Did you mean '--yes'" in notebook.wrong("%nbcache clear --all --yess")
    assert "No closing quotation" in notebook.wrong("%nbcache info 'a")


def test_names_with_spaces_are_quoted(notebook):
    """Everywhere."""
    notebook('%%cached "my fit"\nx = 1')
    assert "my fit  (cell)" in notebook('%nbcache info "my fit"').stdout
    assert "deleted 1 entry" in notebook("%nbcache clear 'my fit'").stdout


def test_clearing_all_asks_unless_told_otherwise(notebook):
    """Where nobody can answer, it says how."""
    notebook("%%cached a\nx = 1")
    notebook.kernel.client.allow_stdin = False
    try:
        assert "add --yes" in notebook.wrong("%nbcache clear --all")
    finally:
        notebook.kernel.client.allow_stdin = True
    notebook("nbcache.configure(confirm=False)")
    assert "deleted 1 entry" in notebook("%nbcache clear --all").stdout


def test_pins_stay_when_all_is_cleared(notebook):
    """Shown in the listing; unpin lets go."""
    notebook("%%cached a\nx = 1")
    notebook("%%cached b\ny = 2")
    assert notebook("%nbcache pin a").stdout == "pinned a\n"
    assert notebook.value("nbcache.entries().pinned.tolist()") == "[False, True]"
    told = notebook("%nbcache clear --all --yes").stdout
    assert "deleted 1 entry" in told
    assert "1 pinned entry stays" in told
    assert notebook("%nbcache unpin a").stdout == "no longer pinned: a\n"
    assert "not pinned" in notebook.wrong("%nbcache unpin a")


def test_maintenance(notebook, tmp_path):
    """gc, verify, stats, export and import tell what they did."""
    notebook("%%cached a\nx = 1")
    notebook("%%cached a\nx = 1")
    assert "removed 0 entries (0 B); 1 entry" in notebook("%nbcache gc").stdout
    told = notebook("%nbcache gc --max-size 1kB -n").stdout
    assert "more than 1.0 kB stays" in told
    assert notebook("%nbcache verify --sample 50%").stdout.startswith("1 entry (")
    notebook("df = %nbcache stats")
    assert notebook.value("[*map(int, df.loc['a', ['hits', 'misses']])]") == "[1, 1]"
    file = tmp_path / "a.zip"
    assert notebook(f"%nbcache export '{file}' a").stdout.startswith("exported 1 entry")
    assert "is there already" in notebook.wrong(f"%nbcache export '{file}'")
    notebook("%nbcache clear a")
    assert notebook(f"%nbcache import '{file}'").stdout.startswith("imported 1 entry")
    notebook("%%cached a\nx = 1")
    assert notebook.last()["hit"]


def test_flags_belong_to_actions(notebook):
    """One that would do nothing is wrong use, and so is a value that is none."""
    assert notebook.wrong("%nbcache gc --all") == "--all belongs to %nbcache clear"
    assert notebook.wrong("%nbcache ls --tag x") == (
        "--tag belongs to %nbcache clear, gc, export"
    )
    for line in ("gc --max-size 5XB", "gc --keep some", "verify --sample 0%"):
        assert notebook.wrong(f"%nbcache {line}")
    assert "takes no names" in notebook.wrong("%nbcache clear a --all")
    assert "needs the name of a file" in notebook.wrong("%nbcache export")


def test_what_is_stale_is_cleared(notebook):
    """Of an edited cell the entry before."""
    notebook("%%cached a\nx = 1")
    notebook("%%cached a\nx = 2")
    assert "deleted 1 entry" in notebook("%nbcache clear --stale").stdout
    notebook("%%cached a\nx = 2")
    assert notebook.last()["hit"]
