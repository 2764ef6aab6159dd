"""The tee records what is shown, for the recording that it belongs to."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from IPython.utils.capture import capture_output
from kernel import Kernel, shell_in_process

from nbcache.cell import capture, descriptors
from nbcache.cell.capture import Recording, install, muted, recording, uninstall
from nbcache.outputs import Clear, Display, Result, Stream


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Any]:
    with shell_in_process(tmp_path) as shell:
        yield shell
        uninstall(shell)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        kernel.run("from nbcache.cell.capture import recording, install")
        kernel.run("ip = get_ipython(); install(ip)")
        yield kernel


def text(record: Recording) -> str:
    return "".join(one.text for one in record.outputs() if isinstance(one, Stream))


# ---------------------------------------------------------------------- the events


def test_events_are_recorded_in_order_and_shown(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recording takes nothing from the page."""
    with recording(shell) as record:
        print("out")
        print("err", file=sys.stderr)
        shell.display_pub.publish({"text/plain": "shown"}, {"isolated": True})
        shell.display_pub.clear_output(wait=True)
        shell.displayhook([1])
    assert [one for one in record.events if getattr(one, "text", "") != "\n"] == [
        Stream("stdout", "out"),
        Stream("stderr", "err"),
        Display({"text/plain": "shown"}, {"isolated": True}),
        Clear(True),
        Result({"text/plain": "[1]"}),
    ]
    captured = capsys.readouterr()
    assert captured.out.startswith("out\nshown\n")
    assert captured.out.rstrip().endswith("]: [1]")
    assert captured.err.startswith("err\n")


def test_the_displayed_value_is_noted(shell: Any) -> None:
    """The last one, if there was any."""
    with recording(shell) as record:
        assert not record.result
        shell.displayhook(1)
        shell.displayhook(value := ["last"])
    assert record.result
    assert record.value is value


def test_what_is_displayed_may_change_afterwards(shell: Any) -> None:
    """The recording holds what was shown."""
    data = {"application/json": {"a": [1]}}
    with recording(shell) as record:
        shell.display_pub.publish(data)
        data["application/json"]["a"].append(2)
    assert record.outputs() == (Display({"application/json": {"a": [1]}}),)


def test_a_traceback_shown_in_passing_is_noted(shell: Any) -> None:
    """A failing `%run`, say, ends without an error."""
    with recording(shell) as record:
        shell.run_cell("x = 1")
        assert not record.error_shown
        shell.run_cell("1 / 0")
    assert record.error_shown


def test_nothing_is_recorded_before_and_after(shell: Any) -> None:
    """The tee stays and passes on."""
    install(shell)
    print("before")
    with recording(shell) as record:
        print("inside")
    print("after")
    assert text(record) == "inside\n"


def test_what_the_block_captures_is_not_recorded(shell: Any) -> None:
    """It is not shown either."""
    with recording(shell) as record:
        with capture_output() as captured:
            print("captured")
            shell.display_pub.publish({"text/plain": "captured"})
        with contextlib.redirect_stdout(io.StringIO()):
            print("redirected")
        print("shown")
    assert record.outputs() == (Stream("stdout", "shown\n"),)
    assert captured.stdout == "captured\n"


def test_a_recording_inside_captured_output_hears_it(shell: Any) -> None:
    """It hears the streams that are there, and the one around it does not."""
    with recording(shell) as outer:
        print("outer")
        with capture_output() as captured, recording(shell) as inner:
            print("inner")
            shell.display_pub.publish({"text/plain": "inner"})
    assert text(outer) == "outer\n"
    assert inner.outputs() == (
        Stream("stdout", "inner\n"),
        Display({"text/plain": "inner"}),
    )
    assert captured.stdout == "inner\n"


def test_an_error_of_the_block_passes(shell: Any) -> None:
    """The recording is closed all the same."""
    records = []

    def failing() -> None:
        with recording(shell) as record:
            records.append(record)
            print("so far")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    print("later")
    assert text(records[0]) == "so far\n"


