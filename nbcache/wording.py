"""How errors are worded: in one line, with what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable

from nbcache.errors import NbcacheError

__all__ = ["near", "one_line"]


def near(word: str, known: Iterable[str]) -> str:
    """Give `` Did you mean 'x'?`` for the nearest known word; '' if none is near."""
    import difflib  # 2 ms, of use to errors

    found = difflib.get_close_matches(word, list(known), 1)
    return f" Did you mean {found[0]!r}?" if found else ""


def one_line(error: BaseException) -> str:
    """Give an error in one line; those of nbcache say all that there is to say."""
    text = " ".join(str(error).split())
    if isinstance(error, NbcacheError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
