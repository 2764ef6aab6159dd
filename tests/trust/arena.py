"""A warm process that forks a child for each case, with limits; see `Arena`."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

GROWTH_BYTES = 400_000_000
"""Address space that a child may take beyond what it was forked with."""

LIMIT_S = 60.0


class Arena:
    """Runs cases, each in a child of its own under a limit of memory and time.

    Parameters
    ----------
    home : Path
        With the secret of the user who reads.
    folder : Path
        Where the children work.
    package : Path, optional
        Where nbcache is; None: the one of these tests.
    """

    def __init__(self, home: Path, folder: Path, package: Path | None = None) -> None:
        self.mark = folder / "MARK"
        here = Path(__file__).parent
        package = package or here.parent.parent
        environment = {
            **os.environ,
            "JUPYTER_DATA_DIR": str(home),
            "NBCACHE_TEST_MARK": str(self.mark),
            "PYTHONPATH": f"{package}{os.pathsep}{here.parent}",
            "OPENBLAS_NUM_THREADS": "1",
        }
        environment.pop("NBCACHE_SECRET_FILE", None)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
        )

    def run(self, store: Path, **case: Any) -> dict[str, Any]:
        """Run one case; give what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"store": str(store), **case}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _serve() -> None:
    import pandas
    from trust import victims

    import nbcache
    from nbcache.cache import outcomes

    # everything that a hit needs is loaded before the fork
    nbcache.Cache("warm").cached(victims.compute)(1)
    pandas.DataFrame({"a": ["x"]})
    outcomes.clear()
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), flush=True)


def _forked(case: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            found = _limited(case)
        except BaseException as error:
            found = {"error": repr(error)}
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    data = b""
    ends = time.monotonic() + case.get("limit_s", LIMIT_S)
    while True:
        ready, _, _ = select.select([reading], [], [], max(0, ends - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)
            return {"error": "it hangs"}
        block = os.read(reading, 1 << 16)
        if not block:
            break
        data += block
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return json.loads(data) if data else {"error": f"it died: {status}"}


def _limited(case: dict[str, Any]) -> dict[str, Any]:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + GROWTH_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = _run(case)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**found, "grown": (after - before) * 1024}


def _run(case: dict[str, Any]) -> dict[str, Any]:
    import contextlib
    import io
    import warnings

    from trust import victims

    import nbcache
    from nbcache.cache import outcomes

    if case.get("register"):
        nbcache.register_type(victims.Evil, lambda _: 1, victims.mark, "evil")
    settings = case.get("settings", {})
    cache = nbcache.Cache(case["store"], trust=case.get("level", "mine"), **settings)
    function = getattr(victims, case.get("function", "compute"))
    said = io.StringIO()
    with warnings.catch_warnings(record=True) as told, contextlib.redirect_stderr(said):
        warnings.simplefilter("always")
        values = []
        for x in case.get("calls", [2]):
            options = case.get("options", {})
            values.append(cache.cached(function, **options)(x))
        listed = ""
        values += [_loaded(cache, key) for key in case.get("load", [])]
        for command in case.get("commands", []):
            listed += _command(case["store"], command)
    last = nbcache.last()
    return {
        "values": [_plain(value) for value in values],
        "right": [_plain(victims.compute(x)) for x in case.get("calls", [2])],
        "computed": [not one.hit for one in outcomes],
        "told": [str(one.message) for one in told],
        "said": said.getvalue() + listed,
        "hit": bool(last and last.hit),
        "reason": last.reason if last else "",
        "error": None,
    }


def _loaded(cache: Any, key: str) -> Any:
    from nbcache.errors import NbcacheError

    try:
        return cache.load(key)["value"]
    except NbcacheError:
        return "refused"


def _command(store: str, command: list[str]) -> str:
    import contextlib
    import io

    from nbcache import cli

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        cli.main(["--cache", store, *command])
    return out.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


if __name__ == "__main__":
    _serve()
