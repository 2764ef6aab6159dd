"""Runs one campaign of faults in a process of its own, which has no other threads.

Called as ``python -m faults.campaign MODULE FUNCTION FOLDER JSON``: the function gets
the folder and the JSON's options, and gives a `Tally`, printed as the last line.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults.forked import Ended, forked
from faults.tally import Tally

from nbcache.storage.locks import is_held

__all__ = ["judge", "litter", "run"]

TESTS = Path(__file__).parent.parent
HANG_S = 30.0


def run(
    module: str,
    function: str,
    folder: Path,
    *,
    library: Path | None = None,
    timeout_s: float = 1700.0,
    command: Iterable[str] = (),
    environment: dict[str, str] | None = None,
    **options: Any,
) -> Tally:
    """Run a campaign and give its tally.

    Parameters
    ----------
    module, function : str
        The campaign, in this package.
    folder : Path
        Where it may write; on fast disks it is fast.
    library : Path, optional
        Preloaded.
    command : iterable of str
        What the interpreter is run by: ``unshare -m``, for instance.
    """
    paths = [str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")]
    around = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "OPENBLAS_NUM_THREADS": "1",
        **(environment or {}),
    }
    around.pop("NBCACHE_DIR", None)
    if library is not None:
        around["LD_PRELOAD"] = str(library)
    ran = subprocess.run(
        [
            *command,
            sys.executable,
            "-m",
            "faults.campaign",
            module,
            function,
            str(folder),
            json.dumps(options),
        ],
        env=around,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if ran.returncode:
        raise AssertionError(f"the campaign itself failed:\n{ran.stderr[-4000:]}")
    return Tally.from_json(json.loads(ran.stdout.splitlines()[-1]))


def litter(folder: Path) -> list[str]:
    """Give what is in a store and belongs to nobody, after a sweep."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() and not _belongs(folder, path.relative_to(folder))
    ]


_FILES = {
    *("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"),
    *("history.sqlite", "history.sqlite-wal", "history.sqlite-shm"),
    *(".gitignore", "locks/swept", "entries/CACHEDIR.TAG"),
}


def _belongs(root: Path, path: Path) -> bool:
    if str(path) in _FILES or path.parts[0] == "damaged":
        return True
    if path.suffix == ".lease":
        with suppress(OSError):
            return is_held(root / path)
    is_entry = len(path.parts) == 3 and path.suffix in (".npz", ".traces")
    return path.parts[0] == "entries" and is_entry


def swept(store: Path) -> list[str]:
    """Sweep a store as if all in it were old, and give what stays."""
    from nbcache.storage import sweeping
    from nbcache.storage.folder import Folder

    sweeping.HOUR_S = sweeping.DAY_S = sweeping.WEEK_S = -1.0
    if store.is_dir():
        sweeping.sweep(Folder(store))
    return litter(store)


def judge(
    tally: Tally,
    fault: object,
    subject: Callable[[], Any],
    numbers: Iterable[int],
    acknowledged: Iterable[int] = (),
    *,
    again: bool = True,
) -> None:
    """Ask a new process for all results, and count what is not as promised.

    Parameters
    ----------
    tally : Tally
        Where it is counted.
    fault
        Named in what is told.
    subject : callable
        Makes the `Subject` in the child.
    numbers : iterable of int
        What is asked for.
    acknowledged : iterable of int
        Which of them must be hits.
    again : bool
        Whether all of them must be hits when they are asked for again.
    """
    known = set(acknowledged)

    def work(say: Any) -> None:
        user = subject()
        for number in sorted({*numbers, *known}):
            before = user.computed()[number]
            if not user.is_right(number):
                say(["wrong", number])
            if number in known and user.computed()[number] > before:
                say(["lost", number])
            before = user.computed()[number]
            if again and not (user.is_right(number)):
                say(["wrong", f"{number} the second time"])
            if again and user.computed()[number] > before:
                say(["lost", f"{number}, stored after the fault"])
        user.cache.entries()
        user.cache.close()
        for one in swept(user.store):
            say(["litter", one])

    ended = forked(work, timeout_s=HANG_S)
    for kind, what in ended.said:
        tally.note(kind, f"{what} after {fault}")
    count(tally, ended, f"afterwards, {fault}")


def count(tally: Tally, ended: Ended, fault: object) -> None:
    """Count how a child ended, if that is not as it should."""
    if ended.how == "hung":
        tally.note("hung", fault)
    elif ended.how == "raised":
        tally.note("raised", f"{ended.value} after {fault}")
    elif ended.how == "killed":
        tally.note("raised", f"died of {ended.value} after {fault}")


def _main() -> None:
    module, function, folder, options = sys.argv[1:]
    warnings.simplefilter("ignore")
    from faults import without

    without.apply()
    campaign = getattr(importlib.import_module(f"faults.{module}"), function)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    tally = campaign(place, **json.loads(options))
    print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)
    print(json.dumps(tally.to_json()))


if __name__ == "__main__":
    _main()
