"""Run notebooks, each in a process of its own, forked from one that is warm.

``python runner.py plain`` (or ``cached``) reads jobs from stdin, a line of JSON each,
and answers with a line of JSON: see `Job` and `Server`.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

__all__ = ["Server"]

_OWN = re.compile(r"_i{1,3}|_i\d+|_[oid]h|__\w+__|_exit_code")
_ALSO = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open", "_dh"})
_CELL_FILE = re.compile(r"<ipython-input-\d+-[0-9a-f]+>")
_ADDRESS = re.compile("0[xX][0-9a-fA-F]*")
_TIMES = re.compile(r"^(CPU times|Wall time).*\n?", re.MULTILINE)


class Server:
    """A warm process that forks one child for each notebook.

    Parameters
    ----------
    mode : str
        ``plain`` or ``cached``.
    seed : int
        Of the hashes of str.
    home : Path
        For what Jupyter and IPython keep.
    """

    def __init__(self, mode: str, seed: int, home: Path) -> None:
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(seed),
            "JUPYTER_DATA_DIR": str(home / "jupyter"),
            "IPYTHONDIR": str(home / "ipython"),
        }
        environment.pop("JPY_SESSION_NAME", None)
        self._process = subprocess.Popen(
            [sys.executable, __file__, mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def start(self, folder: Path, store: Path, cells: list[list[Any]]) -> None:
        """Begin to run cells (text, and whether it is cached) in a folder."""
        assert self._process.stdin is not None
        job = {"folder": str(folder), "store": str(store), "cells": cells}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()

    def finish(self) -> dict[str, Any]:
        """Wait for what it left."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


# --- in the server


def _serve(mode: str) -> None:
    from describe import described, without_addresses

    shell = _shell()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if mode == "cached":
        import nbcache.magic.cells  # noqa: F401
    sys.path.pop(0)
    sys.dont_write_bytecode = True  # an edit may keep size and second
    for line in sys.stdin:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(reader)
                signal.alarm(60)
                told = _run(shell, json.loads(line), mode, described, without_addresses)
                with os.fdopen(writer, "w") as out:
                    json.dump(told, out)
                status = 0
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader) as source:
            text = source.read()
        _, status = os.waitpid(pid, 0)
        answers.write((text if not status else json.dumps({"died": status})) + "\n")
        answers.flush()


EVENTS: list[list[Any]] = []


def _shell() -> Any:
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, *, transient=None, update=False, **_):
            EVENTS.append(["display", data, metadata or {}, transient or {}, update])

        def clear_output(self, wait=False):
            EVENTS.append(["clear", wait])

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            EVENTS.append(["result", self.prompt_count, format_dict, md_dict or {}])

    class Shell(InteractiveShell):
        display_pub_class = Type(Publisher)
        displayhook_class = Type(Hook)

        def _showtraceback(self, etype, evalue, stb):
            EVENTS.append(["error", etype.__name__, str(evalue)])

    import asyncio  # noqa: F401
    import collections  # noqa: F401

    import numpy
    import pandas  # noqa: F401

    numpy.random.seed(0)
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.separate_out2 = ""
    config.InteractiveShell.colors = "nocolor"
    return Shell.instance(config=config)


class _Stream(io.TextIOBase):
    encoding = "utf-8"

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, text: str) -> int:
        if EVENTS and EVENTS[-1][0] == self.name:
            EVENTS[-1][1] += text
        else:
            EVENTS.append([self.name, text])
        return len(text)

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")


def _run(shell: Any, job: dict[str, Any], mode: str, described: Any, plain: Any) -> Any:
    folder = job["folder"]
    os.chdir(folder)
    sys.path.insert(0, folder)
    os.environ["NBCACHE_DIR"] = job["store"]
    environment = dict(os.environ)
    # a fork seeds anew, and nothing may count as seeded by the user
    random._inst.seed(0)
    sys.stdout, sys.stderr = _Stream("stdout"), _Stream("stderr")
    outcomes: Any = []
    if mode == "cached":
        from nbcache.errors import CacheWarning
        from nbcache.outcome import outcomes

        warnings.simplefilter("ignore", CacheWarning)
        shell.run_cell("%load_ext nbcache", store_history=False)
    cells = []
    for text, is_cached in job["cells"]:
        EVENTS.clear()
        known = len(outcomes)
        # a line in both: lines are numbered from the cell's first
        head = "%%cached\n" if mode == "cached" and is_cached else "#\n"
        shell.run_cell(head + text, store_history=True)
        shown = _CELL_FILE.sub("<cell>", plain(json.dumps(EVENTS, sort_keys=True)))
        cells.append(
            {
                "outputs": json.loads(shown),
                "outcomes": [one.to_json() for one in list(outcomes)[known:]],
            }
        )
        for event in cells[-1]["outputs"]:
            if event[0] == "stdout":
                event[1] = _TIMES.sub("", event[1])
    return {
        "cells": cells,
        "values": _values(shell, described),
        "state": _state(folder, environment),
    }


def _values(shell: Any, described: Any) -> dict[str, str]:
    roots = {
        name: value
        for name, value in shell.user_ns.items()
        if not _OWN.fullmatch(name) and name not in _ALSO
    }
    for number, value in shell.user_ns["_oh"].items():
        roots[f"~Out[{number}]"] = value
    return described(roots, shell.user_ns)


def _state(folder: str, environment: dict[str, str]) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    options = importlib_options(pd)
    return {
        "random": hash_text(repr(random.getstate())),
        "numpy.random": hash_text(
            repr(np.random.get_state()[2:]) + str(np.random.get_state()[1].tolist())
        ),
        "folder": os.getcwd(),
        "environment": sorted(
            (name, os.environ.get(name, "<unset>"))
            for name in os.environ.keys() | environment.keys()
            if os.environ.get(name) != environment.get(name)
        ),
        "numpy options": repr(sorted(map(repr, np.get_printoptions().items()))),
        "numpy errors": repr(np.geterr()),
        "pandas options": options,
        "path": sys.path[1:] if sys.path[0] == folder else sys.path,
        "files": {
            str(path.relative_to(folder)): _content(path)
            for path in sorted(Path(folder).rglob("*"))
        },
    }


def _content(path: Path) -> str:
    if not path.is_file():
        return "<folder>"
    text = _ADDRESS.sub("0x", path.read_bytes().decode("latin-1"))
    return text if len(text) < 200 else hash_text(text)


def importlib_options(pd: Any) -> str:
    """Give the options of pandas that are not its defaults."""
    import importlib

    options: Any = importlib.import_module("pandas._config.config")
    return repr(
        {
            name: pd.get_option(name)
            for name, option in options._registered_options.items()
            if name not in options._deprecated_options
            and pd.get_option(name) != option.defval
        }
    )


def hash_text(text: str) -> str:
    """Give a short digest."""
    import hashlib

    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


if __name__ == "__main__":
    _serve(sys.argv[1])
