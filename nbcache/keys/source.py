"""Running code -> normal form -> digest.

The normal form is the syntax tree of the source, when that source demonstrably compiles
to the code that runs: comments, layout, quotes, docstrings, line numbers and the names
of cells do not show in it.  Where there is no such source (``exec``, a module edited
after its import), the code object itself is taken apart.  Either way it is the running
code that counts, never a file.
"""

from __future__ import annotations
import __future__

import ast
import bisect
import dis
import functools
import linecache
import sys
import weakref
from collections.abc import Iterator
from types import CodeType
from typing import Any

import xxhash

from nbcache.keys.trees import of_tree, tree_of

__all__ = [
    "code_digest",
    "function_node",
    "know",
    "normal_form",
    "text_digest",
    "tree_digest",
]

_FUTURES = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag,
    __future__.all_feature_names,
    0,
)
_PYTHON = f"python {sys.version_info[0]}.{sys.version_info[1]} O{sys.flags.optimize}"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def text_digest(*texts: str) -> str:
    """Digest texts, each with its length; tagged with Python's minor version."""
    running = xxhash.xxh3_128()
    for text in (_PYTHON, *texts):
        data = text.encode("utf-8", "surrogatepass")
        running.update(len(data).to_bytes(8, "little"))
        running.update(data)
    return running.hexdigest()


