"""Who wrote an entry: a signature with a secret of the user's own.

The signature says that a process with this secret wrote these bytes under this key;
only then are an entry's pickled parts decoded.  The secret lies in Jupyter's data
folder, made at first use; ``NBCACHE_SECRET_FILE`` names another, for a team or a
cluster.

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
import warnings
from contextlib import suppress
from pathlib import Path

from nbcache import config
from nbcache.errors import CacheWarning

__all__ = ["Signer", "secret_path", "signer"]

SECRET_BYTES = 32
_TAG = b"nbcache-entry-v1\0"


class Signer:
    """Signs and checks entries with one secret.

    Parameters
    ----------
    secret : bytes
        At least 16 bytes.
    persistent : bool
        Whether later processes will have the same secret.
    """

    def __init__(self, secret: bytes, *, persistent: bool = True) -> None:
        self._secret = secret
        self.persistent = persistent

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
        message = [_TAG]
        for text in (key, str(length), digest):
            data = text.encode("ascii")
            message += [len(data).to_bytes(8, "little"), data]
        return hmac.new(self._secret, b"".join(message), hashlib.sha256).hexdigest()

    def is_mine(self, key: str, length: int, digest: str, signature: str) -> bool:
        """Say whether a signature was made with this secret."""
        return hmac.compare_digest(self.sign(key, length, digest), signature)


def secret_path() -> Path:
    """Give the file that holds the secret, which need not exist."""
    named = os.environ.get("NBCACHE_SECRET_FILE")
    if named:
        return Path(named)
    return _usual_path(tuple(map(config.environment, _WATCHED)))


# what Jupyter's data folder depends on: asking for it takes longer than a hit
_WATCHED = (
    *("JUPYTER_DATA_DIR", "JUPYTER_PLATFORM_DIRS", "XDG_DATA_HOME", "HOME"),
    *("APPDATA", "LOCALAPPDATA", "USERPROFILE", "JUPYTER_CONFIG_DIR"),
)


@functools.lru_cache(maxsize=8)
def _usual_path(_: tuple[object, ...]) -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "nbcache" / "secret"


def signer() -> Signer:
    """Give the signer with the user's secret; the same object while its file is."""
    return _signer(str(secret_path()), bool(os.environ.get("NBCACHE_SECRET_FILE")))


@functools.lru_cache(maxsize=8)
def _signer(path: str, named: bool) -> Signer:
    try:
        return Signer(_read_or_make(Path(path), named))
    except OSError as error:
        warnings.warn(
            f"no lasting secret ({error}): entries of this process will be foreign to "
            "later ones. Name a file that can be written with NBCACHE_SECRET_FILE",
            CacheWarning,
            stacklevel=2,
        )
        return Signer(secrets.token_bytes(SECRET_BYTES), persistent=False)


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
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
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
