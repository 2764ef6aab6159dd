"""Objects in a bucket, the far side of a shared store, and what can go wrong there.

`Remote` speaks to an object store through `obstore` (S3, Google, Azure, files).  A
request that fails is tried again a few times, then the store is left alone for a while,
so that whoever waits for a result hardly waits for the network; callers see one
`OSError`.  Requests run in a thread, so that an interrupt reaches the user at once.

Create-only and compare-and-swap writes are what one key, one value and leases between
hosts rest on.  Some servers accept the conditions and ignore them, so a probe tries
them out (`Remote.conditional`).
"""

from __future__ import annotations

import importlib
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from nbcache.storage import remote_client
from nbcache.storage.remote_client import shown_url

__all__ = ["MOST_BYTES", "Remote", "RemoteError", "Version"]

Answer = TypeVar("Answer")

MOST_BYTES = 5_000_000_000
"""Bytes of the largest object: what S3 takes in one request, as conditions need."""

PATIENCE_S = 15.0
SLOWEST_BYTES_PER_S = 500_000
PAUSES_S = (60.0, 900.0)
CHUNK = 1 << 20


class RemoteError(OSError):
    """The shared store did not do what was asked; it may do so later."""


@dataclass(frozen=True, slots=True)
class Version:
    """What stands under a name: its e_tag, and bytes."""

    e_tag: str
    size: int


