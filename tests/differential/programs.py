"""Notebooks made up by hypothesis, and edits of them.

A statement is a template.  ``{list}`` stands for a name that holds a list by then,
``{new:list}`` for one that is bound here, new or again, ``{c}`` for a constant.
Which kind a name holds is only known as far as the statements say: a branch that is
not taken, or an exception, makes it wrong, and the notebook goes on all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from differential.templates import FILES, GROUPS, IMPORTS, SEEDS
from hypothesis import strategies as st

__all__ = ["Cell", "Notebook", "Program", "programs"]

_MARK = re.compile("⟪(\\d+)⟫")
_HOLE = re.compile(r"\{(new:)?(\w+)\}")
_NAMES = {
    "int": "ijk",
    "float": "xyz",
    "str": "st",
    "list": "abc",
    "nested": "mn",
    "dict": "dq",
    "tuple": "uv",
    "set": "gh",
    "array": "AB",
    "frame": ("df", "df2"),
    "series": ("col", "col2"),
    "any": ("any1", "any2"),
}


@dataclass(frozen=True)
class Cell:
    """A cell, and whether it is cached."""

    text: str
    cached: bool = True


@dataclass(frozen=True)
class Notebook:
    """Cells, and the files beside them."""

    cells: tuple[Cell, ...]
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A notebook as it is run first, and as it is run then.

    Parameters
    ----------
    first, second : Notebook
        Before and after the edit.
    edit : str
        What it is.
    same : dict of int to int
        Cells that the edit left alone: place before and after.
    fresh : bool
        Whether each run starts without the files that the one before wrote.
    """

    first: Notebook
    second: Notebook
    edit: str
    same: dict[int, int]
    fresh: bool

    def __repr__(self) -> str:
        """Show it as it would be read."""
        rows = [f"edit: {self.edit}{', fresh folder' if self.fresh else ''}"]
        for title, notebook in (("FIRST", self.first), ("SECOND", self.second)):
            if title == "SECOND" and notebook == self.first:
                continue
            rows.append(f"=== {title}")
            for number, cell in enumerate(notebook.cells):
                rows.append(f"--- {number}{'' if cell.cached else ' plain'}")
                rows.append(cell.text)
            if title == "FIRST" or notebook.files != self.first.files:
                for name, text in notebook.files.items():
                    rows += [f"--- file {name}", text.rstrip("\n")]
        return "\n".join(rows)


@dataclass
class _Scope:
    """What names hold by now, as far as is known."""

    kinds: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> list[str]:
        if kind == "any":
            return sorted(n for n, k in self.kinds.items() if k not in _NO_VALUES)
        return sorted(name for name, held in self.kinds.items() if held == kind)


_WEIGHTS = [
    "values",
    "values",
    "lists",
    "lists",
    "lists",
    "arrays",
    "arrays",
    "frames",
    "frames",
    "code",
    "code",
    "code",
    "outside",
    "outside",
    "shown",
    "blocks",
]
_DRAWS = re.compile(r"\b(np\.random\.rand|random\.(random|shuffle|sample)\()")
_NO_VALUES = frozenset({"module"})


def _holes(template: str) -> list[tuple[bool, str]]:
    return [(bool(new), kind) for new, kind in _HOLE.findall(template)]


def _uses(template: str) -> list[tuple[bool, str]]:
    return [hole for hole in _holes(template) if hole[1] not in ("c", "body", "any")]


def _fits(template: str, scope: _Scope) -> bool:
    return all(
        new or kind in ("c", "body") or scope.of(kind) for new, kind in _holes(template)
    )


