"""What the tests of faults share: campaigns in processes of their own, and counts."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from faults import shim, without
from faults.campaign import run
from faults.tally import Tally

PROPERTY = "faults"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the long campaigns as long as they take."""
    for item in items:
        if item.get_closest_marker("faults") or item.get_closest_marker("by_hand"):
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(autouse=True)
def maybe_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the defence that the mutation check names."""
    without.apply()


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in memory where there is one: thousands of files are made."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = memory / f"nbcache-faults-{uuid4().hex}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def report(record_property: Callable[[str, object], None], capsys: Any) -> Any:
    """Give what counts a tally into the summary, and fails for what must not be."""

    def count(tally: Tally) -> None:
        record_property(PROPERTY, json.dumps(tally.to_json()))
        with capsys.disabled():
            print(f"\nfaults: {tally}", end=" ")
        assert tally.injected, "no fault was injected"
        assert not tally.bad, "\n".join([str(tally), *tally.told])

    return count


@pytest.fixture
def campaign(fast: Path, report: Callable[[Tally], None]) -> Callable[..., Tally]:
    """Give what runs a campaign in a process of its own, and judges its tally."""
    numbers = itertools.count()

    def go(module: str, function: str, **options: Any) -> Tally:
        folder = options.pop("folder", fast) / f"campaign{next(numbers)}"
        tally = run(module, function, folder, **options)
        shutil.rmtree(folder, ignore_errors=True)
        report(tally)
        return tally

    return go


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the library that makes file calls fail."""
    why = shim.why_not()
    if why:
        pytest.skip(why)
    return shim.build(tmp_path_factory.mktemp("shim"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell how many faults there were, and what came of them."""
    total, tests = Tally(), 0
    for reports in terminalreporter.stats.values():
        for one in reports:
            if getattr(one, "when", "call") != "call":
                continue
            for name, value in getattr(one, "user_properties", ()):
                if name == PROPERTY:
                    total.add(Tally.from_json(json.loads(value)))
                    tests += 1
    if tests:
        terminalreporter.section("faults")
        terminalreporter.line(f"{total} in {tests} campaigns")
