"""Read an entry file: structure first, then digest, then members."""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from blake3 import blake3

from nbcache.errors import DamagedEntry
from nbcache.storage.interrupts import uninterrupted
from nbcache.storage.mapping import can_map, mapped
from nbcache.storage.npy_header import (
    ArrayHeader,
    array_over,
    header_length,
    parse_header,
)
from nbcache.storage.npz_layout import (
    DEFLATED,
    END,
    MANIFEST,
    TRAILER_BYTES,
    Member,
    Trailer,
    check_structure,
    data_offset,
    deflate,
    descriptor,
    parse_directory,
)
from nbcache.storage.plain_files import OPEN_FLAGS, require_plain, stat_id_of
from nbcache.storage.private_copy import is_at_risk, private_copy
from nbcache.storage.when_gone import close, when_gone

__all__ = ["Archive", "Mode"]

Array = np.ndarray[Any, Any]
Mode = Literal["copy", "read"] | None

# files below are read whole, members below are copied: cheaper than mapping
SMALL = 1 << 16
# of larger files, enough for trailer, directory and manifest of most
TAIL = 1 << 14
# enough for the local record and npy header of a member
HEAD = 1 << 10
BLOCK = 1 << 20
# from here, a second thread pays
THREADS_BYTES = 1 << 22
# DEFLATE cannot shrink data further
LARGEST_RATIO = 1032


