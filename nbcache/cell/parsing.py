"""Parse the body of a cell where it stands, and register it for tracebacks.

A cell is parsed each time it runs, twice by the input transformer alone, though most
runs only look its result up.  IPython's own transformation takes milliseconds, so the
last cells are remembered by their text.
"""

from __future__ import annotations

import ast
import functools
import inspect
import io
import linecache
import tokenize
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Parsed", "parse", "register"]

_REMEMBERED = 64
_UNNAMED = "<cell>"

_parsed: OrderedDict[tuple[Any, ...], Parsed] = OrderedDict()
_names: OrderedDict[str, str] = OrderedDict()


@dataclass(frozen=True)
class Parsed:
    """The body of a cell as Python.

    Attributes
    ----------
    source : str
        The body, with magics and ``!`` lines transformed.
    text : str
        The source below comments in place of the lines above it.
    tree : ast.Module
        Of the text.  Shared by all runs of the cell: not to be changed.
    """

    source: str
    text: str
    tree: ast.Module

    @functools.cached_property
    def quiet(self) -> bool:
        """Whether a ``;`` at the end hides the result."""
        if ";" not in self.source:
            return False
        skipped = (
            tokenize.ENDMARKER,
            tokenize.NL,
            tokenize.NEWLINE,
            tokenize.COMMENT,
        )
        tokens = list(tokenize.generate_tokens(io.StringIO(self.source).readline))
        last = next((one for one in reversed(tokens) if one.type not in skipped), None)
        return last is not None and last.string == ";"

    @functools.cached_property
    def awaits(self) -> bool:
        """Whether code at the top level awaits."""
        if "await" not in self.source and "async" not in self.source:
            return False
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        try:
            code = compile(self.tree, _UNNAMED, "exec", flags, dont_inherit=True)
        except SyntaxError:
            # shown when its statement runs
            return False
        return bool(code.co_flags & inspect.CO_COROUTINE)


def parse(shell: Any, above: Sequence[str], body: str) -> Parsed:
    """Give the body of a cell as Python.

    Parameters
    ----------
    shell : InteractiveShell
        Whose transformers and compiler flags apply.
    above : sequence of str
        The lines of the cell above the body; they count in line numbers.
    body : str
        As the cell magic gets it.

    Returns
    -------
    Parsed
        Source, text and tree.

    Raises
    ------
    SyntaxError
        If it is no Python.  Its line is that of the cell.
    """
    if not _is_static(shell, body):
        return _parse(shell, above, body)
    key = (body, tuple(above), shell.compile.flags)
    parsed = _parsed.pop(key, None) or _parse(shell, above, body)
    _remember(_parsed, key, parsed)
    return parsed


def _is_static(shell: Any, body: str) -> bool:
    """Tell whether the body is always transformed alike.

    A single line may be a call without parentheses or a magic without ``%``, depending
    on the namespace, and other packages' transformers may depend on anything.
    """
    transformers = shell.input_transformer_manager
    others = [
        *transformers.cleanup_transforms,
        *transformers.line_transforms,
        *transformers.token_transformers,
        *shell.input_transformers_post,
    ]
    return len(body.strip().splitlines()) > 1 and all(
        str(getattr(one, "__module__", "")).startswith(("IPython.", "nbcache."))
        for one in others
    )


def _parse(shell: Any, above: Sequence[str], body: str) -> Parsed:
    # IPython removes empty lines at the start, which count here
    rest = body.lstrip("\n")
    head = "".join(f"# {line}\n" for line in above) + "\n" * (len(body) - len(rest))
    try:
        source = shell.transform_cell(rest)
    except SyntaxError as error:
        error.lineno = (error.lineno or 1) + head.count("\n")
        raise
    text = head + source
    return Parsed(source, text, shell.compile.ast_parse(text, _UNNAMED))


def register(shell: Any, text: str, number: int, raw_cell: str) -> str:
    """Give a file name to the text of a cell, under which tracebacks find it.

    Parameters
    ----------
    shell : InteractiveShell
        Whose compiler names it.
    text : str
        Python text that will be compiled.
    number : int
        The n of ``In[n]``.
    raw_cell : str
        The cell as the user sees it: ipykernel's name depends on it, and a debugger
        sets breakpoints under this name.

    Returns
    -------
    str
        The file name.
    """
    name = _names.pop(raw_cell, None)
    # ipykernel's digest of a long cell takes a millisecond, and IPython has just named
    # the cell; a terminal's names hold the number
    if name is None or shell.compile.format_code_name(name) != (
        "Cell",
        f"In[{number}]",
    ):
        name = shell.compile.cache(text, number, raw_code=raw_cell)
    _remember(_names, raw_cell, name)
    # IPython splits at form feeds and other separators too, where Python does not: from
    # there on its lines would be the wrong ones.
    lines = io.StringIO(text, newline="").readlines()
    linecache.cache[name] = (len(text), None, lines, name)
    return name


def _remember(known: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    known[key] = value
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
