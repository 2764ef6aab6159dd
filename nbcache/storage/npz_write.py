"""Write an entry file in one pass."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any, BinaryIO

import numpy as np
from blake3 import blake3

from nbcache.storage.npy_header import array_header
from nbcache.storage.npz_layout import (
    DEFLATED,
    MANIFEST,
    SCHEMA,
    STORED,
    Member,
    Trailer,
    central_records,
    crc32,
    deflate,
    descriptor,
    local_record,
)

__all__ = ["write"]

# what is digested at once leaves the processor's cache if it is larger
BLOCK = 1 << 18
# larger writes give larger pages, which are mapped faster; from 2 MiB on the kernel may
# have to make them first (3 times slower where memory is in pieces)
WRITE_BLOCK = 1 << 20
# below this, handing over to a second thread costs more than it saves
THREAD_BYTES = 1 << 20
PROBES, PROBE_BYTES = 8, 1 << 13
# random floats give 1.07 and then take 30 times longer to read
LEAST_GAIN = 1.1

Array = np.ndarray[Any, Any]


def write(
    file: BinaryIO | int,
    members: Iterable[tuple[str, Array]],
    manifest: bytes,
    *,
    key: str,
    compress: bool = False,
    sign: Callable[[str, int, str], str],
) -> Trailer:
    """Write an entry file; `file` stands at its start and is left open.

    Parameters
    ----------
    file : binary file or int
        File or descriptor open for writing.
    members : iterable of (str, ndarray)
        Names, without ``.npy``, and arrays without Python objects.
    manifest : bytes
        JSON, kept as the last member, never compressed.
    key : str
        Key of the entry, 32 to 64 lower-case hexadecimal digits.
    compress : bool
        DEFLATE the members that become at least a tenth smaller.
    sign : callable (key, length, digest) -> str
        Gives the MAC, 64 hexadecimal digits or ``""``.

    Returns
    -------
    Trailer
        As it was written.

    Raises
    ------
    OSError
        Whatever the file raises; what is written by then is no entry.
    """
    digester = _Digester()
    try:
        stream = _Stream(file, digester)
        written = [_write(stream, name, array, compress) for name, array in members]
        written.append(_write(stream, MANIFEST, np.frombuffer(manifest, np.uint8)))
        place = stream.position - len(descriptor(written[-1])) - len(manifest)
        directory = stream.position
        stream.add(central_records(written, directory))
        length = stream.position
        trailers = []

        def trailer(digest: str) -> bytes:
            mac = sign(key, length, digest)
            trailers.append(
                Trailer(
                    SCHEMA, key, length, place, len(manifest), directory, digest, mac
                )
            )
            return trailers[0].to_bytes()

        stream.finish(trailer)
    finally:
        digester.close()
    return trailers[0]


def _write(stream: _Stream, name: str, array: Array, compress: bool = False) -> Member:
    fortran = bool(array.flags.f_contiguous and not array.flags.c_contiguous)
    header = array_header(array, fortran)
    data = _bytes_of(array, fortran)
    size = len(header) + len(data)
    offset = stream.position
    file_name = name.encode() + b".npy"
    if compress and _gains(data):
        stream.add(local_record(file_name, DEFLATED, offset, len(header), size))
        start = stream.position
        crc = _deflate(stream, header, data)
        method = DEFLATED
    else:
        stream.add(local_record(file_name, STORED, offset, len(header), size))
        start = stream.position
        stream.add(header)
        crc = stream.add_data(data, crc32(header))
        method = STORED
    packed = stream.position - start
    member = Member(name, method, crc, packed, size, offset)
    stream.add(descriptor(member))
    return member


def _bytes_of(array: Array, fortran: bool) -> memoryview:
    """Give the array's data in the order its header tells, copied only if needed."""
    if array.dtype.hasobject:
        raise TypeError(f"array of {array.dtype} holds Python objects")
    if array.nbytes == 0:
        return memoryview(b"")
    flat = np.ascontiguousarray(array.T if fortran else array).reshape(-1)
    return flat.view(np.uint8).data


def _blocks(data: memoryview, size: int = BLOCK) -> Iterator[memoryview]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


