"""What failed runs leave: a record that is never a hit, until one succeeds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbcache.cache import Core, warn
from nbcache.errors import NbcacheError
from nbcache.executors.point import Failed
from nbcache.keys import hashing
from nbcache.storage import codec
from nbcache.storage.described import package_versions
from nbcache.storage.entry import FAILURE, Entry
from nbcache.storage.store import Content

if TYPE_CHECKING:
    from nbcache.batch.run import Run

__all__ = ["Failure", "drop_failure", "keep_failure", "read_failure"]


@dataclass(frozen=True, slots=True)
class Failure:
    """That a run raised.

    Parameters
    ----------
    run : Run
        Which.
    error : Exception or None
        What it raised; None if that was in an earlier process.
    kind, message : str
        The error's class, and its text.
    traceback : str
        As Python prints it, with the frames of the worker.
    attempts : int
        How often it has failed so far.
    host : str
        Where it failed last.
    """

    run: Run
    error: Exception | None
    kind: str
    message: str
    traceback: str
    attempts: int = 1
    host: str = ""

    @classmethod
    def of(cls, run: Run, failed: Failed, attempts: int = 1) -> Failure:
        """Give the failure of a run."""
        kind = failed.kinds[0] if failed.kinds else type(failed.error).__name__
        return cls(
            run,
            failed.error,
            kind.removeprefix("builtins."),
            str(failed.error),
            failed.traceback,
            attempts,
            failed.host,
        )

    def __str__(self) -> str:
        """Say it in one line."""
        said = " ".join(self.message.split())
        number = "" if self.run.index is None else f"run {self.run.index} "
        return f"{number}{self.run!r}: {self.kind}: {said}"


def _key(key: str) -> str:
    return hashing.digest((FAILURE, key))


def keep_failure(core: Core, run: Run, key: str, failed: Failed) -> Failure:
    """Store the failure of a run in the place of an earlier one."""
    try:
        before = _stored(core, key)
    except (OSError, NbcacheError):
        before = None
    attempts = 1 + (int(before.state["failure"].get("attempts", 1)) if before else 0)
    failure = Failure.of(run, failed, attempts)
    if not core.settings.read_only:
        try:
            entry = _entry(run, key, failure, failed.kinds)
            core.store.put(entry, Content.of(codec.encode({})), overwrite=True)
        except (OSError, NbcacheError) as error:
            warn(f"that {run!r} failed could not be noted: {error}")
    return failure


def _entry(run: Run, key: str, failure: Failure, kinds: tuple[str, ...]) -> Entry:
    told: dict[str, Any] = {
        "kinds": list(kinds),
        "message": failure.message,
        "traceback": failure.traceback,
        "attempts": failure.attempts,
        "host": failure.host,
    }
    return Entry(
        key=_key(key),
        kind=FAILURE,
        name=run._inside.callee.name,
        variables=[["error", failure.kind, 0]],
        created=time.time(),
        packages=package_versions(),
        state={"failure": told, "of": key},
    )


def read_failure(core: Core, run: Run) -> Failure | None:
    """Give what is stored of a run that failed; None if there is nothing."""
    try:
        entry = _stored(core, run.key)
    except (OSError, NbcacheError):
        return None
    if entry is None:
        return None
    told = entry.state["failure"]
    return Failure(
        run,
        None,
        str(entry.variables[0][1]) if entry.variables else "Exception",
        str(told.get("message", "")),
        str(told.get("traceback", "")),
        int(told.get("attempts", 1)),
        str(told.get("host", "")),
    )


def _stored(core: Core, key: str) -> Entry | None:
    opened = core.store.get(_key(key)) if key else None
    if opened is None:
        return None
    opened.close()
    return opened.entry if "failure" in opened.entry.state else None


def drop_failure(core: Core, key: str) -> None:
    """Forget that a run had failed."""
    if key and core.store.has(_key(key)):
        core.store.drop(_key(key))
