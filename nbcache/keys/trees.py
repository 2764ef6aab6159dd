"""What was found out about a syntax tree is remembered as long as the tree lives.

The tree of a cell is parsed once and asked about at each run of the cell; going
through it takes longer than everything else that a hit does.
"""

from __future__ import annotations

import ast
import functools
import weakref
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

__all__ = ["of_tree"]

P = ParamSpec("P")
Tree = TypeVar("Tree", bound=ast.AST)
Answer = TypeVar("Answer")


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
