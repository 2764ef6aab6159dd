"""The earlier packages whose results can be taken over; for a further one, a line."""

from __future__ import annotations

from nbcache.legacy.batchpy import Batchpy
from nbcache.legacy.metrics import Metrics
from nbcache.legacy.numpy_caching import NumpyCaching
from nbcache.legacy.result import Format

__all__ = ["FORMATS", "KINDS"]

FORMATS: tuple[Format, ...] = (Metrics(), Batchpy(), NumpyCaching())
"""Asked in this order whose file one is: a metric says it by what is beside it."""

KINDS = tuple(one.kind for one in FORMATS)