# ---------------------------------------------------------------- compression


def _gains(data: memoryview) -> bool:
    """Say whether DEFLATE is worth it, from samples spread over the data."""
    step = len(data) // PROBES
    if step <= PROBE_BYTES:
        sample = bytes(data)
    else:
        starts = range(0, step * PROBES, step)
        sample = b"".join(data[start : start + PROBE_BYTES] for start in starts)
    deflater = _deflater()
    packed = len(deflater.compress(sample)) + len(deflater.flush())
    return len(sample) > LEAST_GAIN * packed


def _deflate(stream: _Stream, header: bytes, data: memoryview) -> int:
    deflater = _deflater()
    crc = crc32(header)
    stream.add(deflater.compress(header))
    for block in _blocks(data):
        crc = crc32(block, crc)
        stream.add(deflater.compress(block))
    stream.add(deflater.flush())
    return int(crc)


def _deflater() -> Any:
    # raw DEFLATE, without a header, is what zip members hold
    return deflate.compressobj(1, deflate.DEFLATED, -15)


# ---------------------------------------------------------------- the stream


class _Stream:
    """Bytes on their way to the file, and their digest.

    Small pieces are gathered, so that a small entry is one write.
    """

    def __init__(self, file: BinaryIO | int, digester: _Digester) -> None:
        self._file = file
        self._digester = digester
        self._pending: list[bytes | memoryview] = []
        self._pending_bytes = 0
        self.position = 0

    def add(self, data: bytes | memoryview) -> None:
        self._pending.append(data)
        self._pending_bytes += len(data)
        self.position += len(data)
        if self._pending_bytes >= BLOCK:
            self._flush()

    def add_data(self, data: memoryview, crc: int) -> int:
        """Add a member's data; `crc` is that of its header.  Gives the CRC of both."""
        if len(data) < BLOCK:
            self.add(data)
            return int(crc32(data, crc))
        self._flush()
        self.position += len(data)
        if len(data) < THREAD_BYTES:
            crc = self._digester.digest(data, crc)
            self._write_all(data)
            return crc
        self._digester.start(data, crc)
        for block in _blocks(data, WRITE_BLOCK):
            self._write_all(block)
        return self._digester.wait()

    def finish(self, ending: Callable[[str], bytes]) -> None:
        """Write what is left, and after it what `ending` makes of the digest."""
        data = self._gathered()
        self._write_all(memoryview(data + ending(self._digester.hexdigest())))

    def _flush(self) -> None:
        self._write_all(memoryview(self._gathered()))

    def _gathered(self) -> bytes:
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        self._digester.add(data)
        return data

    def _write_all(self, data: memoryview) -> None:
        """Write all of it: a write may take less than it is given."""
        while data:
            if isinstance(self._file, int):
                count = os.write(self._file, data)
            else:
                count = self._file.write(data)
            data = data[count:]


class _Digester:
    """CRC-32 of members and BLAKE3 of everything, in order.

    A second thread, started when there is enough to do, digests a member while the
    first one writes it: both release the interpreter lock.
    """

    def __init__(self) -> None:
        self._hasher = blake3()
        self._jobs: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._results: SimpleQueue[int | BaseException] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, data: bytes) -> None:
        self._hasher.update(data)

    def hexdigest(self) -> str:
        return self._hasher.hexdigest()

    def digest(self, data: memoryview, crc: int) -> int:
        for block in _blocks(data):
            if self._closed:
                break
            crc = crc32(block, crc)
            self._hasher.update(block)
        return crc

    def start(self, data: memoryview, crc: int) -> None:
        """Begin to digest `data`; `wait` gives the CRC.  Nothing else until then."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="nbcache", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is shutting down
                self._results.put(self.digest(data, crc))
                return
            self._thread = thread
        self._jobs.put((data, crc))

    def wait(self) -> int:
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        self._closed = True
        self._jobs.put(None)

    def _run(self) -> None:
        while job := self._jobs.get():
            try:
                self._results.put(self.digest(*job))
            except BaseException as error:  # or the writer would wait for ever
                self._results.put(error)