def test_a_long_recording_is_shortened_while_it_runs(shell: Any) -> None:
    """A progress bar does not fill the memory."""
    with recording(shell) as record, contextlib.suppress(BrokenPipeError):
        for step in range(120_000):
            record.add(Stream("stdout", f"\r{step}"))
    assert len(record.events) < 100_000
    assert text(record) == "119999"


# ------------------------------------------------------------------------ whose it is


def test_nested_recordings_both_hear(shell: Any) -> None:
    """The outer one holds all, the inner one its part."""
    with recording(shell) as outer:
        print("a")
        with recording(shell) as inner:
            print("b")
        print("c")
    assert text(inner) == "b\n"
    assert text(outer) == "a\nb\nc\n"


def test_other_threads_belong_to_the_open_recording(shell: Any) -> None:
    """They know nothing of the cell that runs."""
    with recording(shell) as outer:
        with recording(shell) as inner:
            thread = threading.Thread(target=print, args=("in a thread",))
            thread.start()
            thread.join()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(print, ["pool"] * 5))
    assert text(inner) == "in a thread\n"
    assert text(outer).count("pool") == 5


def test_recordings_of_two_threads_stay_apart(shell: Any) -> None:
    """Each hears its own thread, whichever ends first; the cell hears both."""
    first, second = threading.Event(), threading.Event()
    records: dict[str, Recording] = {}

    def early() -> None:
        with recording(shell) as records["early"]:
            print("early 1")
            first.set()
            second.wait(10)
            print("early 2")

    def late() -> None:
        first.wait(10)
        with recording(shell) as records["late"]:
            print("late 1")
            second.set()
            thread.join(10)
            print("late 2")

    with recording(shell) as cell:
        thread = threading.Thread(target=early)
        other = threading.Thread(target=late)
        thread.start()
        other.start()
        other.join(20)
    assert text(records["early"]) == "early 1\nearly 2\n"
    assert text(records["late"]) == "late 1\nlate 2\n"
    assert sorted(text(cell).split("\n")) == [
        "",
        *sorted(["early 1", "early 2", "late 1", "late 2"]),
    ]


def test_recordings_of_two_tasks_stay_apart(shell: Any) -> None:
    """Tasks of a cell may overlap."""

    async def part(name: str, pauses: list[float]) -> Recording:
        with recording(shell) as record:
            for pause in pauses:
                await asyncio.sleep(pause)
                print(name)
        return record

    async def both() -> list[Recording]:
        with recording(shell) as cell:
            one, two = part("a", [0.0, 0.05]), part("b", [0.02, 0.06])
            return [*await asyncio.gather(one, two), cell]

    one, two, cell = asyncio.run(both())
    assert text(one) == "a\na\n"
    assert text(two) == "b\nb\n"
    assert text(cell) == "a\nb\na\nb\n"


def test_a_task_that_outlives_its_cell_is_not_recorded_later(kernel: Kernel) -> None:
    """What it prints is shown under the cell that started it."""
    kernel.run(
        "import asyncio\nasync def later():\n"
        "    for i in range(20):\n        await asyncio.sleep(0.02)\n"
        "        print('late', flush=True)\n"
        "with recording(ip):\n    task = asyncio.ensure_future(later())"
    )
    kernel.run(
        "await asyncio.sleep(0.1)\nwith recording(ip) as r:\n"
        "    print('mine')\n    await asyncio.sleep(0.15)\nawait task"
    )
    assert kernel.run("r.outputs()").result == {
        "text/plain": r"(Stream(name='stdout', text='mine\n'),)"
    }


# ----------------------------------------------------------------------- installation


def _own_attributes(shell: Any) -> list[set[str]]:
    owners = (sys.stdout, sys.stderr, shell, shell.display_pub, shell.displayhook)
    return [set(vars(owner)) for owner in owners]


