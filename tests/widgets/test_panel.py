"""The panel: what it shows, and that its buttons do what they say."""

from __future__ import annotations

import subprocess
import sys

import ipywidgets
import pytest
from kernel import Kernel

import nbcache
from nbcache import config, info
from nbcache.widgets.panel import Panel
from nbcache.widgets.table import view_of

PAGE_ROWS = config.Settings().page_size

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def cache(tmp_path) -> nbcache.Cache:
    return nbcache.Cache(tmp_path / "cache")


@pytest.fixture
def filled(cache):
    """Give a cache with `fit` of 1 and 2 and `clean` of 1; the functions live on."""

    @cache.cached(name="fit")
    def fit(x):
        if getattr(sys, "nbcache_test", 0) == x:
            raise ValueError("x has 3 columns")
        return x

    @cache.cached(name="clean")
    def clean(x):
        print("printed by clean")
        return [x] * 1000

    fit(1), fit(2), clean(1)
    cache.functions = fit, clean
    return cache


def keys(cache, name: str | None = None) -> list[str]:
    """Give the keys of the entries, newest first."""
    entries = cache.core.store.entries()
    return [entry.key for entry in entries if name in (None, entry.name)]


def button(panel: Panel, name: str) -> ipywidgets.Button:
    """Give the button whose text begins with a word."""
    found = [one for one in _all(panel.widget) if isinstance(one, ipywidgets.Button)]
    return next(one for one in found if one.description.startswith(name))


