"""`python -m benchmarks`: run everything, print one table."""

import logging
import platform
import sqlite3
import tempfile
from pathlib import Path

from benchmarks.engine import commits, groups, reads
from benchmarks.imports import imports
from benchmarks.table import Line, print_table


def main() -> None:
    logging.disable(logging.INFO)
    print(f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}\n")
    lines: list[Line] = []
    # Beside the checkout, not in /tmp: that may be memory, where an fsync costs nothing.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
        for part in (commits, groups, reads, imports):
            lines += part(Path(folder))
    print_table(lines)


if __name__ == "__main__":
    main()
