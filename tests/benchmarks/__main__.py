"""Measure nbcache beside its peers: ``python -m tests.benchmarks``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

# they enter their rows, in this order: to make and delete many thousand files slows
# some file systems down for a minute
from . import keying  # isort: skip
from . import hits  # isort: skip
from . import storing  # isort: skip
from . import shells  # isort: skip
from . import loads  # isort: skip
from . import batches  # isort: skip
from . import metrics  # isort: skip
from . import entries  # isort: skip
from .report import as_markdown, as_text, counts, load_text
from .rows import Row, Setup, benchmarks
from .subjects import missing_peers

_MODULES = keying, hits, storing, shells, loads, batches, metrics, entries


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run?")
    parser.add_argument(
        "--only", action="append", choices=benchmarks.known, help="may be repeated"
    )
    parser.add_argument("--write", type=Path, help="write the table as Markdown")
    parser.add_argument("--folder", type=Path, help="where entries are written")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> list[Row]:
    """Measure, print and write; give the rows."""
    asked = _parsed(arguments)
    if missing := missing_peers():
        print(f"not installed, so not measured: {', '.join(missing)}")
    rows: list[Row] = []
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="bench-") as folder:
        # the secret that signs entries, too
        os.environ["JUPYTER_DATA_DIR"] = folder
        for name, benchmark in benchmarks.known.items():
            if asked.only and name not in asked.only:
                continue
            with tempfile.TemporaryDirectory(dir=folder) as own:
                for row in benchmark.run(Setup(Path(own), asked.quick)):
                    rows.append(row)
                    print(as_text(row), flush=True)
    print(counts(rows))
    if asked.write:
        load = load_text(before, os.getloadavg()[0])
        asked.write.write_text(as_markdown(rows, load), encoding="utf-8")
    return rows


if __name__ == "__main__":
    main()
    sys.exit(0)
