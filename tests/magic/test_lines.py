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
