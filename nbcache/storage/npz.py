"""The container of an entry: an aligned, checksummed, mappable ``.npz``.

`numpy.load` reads every file written here.  Three modules make it up: `npz_layout` (the
bytes), `npz_write` and `npz_read`.  In the file stand, in this order,

- for each array, a zip member ``<name>.npy``: local record with a padding field that
  puts the array's data at a multiple of 64 bytes, npy header, data, descriptor;
- the member ``__nbcache__/manifest.npy``, JSON as uint8, never compressed;
- the central directory, with zip64 records where sizes ask for them;
- as the archive comment, the 512 bytes of the `Trailer`.
"""

from __future__ import annotations

from nbcache.storage.npz_layout import MANIFEST, SCHEMA, TRAILER_BYTES, Trailer
from nbcache.storage.npz_read import Archive, Mode
from nbcache.storage.npz_write import write

__all__ = [
    "MANIFEST",
    "SCHEMA",
    "TRAILER_BYTES",
    "Archive",
    "Mode",
    "Trailer",
    "write",
]