def _statement(draw, scope: _Scope, depth: int = 0) -> str:
    group = GROUPS[draw(st.sampled_from(_WEIGHTS[: -1 if depth else None]))]
    fitting = [one for one in group if _fits(one, scope)]
    using = [one for one in fitting if any(not new for new, _ in _uses(one))]
    if using and draw(st.integers(0, 3)):
        fitting = using
    template = draw(st.sampled_from(fitting or GROUPS["values"][:1]))
    bound: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        new, kind = match.groups()
        if kind == "c":
            return f"⟪{draw(st.integers(0, 4))}⟫"
        if kind == "body":
            inner = _statement(draw, scope, depth + 1)
            return inner.replace("\n", "\n    ")
        if not new:
            return draw(st.sampled_from(scope.of(kind)))
        names = _NAMES.get(kind, (kind[:3] + "1", kind[:3] + "2"))
        name = draw(st.sampled_from(list(names) + (["w"] if kind != "module" else [])))
        bound[name] = kind
        return name

    text = _HOLE.sub(fill, template)
    scope.kinds.update(bound)
    for name in re.findall(r"^del (\w+)$", text, re.MULTILINE):
        scope.kinds.pop(name, None)
    return text


def _cell(draw, scope: _Scope) -> Cell:
    rows = [_statement(draw, scope) for _ in range(draw(st.integers(1, 4)))]
    if draw(st.integers(0, 3)) == 0 and scope.kinds:
        shown = draw(st.sampled_from(scope.of("any") or ["0"]))
        rows.append(shown + draw(st.sampled_from(["", "", ";"])))
    return Cell("\n".join(rows), draw(st.integers(0, 5)) > 0)


def _rendered(text: str, constant: int | None = None) -> str:
    """Show a text; one of its constants as another."""
    seen = -1

    def one(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        value = int(match[1])
        return str(value + 1 if seen == constant else value)

    return _MARK.sub(one, text)


def _notebook(cells: list[Cell], files: dict[str, str]) -> Notebook:
    return Notebook(
        tuple(Cell(_rendered(cell.text), cell.cached) for cell in cells),
        {name: _rendered(text) for name, text in files.items()},
    )


EDITS = ("none", "comment", "layout", "constant", "file", "swap", "remove", "insert")


@st.composite
def programs(draw) -> Program:
    """Notebooks with an edit of each."""
    return program(draw)


def program(draw) -> Program:
    """Make up a notebook and an edit of it."""
    scope = _Scope()
    cells = [Cell(IMPORTS, draw(st.booleans()))]
    cells += [_cell(draw, scope) for _ in range(draw(st.integers(2, 7)))]
    whole = "\n".join(cell.text for cell in cells)
    if _DRAWS.search(whole):
        # what nobody seeded stays as it was on a hit, by agreement
        cells[0] = Cell(f"{IMPORTS}\n{SEEDS}", cells[0].cached)
    files = {
        n: t for n, t in FILES.items() if n.partition(".")[0] in whole or "*" in whole
    }
    edit = draw(st.sampled_from(EDITS))
    first = _notebook(cells, files)
    second, same = _edited(draw, edit, cells, files, scope)
    return Program(first, second, edit, same, draw(st.booleans()))


def _edited(draw, edit, cells, files, scope) -> tuple[Notebook, dict[int, int]]:
    count = len(cells)
    same = {number: number for number in range(count)}
    others, other_files = list(cells), dict(files)
    place = draw(st.integers(1, count - 1))
    text = cells[place].text
    if edit == "comment":
        others[place] = Cell(f"# why\n{text}  # because", cells[place].cached)
    elif edit == "layout":
        others[place] = Cell("\n\n" + text.replace("\n", "\n\n"), cells[place].cached)
    elif edit == "constant" and _MARK.search(text):
        number = draw(st.integers(0, len(_MARK.findall(text)) - 1))
        others[place] = Cell(_rendered(text, number), cells[place].cached)
        del same[place]
    elif edit == "file" and files:
        name = draw(st.sampled_from(sorted(files)))
        number = draw(st.integers(0, max(0, len(_MARK.findall(files[name])) - 1)))
        other_files[name] = _rendered(files[name], number)
    elif edit == "swap" and place > 1:
        others[place - 1], others[place] = others[place], others[place - 1]
        del same[place], same[place - 1]
    elif edit == "remove":
        del others[place]
        same = {n: n - (n > place) for n in same if n != place}
    elif edit == "insert":
        others.insert(place, _cell(draw, scope))
        same = {n: n + (n >= place) for n in same}
    return _notebook(others, other_files), same
