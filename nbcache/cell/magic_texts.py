"""The text of a magic: its options, the code in it, the names that it reads."""

from __future__ import annotations

import re
import shlex
import string

__all__ = [
    "expansions",
    "option_value",
    "runs_code",
    "shell_reads",
    "split_words",
    "without_options",
]

# Options as getopt takes them: a colon for those with a value.  Left out on purpose:
# `-v NAME` of timeit, which binds a name.
_OPTIONS = {"prun": "D:l:rs:T:q", "time": "", "timeit": "n:r:tcp:qo"}
_DOLLAR = re.compile(r"\$(\{?)([A-Za-z_]\w*)")


def runs_code(magic: str) -> bool:
    """Say whether a magic runs the Python code in its text."""
    return magic in _OPTIONS


def without_options(magic: str, text: str) -> str | None:
    """Give the code in the text of a magic, None if an option is not known.

    Parameters
    ----------
    magic : str
        One that `runs_code`.
    text : str
        What stands behind its name.
    """
    takes = _OPTIONS[magic]
    rest = text.strip()
    while takes and rest.startswith("-"):
        word, _, rest = rest.partition(" ")
        rest = rest.lstrip()
        if word == "--":
            break
        needs_value = _needs_value(word[1:], takes)
        if needs_value is None:
            return None
        if needs_value:
            rest = rest.partition(" ")[2].lstrip()
    return None if rest.startswith("--") else rest


def _needs_value(letters: str, takes: str) -> bool | None:
    """Say whether the next word is the value of the last option; None if unknown."""
    for at, letter in enumerate(letters):
        place = takes.find(letter)
        if place < 0 or letter == ":":
            return None
        if takes[place + 1 : place + 2] == ":":
            return at == len(letters) - 1
    return False


def split_words(text: str) -> list[str]:
    """Split a line into words; quotes hold some together."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def option_value(words: list[str], option: str) -> str:
    """Give what stands behind an option or its ``=``; '' if it is not there."""
    for at, word in enumerate(words):
        if word == option:
            return "".join(words[at + 1 : at + 2])
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return ""


def expansions(text: str) -> bool:
    """Say whether IPython may put values of names into a line: ``{x}``, ``$x``."""
    return "$" in text or "{" in text


def shell_reads(text: str) -> list[str]:
    """Give the expressions that IPython puts into a shell command, as Python.

    Parameters
    ----------
    text : str
        With ``{expression}`` and ``$name``.

    Returns
    -------
    list of str
        For a name in ``$name``, also the variable of the environment, which the shell
        itself puts there if Python has no such name.
    """
    found = []
    for brace, name in _DOLLAR.findall(text):
        found += [] if brace else [name]
        found.append(f"os.environ[{name!r}]")
    try:
        fields = list(_fields(text))
    except ValueError:
        # IPython cannot read it either, and leaves the command as it is
        fields = []
    return found + [one for one in fields if _is_expression(one)]


def _fields(text: str) -> list[str]:
    found = []
    for _, expression, specification, _ in string.Formatter().parse(text):
        if expression is not None:
            found += [expression, *_fields(specification or "")]
    return found


def _is_expression(text: str) -> bool:
    try:
        compile(text.strip(), "<field>", "eval")
    except (SyntaxError, ValueError):
        return False
    return True
