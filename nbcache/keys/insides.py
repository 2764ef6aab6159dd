"""What differs between the insides of two values: `details` of then and of now.

Pure: plain data go in, paths and texts come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Told", "inside_changes", "kind_of", "text_change"]

Told = tuple[str, str]
"""Path inside the value (``['model'].depth``; '' for itself), and what became of it."""


def kind_of(details: Any) -> str:
    """Give which kind of details some are; '' for none."""
    return str(details.get("kind", "")) if isinstance(details, dict) else ""


def inside_changes(old: Any, new: Any) -> list[Told]:
    """Compare two details of one kind; nothing where they tell no difference."""
    compare = _COMPARED.get(kind_of(old))
    if compare is None or kind_of(old) != kind_of(new):
        return []
    try:
        return list(compare(old, new))
    except Exception:
        return []  # details of another version


def _tables(old: Any, new: Any) -> Iterator[Told]:
    before = {name: (dtype, digest) for name, dtype, digest in old["columns"]}
    after = {name: (dtype, digest) for name, dtype, digest in new["columns"]}
    if old["type"] != new["type"]:
        yield "", f"{old['type']} → {new['type']}"
    same_rows = old["rows"] == new["rows"]
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    for name in list(gone):
        twin = next((n for n in come if same_rows and after[n] == before[name]), None)
        if twin is not None and before[name][1]:
            yield "", f"column {name!r} is now called {twin!r}"
            gone.remove(name)
            come.remove(twin)
    yield from (("", f"column {name!r} removed") for name in gone)
    yield from (("", f"column {name!r} added ({after[name][0]})") for name in come)
    common = [name for name in before if name in after]
    for name in common:
        if before[name][0] != after[name][0]:
            yield "", f"column {name!r} {before[name][0]} → {after[name][0]}"
    if common != [name for name in after if name in before]:
        yield "", "columns in another order"
    if not same_rows:
        yield "", f"rows {old['rows']} → {new['rows']}"
        return
    yield from _index(old["index"], new["index"])
    changed = [
        name
        for name in common
        if before[name][0] == after[name][0] and before[name][1] != after[name][1]
    ]
    if changed:
        yield "", f"values of {_listed('column', changed)} changed"


def _listed(word: str, names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{word}{'s' if len(names) > 1 else ''} {shown}{more}"


def _index(old: Any, new: Any) -> Iterator[Told]:
    if old and new and old != new:
        yield "", f"index {old[0]} → {new[0]}" if old[0] != new[0] else "index changed"


def _series(old: Any, new: Any) -> Iterator[Told]:
    if old["name"] != new["name"]:
        yield "", f"name {old['name']!r} → {new['name']!r}"
    if old["dtype"] != new["dtype"]:
        yield "", f"{old['dtype']} → {new['dtype']}"
    if old["rows"] != new["rows"]:
        yield "", f"rows {old['rows']} → {new['rows']}"
        return
    yield from _index(old["index"], new["index"])
    if old["values"] != new["values"] and old["dtype"] == new["dtype"]:
        yield "", "values changed"


def _arrays(old: Any, new: Any) -> Iterator[Told]:
    if old["type"] != new["type"]:
        yield "", f"{old['type']} → {new['type']}"
    if old["shape"] != new["shape"]:
        yield "", f"shape {_shape(old)} → {_shape(new)}"
    if old["dtype"] != new["dtype"]:
        yield "", f"{old['dtype']} → {new['dtype']}"
    if old["order"] != new["order"]:
        yield "", f"memory order {old['order']} → {new['order']}"
    elif (old["shape"], old["dtype"]) == (new["shape"], new["dtype"]):
        yield "", "values changed"


def _shape(details: Any) -> str:
    return str(tuple(details["shape"]))


def _sets(old: Any, new: Any) -> Iterator[Told]:
    if not (old["whole"] and new["whole"]):
        if old["size"] != new["size"]:
            yield "", f"{old['size']} → {new['size']} elements"
        return
    come = [one for one in new["items"] if one not in old["items"]]
    gone = [one for one in old["items"] if one not in new["items"]]
    if come:
        yield "", f"{_cut(come)} added"
    if gone:
        yield "", f"{_cut(gone)} removed"


def _cut(texts: list[str]) -> str:
    more = f" and {len(texts) - 5} more" if len(texts) > 5 else ""
    return ", ".join(texts[:5]) + more


def _items(old: Any, new: Any) -> Iterator[Told]:
    if old["type"] != new["type"]:
        yield "", f"{old['type']} → {new['type']}"
    before = {step: held for step, *held in old["items"]}
    after = {step: held for step, *held in new["items"]}
    common = [step for step in before if step in after]
    is_list = all(step[1:-1].isdecimal() for step in [*before, *after])
    for step in common:
        for path, told in _item(before[step], after[step]):
            yield step + path, told
    if is_list and old["size"] != new["size"]:
        yield "", f"length {old['size']} → {new['size']}"
    elif not (old["whole"] and new["whole"]):
        if old["items"] == new["items"]:
            yield "", f"something after the first {len(before)} elements changed"
    else:
        yield from ((step, "removed") for step in before if step not in after)
        for step in (step for step in after if step not in before):
            text = after[step][0]
            yield step, f"added: {text}" if text else "added"
    yield from _methods(old.get("methods") or {}, new.get("methods") or {})
    if common != [step for step in after if step in before]:
        yield "", "keys in another order"


def _methods(old: dict[str, str], new: dict[str, str]) -> Iterator[Told]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield "", f"its method {name} is gone"
        elif name not in old:
            yield "", f"its method {name} is new"
        elif old[name] != new[name] and old[name] and new[name]:
            yield "", f"its method {name} changed"


def _item(old: list[Any], new: list[Any]) -> Iterator[Told]:
    """Compare text, digest and inside of one element."""
    text, digest, inside = old
    text_now, digest_now, inside_now = new
    if digest and digest == digest_now:
        return
    found = inside_changes(inside, inside_now)
    if found:
        yield from found
    elif text != text_now:
        yield "", text_change(text, text_now)
    elif digest and digest_now:
        yield "", "changed"


def _long_texts(old: Any, new: Any) -> Iterator[Told]:
    """Show where two long texts first differ."""
    before, after = old["text"], new["text"]
    if before == after:
        return
    if "\n" in before or "\n" in after:
        number, was, now = _first_line(before.splitlines(), after.splitlines())
        yield "", f"line {number}: {was[:60]!r} → {now[:60]!r}"
        return
    same = next(
        (
            n
            for n, pair in enumerate(zip(before, after, strict=False))
            if len({*pair}) > 1
        ),
        min(len(before), len(after)),
    )
    start = max(0, same - 15)
    dots = "…" if start else ""
    was, now = (f"{dots}{text[start : same + 25]!r}" for text in (before, after))
    yield "", f"{was} → {now} (at character {same + 1})"


def _first_line(before: list[str], after: list[str]) -> tuple[int, str, str]:
    most = max(len(before), len(after))
    pairs = zip(
        before + [""] * (most - len(before)),
        after + [""] * (most - len(after)),
        strict=True,
    )
    return next((n, was, now) for n, (was, now) in enumerate(pairs, 1) if was != now)


_COMPARED: dict[str, Callable[[Any, Any], Iterator[Told]]] = {
    "table": _tables,
    "series": _series,
    "array": _arrays,
    "set": _sets,
    "items": _items,
    "text": _long_texts,
}


def text_change(before: str, after: str) -> str:
    """Narrow two summaries, of frames to the columns that differ."""
    old, new = _columns(before), _columns(after)
    if not old or not new:
        return " → ".join(_without_common_type(before, after))
    told = [
        f"column {name!r} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    return "; ".join(told) or f"{before} → {after}"


def _without_common_type(before: str, after: str) -> tuple[str, str]:
    """Narrow ``int 1`` and ``int 100`` to what differs."""
    kind, space, old = before.partition(" ")
    other, _, new = after.partition(" ")
    return (old, new) if space and kind == other and new else (before, after)


def _columns(summary: str) -> dict[str, str]:
    """Read back ``DataFrame ...: price float64, day object`` as a mapping."""
    head, colon, tail = summary.partition(": ")
    if not colon or not head.startswith("DataFrame"):
        return {}
    pairs = [item.rpartition(" ") for item in tail.split(", ")]
    return {name: dtype for name, space, dtype in pairs if space}
