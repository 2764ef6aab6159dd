"""Where two versions of code first differ, and their diff."""

from __future__ import annotations

import io
import textwrap
import tokenize
from typing import Any

from nbcache.keys.insides import kind_of

__all__ = ["code_difference", "line_text"]


def line_text(old: Any, new: Any) -> str:
    """Say in which line of today's code the first difference is."""
    if not old.get("text") or not new.get("text"):
        return ""
    number = _first_changed(old["text"], new["text"])
    start = new.get("line", 1)
    is_known = number and isinstance(start, int)
    return f" (line {number + start - 1})" if is_known else ""


def _first_changed(before: str, after: str) -> int:
    old, new = _significant(before), _significant(after)
    import difflib  # 2 ms, of use to misses

    matcher = difflib.SequenceMatcher(
        None, [text for _, text in old], [text for _, text in new], autojunk=False
    )
    for tag, _, _, start, _ in matcher.get_opcodes():
        if tag != "equal":
            return new[min(start, len(new) - 1)][0] if new else 1
    return 0


def _significant(text: str) -> list[tuple[int, str]]:
    """Give the lines that do something, by number, without comments and magic."""
    rows = textwrap.dedent(text).splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(rows)).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                rows[row - 1] = rows[row - 1][:column]
    except (tokenize.TokenError, SyntaxError, IndexError):
        # magics and shell commands are no Python
        rows = ["" if row.lstrip().startswith("#") else row for row in rows]
    return [
        (number, row.rstrip())
        for number, row in enumerate(rows, 1)
        if row.strip() and not (number == 1 and row.startswith("%%"))
    ]


def code_difference(label: str, old: Any, new: Any, before: str, after: str) -> str:
    """Give the unified diff of two versions of code; '' where there is no text.

    Parameters
    ----------
    label : str
        What the code is.
    old, new
        Details of the code.
    before, after : str
        When the versions are of.
    """
    if kind_of(old) != "code" or kind_of(new) != "code":
        return ""
    texts = old.get("text", ""), new.get("text", "")
    if not all(texts) or texts[0] == texts[1]:
        return ""
    old_rows, new_rows = (text.splitlines() for text in texts)
    if old_rows[0].startswith("%%") and new_rows[0].startswith("%%"):
        old_rows[0] = new_rows[0]  # options of the magic are no code
    import difflib  # 2 ms, of use to misses

    rows = difflib.unified_diff(
        old_rows,
        new_rows,
        f"{label}, {before}",
        f"{label}, {after}",
        lineterm="",
    )
    shown = list(rows)
    if len(shown) > 200:
        shown = [*shown[:200], f"… {len(shown) - 200} more lines"]
    return "\n".join(shown)
