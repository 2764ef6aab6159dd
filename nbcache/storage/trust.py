"""Who wrote an entry: a signature with a secret of the user's own.

The signature says that a process with this secret wrote these bytes under this key;
only then are an entry's pickled parts decoded.  The secret lies in Jupyter's data
folder, made at first use; ``NBCACHE_SECRET_FILE`` names another, for a team or a
cluster.  Former secrets in ``secrets.d`` beside it still verify, but never sign.

References
----------
HMAC: RFC 2104.  The idea of signing what may run code is Jupyter's notebook trust.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import secrets
import stat
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from nbcache.errors import CacheWarning
from nbcache.storage.forking import ForkLock
from nbcache.storage.plain_files import open_plain

__all__ = ["Signer", "foreign_met", "former_secrets", "secret_path", "signer"]

SECRET_BYTES = 32
_TAG = b"nbcache-entry-v1\0"
_AUTHOR_TAG = b"nbcache-author-v1\0"
_MOST_FORMER = 32


class Signer:
    """Signs and checks entries with one secret.

    Parameters
    ----------
    secret : bytes
        At least 16 bytes.
    persistent : bool
        Whether later processes will have the same secret.
    former : sequence of bytes
        Secrets of the past: what they signed is this user's, but they sign no more.

    Attributes
    ----------
    author : str
        Names the secret without telling it; 16 hexadecimal digits.
    """

    def __init__(
        self, secret: bytes, *, persistent: bool = True, former: Sequence[bytes] = ()
    ) -> None:
        self._secret = secret
        self._former = tuple(former)
        self.persistent = persistent
        self.author = hmac.new(secret, _AUTHOR_TAG, hashlib.sha256).hexdigest()[:16]

    def sign(self, key: str, length: int, digest: str) -> str:
        """Give the signature (64 hexadecimal digits) of an entry.

        Parameters
        ----------
        key : str
            The entry's key: a copy under another name has another signature.
        length : int
            Bytes under the digest.
        digest : str
            BLAKE3 of these bytes, hexadecimal.
        """
        return _signed(self._secret, key, length, digest)

    def is_mine(self, key: str, length: int, digest: str, signature: str) -> bool:
        """Say whether a signature was made with this secret, or a former one."""
        return any(
            hmac.compare_digest(_signed(secret, key, length, digest), signature)
            for secret in (self._secret, *self._former)
        )


def _signed(secret: bytes, key: str, length: int, digest: str) -> str:
    message = [_TAG]
    for text in (key, str(length), digest):
        data = text.encode("ascii")
        message += [len(data).to_bytes(8, "little"), data]
    return hmac.new(secret, b"".join(message), hashlib.sha256).hexdigest()


def secret_path() -> Path:
    """Give the file that holds the secret, which need not exist."""
    return _secret_path(*map(os.environ.get, _DECIDING))


# what Jupyter's data folder depends on, which takes it 30 us to say
_DECIDING = (
    *("NBCACHE_SECRET_FILE", "JUPYTER_DATA_DIR", "HOME", "XDG_DATA_HOME", "APPDATA"),
    *("PROGRAMDATA", "JUPYTER_PLATFORM_DIRS"),
)


@functools.lru_cache(maxsize=8)
def _secret_path(named: str | None, *_: str | None) -> Path:
    return Path(named) if named else _folder() / "secret"


def _folder() -> Path:
    with warnings.catch_warnings():
        # some versions announce a change of theirs when they are imported
        warnings.simplefilter("ignore", DeprecationWarning)
        from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "nbcache"


def signer() -> Signer:
    """Give the signer with the user's secret; the same object while its file is."""
    with _guard.lock:  # a secret of this process alone must be one for all its threads
        return _signer(str(secret_path()), bool(os.environ.get("NBCACHE_SECRET_FILE")))


_guard = ForkLock()


@functools.lru_cache(maxsize=8)
def _signer(path: str, named: bool) -> Signer:
    try:
        return Signer(_read_or_make(Path(path), named), former=former_secrets())
    except OSError as error:
        _tell(
            f"no lasting secret ({error}): entries of this process will be foreign to "
            "later ones. Name a file that can be written with NBCACHE_SECRET_FILE"
        )
        return Signer(
            secrets.token_bytes(SECRET_BYTES),
            persistent=False,
            former=former_secrets(),
        )


def former_secrets() -> list[bytes]:
    """Give the secrets of ``secrets.d``, where this user keeps those of the past."""
    folder = _folder() / "secrets.d"
    try:
        names = sorted(one.name for one in os.scandir(folder))[:_MOST_FORMER]
    except OSError:
        return []
    found = []
    for name in names:
        try:
            found.append(_read(folder / name))
        except OSError as error:
            _tell(f"a former secret was not used: {error}")
    return found


def _tell(message: str) -> None:
    """Warn; where warnings are errors, the result that is to be signed comes first."""
    try:
        warnings.warn(message, CacheWarning, stacklevel=4)
    except CacheWarning:
        print(f"nbcache: {message}", file=sys.stderr)  # noqa: T201


_FOREIGN_ENOUGH = 3
_foreign: set[str] = set()


def foreign_met(key: str) -> str:
    """Count a foreign entry; once it is no exception, say what makes them one's own."""
    known = len(_foreign)
    _foreign.add(key)
    if known == len(_foreign) or len(_foreign) != _FOREIGN_ENOUGH:
        return ""
    return (
        "several entries here were written by someone else, or with another secret: "
        "NBCACHE_SECRET_FILE names a secret that a team, or all your containers, share"
    )


def _read_or_make(path: Path, named: bool) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        if named:
            raise
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = path.with_name(f".secret-{os.getpid()}-{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # link, not rename: of several processes that begin together, the first wins
        with suppress(FileExistsError):
            os.link(made, path)
    finally:
        made.unlink(missing_ok=True)
    return _read(path)


def _read(path: Path) -> bytes:
    """Read a secret that only this user can have written or read."""
    with open_plain(path) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is not a file")
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(
                f"{path} must belong to you and be readable by nobody else (mode 0600)"
            )
        secret = file.read(4096)
    if len(secret) < 16:
        raise OSError(f"{path} holds {len(secret)} bytes, a secret has at least 16")
    return secret