def test_install_is_idempotent_and_uninstall_leaves_nothing(shell: Any) -> None:
    """Loading twice wraps once; unloading restores every method."""
    before = _own_attributes(shell)
    install(shell)
    write, publish = sys.stdout.write, shell.display_pub.publish
    install(shell)
    assert sys.stdout.write is write
    assert shell.display_pub.publish is publish
    uninstall(shell)
    assert _own_attributes(shell) == before
    uninstall(shell)


def test_the_tee_returns_if_it_was_removed(shell: Any) -> None:
    """IPython 9 puts back the `write` that it found when the cell began."""
    install(shell)
    del sys.stdout.write
    with recording(shell) as record:
        print("heard")
    assert text(record) == "heard\n"


def test_events_are_heard_once_though_the_tee_is_wrapped(shell: Any) -> None:
    """Other code may wrap `write` above the tee, and the tee comes on top again."""
    install(shell)
    teed = sys.stdout.write
    sys.stdout.write = lambda *args: teed(*args)
    try:
        with recording(shell) as record:
            print("once")
    finally:
        sys.stdout.write = teed
    assert text(record) == "once\n"


def test_the_tee_survives_a_reload_of_its_module(shell: Any) -> None:
    """`%autoreload` and `%reload_ext` make new functions, old wrappers pass on."""
    install(shell)
    try:
        fresh = importlib.reload(capture)
        with fresh.recording(shell) as record:
            print("once")
            shell.displayhook(3)
        assert record.outputs() == (
            Stream("stdout", "once\n"),
            Result({"text/plain": "3"}),
        )
    finally:
        capture.uninstall(shell)
        # the wrappers of the first load are below
        for owner in (shell, shell.display_pub, shell.displayhook):
            for name, value in dict(vars(owner)).items():
                if hasattr(value, "nbcache_tee"):
                    delattr(owner, name)
        for stream in (sys.stdout, sys.stderr):
            vars(stream).pop("write", None)


