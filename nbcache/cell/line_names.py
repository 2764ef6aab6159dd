"""Outputs that name lines of cells, as warnings and printed tracebacks do.

Layout does not count in a key: a blank line more leaves the entry valid, and the lines
that its outputs name are others.  A replay names those of today.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbcache.outputs import Output, Stream

__all__ = ["line_names", "renamed"]


def line_names(shown: Iterable[Output], body: Any, shell: Any) -> dict[str, Any]:
    """Give what a replay must know of the cells' lines that outputs name.

    Parameters
    ----------
    shown : iterable of Output
        What the cell showed.
    body : Body
        The cell that ran.
    shell : InteractiveShell
        It has named the files of other cells.

    Returns
    -------
    dict
        Plain data under ``lines`` for the entry's state, empty if no line is named.
    """
    text = "".join(one.text for one in shown if isinstance(one, Stream))
    named: dict[str, Any] = {}
    if body.filename in text:
        lines = _lines(body.filename)
        named["file"] = body.filename
        named["nodes"] = _node_lines(body.tree)
        named["texts"] = [
            [number, lines[number - 1].strip()]
            for number in sorted(_named(text, body.filename))
            if 0 < number <= len(lines)
        ]
    others = {
        name: "".join(_lines(name))
        for name in _mentioned(text, shell)
        if name != body.filename
    }
    if others:
        named["others"] = others
    return {"lines": named} if named else {}


def renamed(
    shown: Sequence[Output], state: Mapping[str, Any], body: Any, shell: Any
) -> Sequence[Output]:
    """Give outputs in which the files and lines of cells are those of today.

    Raises
    ------
    LookupError
        A cell that they name is no longer known, or a line became several.
    """
    named = state.get("lines")
    if not named:
        return shown
    files = {
        name: _today(text, shell) for name, text in named.get("others", {}).items()
    }
    lines: dict[int, int] = {}
    texts: list[tuple[str, str]] = []
    if "file" in named:
        files[named["file"]] = body.filename
        lines, texts = _moved(named, body)
    return [
        replace(one, text=_rewritten(one.text, files, named.get("file"), lines, texts))
        if isinstance(one, Stream)
        else one
        for one in shown
    ]


def _moved(
    named: Mapping[str, Any], body: Any
) -> tuple[dict[int, int], list[tuple[str, str]]]:
    """Give the lines of today by those of the run, and the texts of named ones."""
    before, today = named["nodes"], _node_lines(body.tree)
    if len(before) != len(today):
        raise LookupError("its output names lines of a cell that is another now")
    places: dict[int, set[int]] = {}
    for old, new in zip(before, today, strict=True):
        places.setdefault(old, set()).add(new)
    now = _lines(body.filename)
    lines, texts = {}, []
    for old, text in named["texts"]:
        found = places.get(old, {old})
        if len(found) > 1:
            raise LookupError(
                f"its output names line {old}, which is several lines now"
            )
        (lines[old],) = found
        if lines[old] <= len(now):
            texts.append((text, now[lines[old] - 1].strip()))
    return lines, texts


def _rewritten(
    text: str,
    files: Mapping[str, str],
    own: str | None,
    lines: Mapping[int, int],
    texts: Iterable[tuple[str, str]],
) -> str:
    if not any(name in text for name in files):
        return text
    if own is not None and own in text:
        text = _reference(own).sub(
            lambda found: (
                found[1] + found[2] + str(lines.get(int(found[3]), int(found[3])))
            ),
            text,
        )
        for old, new in texts:
            if old != new:
                text = _with_line(text, old, new)
    for old_name, new_name in files.items():
        text = text.replace(old_name, new_name)
    return text


def _with_line(text: str, old: str, new: str) -> str:
    """Show the line of code that follows a reference as it is written today."""
    line = rf"(?m)^([ \t]+){re.escape(old)}$"
    if re.search(line + r"\n[ \t]*[~^]+$", text):
        raise LookupError("its output marks a part of a line that is written anew")
    return re.sub(line, lambda found: found[1] + new, text)


def _reference(filename: str) -> re.Pattern[str]:
    r"""Match ``FILE:3`` of warnings and ``FILE", line 3`` of tracebacks."""
    return re.compile(rf'({re.escape(filename)})(:|", line )(\d+)')


def _named(text: str, filename: str) -> set[int]:
    return {int(found[3]) for found in _reference(filename).finditer(text)}


def _node_lines(tree: ast.AST) -> list[int]:
    """Give the line of each node of a tree, in an order that layout does not change."""
    return [node.lineno for node in ast.walk(tree) if hasattr(node, "lineno")]


def _lines(filename: str) -> list[str]:
    known = linecache.cache.get(filename)
    return list(known[2]) if known and len(known) > 2 else []


def _mentioned(text: str, shell: Any) -> list[str]:
    """Give the cells whose files a text names; most texts name not even a folder."""
    cells = _cells(shell)
    if not any(
        folder in text for folder in {name.rpartition(os.sep)[0] for name in cells}
    ):
        return []
    return [name for name in cells if name in text]


def _cells(shell: Any) -> list[str]:
    """Give the file names of all cells that have run."""
    return list(getattr(shell.compile, "_filename_map", ()))


def _today(text: str, shell: Any) -> str:
    for name in reversed(_cells(shell)):
        if "".join(_lines(name)) == text:
            return name
    raise LookupError("its output names a line of a cell that is another now")