class Archive:
    """One opened, immutable entry file.

    `open` checks its structure, `verify` every byte of it.  Arrays handed out stay
    valid after `close`, and after the file was removed.

    Attributes
    ----------
    trailer : Trailer
    size : int
        Bytes of the file.
    stat_id : tuple of int
        Device, inode, size, mtime and ctime in ns: the same as long as the file is.
    """

    def __init__(
        self,
        descriptor: int,
        status: os.stat_result,
        *,
        limit_bytes: int | None = None,
        mappable: bool = True,
    ) -> None:
        self._closer: object = None
        self._own(descriptor)
        self._limit_bytes = limit_bytes
        self._mappable = mappable and can_map
        self._maps: dict[bool, Array] = {}
        self._handed_out: set[str] = set()
        # not a cached property: its lock costs as much as reading a small file
        self._members: dict[str, tuple[Member, int]] | None = None
        self.size = status.st_size
        self.stat_id = stat_id_of(status)
        self._tail: bytes | bytearray = b""
        self._tail_start = self.size
        try:
            self.trailer = self._read_tail()
        except BaseException:
            self._descriptor, self._closer = -1, None  # who opened it closes it
            raise

    def _own(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # whoever opened this may be interrupted before closing it
        self._closer = when_gone(self, close, descriptor) if close else None

    def _read_tail(self) -> Trailer:
        """Read manifest and directory too, which stand last; check the structure."""
        start = 0 if self.size <= SMALL else self.size - TAIL
        tail = os.pread(self._descriptor, self.size - start, start)
        if len(tail) < self.size - start:
            tail = self._bytes(start, self.size)
        self._tail, self._tail_start = tail, start
        # of a small file
        self.whole = None if start else tail
        trailer = Trailer.from_bytes(tail[-TRAILER_BYTES:])
        check_structure(trailer, self.size, tail)
        return trailer

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        limit_bytes: int | None = None,
        mappable: bool = True,
    ) -> Self:
        """Open an entry and check its structure, not yet its digest.

        Parameters
        ----------
        path : path
            The file; a symbolic link is refused.
        limit_bytes : int, optional
            Refuse files, and sizes after decompression, beyond this.
        mappable : bool
            False: plain reads only, as network file systems need: a mapped file that
            is truncated there kills the process.

        Raises
        ------
        OSError
            If the file cannot be opened or read.
        DamagedEntry
            If it is anything but a whole entry file.
        """
        opened: list[int] = []
        try:
            # C from the call to the list: no interrupt comes between
            opened.extend(map(os.open, (path,), (OPEN_FLAGS,)))
            descriptor = opened[0]
            status = os.fstat(descriptor)
            require_plain(status, TRAILER_BYTES + END.size, limit_bytes)
            if is_at_risk(status):
                descriptor = opened[0] = private_copy(descriptor, status.st_size)
                status = os.fstat(descriptor)
            return cls(descriptor, status, limit_bytes=limit_bytes, mappable=mappable)
        except BaseException:
            for one in opened:
                with suppress(OSError):
                    os.close(one)
            raise

    def again(self, path: str | os.PathLike[str]) -> Self | None:
        """Give this archive open once more; None if the file there is another now.

        Notes
        -----
        A file that was read whole is not read again: one `stat` is all.
        """
        other = object.__new__(type(self))
        # what others may use is made anew; at no moment do two own a descriptor
        own: dict[str, Any] = {"_maps": {}, "_handed_out": set()}
        own |= {"_descriptor": -1, "_closer": None}
        other.__dict__.update({**self.__dict__, **own})
        try:
            if self._tail_start == 0:
                return other if stat_id_of(os.lstat(path)) == self.stat_id else None
            with uninterrupted():
                other._own(os.open(path, OPEN_FLAGS))
            if stat_id_of(os.fstat(other._descriptor)) == self.stat_id:
                return other
        except OSError:
            pass
        other.close()
        return None

    @property
    def is_mappable(self) -> bool:
        """Whether what was verified once is what later reads give."""
        return self._mappable

    @property
    def kept_bytes(self) -> int:
        """Bytes of the file that stay in memory."""
        return len(self._tail)

    def mapped(self) -> list[Array]:
        """Give the mappings of the whole file of which members may be handed out."""
        return list(self._maps.values())

    def close(self) -> None:
        """Close the file; may be called again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            try:
                self._closer = None
                os.close(descriptor)
            except OSError:  # it was only read
                pass
        self._maps.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def verify(self) -> None:
        """Check every byte before the trailer against its digest.

        Raises
        ------
        DamagedEntry
            If a byte is not as it was written.
        """
        length = self.trailer.length
        hasher = blake3(max_threads=2 if length >= THREADS_BYTES else 1)
        if self._tail_start == 0:
            hasher.update(memoryview(self._tail)[:length])
        elif (data := self._map(writable=not self._handed_out)) is not None:
            # the very mapping that "copy" hands out: its pages are then in place
            hasher.update(data.data[:length])
        else:
            # kept: who reads once more may get other bytes from a bad line or disk
            whole = bytearray(self.size)
            self._read_into(memoryview(whole), 0)
            hasher.update(memoryview(whole)[:length])
            self._tail, self._tail_start = whole, 0
        if hasher.hexdigest() != self.trailer.digest:
            raise DamagedEntry("the entry's bytes are not those that were written")

    @property
    def inflated_bytes(self) -> int:
        """Bytes that the deflated members say to take when inflated."""
        return sum(one.size for one, _ in self._directory().values() if one.method)

    def manifest(self) -> bytes:
        """Give the JSON the entry was written with."""
        start = self.trailer.manifest
        return self._bytes(start, start + self.trailer.manifest_bytes)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the order of the file."""
        return tuple(name for name in self._directory() if name != MANIFEST)

    def read(self, name: str, mode: Mode = "copy") -> Array:
        """Give an array of the entry.

        Parameters
        ----------
        name : str
            One of `names`.
        mode : "copy", "read" or None
            "copy": writable; what is large is mapped and copied only where it is
            written to.  "read": read-only, mapped.  None: writable, in plain memory.

        Raises
        ------
        DamagedEntry
            If there is no such member, or it is not what the directory says.
        OSError
            If the file cannot be read.
        """
        found = self._directory().get(name)
        if found is None:
            raise DamagedEntry(f"the entry has no member {name!r}")
        member, end = found
        head = self._bytes(member.offset, min(member.offset + HEAD, end))
        start = data_offset(member, head)
        if start + member.packed + len(descriptor(member)) != end:
            raise DamagedEntry(f"member {name!r} does not end where it should")
        if member.method == DEFLATED:
            array = self._inflated(member, start)
        else:
            array = self._stored(member, start, head, mode)
        if mode == "read":
            array.flags.writeable = False
        return array

    # ------------------------------------------------------------ members

    def _directory(self) -> dict[str, tuple[Member, int]]:
        """Give each member with the offset at which the next record starts."""
        members = self._members
        if members is None:
            start = self.trailer.directory
            records = self._bytes(start, self.trailer.length)
            members = self._members = parse_directory(records, start)
        return members

    def _stored(self, member: Member, start: int, head: bytes, mode: Mode) -> Array:
        stop = start + member.size
        if member.packed != member.size:
            raise DamagedEntry(f"member {member.name!r} has two sizes")
        own = head[start - member.offset :][: member.size]
        need = header_length(own)
        if need > len(own):
            own = self._bytes(start, min(start + need, stop))
        header, length = parse_header(own)
        _check_size(member, header, length)
        start += length
        if header.nbytes >= SMALL and mode is not None:
            whole = self._map_once(member.name, mode)
            if whole is not None:
                return array_over(header, whole.data, start)
        plain = (
            header.dtype.names is None
        )  # numpy does not copy what lies between fields
        if plain and start >= self._tail_start and header.nbytes:
            return array_over(header, self._tail, start - self._tail_start).copy("K")
        # not over a buffer: arrays with memory of their own can be resized
        array = np.empty(header.shape, header.dtype, "F" if header.fortran else "C")
        if header.nbytes:
            flat = array.reshape(-1, order="A")
            self._read_into(flat.view(np.uint8).data, start)
        return array

    def _inflated(self, member: Member, start: int) -> Array:
        if member.size > LARGEST_RATIO * (member.packed + 1) or (
            self._limit_bytes is not None and member.size > self._limit_bytes
        ):
            raise DamagedEntry(f"member {member.name!r} claims {member.size} bytes")
        data = np.empty(member.size, np.uint8)
        inflater = deflate.decompressobj(-15)
        filled = 0
        try:
            for position in range(start, start + member.packed, BLOCK):
                stop = min(position + BLOCK, start + member.packed)
                block = self._bytes(position, stop)
                # max_length 0 would mean no limit
                piece = inflater.decompress(block, member.size - filled + 1)
                data[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
                filled += len(piece)
        except (deflate.error, ValueError) as error:
            raise DamagedEntry(f"member {member.name!r} cannot be unpacked") from error
        if filled != member.size or not inflater.eof or inflater.unused_data:
            raise DamagedEntry(f"member {member.name!r} has another size than it says")
        header, length = parse_header(data.data)
        _check_size(member, header, length)
        return array_over(header, data.data, length)

    # ------------------------------------------------------------ bytes

    def _bytes(self, start: int, stop: int) -> bytes:
        if start >= self._tail_start:
            return bytes(self._tail[start - self._tail_start : stop - self._tail_start])
        data = bytearray(stop - start)
        self._read_into(memoryview(data), start)
        return bytes(data)

    def _read_into(self, target: memoryview, start: int) -> None:
        if start >= self._tail_start:
            start -= self._tail_start
            target[:] = self._tail[start : start + len(target)]
            return
        while target:
            count = os.preadv(self._descriptor, [target], start)
            if count == 0:
                raise DamagedEntry("the file became shorter while it was read")
            target, start = target[count:], start + count

    def _map(self, *, writable: bool) -> Array | None:
        """Give the mapped file; None where it cannot be mapped."""
        if not self._mappable:
            return None
        if writable not in self._maps:
            try:
                data = mapped(self._descriptor, self.size, writable=writable)
            except OSError:  # the file system cannot, or no address space is left
                self._mappable = False
                return None
            self._maps[writable] = data
        return self._maps[writable]

    def _map_once(self, name: str, mode: Mode) -> Array | None:
        """Give a mapping in which nobody has written to this member."""
        if mode == "copy":
            if name in self._handed_out:
                self._maps.pop(True, None)
                self._handed_out.clear()
            self._handed_out.add(name)
        return self._map(writable=mode == "copy")


def _check_size(member: Member, header: ArrayHeader, length: int) -> None:
    if length + header.nbytes != member.size:
        raise DamagedEntry(f"the array {member.name!r} is not as large as it says")