def test_a_stream_that_cannot_be_wrapped_is_left_alone(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under pythonw there is none."""
    monkeypatch.setattr(sys, "stderr", None)
    with recording(shell) as record:
        print("out")
    assert text(record) == "out\n"


def test_loading_inside_a_cell_records_the_next_ones(tmp_path: Path) -> None:
    """The cell with `%load_ext` ends by removing the tee."""
    with Kernel(tmp_path) as kernel:
        kernel.run(
            "from nbcache.cell.capture import *\nip = get_ipython(); install(ip)"
        )
        for _ in range(2):
            kernel.run("with recording(ip) as r: print('heard'); display(1)")
            ran = kernel.run("[type(e).__name__ for e in r.outputs()]")
            assert ran.result == {"text/plain": "['Stream', 'Display']"}


# -------------------------------------------------------------------------- muted


def test_muted_shows_and_records_nothing_of_this_context(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other threads are not silenced."""
    thread = threading.Thread(target=print, args=("thread",))
    with recording(shell) as record, muted(shell):
        print("hidden")
        sys.stderr.write("hidden")
        shell.display_pub.publish({"text/plain": "hidden"})
        shell.display_pub.clear_output()
        thread.start()
        thread.join()
    assert text(record) == "thread\n"
    assert capsys.readouterr() == ("thread\n", "")


def test_a_recording_inside_muted_hears_what_is_not_shown(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a reader nor the recording around it sees anything of it."""
    with recording(shell) as outer, muted(shell), recording(shell) as inner:
        print("a")
        shell.display_pub.publish({"text/plain": "b"})
        shell.displayhook(3)
    assert inner.outputs() == (
        Stream("stdout", "a\n"),
        Display({"text/plain": "b"}),
        Result({"text/plain": "3"}),
    )
    assert outer.outputs() == ()
    assert capsys.readouterr().out == ""


# -------------------------------------------------------------- kernels: fds, figures


def test_children_are_heard_before_the_recording_ends(kernel: Kernel) -> None:
    """What they wrote arrives by a thread; the recording waits for it."""
    ran = kernel.run(
        "import subprocess, os\n"
        "for i in range(30):\n"
        "    with recording(ip) as r:\n"
        "        subprocess.run(['echo', 'x' * 3000])\n"
        "        os.write(2, b'err')\n"
        "    texts = [(o.name, len(o.text)) for o in r.outputs()]\n"
        "    names = 'stdout', 'stderr'\n"
        "    sizes = [sum(n for name, n in texts if name == x) for x in names]\n"
        "    assert sizes == [3001, 3], texts\n"
    )
    assert ran.ok, ran.traceback
    assert "\0" not in ran.stdout
    assert len(ran.stdout) == 30 * 3001


def test_what_came_before_does_not_arrive_in_the_recording(kernel: Kernel) -> None:
    """The pipe is emptied before the recording begins."""
    ran = kernel.run(
        "for i in range(30):\n"
        "    os.write(1, b'before')\n"
        "    with recording(ip) as r: pass\n"
        "    assert r.outputs() == (), r.outputs()\n"
    )
    assert ran.ok, ran.traceback


def test_a_descriptor_that_is_a_file_gets_no_mark(kernel: Kernel) -> None:
    """The user may point fd 1 elsewhere."""
    ran = kernel.run(
        "import tempfile\n"
        "with tempfile.TemporaryFile() as file:\n"
        "    kept = os.dup(1); os.dup2(file.fileno(), 1)\n"
        "    with recording(ip): os.write(1, b'in the file')\n"
        "    os.dup2(kept, 1); os.close(kept)\n"
        "    file.seek(0); print(file.read())\n"
    )
    assert ran.stdout == "b'in the file'\n"


def test_a_nul_of_the_user_is_kept(kernel: Kernel) -> None:
    """Only while one is awaited it is a mark."""
    kernel.run("with recording(ip) as r: print('a\\0b')")
    assert kernel.run("r.outputs()[0].text").result == {"text/plain": r"'a\x00b\n'"}


def test_figures_begun_before_are_left_to_their_cell(kernel: Kernel) -> None:
    """A recording of one statement must not show a figure that is still drawn on."""
    ran = kernel.run(
        "import matplotlib.pyplot as plt\n"
        "plt.plot([1, 2])\n"
        "with recording(ip) as r: x = 1\n"
        "plt.title('after'); len(r.outputs())"
    )
    assert ran.result == {"text/plain": "0"}
    assert len(ran.displays) == 1


def test_figures_may_be_left_open(kernel: Kernel) -> None:
    """A part of a cell may draw what the rest completes."""
    ran = kernel.run(
        "with recording(ip, figures=False) as r: plt.plot([1, 2])\n"
        "plt.title('after'); len(r.outputs())"
    )
    assert ran.result == {"text/plain": "0"}
    assert len(ran.displays) == 1


def test_an_output_widget_leaves_its_contents(kernel: Kernel) -> None:
    """What was printed into it was recorded by itself."""
    kernel.run(
        "import ipywidgets\nwith recording(ip) as r:\n"
        "    place = ipywidgets.Output(); display(place)\n"
        "    with place: print('in the widget')\n"
        "    display(ipywidgets.IntSlider(value=3))\n"
        "    x = ipywidgets.Text('t'); display(x)\n"
        "    x.value = 'changed'"
    )
    ran = kernel.run("for o in r.outputs(): print(o)")
    assert "in the widget" in ran.stdout
    assert "Output()" not in ran.stdout
    assert "IntSlider(value=3)" in ran.stdout
    assert "Text(value='changed')" in ran.stdout
    assert "widget-view" not in ran.stdout


def test_waiting_ends_when_what_came_with_the_mark_is_recorded() -> None:
    """Not while the thread that copies it is about to hand it on."""
    arrived = threading.Event()
    descriptors._awaited["stdout"].append(arrived)
    try:
        with descriptors.without_marks("stdout", "one\n\0") as kept:
            assert kept == "one\n"
            assert not arrived.is_set()
        assert arrived.is_set()
    finally:
        descriptors._awaited["stdout"].remove(arrived)
