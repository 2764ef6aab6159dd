"""Progress bars of tqdm that are closed, as the end of a loop leaves them."""

from __future__ import annotations

import sys
from time import time
from typing import Any

from nbcache.finished.kinds import Kind, Left

__all__ = ["KINDS"]

# made anew, or not needed once the bar is closed
_REMADE = ("fp", "sp", "disp", "container", "start_t", "last_print_t", "_time")
_TIMES = ("_ema_dn", "_ema_dt", "_ema_miniters", "pos", "last_print_n", "iterable")


def _take(bar: Any) -> Left | None:
    if bar.disable is not True:
        return None
    own = dict(vars(bar))
    ages = {}
    for name in ("start_t", "last_print_t"):
        if name in own:
            ages[name] = own["_time"]() - own[name]
    state = {name: held for name, held in own.items() if name not in _REMADE}
    stream, file = _stream(bar)
    told = {name: held for name, held in state.items() if name not in _TIMES}
    parts = (state, ages, stream, file, "disp" in own)
    return parts, (told, state.get("iterable"), stream, file)


def _stream(bar: Any) -> tuple[str, Any]:
    """Give where it writes: name of a standard stream, or else the file."""
    if not hasattr(bar, "fp"):
        return "", None
    file = getattr(bar.fp, "_wrapped", bar.fp)
    for name in ("stderr", "stdout"):
        # a front end's stream has the name of the one that it stands for
        named = getattr(file, "name", "") in (name, f"<{name}>")
        if named or file is getattr(sys, name):
            return name, None
    return "file", file


def _maker(name: str) -> Any:
    def make(
        home: Any,
        state: dict[str, Any],
        ages: dict[str, float],
        stream: str,
        file: Any,
        has_display: bool,
    ) -> Any:
        cls = getattr(home, name)
        # `tqdm.__new__` counts it among the bars that are shown
        made = object.__new__(cls)
        own = vars(made)
        own.update(state)
        if stream:
            file = getattr(sys, stream, file)
            guarded = sys.modules["tqdm.utils"].DisableOnWriteError
            own.update(fp=guarded(file, made), _time=time)
            own.update((name, time() - age) for name, age in ages.items())
        if has_display:
            own["disp"] = _nothing
        elif stream:
            own["sp"] = _nothing
        return made

    return make


def _nothing(*_: Any, **__: Any) -> None:
    """Show nothing: the bar is closed."""


KINDS = {
    "tqdm.std.tqdm": Kind("tqdm.std", "tqdm", _take, _maker("tqdm")),
    "tqdm.auto.tqdm": Kind("tqdm.auto", "tqdm", _take, _maker("tqdm")),
    "tqdm.asyncio.tqdm_asyncio": Kind(
        "tqdm.asyncio", "tqdm_asyncio", _take, _maker("tqdm_asyncio")
    ),
    "tqdm.notebook.tqdm_notebook": Kind(
        "tqdm.notebook", "tqdm_notebook", _take, _maker("tqdm_notebook")
    ),
}