def _all(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


def is_shown(panel: Panel, widget) -> bool:
    """Say whether neither a widget nor what it stands in is hidden."""
    return all(
        one.layout.display != "none"
        for one in _all(panel.widget)
        if widget in list(_all(one))
    )


def texts(panel: Panel) -> list[list[str]]:
    """Give the texts of the rows on the page."""
    return [row["cells"] for row in table(panel).view["rows"]]


def table(panel: Panel):
    return panel.widget.children[-1]


def send(panel: Panel, **message) -> None:
    """Send what the browser sends."""
    table(panel)._handle_custom_msg(message, [])


def filter_by(panel: Panel, text: str) -> None:
    """Type into the filter."""
    next(
        one for one in _all(panel.widget) if isinstance(one, ipywidgets.Text)
    ).value = text


# --- what is shown


def test_panel_lists_the_entries_newest_first(filled):
    """Name, kind, variables, size, hits, cost and time of each."""
    panel = Panel(filled)
    assert [row[:3] for row in texts(panel)] == [
        ["clean", "function", "value"],
        ["fit", "function", "value"],
        ["fit", "function", "value"],
    ]
    assert [row["key"] for row in table(panel).view["rows"]] == keys(filled)


def test_panel_shows_totals_and_folder(filled, tmp_path):
    """What `info.totals` sums, and where the store is."""
    fit, _ = filled.functions
    fit(1)
    shown = Panel(filled).widget.children[0].value
    assert "3 entries" in shown
    assert "1 hit" in shown
    assert str(tmp_path / "cache") in shown


def test_panel_of_an_empty_cache_says_so(cache):
    """A folder that is not there is not made."""
    panel = Panel(cache)
    assert table(panel).view["empty"] == "no entries yet"
    assert "0 entries" in panel.widget.children[0].value
    assert not cache.directory.exists()


def test_panel_decodes_no_value(filled, monkeypatch):
    """Neither to draw itself nor for `df`: values may be large, or pickled."""
    from nbcache.storage import codec

    monkeypatch.delattr(codec, "decode")
    panel = Panel(filled)
    panel.selected = keys(filled)
    panel.refresh()
    assert len(panel.df) == 3


def test_df_is_the_frame_of_the_entries(filled):
    """By key, with raw values."""
    frame = Panel(filled).df
    assert list(frame.index) == keys(filled)
    assert list(frame["name"]) == ["clean", "fit", "fit"]
    assert (frame["size"] > 0).all()


def test_refresh_finds_what_was_stored_since(filled):
    """New entries come first."""
    panel = Panel(filled)
    fit, _ = filled.functions
    fit(3)
    button(panel, "Refresh").click()
    assert len(texts(panel)) == 4
    assert texts(panel)[0][0] == "fit"


def test_names_with_markup_are_shown_as_they_are(cache):
    """In the widget as text, in the HTML of a saved notebook escaped."""
    name = "<img src=x onerror=alert(1)> & é"
    cache.cached(lambda x: x, name=name)(1)
    panel = Panel(cache)
    assert texts(panel)[0][0] == name
    data, _ = panel._repr_mimebundle_()
    assert "<img" not in data["text/html"]
    assert "&lt;img src=x" in data["text/html"]


def test_half_a_surrogate_pair_is_replaced(filled):
    """It could not be sent to the browser."""
    row = {**info.rows(filled.core)[0], "name": "a\ud800"}
    assert view_of([row], (), 0)["rows"][0]["cells"][0] == "a?"


def test_folder_with_markup_is_escaped(tmp_path):
    """A path is text, too."""
    shown = Panel(nbcache.Cache(tmp_path / "<b>x")).widget.children[0].value
    assert "&lt;b&gt;x" in shown


def test_bundle_has_the_widget_and_tables_for_where_there_is_none(filled):
    """As text for a terminal, as HTML for a saved notebook."""
    data, _ = Panel(filled)._repr_mimebundle_()
    assert data[WIDGET]["model_id"]
    assert data["text/plain"].splitlines()[0].split()[0] == "name"
    assert "3 entries" in data["text/plain"]
    assert data["text/html"].count("<tr>") == 4
    assert "3 entries" in data["text/html"]


def test_long_lists_are_cut_in_the_saved_notebook(cache):
    """A hundred rows, how many more, and the totals of all."""
    for number in range(103):
        cache.cached(lambda x: x, name=f"f{number}")(1)
    data, _ = Panel(cache)._repr_mimebundle_()
    assert data["text/html"].count("<tr>") == 101
    assert "… and 3 more" in data["text/html"]
    assert data["text/plain"].splitlines()[-2] == "… and 3 more"
    assert "103 entries" in data["text/plain"].splitlines()[-1]


# --- filter, pages, selection


def test_filter_matches_names_and_variables(filled):
    """Part of either, in any case; nothing else."""
    panel = Panel(filled)
    for text, names in (
        ("FI", ["fit", "fit"]),
        ("lea", ["clean"]),
        (" value ", ["clean", "fit", "fit"]),
        ("function", []),
    ):
        filter_by(panel, text)
        assert [row[0] for row in texts(panel)] == names
    assert table(panel).view["empty"] == "no entry matches the filter"


def test_pages_are_turned_and_stop_at_the_ends(cache):
    """The browser is given one page at a time."""
    for number in range(PAGE_ROWS + 2):
        cache.cached(lambda x: x, name=f"f{number}")(1)
    panel = Panel(cache)
    assert len(texts(panel)) == PAGE_ROWS
    assert table(panel).view["place"] == f"page 1 / 2 · {PAGE_ROWS + 2} entries"
    for by, rows in ((1, 2), (1, 2), (-1, PAGE_ROWS), (-1, PAGE_ROWS), (1, 2)):
        send(panel, kind="turn", by=by)
        assert len(texts(panel)) == rows
    filter_by(panel, "f1")
    assert texts(panel)[-1][0] == "f1"


def test_selection_is_by_key_and_survives_the_filter(filled):
    """What is hidden stays selected, and is told."""
    panel = Panel(filled)
    panel.selected = keys(filled, "fit")
    filter_by(panel, "clean")
    assert panel.selected == keys(filled, "fit")
    assert table(panel).view["place"] == "1 entry · 2 selected, 2 hidden by the filter"
    assert [row["on"] for row in table(panel).view["rows"]] == [False]
    filter_by(panel, "")
    assert [row["on"] for row in table(panel).view["rows"]] == [False, True, True]


def test_selection_survives_a_refresh_but_for_what_is_gone(filled):
    """Another process may have cleared something."""
    panel = Panel(filled)
    panel.selected = keys(filled)
    filled.clear("clean")
    panel.refresh()
    assert panel.selected == keys(filled, "fit")


def test_selecting_an_unknown_key_names_it(filled):
    """And leaves the selection as it was."""
    panel = Panel(filled)
    panel.selected = keys(filled, "clean")
    with pytest.raises(ValueError, match="no entry has the key 'abc'"):
        panel.selected = [*keys(filled, "fit"), "abc"]
    assert panel.selected == keys(filled, "clean")


def test_an_index_of_df_can_be_selected(filled):
    """`p.selected = p.df.index[p.df.name == "fit"]`."""
    panel = Panel(filled)
    panel.selected = panel.df.index[panel.df["name"] == "fit"]
    assert panel.selected == keys(filled, "fit")


def test_an_entry_stored_since_can_be_selected(filled):
    """The panel looks again before it says that there is none."""
    panel = Panel(filled)
    fit, _ = filled.functions
    fit(3)
    panel.selected = keys(filled)[:1]
    assert len(panel.selected) == 1


def test_checkboxes_select(filled):
    """One, all that the filter shows, and none; the head shows which."""
    panel = Panel(filled)
    send(panel, kind="choose", key=keys(filled, "clean")[0], on=True)
    assert panel.selected == keys(filled, "clean")
    assert table(panel).view["all"] == "some"
    filter_by(panel, "fit")
    send(panel, kind="all", on=True)
    assert table(panel).view["all"] == "all"
    assert panel.selected == keys(filled)
    send(panel, kind="all", on=False)
    assert panel.selected == keys(filled, "clean")
    send(panel, kind="choose", key="unknown", on=True)
    assert panel.selected == keys(filled, "clean")


def test_buttons_count_and_need_a_selection(filled):
    """Off without one."""
    panel = Panel(filled)
    for name in ("Recompute", "Clear"):
        assert button(panel, name).disabled
        assert button(panel, name).description == f"{name} (0)"
    panel.selected = keys(filled, "fit")
    for name in ("Recompute", "Clear"):
        assert not button(panel, name).disabled
        assert button(panel, name).description == f"{name} (2)"


# --- clear


def test_clear_deletes_what_is_selected(filled):
    """From the store; the rest stays."""
    panel = Panel(filled)
    panel.selected = keys(filled, "fit")
    assert panel.clear() == 2
    assert keys(filled) == keys(filled, "clean")
    assert [row[0] for row in texts(panel)] == ["clean"]
    assert (panel.selected, panel.message) == ([], "deleted 2 entries")


def test_clear_button_asks_first(filled):
    """How many, how large; only Delete deletes."""
    panel = Panel(filled)
    panel.selected = keys(filled, "clean")
    assert not is_shown(panel, button(panel, "Delete"))
    button(panel, "Clear").click()
    assert is_shown(panel, button(panel, "Delete"))
    asked = next(
        one.value
        for one in _all(panel.widget)
        if isinstance(one, ipywidgets.Label) and one.value.startswith("Delete")
    )
    assert asked.startswith("Delete 1 entry (")
    assert len(keys(filled)) == 3
    button(panel, "Delete").click()
    assert keys(filled, "clean") == []
    assert len(keys(filled)) == 2
    assert not is_shown(panel, button(panel, "Delete"))
    assert panel.message == "deleted 1 entry"


def test_cancel_deletes_nothing(filled):
    """And keeps the selection."""
    panel = Panel(filled)
    panel.selected = keys(filled)
    button(panel, "Clear").click()
    button(panel, "Cancel").click()
    assert not is_shown(panel, button(panel, "Delete"))
    assert panel.selected == keys(filled)


def test_another_selection_withdraws_the_question(filled):
    """Nobody deletes other entries than those that were asked about."""
    panel = Panel(filled)
    panel.selected = keys(filled, "fit")
    button(panel, "Clear").click()
    send(panel, kind="choose", key=keys(filled, "clean")[0], on=True)
    assert not is_shown(panel, button(panel, "Delete"))
    button(panel, "Delete").click()
    assert len(keys(filled)) == 3


# --- recompute


def created(cache) -> dict[str, float]:
    return {entry.key: entry.created for entry in cache.core.store.entries()}


def test_recompute_computes_what_is_selected_again(filled):
    """Each is stored anew; rows keep their places, the selection stays."""
    panel = Panel(filled)
    chosen = keys(filled, "fit")
    before, rows = created(filled), [row["key"] for row in table(panel).view["rows"]]
    panel.selected = chosen
    assert panel.recompute() == 2
    after = created(filled)
    assert {key for key in after if after[key] > before[key]} == set(chosen)
    assert [row["key"] for row in table(panel).view["rows"]] == rows
    assert panel.selected == chosen
    assert panel.message == "2 recomputed"


def test_recompute_button_does_the_same(filled):
    """It calls the method."""
    panel = Panel(filled)
    panel.selected = keys(filled, "fit")
    button(panel, "Recompute").click()
    assert panel.message == "2 recomputed"


def test_failures_are_named_and_keep_their_entries(filled, monkeypatch):
    """The others are computed all the same."""
    panel = Panel(filled)
    panel.selected = keys(filled)
    monkeypatch.setattr(sys, "nbcache_test", 2, raising=False)
    before = created(filled)
    assert panel.recompute() == 2
    assert panel.message == "2 recomputed, 1 failed\nfit: ValueError: x has 3 columns"
    assert keys(filled, "fit")
    unchanged = [key for key, when in created(filled).items() if when == before[key]]
    assert len(unchanged) == 1


def test_progress_is_shown_only_while_recomputing(filled, monkeypatch):
    """And the button is off meanwhile."""
    panel = Panel(filled)
    bar = next(
        one for one in _all(panel.widget) if isinstance(one, ipywidgets.IntProgress)
    )
    seen = []
    again = button(panel, "Recompute")

    def see(change):
        seen.append((change.new, is_shown(panel, bar), again.disabled))

    bar.observe(see, "value")
    panel.selected = keys(filled)
    assert not is_shown(panel, bar)
    panel.recompute()
    assert seen == [(1, True, True), (2, True, True)]
    assert bar.max == 3
    assert not again.disabled
    assert not is_shown(panel, bar)


def test_what_cannot_be_computed_again_is_refused_with_the_reason(filled):
    """A function that is gone, a cell without a notebook."""
    del filled.functions
    panel = Panel(filled)
    panel.selected = keys(filled, "clean")
    assert panel.recompute() == 0
    assert panel.message.startswith("0 recomputed, 1 failed\nclean: no cached function")


def test_an_edited_function_is_told(cache):
    """Its result has a key of its own; the old entry stays."""
    scope = {"cache": cache}
    exec("@cache.cached(name='f')\ndef f(x):\n    return x", scope)
    scope["f"](1)
    panel = Panel(cache)
    panel.selected = keys(cache)
    exec("@cache.cached(name='f')\ndef f(x):\n    return -x", scope)
    panel.recompute()
    assert "f: stored as a new entry, the earlier one stays: code" in panel.message
    assert len(texts(panel)) == 2
    assert len(panel.selected) == 1


# --- in notebooks


def test_cells_are_recomputed_in_their_notebook(shell):
    """Nothing of it is seen there."""
    cell = "%%cached fit\nimport time\nprint('told')\ny = time.perf_counter_ns()"
    shell.run_cell(cell).raise_error()
    first = shell.user_ns["y"]
    panel = nbcache.panel()
    panel.selected = list(panel.df.index)
    assert panel.recompute() == 1
    assert shell.user_ns["y"] == first
    shell.run_cell(cell).raise_error()
    assert shell.user_ns["y"] > first


def test_functions_print_nothing_into_the_notebook(shell, filled, capsys):
    """It would stand in whatever cell happens to run."""
    panel = Panel(filled)
    panel.selected = keys(filled, "clean")
    capsys.readouterr()
    panel.recompute()
    assert panel.message == "1 recomputed"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["Recompute", "Clear", "Delete"])
