"""What was found out about a syntax tree is remembered as long as the tree lives.

The tree of a cell is parsed once and asked about at each run of the cell; going
through it takes longer than everything else that a hit does.
"""

from __future__ import annotations

import ast
import functools
import time
import weakref
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

__all__ = ["of_tree", "tree_of"]

P = ParamSpec("P")
Tree = TypeVar("Tree", bound=ast.AST)
Answer = TypeVar("Answer")


_ATTEMPTS = 20


def tree_of(text: str | bytes, filename: str = "<unknown>", flags: int = 0) -> Any:
    """Give the syntax tree of a source, whatever other threads compile meanwhile.

    Parameters
    ----------
    text : str or bytes
        A whole source.
    filename : str
        How errors name it.
    flags : int
        Those of the compiler besides.

    Raises
    ------
    SyntaxError, ValueError, RecursionError
        It is none.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _parsed(text, filename, flags)
        except SystemError:
            # CPython 3.11 counts the depth of all threads' trees together, and takes
            # that for an error where one interrupts another
            time.sleep(0)
    return _parsed(text, filename, flags)


def _parsed(text: str | bytes, filename: str, flags: int) -> Any:
    return compile(text, filename, "exec", flags | ast.PyCF_ONLY_AST, True)


def of_tree(
    function: Callable[Concatenate[Tree, P], Answer],
) -> Callable[Concatenate[Tree, P], Answer]:
    """Have a function answer once for each tree; each caller gets a copy.

    Parameters
    ----------
    function : callable
        Takes a tree that nobody changes any more, and hashable arguments besides.  Its
        answers depend on nothing else.
    """
    known: weakref.WeakKeyDictionary[ast.AST, dict[Any, Answer]]
    known = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def remembering(tree: Tree, *args: P.args, **kwargs: P.kwargs) -> Answer:
        answers = known.setdefault(tree, {})
        asked = (args, *kwargs.items())
        if asked not in answers:
            answers[asked] = function(tree, *args, **kwargs)
        return cast(Answer, _copy(answers[asked]))

    return cast(Callable[Concatenate[Tree, P], Answer], remembering)


def _copy(answer: Any) -> Any:
    if type(answer) is tuple:
        return tuple(map(_copy, answer))
    return answer.copy() if hasattr(answer, "copy") else answer