class Remote:
    """The objects under a URL.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``, or what else `obstore` knows.
    tell : callable (str)
        Called with one line about what does not work; says each text once.

    Notes
    -----
    Thread-safe.  A forked child has no remote: the threads of its parent's connections
    are gone, and a request would wait for ever.
    """

    def __init__(self, url: str, tell: Callable[[str], None]) -> None:
        self.url = shown_url(url)
        self._whole_url = url
        self._tell = tell
        self._objects: Any = None
        self._guard = threading.Lock()
        self._conditional: bool | None = None
        self._silent_until = 0.0
        self._pause_s = PAUSES_S[0]
        self._is_writable = True

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"

    def tell(self, text: str) -> None:
        """Say what does not work."""
        self._tell(text)

    # --- whether it can be used

    def is_usable(self) -> bool:
        """Say whether a request is worth trying now."""
        if remote_client.is_forked():
            self._tell(f"a forked process shares nothing with {self.url}")
            return False
        return time.monotonic() >= self._silent_until and self._opened()

    @property
    def is_writable(self) -> bool:
        """Whether writing has not been refused, as far as is known."""
        return self._is_writable and self.is_usable()

    def _opened(self) -> bool:
        with self._guard:
            if self._objects is None:
                found = remote_client.opened(self._whole_url, self._tell)
                self._objects = False if found is None else found
            return self._objects is not False

    @property
    def conditional(self) -> bool | None:
        """Whether conditions of writes are kept; None: not tried yet."""
        return self._conditional

    def keeps_conditions(self) -> bool:
        """Say whether conditions are kept, after trying if need be.

        Raises
        ------
        RemoteError
            It cannot be tried now.
        """
        if self._conditional is None:
            self._conditional = self._probe()
            if not self._conditional:
                self._tell(
                    f"{self.url} ignores conditions of writes: results are shared, but "
                    "hosts may compute the same at the same time"
                )
        return self._conditional

    def _probe(self) -> bool:
        name = f"probe/{uuid.uuid4().hex}"
        try:
            # if the answer to a first attempt is lost, the second finds its own object
            with suppress(_Exists):
                self._put(name, b"1", "create")
            again = self.create(name, b"2") is not None
            stale = self.replace(name, b"3", '"0"') is not None
            found = self.read(name, 1)
            return not (again or stale) and found is not None and found[0] == b"1"
        except _Unsupported:
            return False
        finally:
            with suppress(RemoteError):
                self.delete(name)

    # --- requests

    def version(self, name: str) -> Version | None:
        """Tell what stands under a name; None for nothing.

        Raises
        ------
        RemoteError
            It cannot be asked now.
        """
        try:
            meta = self._ask("head", name)
        except FileNotFoundError:
            return None
        return Version(meta["e_tag"] or "", meta["size"])

    def glance(self, name: str, most: int) -> tuple[Version, bytes | None] | None:
        """Give what stands under a name, with its bytes if these are not more.

        Raises
        ------
        RemoteError
            It cannot be read now.
        """
        try:
            answer = self._ask("get", name)
        except FileNotFoundError:
            return None
        found = Version(answer.meta["e_tag"] or "", answer.meta["size"])
        if found.size > most:
            return found, None
        data = bytes(self._within(answer.bytes, PATIENCE_S, is_body=True))
        return found, data

    def read(self, name: str, most: int) -> tuple[bytes, str] | None:
        """Give a small object and its e_tag; None if there is none.

        Raises
        ------
        RemoteError
            It cannot be read now, or is larger than it may be.
        """
        found = self.glance(name, most)
        if found is None:
            return None
        version, data = found
        if data is None:
            raise RemoteError(f"{name} is larger than {most} bytes")
        return data, version.e_tag

    def ending(self, name: str, version: Version, size: int) -> bytes | None:
        """Give the last bytes of an object; None if it is another one now.

        Raises
        ------
        RemoteError
            They cannot be read now.
        """
        wanted: dict[str, Any] = {"range": (version.size - size, version.size)}
        if version.e_tag:
            wanted["if_match"] = version.e_tag
        try:
            answer = self._ask("get", name, options=wanted)
        except (FileNotFoundError, _Changed):
            return None
        return bytes(self._within(answer.bytes, PATIENCE_S, is_body=True))

    def download(self, name: str, file: BinaryIO, version: Version) -> bool:
        """Copy an object into a file; False if it is no longer that version.

        Raises
        ------
        RemoteError
            It was cut, or is longer than it says.
        """
        wanted = {"if_match": version.e_tag} if version.e_tag else {}
        try:
            answer = self._ask("get", name, options=wanted)
        except (FileNotFoundError, _Changed):
            return False
        pieces = iter(answer.stream(min_chunk_size=CHUNK))
        left = version.size
        while left > 0:
            piece = self._within(lambda: next(pieces, b""), PATIENCE_S, is_body=True)
            left -= len(piece)
            if left < 0 or not piece:
                raise RemoteError(f"{name} is not as long as it says")
            file.write(piece)
        return True

    def create(self, name: str, data: Any) -> str | None:
        """Make an object; give its e_tag, or None if there is one already.

        Raises
        ------
        RemoteError
            It cannot be written now.
        """
        try:
            return self._put(name, data, "create")
        except _Exists:
            return None

    def replace(self, name: str, data: Any, e_tag: str) -> str | None:
        """Replace a version of an object; give the new e_tag, None if it had gone.

        Raises
        ------
        RemoteError
            It cannot be written now.
        """
        try:
            return self._put(name, data, {"e_tag": e_tag})
        except (_Changed, FileNotFoundError):
            return None

    def overwrite(self, name: str, data: Any) -> str | None:
        """Put an object in the place of whatever is there; give its e_tag.

        Raises
        ------
        RemoteError
            It cannot be written now.
        """
        return self._put(name, data, "overwrite")

    def _put(self, name: str, data: Any, mode: Any) -> str:
        patience = PATIENCE_S + len(data) / SLOWEST_BYTES_PER_S
        try:
            answer = self._ask(
                *("put", name, data),
                patience_s=patience,
                mode=mode,
                use_multipart=False,
            )
        except FileNotFoundError:
            if isinstance(mode, dict):
                raise
            raise self._silenced("does not exist") from None
        except _Denied:
            self._is_writable = False
            self._tell(f"the shared store {self.url} takes no results from here")
            raise RemoteError(f"{self.url} refuses writes") from None
        return answer["e_tag"] or ""

    def delete(self, name: str) -> None:
        """Delete an object, if there is one.

        Raises
        ------
        RemoteError
            It cannot be deleted now.
        """
        with suppress(FileNotFoundError):
            self._ask("delete", name)

    # --- failures

    def _ask(
        self, verb: str, *given: Any, patience_s: float = PATIENCE_S, **options: Any
    ) -> Any:
        if not self.is_usable():
            raise RemoteError(f"{self.url} is left alone for a while")
        request = getattr(importlib.import_module("obstore"), verb)
        try:
            return self._within(
                lambda: request(self._objects, *given, **options), patience_s
            )
        except _Denied:
            if verb in ("put", "delete"):
                raise
            raise self._silenced("refuses access") from None

    def _within(
        self, request: Callable[[], Answer], patience_s: float, *, is_body: bool = False
    ) -> Answer:
        """Do a request in a thread, so that waiting for it can be interrupted."""
        answers: list[Answer] = []
        failures: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                answers.append(request())
            except BaseException as error:
                failures.append(error)
            finally:
                done.set()

        try:
            threading.Thread(target=run, name="nbcache-remote", daemon=True).start()
        except RuntimeError as error:  # the interpreter is shutting down
            raise RemoteError(f"{self.url}: {error}") from None
        if not done.wait(patience_s):
            raise self._silenced("does not answer")
        if failures and is_body:
            raise RemoteError(f"an answer of {self.url} was cut") from None
        if failures:
            raise self._error(failures[0]) from None
        self._pause_s = PAUSES_S[0]
        return answers[0]

    def _error(self, error: BaseException) -> BaseException:
        """Say what an error of obstore means; it may hold credentials, so not in it."""
        kind = type(error).__name__
        if kind == "AlreadyExistsError":
            return _Exists()
        if kind == "PreconditionError":
            return _Changed()
        if kind == "FileNotFoundError":
            return error
        if kind in ("NotImplementedError", "NotSupportedError"):
            return _Unsupported(f"{self.url} knows no conditions of writes")
        if kind in ("PermissionDeniedError", "UnauthenticatedError"):
            return _Denied(f"{self.url} refuses access")
        return self._silenced("cannot be reached")

    def _silenced(self, what: str) -> RemoteError:
        self._silent_until = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, PAUSES_S[1])
        self._tell(
            f"the shared store {self.url} {what}: results are computed and kept here"
        )
        return RemoteError(f"{self.url} {what}")


class _Denied(RemoteError):
    """The credentials do not allow it."""


class _Unsupported(RemoteError):
    """The server or its client has no such request."""


class _Exists(Exception):
    """There is an object of that name."""


class _Changed(Exception):
    """The object is not the version that was named."""
