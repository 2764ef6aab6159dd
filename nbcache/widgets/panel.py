"""A panel that lists the entries of a cache, with buttons to clear and recompute.

The state is here: rows, filter, page, selection by key.  The browser shows it and sends
what is clicked; every button calls a method of `Panel`.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython.core.getipython import get_ipython

from nbcache import info
from nbcache.api import Cache
from nbcache.cache import Core
from nbcache.cell.capture import muted
from nbcache.cell.recompute import recompute_cell
from nbcache.decorator.recompute import recompute_call
from nbcache.errors import NotCached
from nbcache.metrics.again import recompute_metric
from nbcache.outcome import Outcome
from nbcache.selection import pinned_text
from nbcache.storage.entry import METRIC, Entry
from nbcache.widgets.fallback import as_html, as_text
from nbcache.widgets.table import Table, last_page, view_of
from nbcache.wording import one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Panel"]


class Panel:
    """The entries of a cache as widgets; shown by being the last value of a cell.

    Parameters
    ----------
    cache : Cache
        Whose entries are shown.  No value is decoded to show them.

    Attributes
    ----------
    widget : ipywidgets.VBox
        What is shown, to be put into other widgets.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._rows: list[dict[str, Any]] = []
        self._chosen: dict[str, None] = {}
        self._asked: tuple[str, ...] = ()
        self._page = 0
        self._make()
        self._load()

    def _make(self) -> None:
        self._summary = ipywidgets.HTML()
        self._summary.add_class("nbcache-summary")
        self._filter = ipywidgets.Text(
            description="Filter",
            placeholder="name or variable",
            style={"description_width": "initial"},
        )
        self._filter.observe(self._turn_to_first, "value")
        refresh = _button("Refresh", "refresh", "Read the store again", self.refresh)
        self._recompute = _button(
            "Recompute",
            "play",
            "Compute the selected entries again; each is replaced once that succeeded",
            self._guarded(self.recompute),
        )
        self._clear = _button(
            "Clear", "trash", "Delete the selected entries", self._guarded(self._ask)
        )
        self._progress = ipywidgets.IntProgress(layout={"width": "200px"})
        self._doing = ipywidgets.Label()
        self._running = ipywidgets.HBox([self._progress, self._doing])
        self._question = ipywidgets.Label()
        delete = _button("Delete", "trash", "", self._guarded(self._delete_asked))
        delete.button_style = "danger"
        cancel = _button("Cancel", "", "Delete nothing", self._withdraw)
        self._confirmation = ipywidgets.HBox([self._question, delete, cancel])
        self._table = Table()
        self._table.on_msg(self._heard)
        bar = ipywidgets.HBox(
            [self._filter, refresh, self._recompute, self._clear],
            layout={"flex_flow": "row wrap"},
        )
        parts = [self._summary, bar, self._running, self._confirmation, self._table]
        self.widget = ipywidgets.VBox(parts)
        self.widget.add_class("nbcache-panel")
        _show(self._running, False)
        _show(self._confirmation, False)

    def __repr__(self) -> str:
        return f"Panel({self._cache!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """Give the widget, and the table as HTML and text for a saved notebook."""
        bundle = self.widget._repr_mimebundle_(include=include, exclude=exclude)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        told = {"text/plain": as_text(self._rows), "text/html": as_html(self._rows)}
        return {**data, **told}, metadata

    # --- what it shows, and steering it from code

    @property
    def df(self) -> pd.DataFrame:
        """The entries as a DataFrame, newest first, key as index; read anew."""
        return info.frame(self._core)

    @property
    def selected(self) -> list[str]:
        """The keys of the selected entries, also of those that the filter hides.

        Raises
        ------
        ValueError
            On setting it: there is no entry with one of the keys.
        """
        return [row["key"] for row in self._rows if row["key"] in self._chosen]

    @selected.setter
    def selected(self, keys: Iterable[str]) -> None:
        wanted = [keys] if isinstance(keys, str) else list(keys)
        self._load()
        known = {row["key"] for row in self._rows}
        for key in wanted:
            if key not in known:
                raise ValueError(f"no entry has the key {key!r}; see df.index for all")
        self._chosen = dict.fromkeys(wanted)
        self._withdraw()

    @property
    def message(self) -> str:
        """What was last said below the table."""
        return str(self._table.status)

    def refresh(self) -> None:
        """Read the store again; the newest entries come first."""
        self._rows = []
        self._load()
        self._say("")

    def clear(self) -> int:
        """Delete the selected entries, without asking.

        Returns
        -------
        int
            How many were deleted.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        return self._delete(self.selected)

    def recompute(self) -> int:
        """Compute the selected entries again, one after the other.

        An entry is replaced only once that succeeded; `message` names those that
        failed, and why.  Nothing that they print or display is shown.

        Returns
        -------
        int
            How many were computed.
        """
        keys = self.selected
        entries = self._entries(keys)
        failures, notes = [], []
        with self._progressing(len(keys)):
            for number, key in enumerate(keys):
                entry = entries.get(key)
                name = entry.name if entry else key
                self._progress.value = number
                self._doing.value = f"{number + 1} / {len(keys)}  {name}"
                try:
                    outcome = _recomputed(self._core, key, entry)
                except Exception as error:
                    failures.append(f"{name}: {one_line(error)}")
                    continue
                if not outcome.stored:
                    failures.append(f"{name}: not stored: {outcome.refused}")
                elif outcome.key != key:
                    notes.append(f"{name}: {_moved(outcome)}")
        done = len(keys) - len(failures)
        failed = f", {len(failures)} failed" if failures else ""
        self._say("\n".join([f"{done} recomputed{failed}", *failures, *notes]))
        return done

    @contextmanager
    def _progressing(self, count: int) -> Iterator[None]:
        self._progress.max, self._progress.value = count, 0
        _show(self._running, True)
        # a second click meanwhile would compute all of it once more
        self._recompute.disabled = self._clear.disabled = True
        try:
            yield
        finally:
            _show(self._running, False)
            self._load()

    # --- the store

    @property
    def _core(self) -> Core:
        return self._cache.core

    def _load(self) -> None:
        """Read the rows; those known keep their places, new ones come first."""
        places = {row["key"]: place for place, row in enumerate(self._rows)}
        rows = info.rows(self._core)
        rows.sort(key=lambda row: places.get(row["key"], -1))
        self._rows = rows
        known = {row["key"] for row in rows}
        self._chosen = {key: None for key in self._chosen if key in known}
        self._draw()

    def _entries(self, keys: Iterable[str]) -> dict[str, Entry]:
        wanted = set(keys)
        found = self._core.store.entries()
        return {entry.key: entry for entry in found if entry.key in wanted}

    def _delete(self, keys: Iterable[str]) -> int:
        wanted = set(keys)
        store = self._core.store
        chosen = [entry for entry in store.entries() if entry.key in wanted]
        try:
            count = store.delete(chosen)
        finally:
            self._withdraw()
            self._load()
        stays = pinned_text(len(chosen) - len(store.unpinned(chosen)))
        self._say("\n".join(filter(None, (f"deleted {_counted(count)}", stays))))
        return count

    # --- drawing

    def _draw(self) -> None:
        totals = html.escape(str(info.totals(self._rows)))
        folder = html.escape(str(self._cache.directory))
        self._summary.value = (
            f"<b>{totals}</b><span class='nbcache-folder'>{folder}</span>"
        )
        shown = self._shown()
        count = len(self._chosen)
        hidden = count - sum(row["key"] in self._chosen for row in shown)
        self._page = min(max(self._page, 0), last_page(len(shown)))
        self._table.view = view_of(
            shown,
            self._chosen,
            self._page,
            hidden=hidden,
            filtered=bool(self._filter.value.strip()),
        )
        for button, name in ((self._recompute, "Recompute"), (self._clear, "Clear")):
            button.description = f"{name} ({count})"
            button.disabled = not count

    def _shown(self) -> list[dict[str, Any]]:
        """Give the rows whose name or variables contain the filter's text."""
        text = self._filter.value.strip().casefold()
        return [
            row
            for row in self._rows
            if text in row["name"].casefold() or text in row["variables"].casefold()
        ]

    def _say(self, text: str) -> None:
        self._table.status = text

    # --- what is clicked

    def _guarded(self, action: Callable[[], Any]) -> Callable[[], None]:
        """Give an action that waits its turn, and says what it raised."""

        def act() -> None:
            if _is_cell_running():
                self._say("a cell is running: wait until it has ended")
                return
            try:
                action()
            except Exception as error:
                self._say(one_line(error))

        return act

    def _ask(self) -> None:
        """Ask whether to delete what is selected now."""
        self._asked = tuple(self.selected)
        wanted = set(self._asked)
        size = sum(row["size"] for row in self._rows if row["key"] in wanted)
        what = f"{_counted(len(wanted))} ({info.bytes_text(size)})"
        self._question.value = f"Delete {what}? This cannot be undone."
        _show(self._confirmation, True)

    def _withdraw(self) -> None:
        self._asked = ()
        _show(self._confirmation, False)
        self._draw()

    def _delete_asked(self) -> None:
        self._delete(self._asked)

    def _turn_to_first(self, _change: Any) -> None:
        self._page = 0
        self._draw()

    def _heard(self, _widget: Any, content: Mapping[str, Any], _buffers: Any) -> None:
        """Do what was clicked in the table."""
        kind, on = content.get("kind"), bool(content.get("on"))
        if kind == "turn":
            self._page += int(content.get("by", 0))
            self._draw()
        elif kind in ("choose", "all"):
            known = {row["key"] for row in self._shown()}
            keys = known if kind == "all" else known & {content.get("key")}
            if on:
                self._chosen.update(dict.fromkeys(keys))
            else:
                self._chosen = {key: None for key in self._chosen if key not in keys}
            # what was asked about is not what is selected any more
            self._withdraw()


