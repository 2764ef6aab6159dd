"""The table, printed and as Markdown."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from .rows import OURS, Row, text_of
from .subjects import missing_peers, versions

__all__ = ["as_markdown", "as_text", "counts", "load_text"]


def _columns(row: Row) -> tuple[str, str, str, str]:
    peers = [
        f"{name} {text_of(value, row.unit)} ({_times(row.ratio(name))})"
        for name, value in row.figures.items()
        if name != OURS
    ]
    verdicts = [
        f"{said} {'✓' if met else '✗'}" if _judged(row, target) else f"{said} ?"
        for target in row.targets
        for said, met in [target.verdict(row)]
    ]
    return (
        row.work + (f" ({row.remark})" if row.remark else ""),
        text_of(row.ours, row.unit),
        ", ".join(peers),
        ", ".join(verdicts),
    )


def _times(ratio: float) -> str:
    return f"{ratio:.2g} ×" if ratio < 100 else f"{ratio:,.0f} ×".replace(",", " ")


def _judged(row: Row, target: object) -> bool:
    peer = getattr(target, "peer", None)
    return peer is None or peer in row.figures


def as_text(row: Row) -> str:
    """Give a row as lines for a terminal."""
    work, ours, peers, verdicts = _columns(row)
    lines = [f"{'MISSED ' if row.missed else ''}{work}: {ours}"]
    lines += [f"    {part}" for part in (peers, verdicts) if part]
    return "\n".join(lines)


def counts(rows: list[Row]) -> str:
    """Say how many rows with a target meet it."""
    aimed = [row for row in rows if row.targets]
    met = sum(not row.missed for row in aimed)
    return f"{met} of {len(aimed)} rows meet all their targets"


def as_markdown(rows: list[Row], load: str = "") -> str:
    """Give the whole report; `load` tells what else the machine did."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m tests.benchmarks --write tests/benchmarks/RESULTS.md`.",
        "All cases of a row are measured in turn, in an order drawn anew each round;",
        "medians. In brackets: how many times better nbcache is than the peer.",
        "✓ target met, ✗ not, ? the peer is not installed. Clocks of shared machines",
        "swing: believe ratios rather than times.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d}",
        f"- {_machine()}{load and ', '}{load}",
        "- " + ", ".join(f"{name} {number}" for name, number in versions().items()),
    ]
    if missing := missing_peers():
        lines.append(f"- not installed, so not measured: {', '.join(missing)}")
    lines += ["", f"{counts(rows)}.", ""]
    lines += ["| work | nbcache | peers | targets |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(_columns(row))} |" for row in rows]
    lines += ["", "## Where we lose", "", *_losses(rows), ""]
    return "\n".join(lines)


def _losses(rows: list[Row]) -> list[str]:
    lost = [
        f"- {row.work}: {name} is {1 / row.ratio(name):.2g} times better"
        for row in rows
        for name in row.figures
        if name != OURS and row.ratio(name) < 0.95
    ]
    missed = [f"- {row.work}: target missed" for row in rows if row.missed]
    return [*lost, *missed] or ["Nowhere."]


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    parts = [f"{cores or os.cpu_count()} cores", _processor(), _memory(), system]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return ", ".join([*filter(None, parts), python])


def load_text(before: float, after: float) -> str:
    """Say how busy the machine was; one process of ours makes 1 of it."""
    return f"load {before:.1f} at the start and {after:.1f} at the end"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = [line for line in text.splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return ""
    return f"{size / 2**30:.0f} GiB of memory"
