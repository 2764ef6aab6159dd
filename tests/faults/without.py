"""Takes one defence of the store away, to see which test notices.

``NBCACHE_FAULTS_WITHOUT`` names it, for a process and all that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["DEFENCES", "apply"]

VARIABLE = "NBCACHE_FAULTS_WITHOUT"
DEFENCES: dict[str, Callable[[], None]] = {}


def apply() -> None:
    """Take away what the environment names."""
    name = os.environ.get(VARIABLE)
    if name:
        DEFENCES[name]()
