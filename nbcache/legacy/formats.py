"""The earlier packages whose results can be taken over; for a further one, a line."""

from __future__ import annotations

from nbcache.legacy.batchpy import Batchpy
from nbcache.legacy.numpy_caching import NumpyCaching
from nbcache.legacy.result import Format

__all__ = ["FORMATS", "KINDS"]

FORMATS: tuple[Format, ...] = (Batchpy(), NumpyCaching())
"""Asked in this order whose file one is."""

KINDS = tuple(one.kind for one in FORMATS)
