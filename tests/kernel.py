r"""Real places in which cells run: kernels, a terminal's IPython, a shell in-process.

with Kernel(folder) as kernel:
    ran = kernel.run("print(1); 2")
    assert ran.stdout == "1\n" and ran.result == {"text/plain": "2"}
    kernel.restart()
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_client import KernelManager

TESTS = Path(__file__).parent
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Give the environment of a process that knows nothing of the user or of pytest.

    ipykernel does not watch fd 1 and 2 where it believes to run inside a test.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "NBCACHE_", "JPY_", "COVERAGE_"))
    }
    paths = [TESTS.parent, TESTS, TESTS / "cell"]
    return {
        **kept,
        "IPYTHONDIR": str(folder / "ipython"),
        "NBCACHE_DIR": str(folder / ".nbcache"),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        **more,
    }


@dataclass(frozen=True)
class Ran:
    """What a kernel sent for one cell."""

    messages: Sequence[Mapping[str, Any]]
    reply: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether Run All would go on."""
        return bool(self.reply["status"] == "ok")

    def contents(self, *kinds: str) -> list[dict[str, Any]]:
        """Give the contents of the messages of these types, in order."""
        return [
            dict(message["content"])
            for message in self.messages
            if message["msg_type"] in kinds
        ]

    def stream(self, name: str) -> str:
        """Give all text of a stream, as it was sent."""
        parts = self.contents("stream")
        return "".join(part["text"] for part in parts if part["name"] == name)

    @property
    def stdout(self) -> str:
        """All text of stdout."""
        return self.stream("stdout")

    @property
    def stderr(self) -> str:
        """All text of stderr."""
        return self.stream("stderr")

    @property
    def displays(self) -> list[dict[str, Any]]:
        """The bundles that were displayed, updates left out."""
        return [content["data"] for content in self.contents("display_data")]

    @property
    def result(self) -> dict[str, Any] | None:
        """The bundle of the last ``Out[n]``."""
        results = self.contents("execute_result")
        return results[-1]["data"] if results else None

    @property
    def traceback(self) -> str:
        """What the error messages show, without colours."""
        lines = [line for one in self.contents("error") for line in one["traceback"]]
        return _ANSI.sub("", "\n".join(lines))

    @property
    def page(self) -> list[dict[str, Any]]:
        """The outputs that a notebook would hold in the end, but for updates' ids."""
        return _page(self.messages)


def _page(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = []
    clears = False
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            clears = bool(content["wait"])
            page = page if clears else []
            continue
        if kind == "update_display_data":
            for item in page:
                if item.get("id") == content["transient"]["display_id"]:
                    item["data"] = content["data"]
            continue
        if kind not in ("stream", "display_data", "execute_result", "error"):
            continue
        if clears:
            page, clears = [], False
        if kind == "stream":
            if page and page[-1].get("name") == content["name"]:
                page[-1]["text"] += content["text"]
            else:
                page.append(
                    {"kind": kind, "name": content["name"], "text": content["text"]}
                )
        else:
            page.append(
                {
                    "kind": kind,
                    "data": content.get("data"),
                    "id": content.get("transient", {}).get("display_id"),
                }
            )
    return page


class Kernel:
    """An ipykernel in a process of its own.

    Parameters
    ----------
    folder : Path
        Its working directory, which also holds its IPython profile.
    **more : str
        Further environment variables.
    """

    def __init__(self, folder: Path, **more: str) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            cwd=str(folder),
            env=environment(folder, **more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._connect()

    def _connect(self) -> None:
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def start(
        self, code: str, *, silent: bool = False, stop_on_error: bool = False
    ) -> str:
        """Send a cell and give the id of the request, without waiting.

        After an error that stops, a kernel drops what it believes to be queued, which
        may be the next cell.
        """
        request = self.client.execute(
            code,
            silent=silent,
            store_history=not silent,
            stop_on_error=stop_on_error,
        )
        return str(request)

    def finish(self, request: str, *, timeout_s: float = 60) -> Ran:
        """Wait for a cell that was sent, and give what came of it."""
        end = time.monotonic() + timeout_s
        messages = []
        while True:
            left = max(end - time.monotonic(), 0)
            message = self.client.get_iopub_msg(timeout=left)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["content"].get("execution_state") == "idle":
                break
            messages.append(message)
        while True:
            left = max(end - time.monotonic(), 0)
            reply = self.client.get_shell_msg(timeout=left)
            if reply["parent_header"].get("msg_id") == request:
                return Ran(messages, reply["content"])

    def wait_for(self, request: str, text: str, *, timeout_s: float = 60) -> None:
        """Wait until a running cell has sent a stream with this text."""
        while True:
            message = self.client.get_iopub_msg(timeout=timeout_s)
            is_own = message["parent_header"].get("msg_id") == request
            if is_own and text in message["content"].get("text", ""):
                return

    def run(self, code: str, *, timeout_s: float = 60) -> Ran:
        """Run a cell and give what it sent."""
        return self.finish(self.start(code), timeout_s=timeout_s)

    def later_messages(self, wait_s: float) -> list[dict[str, Any]]:
        """Give what arrives without a cell running, until nothing does for a while."""
        messages = []
        while True:
            try:
                messages.append(self.client.get_iopub_msg(timeout=wait_s))
            except queue.Empty:
                return messages

    def interrupt(self) -> None:
        """Do what the stop button does."""
        self.manager.interrupt_kernel()

    def restart(self) -> None:
        """Start a new process in place of this one."""
        self.client.stop_channels()
        self.manager.restart_kernel(now=True)
        self._connect()

    def stop(self) -> None:
        """End the process."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


_TERMINAL = r"""
import json, sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance(colors="NoColor")
for line in sys.stdin:
    done = shell.run_cell(json.loads(line), store_history=True)
    sys.stdout.flush()
    sys.stderr.flush()
    print("\x1e" + json.dumps(done.success), flush=True)
"""


@dataclass(frozen=True)
class Typed:
    """What a terminal showed for one cell."""

    ok: bool
    text: str


class Terminal:
    """A terminal's IPython in a process of its own, fed with cells.

    Parameters
    ----------
    folder : Path
        Its working directory, which also holds its IPython profile.
    """

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TERMINAL],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def run(self, code: str) -> Typed:
        """Run a cell and give what it showed; stdout and stderr are one here."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        text = ""
        for line in self.process.stdout:
            before, mark, success = line.partition("\x1e")
            text += before
            if mark:
                return Typed(json.loads(success), _ANSI.sub("", text))
        raise AssertionError(f"the shell died: {text}")

    def stop(self) -> None:
        """End the process."""
        # `communicate` closes the pipes, which -W error asks for
        self.process.communicate()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


@contextmanager
def shell_in_process(folder: Path) -> Iterator[Any]:
    """Give a plain IPython shell in this process; it is gone afterwards."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    before = os.environ.get("IPYTHONDIR")
    os.environ["IPYTHONDIR"] = str(folder / "ipython")
    main, hook = sys.modules["__main__"], sys.displayhook
    shell = InteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        InteractiveShell.clear_instance()
        shell.restore_sys_module_state()
        sys.modules["__main__"], sys.displayhook = main, hook
        os.environ.pop("IPYTHONDIR")
        if before is not None:
            os.environ["IPYTHONDIR"] = before