class _Normalise(ast.NodeTransformer):
    """Drop what does not change what code does: docstrings, the ``u`` of strings."""

    def _without_docstring(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        body = node.body  # type: ignore[attr-defined]
        first = body[0] if body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
        return node

    visit_FunctionDef = _without_docstring
    visit_AsyncFunctionDef = _without_docstring
    visit_ClassDef = _without_docstring

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(node.value)


@of_tree
def normal_form(tree: ast.AST) -> str:
    """Give the text of a syntax tree that says only what the code does."""
    # a round through the tree's own dump is the cheapest deep copy there is
    # that leaves the caller's tree alone
    return ast.dump(_Normalise().visit(_copy(tree)), annotate_fields=False)


def _copy(tree: ast.AST) -> ast.AST:
    fields: dict[str, object] = {}
    for name, value in ast.iter_fields(tree):
        if isinstance(value, list):
            fields[name] = [
                _copy(item) if isinstance(item, ast.AST) else item for item in value
            ]
        else:
            fields[name] = _copy(value) if isinstance(value, ast.AST) else value
    return type(tree)(**fields)


def tree_digest(tree: ast.AST, *extra: str) -> str:
    """Digest a syntax tree's normal form, and texts that belong to it."""
    return text_digest("tree", normal_form(tree), *extra)


# Code objects compare equal by content, but two equal ones may have other sources:
# remembered by identity, and forgotten with the object.
_digests: dict[int, tuple[weakref.ref[CodeType], str]] = {}
_nodes: dict[int, tuple[weakref.ref[CodeType], ast.AST | None]] = {}


def code_digest(code: CodeType) -> str:
    """Digest the code of a function; the first answer holds while the code lives.

    Parameters
    ----------
    code : CodeType
        A running function's code.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    found = _digests.get(id(code))
    if found is not None and found[0]() is code:
        return found[1]
    node = function_node(code)
    if node is None:
        digest = text_digest("code", *_instructions(code))
    else:
        digest = text_digest("tree", *_function_form(node))
    know(code, digest)
    return digest


def know(code: CodeType, digest: str) -> None:
    """Take a digest for that of a code object, which has none yet.

    Parameters
    ----------
    code : CodeType
        As it came from the process where its source was.
    digest : str
        Computed there.
    """
    number = id(code)
    found = _digests.get(number)
    if found is None or found[0]() is not code:
        reference = _until_gone(code, _digests, number)
        _digests[number] = (reference, digest)


def _until_gone(code: CodeType, known: dict[int, Any], number: int) -> Any:
    """Refer to a code object, and drop what is known of it when it is gone.

    Without a callback in Python: an interrupt that arrives in one, as in the middle of
    a long garbage collection, is printed and lost.
    """
    return weakref.ref(code, functools.partial(known.pop, number))


def _function_form(node: ast.AST) -> Iterator[str]:
    """Give what a function's code is: not its name, decorators or default values."""
    arguments = node.args  # type: ignore[attr-defined]
    yield type(node).__name__.replace("Lambda", "FunctionDef")
    for group in (arguments.posonlyargs, arguments.args, arguments.kwonlyargs):
        yield ",".join(argument.arg for argument in group)
    for argument in (arguments.vararg, arguments.kwarg):
        yield argument.arg if argument else ""
    if isinstance(node, ast.Lambda):
        yield normal_form(ast.Return(node.body))
        return
    module = _Normalise().visit(_copy(node))
    for statement in module.body:
        yield ast.dump(statement, annotate_fields=False)


def function_node(code: CodeType) -> ast.AST | None:
    """Find the tree of a function in source that compiles to this very code."""
    found = _nodes.get(id(code))
    if found is not None and found[0]() is code:
        return found[1]
    node = _search(code)
    number = id(code)
    _nodes[number] = (_until_gone(code, _nodes, number), node)
    return node


def _search(code: CodeType) -> ast.AST | None:
    name, futures = code.co_filename, code.co_flags & _FUTURES
    functions, codes = _compiled("".join(linecache.getlines(name)), name, futures)
    if code not in codes:
        # what linecache holds may be older than the code: a module imported anew
        linecache.checkcache(name)
        functions, codes = _compiled("".join(linecache.getlines(name)), name, futures)
    if code not in codes:
        return None
    # two lambdas on one line look alike from here: then the code itself is taken
    nodes = functions.get((code.co_firstlineno, code.co_name), [])
    return nodes[0] if len(nodes) == 1 else None


@functools.lru_cache(maxsize=64)
def _compiled(
    text: str, filename: str, futures: int
) -> tuple[dict[tuple[int, str], list[ast.AST]], frozenset[CodeType]]:
    """Give the functions of a source by first line and name, and all its code."""
    flags = futures | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        tree = tree_of(text, filename, flags)
        top = compile(tree, filename, "exec", flags, True)
    except (SyntaxError, ValueError, RecursionError):
        return {}, frozenset()
    functions: dict[tuple[int, str], list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            decorators = getattr(node, "decorator_list", ())
            line = min([node.lineno, *(one.lineno for one in decorators)])
            name = getattr(node, "name", "<lambda>")
            functions.setdefault((line, name), []).append(node)
    return functions, frozenset(nested_codes(top))


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """Give a code object and all that are defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested_codes(constant)


_SKIPPED = frozenset({"NOP", "CACHE", "EXTENDED_ARG", "RESUME"})
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_CONSTANTS = frozenset(dis.hasconst)
_LOCALS = frozenset(dis.haslocal) | frozenset(dis.hasfree)
_NAMES = frozenset(dis.hasname)


def _instructions(code: CodeType) -> Iterator[str]:
    """Spell a code object without line numbers, file names and docstrings."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    arguments += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    yield repr((code.co_posonlyargcount, code.co_argcount, code.co_kwonlyargcount))
    yield repr((code.co_flags & ~_FUTURES, code.co_varnames[:arguments]))
    yield repr((code.co_freevars, code.co_cellvars))
    kept = [one for one in dis.get_instructions(code) if one.opname not in _SKIPPED]
    places = {one.offset: number for number, one in enumerate(kept)}
    offsets = sorted(places)
    for one in kept:
        yield one.opname
        if one.opcode in _CONSTANTS:
            yield from _constant(one.argval)
        elif one.opcode in _JUMPS:
            yield str(_place(offsets, places, one.argval))
        elif one.opcode in _NAMES:
            yield one.argrepr
        elif one.opcode in _LOCALS:
            yield repr(one.argval)
        else:
            yield repr(one.arg)
    for row in getattr(dis.Bytecode(code), "exception_entries", ()):
        ends = [_place(offsets, places, at) for at in (row.start, row.end, row.target)]
        yield repr((*ends, row.depth, row.lasti))


def _place(offsets: list[int], places: dict[int, int], offset: int) -> int:
    """Give the number of the first kept instruction at or after an offset."""
    index = bisect.bisect_left(offsets, offset)
    return places[offsets[index]] if index < len(offsets) else len(places)


def _constant(value: object) -> Iterator[str]:
    """Spell a constant with its type, so that 1, 1.0 and True stay apart."""
    if isinstance(value, CodeType):
        yield from _instructions(value)
    elif isinstance(value, tuple):
        yield f"tuple {len(value)}"
        for item in value:
            yield from _constant(item)
    elif isinstance(value, frozenset):
        yield f"frozenset {len(value)}"
        yield from sorted("\0".join(_constant(item)) for item in value)
    else:
        yield f"{type(value).__name__} {value!r}"