def _recomputed(core: Core, key: str, entry: Entry | None) -> Outcome:
    """Compute one entry again; nothing of it is shown."""
    shell = get_ipython()
    if entry is None:
        raise NotCached(f"the entry {key} has been deleted meanwhile")
    if entry.kind == "cell":
        if shell is None:
            raise NotCached("a cell can be run only where its notebook is open")
        return recompute_cell(shell, core, entry)
    again = recompute_metric if entry.kind == METRIC else recompute_call
    if shell is None:
        return again(core, entry)
    with muted(shell):
        return again(core, entry)


def _moved(outcome: Outcome) -> str:
    """Say that the result stands under another key than the entry asked for."""
    changed = ", ".join(outcome.changes) or "its key is made differently now"
    return f"stored as a new entry, the earlier one stays: {changed}"


def _is_cell_running() -> bool:
    """Say whether a click came while a cell runs: on a thread, or while it awaits."""
    shell = get_ipython()
    return shell is not None and shell.displayhook.exec_result is not None


def _counted(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def _button(name: str, icon: str, tooltip: str, action: Callable[[], Any]) -> Any:
    button = ipywidgets.Button(description=name, icon=icon, tooltip=tooltip)
    button.on_click(lambda _button: action())
    return button


def _show(widget: Any, shown: bool) -> None:
    widget.layout.display = "" if shown else "none"
