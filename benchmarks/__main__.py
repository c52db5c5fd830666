"""`python -m benchmarks [PART ...]`: run everything, or the parts that are named, and print one table."""

import logging
import platform
import sqlite3
import sys
import tempfile
from pathlib import Path

from benchmarks.band_reads import band_reads
from benchmarks.choir_reads import choir_reads
from benchmarks.cold_start import cold_start
from benchmarks.engine import commits, groups, reads
from benchmarks.http import http
from benchmarks.imports import imports
from benchmarks.table import Line, print_table

PARTS = {
    "commits": commits,
    "groups": groups,
    "reads": reads,
    "imports": imports,
    "cold": cold_start,
    "http": http,
    "choir": choir_reads,
    "band": band_reads,
}


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise SystemExit(f"no part {unknown[0]!r}; there are: {', '.join(PARTS)}")
    logging.disable(logging.INFO)
    print(f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}\n")
    lines: list[Line] = []
    # Beside the checkout, not in /tmp: that may be memory, where an fsync costs nothing.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
        for name in names or PARTS:
            lines += PARTS[name](Path(folder))
    print_table(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
