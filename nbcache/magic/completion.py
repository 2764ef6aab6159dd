"""Names of entries and options, completed with Tab after the magics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from nbcache import api, config
from nbcache.cell.names import is_ipythons
from nbcache.magic.arguments import flags
from nbcache.magic.lines import ACTIONS, FLAGS, TAKE_NAMES

__all__ = ["matcher"]

_MAGIC = re.compile(r"\s*(?:\w+\s*=\s*)?(%%cached|%cached|%nbcache)\s+(.*)")
_VARIABLES = ("-o", "--only", "--skip", "--ignore", "--opaque")


def matcher(shell: Any) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Give a matcher for ``shell.Completer.custom_matchers``."""

    @context_matcher(identifier="nbcache")
    def match(context: CompletionContext) -> SimpleMatcherResult:
        line = context.line_with_cursor[: context.cursor_position]
        found = _MAGIC.fullmatch(line)
        words = ["", ""] if found is None else _words(found[2])
        texts = [] if found is None else _candidates(shell, found[1], words)
        chosen = [one for one in texts if one.startswith(words[-1])]
        return {
            "completions": [SimpleCompletion(one, type="magic") for one in chosen],
            "matched_fragment": words[-1],
            "suppress": bool(chosen),
            "ordered": True,
        }

    made: Callable[[CompletionContext], SimpleMatcherResult] = match
    return made


def _words(text: str) -> list[str]:
    """Split what stands after the magic; the last word is the one being typed."""
    *before, last = re.split(r"\s+", text)
    return [*before, last]


def _candidates(shell: Any, magic: str, words: list[str]) -> Iterable[str]:
    *before, word = words
    if magic == "%nbcache":
        return _of_nbcache(before, word)
    previous = before[-1] if before else ""
    if previous == "--rng":
        return config.describe()["rng"][1]
    if previous in _VARIABLES:
        return _variables(shell, word)
    if word.startswith("-"):
        return sorted(flags(long=word.startswith("--")))
    takes_name = magic == "%%cached" and not flags(valued=True) & {previous}
    return _names() if takes_name else ()


def _of_nbcache(before: list[str], word: str) -> Iterable[str]:
    if not before:
        return ACTIONS
    if word.startswith("-"):
        return FLAGS
    if before[0] == "auto":
        return ("off",)
    return _names() if before[0] in TAKE_NAMES else ()


def _names() -> list[str]:
    """Give the names of the entries, as they are typed."""
    try:
        names = {entry.name for entry in api.default_core().store.entries()}
    except Exception:  # whatever it is, completion does without
        return []
    return sorted(f'"{name}"' if re.search(r"\s", name) else name for name in names)


def _variables(shell: Any, word: str) -> list[str]:
    """Give the notebook's variables, after those of ``a,b`` that are there."""
    head, comma, _ = word.rpartition(",")
    return sorted(
        f"{head}{comma}{name}"
        for name in shell.user_ns
        if not name.startswith("_") and not is_ipythons(name)
    )
