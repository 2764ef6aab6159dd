"""The file names of stored names: readable, and never one for two names.

What a file system somewhere cannot keep is percent-encoded.  ``~`` stands in cut names
alone, before the digest of the whole name.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from blake3 import blake3

__all__ = ["META_SUFFIX", "decoded", "encoded", "is_cut", "require_suffix"]

META_SUFFIX = ".meta.json"

_LONGEST = 100
_SAFE = "(),=' +[]{}@"
_DIGEST_BYTES = 16
_CUT = re.compile(
    rf"(?!\.)(?:[\w.\-{re.escape(_SAFE)}]|%[0-9A-F][0-9A-F])+~[0-9a-f]{{32}}", re.ASCII
)
_PIECE = re.compile(r"%[0-9A-F]?$")
# of Windows, whatever stands after a dot
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin%24|conout%24) *(?:\.|$)", re.IGNORECASE
)
_META = META_SUFFIX.partition(".json")[0]


def encoded(name: str) -> str:
    """Give the file name of a name, without suffix.

    Raises
    ------
    TypeError
        It is no text.
    ValueError
        It is empty.
    """
    if not isinstance(name, str):
        raise TypeError(f"a name is a str, not {type(name).__name__}: {name!r}")
    if not name:
        raise ValueError("a name has one character at least")
    if is_cut(name):
        return name  # how `decoded` gives a file of which nothing else is known
    text = _plain(name)
    if len(text) <= _LONGEST:
        return text
    digest = blake3(name.encode("utf-8", "surrogatepass")).hexdigest(_DIGEST_BYTES)
    start = _PIECE.sub("", text[: _LONGEST - len(digest) - 1])
    return f"{start}~{digest}"


def _plain(name: str) -> str:
    text = quote(name, safe=_SAFE, errors="surrogatepass").replace("~", "%7E")
    if text.startswith(".") or _RESERVED.match(text):
        text = f"%{ord(text[0]):02X}{text[1:]}"
    if text.casefold().endswith(_META):
        text = f"{text[: -len(_META)]}%2E{text[1 - len(_META) :]}"
    if text.endswith((" ", ".")):
        text = f"{text[:-1]}%{ord(text[-1]):02X}"
    return text


def decoded(text: str) -> str | None:
    """Give the name of a file name without suffix; None if it is not of a name.

    Of a cut name, the file name itself.
    """
    try:
        name = text if is_cut(text) else unquote(text, errors="surrogatepass")
        return name if encoded(name) == text else None
    except ValueError:
        return None


def is_cut(text: str) -> bool:
    """Say whether a file name without suffix is that of a name that was cut."""
    is_short = len(text) <= _LONGEST and not _RESERVED.match(text)
    return is_short and _CUT.fullmatch(text) is not None


def require_suffix(suffix: str) -> str:
    """Refuse suffixes that would give files of other kinds, or none.

    Raises
    ------
    ValueError
        It is such.
    """
    if not re.fullmatch(r"\.[^/\\:*?\"<>|\0-\x1f]*[^/\\:*?\"<>|\0-\x1f. ]", suffix):
        raise ValueError(f"a suffix is like '.npz', not {suffix!r}")
    if suffix.casefold().endswith(META_SUFFIX):
        raise ValueError(f"{suffix!r} is what the names of metadata end with")
    return suffix
