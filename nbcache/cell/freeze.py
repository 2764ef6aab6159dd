"""Store live widgets as the text they show: a view cannot outlive its kernel."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from nbcache.outputs import Display, Output, Result

__all__ = ["WIDGET_VIEW", "freeze_widgets"]

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def freeze_widgets(events: Iterable[Output]) -> list[Output]:
    """Give the events with widget views replaced by the widget's present text.

    Parameters
    ----------
    events : iterable of Output
        As recorded.

    Returns
    -------
    list of Output
        Displays of widgets that were closed meanwhile are left out, as a front end
        removes them (``tqdm.notebook`` with ``leave=False``).
    """
    frozen: list[Output] = []
    for event in events:
        if isinstance(event, Display | Result) and WIDGET_VIEW in event.data:
            frozen.extend(_frozen(event))
        else:
            frozen.append(event)
    return frozen


def _frozen(event: Display | Result) -> list[Output]:
    model = event.data[WIDGET_VIEW]
    live = _live_widgets()
    if live is None or not isinstance(model, Mapping):
        return [_without_view(event, event.data.get("text/plain", ""))]
    widget = live.get(str(model.get("model_id")))
    if widget is None or type(widget).__name__ == "Output":
        # closed, or a place whose contents were recorded by themselves
        return []
    try:
        text = repr(widget)
    except Exception:
        # a widget's own repr must not fail the user's cell
        text = event.data.get("text/plain", "")
    return [_without_view(event, text)]


def _without_view(event: Display | Result, text: str) -> Output:
    data = {mime: value for mime, value in event.data.items() if mime != WIDGET_VIEW}
    return replace(event, data={**data, "text/plain": text})


def _live_widgets() -> Mapping[str, Any] | None:
    """All open widgets by model id, None if ipywidgets does not tell."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    kind = getattr(module, "Widget", None)
    # newer ones have the mapping in the module, 8.0.0 in the class
    for holder, name in ((module, "_instances"), (kind, "_active_widgets")):
        live = getattr(holder, name, None)
        if isinstance(live, Mapping):
            return live
    return None
