"""`%cached`: one statement, kept like a cell."""


def test_the_value_is_bound_and_kept(notebook):
    """Between other lines of a cell; prints are repeated."""
    notebook("def fit(x):\n    print('fitting')\n    return [x]")
    for hit in (False, True):
        ran = notebook("a = 3\n%cached model = fit(a)\nmodel[0] + 1")
        assert ran.stdout == "fitting\n"
        assert ran.result == {"text/plain": "4"}
        assert notebook.last()["hit"] == hit
        assert notebook.last()["name"] == "model"


def test_an_expression_gives_its_value(notebook):
    """Shown at the end of a cell, bound by an assignment, hidden by a semicolon."""
    notebook("def fit(x):\n    return x * 2")
    for _ in range(2):
        assert notebook("%cached fit(4)").result == {"text/plain": "8"}
        assert notebook("y = %cached fit(5)\ny").result == {"text/plain": "10"}
        assert notebook("%cached fit(4);").result is None
    assert notebook.last()["hit"]
    assert notebook.last()["variables"] == ["<value>"]
    assert notebook.value("[n for n in globals() if '<' in n]") == "[]"


def test_options_stand_before_the_statement(notebook):
    """Also those with values and quotes."""
    notebook("n = 2")
    notebook('%cached --ttl 1h --if "n > 1" -v y = n - 1')
    assert notebook.last()["stored"]
    assert notebook("%cached -n y = n - 1").stdout.startswith("nbcache: 'y' would come")
    before = notebook.count()
    notebook('%cached --if "n > 5" y = n - 1')
    assert notebook.count() == before
    assert notebook.value("y") == "1"


def test_an_error_points_at_the_line(notebook):
    """Of the cell, and of the statement; nothing of nbcache is shown."""
    ran = notebook.run("\nx = 1\nz = 0\n%cached y = x / z\nw = 2")
    assert not ran.ok
    assert "----> 3 y = x / z" in ran.traceback
    assert "nbcache/" not in ran.traceback
    assert "w" not in notebook.value("sorted(globals())").replace("warnings", "")


def test_wrong_use(notebook):
    """One line each."""
    assert "needs a statement" in notebook.wrong("%cached")
    assert "no option --skp" in notebook.wrong("%cached --skp x = 1")
    assert "cannot await" in notebook.wrong("%cached x = await f()")
    inside = notebook.wrong("def f():\n    %cached x = 1\nf()")
    assert "outside functions" in inside


def test_it_can_be_computed_again(notebook):
    """The panel's Recompute knows what it was."""
    notebook("def fit(x):\n    return x * 2\na = 4")
    notebook("%cached fit(a)\n%cached b = fit(a)")
    notebook("p = nbcache.panel()\np.selected = list(p.df.index)\np.recompute()")
    assert notebook.last()["stored"]
    assert notebook.last()["reason"] == "refreshed"
    assert notebook.value("len(nbcache.entries())") == "2"