def test_a_click_while_a_cell_runs_does_nothing(shell, filled, name):
    """A click may come on a thread of its own, or while a cell awaits."""
    panel = Panel(filled)
    panel.selected = keys(filled)
    before = created(filled)
    shell.user_ns["click"] = button(panel, name).click
    shell.run_cell("click()").raise_error()
    assert panel.message == "a cell is running: wait until it has ended"
    assert created(filled) == before


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as running:
        running.run("import nbcache\n%load_ext nbcache")
        running.run("%%cached fit\nx = 1")
        yield running


@pytest.mark.parametrize("cell", ["%nbcache", "%nbcache panel", "nbcache.panel()"])
def test_panel_is_what_a_kernel_shows(kernel, cell):
    """As the last value of a cell, with both fallbacks."""
    ran = kernel.run(cell)
    assert ran.ok, ran.traceback
    assert set(ran.result) == {WIDGET, "text/plain", "text/html"}
    assert ran.result["text/plain"].splitlines()[1].split()[:2] == ["fit", "cell"]


def test_clicks_reach_the_panel_of_a_kernel(kernel):
    """As a front end sends them: select all, recompute, clear, delete."""
    kernel.run("p = nbcache.panel()\nt = p.widget.children[-1]")
    told = "print([len(p.selected), p.message, len(p.df)])"
    custom = {"method": "custom"}
    _comm(kernel, "t", {**custom, "content": {"kind": "all", "on": True}})
    assert kernel.run(told).stdout == "[1, '', 1]\n"
    kernel.run("bar = p.widget.children[1].children\nask = p.widget.children[3]")
    click = {**custom, "content": {"event": "click"}}
    _comm(kernel, "bar[2]", click)
    assert kernel.run(told).stdout == "[1, '1 recomputed', 1]\n"
    _comm(kernel, "bar[3]", click)
    _comm(kernel, "ask.children[1]", click)
    assert kernel.run(told).stdout == "[0, 'deleted 1 entry', 0]\n"


def _comm(kernel: Kernel, widget: str, data: dict) -> None:
    """Send a message of a widget's view."""
    model = kernel.run(f"print({widget}.model_id)").stdout.strip()
    content = {"comm_id": model, "data": data}
    message = kernel.client.session.msg("comm_msg", content)
    kernel.client.shell_channel.send(message)


def test_importing_the_panel_loads_no_pandas():
    """It costs seconds, and listing needs none."""
    code = (
        "import sys, nbcache; p = nbcache.panel(); p._repr_mimebundle_();"
        "print('pandas' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout == "False\n"
