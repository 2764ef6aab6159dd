"""Single flight among hosts: a lease is an object that its holder keeps renewing.

Never needed for a right answer, only to save work.  A lease is made with a create-only
write, renewed and taken over by compare-and-swap of its e_tag.  It is dead when nobody
renewed it for a while by the clock of whoever waits: clocks of hosts are not compared.
It is signed, so that nobody without the secret can make others wait.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from blake3 import blake3

from nbcache.storage.remote import Remote
from nbcache.storage.trust import signer

__all__ = ["TTL_S", "HostLease"]

TTL_S = 20.0
"""s without a renewal after which a lease may be taken over."""

_RENEWALS = 4
_POLL_S = (0.1, 2.0)
_MOST_BYTES = 4096

_held: set[tuple[str, str]] = set()
_process = uuid.uuid4().hex


class HostLease:
    """A key that at most one host holds.

    Parameters
    ----------
    remote : Remote
        Where the lease is.
    lookup : str
        The key.
    look : callable
        Tells what stands under the key now; () for nothing.
    ttl_s : float
        s after which a lease that nobody renews is dead.
    """

    def __init__(
        self,
        remote: Remote,
        lookup: str,
        look: Callable[[], tuple[str, ...]],
        *,
        ttl_s: float = TTL_S,
    ) -> None:
        self._remote = remote
        self._lookup = lookup
        self._name = f"leases/{lookup[:2]}/{lookup}.lease"
        self._look = look
        self._ttl_s = ttl_s
        self._write_id = uuid.uuid4().hex
        self._owner = os.getpid()
        self._e_tag: str | None = None
        self._renewed = 0
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._other: tuple[str, float, float] = ("", 0.0, 0.0)
        self._stood: tuple[str, ...] | None = None
        self._due, self._pause_s = 0.0, _POLL_S[0]

    @property
    def is_held(self) -> bool:
        """Whether this object holds the key."""
        return self._e_tag is not None

    def attempt(self) -> bool:
        """Say whether to go on: it is held, cannot be had, or the result is there.

        Asks the remote only now and then, however often it is called.
        """
        if self.is_held or (self._remote.url, self._lookup) in _held:
            return True
        now = time.monotonic()
        if now < self._due:
            return False
        try:
            done = self._attempt()
        except Exception:  # the user's code must run whatever fails here
            return True
        self._due = time.monotonic() + self._pause_s
        self._pause_s = min(1.5 * self._pause_s, _POLL_S[1])
        return done

    def _attempt(self) -> bool:
        if not self._remote.keeps_conditions():
            return True
        e_tag = self._remote.create(self._name, self._body())
        if e_tag is not None:
            return self._won(e_tag)
        found = self._remote.read(self._name, _MOST_BYTES)
        if found is None:
            return False  # it has gone: the next round makes one
        document = self._signed(found[0])
        if document is None:
            return True  # nobody's word: not worth waiting for
        if document["write_id"] == self._write_id:
            return self._won(found[1])  # the answer to the first request was lost
        if self._stood is None:
            self._stood = self._look()
        elif self._look() != self._stood:
            return True
        return self._taken_over(document, found[1])

    def _taken_over(self, document: dict[str, Any], seen: str) -> bool:
        """Take a lease over that stayed the same for as long as it lasts."""
        now = time.monotonic()
        e_tag, since, _ = self._other
        if e_tag != seen:
            self._other = seen, now, 0.0
            return False
        if now - since < min(max(float(document["ttl_s"]), 1.0), 10 * TTL_S):
            return False
        taken = self._remote.replace(self._name, self._body(), seen)
        return taken is not None and self._won(taken)

    def _won(self, e_tag: str) -> bool:
        self._e_tag = e_tag
        _held.add((self._remote.url, self._lookup))
        threading.Thread(target=self._renew, name="nbcache-lease", daemon=True).start()
        with suppress(OSError):
            self._look()  # whoever held it before may have stored the result
        return True

    def _renew(self) -> None:
        while not self._stop.wait(self._ttl_s / _RENEWALS):
            with self._guard:
                if self._stop.is_set() or self._e_tag is None:
                    return
                try:
                    self._renewed += 1
                    body = self._body()
                    again = self._remote.replace(self._name, body, self._e_tag)
                    if again is None and not self._is_own():
                        return  # somebody took it over: both compute, once
                    self._e_tag = again or self._e_tag
                except Exception:  # the next round may do it
                    continue

    def _is_own(self) -> bool:
        found = self._remote.read(self._name, _MOST_BYTES)
        document = None if found is None else self._signed(found[0])
        if document is None or document["write_id"] != self._write_id:
            return False
        assert found is not None
        self._e_tag = found[1]
        return True

    def release(self) -> None:
        """Give the key back, if it is held; may be called again."""
        if not self.is_held or self._owner != os.getpid():
            return
        self._stop.set()
        _held.discard((self._remote.url, self._lookup))
        with self._guard:
            self._e_tag = None
            # between the two somebody may take over: then two compute, once
            with suppress(Exception):
                if self._is_own():
                    self._remote.delete(self._name)
            self._e_tag = None

    # --- what stands in it

    def _body(self) -> bytes:
        told = {
            "holder": _process,
            "write_id": self._write_id,
            "ttl_s": self._ttl_s,
            "renewed": self._renewed,
        }
        return json.dumps({**told, "mac": self._mac(told)}).encode("ascii")

    def _mac(self, told: dict[str, Any]) -> str:
        data = json.dumps(told, sort_keys=True).encode("ascii")
        return signer().sign(
            self._lookup, len(data), "lease " + blake3(data).hexdigest()
        )

    def _signed(self, data: bytes) -> dict[str, Any] | None:
        """Give what a lease says, if somebody with the secret says it."""
        try:
            told = json.loads(data)
            mac = told.pop("mac")
            text = json.dumps(told, sort_keys=True).encode("ascii")
            digest = "lease " + blake3(text).hexdigest()
            mine = signer().is_mine(self._lookup, len(text), digest, mac)
            known = {"write_id", "ttl_s"} <= told.keys()
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return None
        return told if mine and known else None
