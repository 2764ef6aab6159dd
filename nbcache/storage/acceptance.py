"""Which files of a store are given as entries: whole, under their key, and trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage import npz, trust
from nbcache.storage.foreign_entry import foreign_text, is_plain
from nbcache.storage.leases import Leases
from nbcache.storage.opened import Opened

__all__ = ["Acceptance"]


class Acceptance:
    """What is asked of an entry before a byte of its content is used.

    Parameters
    ----------
    verify : str
        When checksums are compared: ``first`` use in this process, ``always``,
        ``never``.
    level : str
        Whose entries are given: ``mine``, ``data``.
    leases : Leases, optional
        Where to note whose arrays are in use.
    """

    def __init__(self, verify: str, level: str, leases: Leases | None = None) -> None:
        self.verify = verify
        self.level = level
        self.leases = leases
        # files of this user's own whose bytes were those of the digest
        self._verified: set[tuple[Any, ...]] = set()

    def opened(self, path: Path, key: str, *, mappable: bool = True) -> Opened:
        """Open an entry; its arrays are read plainly if they are not mappable.

        Raises
        ------
        DamagedEntry
            Its bytes are not those that were written, or not of this key.
        UntrustedEntry
            Somebody else wrote it, and what it holds may not be used.
        OSError
            It cannot be read.
        """
        archive = npz.Archive.open(path, mappable=mappable)
        try:
            is_mine = self._check(archive, key, path)
            opened = Opened(archive, path.name, is_mine=is_mine, leases=self.leases)
            if archive.stat_id not in self._verified:
                self._require_plain(opened)
            return opened
        except BaseException:
            archive.close()
            raise

    def _check(self, archive: npz.Archive, key: str, path: Path) -> bool:
        """Refuse what may not be used; say whether the rest is this user's."""
        trailer = archive.trailer
        if trailer.key != key:
            raise DamagedEntry(f"the entry of {trailer.key} stands under {key}")
        known = archive.stat_id in self._verified
        # before the digest, which takes time, and all that the bytes themselves say
        is_mine = known or trust.signer().is_mine(
            trailer.key, trailer.length, trailer.digest, trailer.mac
        )
        if not is_mine and self.level != "data":
            raise UntrustedEntry(foreign_text(archive, path))
        if not is_mine or self.verify == "always":
            archive.verify()
        elif self.verify == "first" and not (known and archive.is_mappable):
            archive.verify()
            self._verified.add(archive.stat_id)
        return is_mine

    def _require_plain(self, opened: Opened) -> None:
        """Compare the checksum after all of what may run code, or be shown.

        With ``verify="never"`` the signature says who wrote a digest, not that these
        are the bytes.
        """
        unverified = opened.is_mine and self.verify == "never"
        if unverified and not is_plain(opened):
            opened.archive.verify()
            self._verified.add(opened.archive.stat_id)
