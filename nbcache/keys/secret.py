"""Names whose values are secrets: no summary of them is ever written down."""

from __future__ import annotations

import re

__all__ = ["is_secret_name"]

# `key` alone names dictionary keys and sort keys; it is a secret only as a whole word
# beside another one (api_key, key_file, AWS_KEY)
_SECRET = re.compile(
    r"token|passw|secret|credential|auth(?!or)|api_?key|private_?key|(^|_)key($|_)",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Say whether a variable's or argument's name sounds like a secret's."""
    return _SECRET.search(name) is not None
