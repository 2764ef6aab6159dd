"""Figures that pyplot holds open, where no backend closes them: in a terminal."""

import re

import pytest
from kernel import Terminal

HEAD = "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt"
ASK = (
    "plt.get_fignums(), "
    "[len(a.lines) for n in plt.get_fignums() for a in plt.figure(n).axes]"
)
LAST = "(lambda one: (one.hit, one.refused[:14]))(nbcache.cache.outcomes[-1])"


def answer(terminal, code):
    """Give the value that a cell shows."""
    text = terminal.run(f"print('<', ({code}), '>', sep='')").text
    return re.search(r"<(.*)>", text)[1]


@pytest.fixture
def begin(tmp_path):
    """Give a function that starts a terminal with the cache and pyplot."""
    opened = []

    def begin(*cells):
        terminal = Terminal(tmp_path)
        opened.append(terminal)
        terminal.run("import nbcache\n%load_ext nbcache")
        terminal.run(HEAD)
        for cell in cells:
            terminal.run(cell)
        return terminal

    yield begin
    for terminal in opened:
        terminal.stop()


def test_figure_left_open_is_open_after_a_hit(begin):
    """What the next cell draws on is there, whole; saved figures hold all lines."""
    seen = []
    for _ in range(2):
        terminal = begin(
            "%%cached a\nplt.figure()\nplt.plot([1, 2])\nplt.plot([2, 1]);"
        )
        seen.append((answer(terminal, LAST)[:5], answer(terminal, ASK)))
    assert seen == [("(Fals", "([1], [2])"), ("(True", "([1], [2])")]


def test_cell_that_draws_on_an_open_figure_is_not_kept(begin):
    """The open figure is in no key, so neither is it stored nor a hit."""
    cell = "%%cached b\nplt.plot([5, 6]);"
    terminal = begin(cell)
    assert answer(terminal, LAST) == "(False, '')"
    terminal.run("plt.close('all')")
    terminal.run(cell)
    assert answer(terminal, LAST) == "(True, '')"
    terminal.run(cell)
    assert answer(terminal, LAST) == "(False, 'it uses pyplot')"
    assert answer(terminal, ASK) == "([1], [2])"


def test_cell_without_pyplot_is_kept_while_a_figure_is_open(begin):
    """Only what draws depends on open figures."""
    cell = "%%cached c\ny = sum(range(9))"
    terminal = begin("plt.plot([1])", cell)
    assert answer(terminal, LAST) == "(False, '')"
    terminal.run(cell)
    assert answer(terminal, LAST) == "(True, '')"


def test_bound_figure_is_the_one_that_is_open(begin):
    """A name and pyplot hold one figure, after a hit as well."""
    for hit in ("False", "True"):
        terminal = begin("%%cached d\nfig, ax = plt.subplots()\nax.plot([1, 2]);")
        assert answer(terminal, LAST) == f"({hit}, '')"
        assert answer(terminal, "plt.gcf() is fig, fig.axes[0] is ax") == "(True, True)"
