"""How a change of one part of a key is said: ``column 'price' float32 → float64``.

Pure: two texts, and what `details` keeps of the inside of two values, go in; lines for
the user come out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbcache.keys.edits import line_text
from nbcache.keys.insides import inside_changes, kind_of, text_change

__all__ = ["brief", "lines"]

_MOST = 3  # things that a notice tells of one part
_LISTED = 40  # and `why`


def brief(label: str, before: str | None, after: str | None, old: Any, new: Any) -> str:
    """Say in one line what became of a part.

    Parameters
    ----------
    label : str
        That of the part.
    before, after : str or None
        Its summaries; None where there was, or is, no such part.
    old, new
        Its details, or None.
    """
    head, *rest = lines(label, before, after, old, new)
    told = rest or []
    if not told:
        return head
    more = f"; and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return f"{head} {'; '.join(told[:_MOST])}{more}"


def lines(
    label: str, before: str | None, after: str | None, old: Any, new: Any
) -> list[str]:
    """Say all that is known of a change: a head, then one line a thing.

    A single line stands for itself; else the first ends in a colon.
    """
    step, arrow, last = label.rpartition(" → ")
    kind, _, name = last.partition(" ")
    say = _SAID.get(kind)
    if say is not None:
        return [f"{step}{arrow}{say(name, before, after)}"]
    said = f"{kind} {name!r}" if label == last and kind in _QUOTED else label
    if before is None:
        return [f"{said} is new"]
    if after is None:
        return [f"{said} is gone"]
    if kind_of(old) == kind_of(new) == "code":
        return [f"{label} changed{line_text(old, new)}"]
    found = [_joined(*one) for one in inside_changes(old, new)]
    if found:
        more = len(found) - _LISTED
        rest = [f"and {more} more"] if more > 0 else []
        return [f"{label}:", *found[:_LISTED], *rest]
    if before == after or not (before and after):
        return [f"{said} changed"]
    return [f"{label}: {text_change(before, after)}"]


def _joined(path: str, told: str) -> str:
    return f"{path} {told}" if path else told


# --- parts that are no values


def _file(name: str, before: str | None, after: str | None) -> str:
    return f"file {name} {_fate(before, after)}"


def _listing(name: str, before: str | None, after: str | None) -> str:
    return f"what is in folder {name} {_fate(before, after)}"


def _environment(name: str, before: str | None, after: str | None) -> str:
    if before == after:
        return f"environment variable {name} changed"
    if after in (None, "", "unset", "absent"):
        return f"environment variable {name} is no longer set"
    if before in (None, "", "unset", "absent"):
        return f"environment variable {name} is set now"
    return f"environment variable {name} changed"


def _random(name: str, _before: str | None, _after: str | None) -> str:
    return f"state of the random generator {name} changed"


def _library(name: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"library {name} is new"
    if after is None:
        return f"library {name} is gone"
    return f"{name} {before or '?'} → {after or '?'}"


def _python(_name: str, before: str | None, after: str | None) -> str:
    return f"Python {before} → {after}"


def _settings(name: str, before: str | None, after: str | None) -> str:
    return f"settings of {name}: {before or 'defaults'} → {after or 'defaults'}"


def _folder(_name: str, _before: str | None, _after: str | None) -> str:
    return "the working directory is another one"


def _matches(name: str, _before: str | None, _after: str | None) -> str:
    return f"other files match {name}"


def _tree(name: str, before: str | None, after: str | None) -> str:
    return f"what is below folder {name} {_fate(before, after)}"


def _path(name: str, before: str | None, after: str | None) -> str:
    return f"{name} {_fate(before, after)}"


def _wrote(name: str, before: str | None, after: str | None) -> str:
    return f"{name}, which it wrote, {_fate(before, after)}"


def _fate(before: str | None, after: str | None) -> str:
    absent = (None, "absent", "gone", "missing")
    if after in absent and before not in absent:
        return "is gone"
    if before in absent and after not in absent:
        return "is there now"
    return "changed"


_QUOTED = ("input", "argument")
_SAID: dict[str, Callable[[str, str | None, str | None], str]] = {
    "file": _file,
    "listing": _listing,
    "env": _environment,
    "random": _random,
    "library": _library,
    "python": _python,
    "settings": _settings,
    "cwd": _folder,
    "folder": _folder,
    "matches": _matches,
    "tree": _tree,
    "exists": _path,
    "stat": _file,
    "wrote": _wrote,
}
