"""The debugger of JupyterLab in a `%%cached` cell, through the control channel."""

import time

import pytest
from kernel import Kernel

CELL = "%%cached a\nx = 1\ny = x + 1\nz = [\n    y,\n    x,\n]\nw = z"
AWAITS = "%%cached b\nimport asyncio\nawait asyncio.sleep(0)\nv = 5\nu = v"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    pytest.importorskip("debugpy")
    folder = tmp_path_factory.mktemp("debugger")
    more = {"JUPYTER_DATA_DIR": str(folder / "jupyter")}
    with Kernel(folder, PYDEVD_DISABLE_FILE_VALIDATION="1", **more) as running:
        running.run("%load_ext nbcache")
        debugger = Debugger(running)
        debugger.ask("initialize", clientID="tests", adapterID="")
        debugger.ask("attach")
        running.debugger = debugger
        yield running
        debugger.ask("disconnect", restart=False, terminateDebuggee=False)


class Debugger:
    """Debug Adapter Protocol, as JupyterLab speaks it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.count = 0

    def ask(self, command: str, **arguments) -> dict:
        """Send a request and give the body of its answer."""
        client = self.kernel.client
        self.count += 1
        content = {
            "type": "request",
            "seq": self.count,
            "command": command,
            "arguments": arguments,
        }
        message = client.session.msg("debug_request", content)
        client.control_channel.send(message)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            reply = client.get_control_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                assert reply["content"]["success"], reply["content"]
                return reply["content"].get("body", {})
        raise AssertionError(f"no answer to {command}")

    def wait_for(self, event: str) -> dict:
        """Give the body of the next event of this kind."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            message = self.kernel.client.get_iopub_msg(timeout=30)
            content = message["content"]
            if message["msg_type"] == "debug_event" and content["event"] == event:
                return content["body"]
        raise AssertionError(f"no event {event}")


@pytest.mark.parametrize(
    ("cell", "line", "name"),
    [(CELL, 3, "y"), (CELL, 8, "w"), (AWAITS, 5, "u")],
    ids=["sync", "after a statement of many lines", "async"],
)
def test_breakpoint_inside_a_cell_stops_at_its_line(kernel, cell, line, name):
    """The line is the one that the user sees, and the cell goes on to its end."""
    kernel.run(f"import nbcache\n{name} = None\nnbcache.clear(all=True)")
    debugger = kernel.debugger
    source = debugger.ask("dumpCell", code=cell)["sourcePath"]
    debugger.ask(
        "setBreakpoints",
        source={"path": source},
        breakpoints=[{"line": line}],
        sourceModified=False,
    )
    debugger.ask("configurationDone")
    request = kernel.start(cell)
    stopped = debugger.wait_for("stopped")
    assert stopped["reason"] == "breakpoint"
    frames = debugger.ask("stackTrace", threadId=stopped["threadId"])["stackFrames"]
    assert (frames[0]["source"]["path"], frames[0]["line"]) == (source, line)
    debugger.ask("continue", threadId=stopped["threadId"])
    assert kernel.finish(request).ok
    assert kernel.run(f"{name} is None").result == {"text/plain": "False"}
    debugger.ask("setBreakpoints", source={"path": source}, breakpoints=[])
