"""`python -m benchmarks.large_vault`: a vault of VAULTRY_BENCH_MB (1024), each step in a process of its own.

Prints time and peak memory of every step beside the size of the file. Needs some five times that size on disk, in the
working folder, for the time of the run. VAULTRY_BENCH_STORE: an address other than a folder there; nothing may be
stored below it, and what was made stays.
"""

import json
import logging
import os
import random
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.engine import ACTOR, CountingStore, insert
from benchmarks.table import Line, print_table
from db.history.points import current_database_file, find_point, fork, restore
from db.history.verification import verify_content, verify_objects
from db.keyring import KeyRing
from db.log.retention import make_snapshot
from db.schema.migrate import load_set
from db.stores import open_store
from db.vault.opening import Kind, Site, create_vault, open_vault
from db.vault.vault import Vault

MEGABYTES = int(os.environ.get("VAULTRY_BENCH_MB", "1024"))
KEYS = KeyRing("benchmark-secret-" * 3)
KIND = Kind((load_set("kernel"),))
BATCH_BYTES = 8 << 20
COMMITS = 20
_NOTE = "CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT) STRICT"
_FILL = "CREATE TABLE filling (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"


@dataclass(frozen=True, slots=True)
class Step:
    """What one process did. peak: bytes of memory at most; seconds: of the work itself."""

    peak: int
    seconds: float
    facts: dict[str, Any]


def _site(folder: Path, cache: str = "cache") -> tuple[Site, CountingStore]:
    store = CountingStore(open_store(os.environ.get("VAULTRY_BENCH_STORE") or (folder / "store").as_uri()))
    return Site(store, folder / cache, KEYS), store


def _open(folder: Path, cache: str = "cache") -> Vault:
    return open_vault(_site(folder, cache)[0], "large", KIND)


def idle(folder: Path) -> dict[str, Any]:
    """What a process takes that opens a vault of the kernel's tables alone: to be taken off the others."""
    create_vault(_site(folder)[0], "small", KIND).close()
    return {}


def fill(folder: Path) -> dict[str, Any]:
    """Make the vault: rows of which half compress away, in commits of 8 MiB."""
    vault = create_vault(_site(folder)[0], "large", KIND)
    vault.alter(partial(_declare, _NOTE))
    before = vault.bookmark
    vault.alter(partial(_declare, _FILL))
    chance = random.Random(1)

    def add(connection: sqlite3.Connection) -> bool:
        rows = ((chance.randbytes(1000) + bytes(1000),) for _ in range(BATCH_BYTES // 2000))
        connection.executemany("INSERT INTO filling (body) VALUES (?)", rows)
        return True

    while vault.local_bytes < MEGABYTES << 20:
        vault.alter(add)
    size = vault.local_bytes
    full = vault.bookmark
    vault.close()
    return {"size": size, "before": before, "full": full}


def _declare(table: str, connection: sqlite3.Connection) -> bool:
    connection.execute(table)
    return True


def one_row(folder: Path) -> dict[str, Any]:
    """One-row commits, audited."""
    site, store = _site(folder)
    with closing(open_vault(site, "large", KIND)) as vault:
        vault.write(insert(0), ACTOR)
        store.calls.clear()
        store.put_bytes = 0
        started = time.perf_counter()
        for number in range(1, COMMITS + 1):
            vault.write(insert(number), ACTOR)
        seconds = (time.perf_counter() - started) / COMMITS
    return {"bytes": store.put_bytes / COMMITS, "puts": store.calls["commit:put"] / COMMITS, "seconds": seconds}


def snapshot(folder: Path) -> dict[str, Any]:
    """A snapshot of it."""
    with closing(_open(folder)) as vault:
        return _timed(lambda: make_snapshot(vault))


def open_anew(folder: Path) -> dict[str, Any]:
    """Opening it from the store alone."""
    started = time.perf_counter()
    with closing(_open(folder, "elsewhere")) as vault:
        facts = {"seconds": time.perf_counter() - started}
        rows = vault.read(lambda tx: tx.value("SELECT count(*) FROM filling")).value
    shutil.rmtree(folder / "elsewhere")
    return facts | {"rows": rows}


def empty(folder: Path) -> dict[str, Any]:
    """Going back to a bookmark before it was filled."""
    return _restore(folder, _facts(folder)["before"])


def fill_again(folder: Path) -> dict[str, Any]:
    """Going back to a time when it was full: every page is put again, in one object."""
    facts = _facts(folder)
    with closing(_open(folder)) as vault:
        at = find_point(vault.log, facts["full"]).timestamp
    return _restore(folder, at)


def _restore(folder: Path, at: str) -> dict[str, Any]:
    site, store = _site(folder)
    with closing(open_vault(site, "large", KIND)) as vault:
        store.calls.clear()
        store.put_bytes = 0
        facts = _timed(lambda: restore(vault, site, at, ACTOR))
    return facts | {"puts": store.calls["commit:put"], "bytes": store.put_bytes}


def fork_it(folder: Path) -> dict[str, Any]:
    """A new vault that begins as this one is."""
    site, _ = _site(folder)
    with closing(_open(folder)) as vault:
        started = time.perf_counter()
        fork(vault, site, KIND, "fork")[0].close()
        return {"seconds": time.perf_counter() - started}


def export(folder: Path) -> dict[str, Any]:
    """The database file as the log gives it."""
    with closing(_open(folder)) as vault, vault.scratch() as scratch:
        return _timed(lambda: current_database_file(vault, scratch / "export.sqlite"))


def verify(folder: Path) -> dict[str, Any]:
    """Every object, the local copy against the log, SQLite's checks, the audit chain."""
    with closing(_open(folder)) as vault:
        started = time.perf_counter()
        objects, findings = verify_objects(vault.log, lambda done, total: None)
        findings += verify_content(vault, KEYS).findings
        return {"seconds": time.perf_counter() - started, "objects": objects, "findings": len(findings)}


STEPS: dict[str, tuple[str, Callable[[Path], dict[str, Any]]]] = {
    "idle": ("an open vault of no size", idle),
    "fill": ("filling it in commits of 8 MiB", fill),
    "one_row": ("one-row commit", one_row),
    "snapshot": ("snapshot", snapshot),
    "open_anew": ("open from the store, snapshot and commits", open_anew),
    "empty": ("restore to before it was filled", empty),
    "fill_again": ("restore to a time when it was full", fill_again),
    "fork_it": ("fork", fork_it),
    "export": ("export, as the log gives it", export),
    "verify": ("verify", verify),
}


def _timed(work: Callable[[], object]) -> dict[str, Any]:
    started = time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - started}


def _facts(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "fill.json").read_text())
    return facts


def run(name: str, folder: Path) -> Step:
    """Do one step in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.large_vault", name, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    facts = json.loads(done.stdout)
    (folder / f"{name}.json").write_text(done.stdout)
    return Step(facts.pop("peak"), facts.pop("seconds", time.perf_counter() - began), facts)


def lines(folder: Path) -> list[Line]:
    found: dict[str, Step] = {}
    for name, (what, _) in STEPS.items():
        print(f"{what} ...", file=sys.stderr, flush=True)
        found[name] = run(name, folder)
    size, base = found["fill"].facts["size"], found["idle"].peak
    row = found["one_row"].facts
    table = [
        Line(f"bytes of a one-row commit, vault of {size >> 20} MB", f"{row['bytes']:.0f} B", "", "", "<= 8192 B"),
        Line("puts of a one-row commit", f"{row['puts']:.0f}", "", "", "1"),
    ]
    for name, (what, _) in STEPS.items():
        step = found[name]
        more = step.peak - base
        seconds = f"{step.seconds * 1e3:.1f} ms" if step.seconds < 1 else f"{step.seconds:.1f} s"
        table.append(
            Line(
                f"{what}: peak memory", f"{step.peak >> 20} MB, {seconds}", f"{size >> 20} MB", f"{more / size:.3f}", ""
            )
        )
    back = found["fill_again"].facts
    table.append(Line("objects put by that restore", f"{back['puts']} of {back['bytes'] >> 20} MB", "", "", "1"))
    return table


def _peak_bytes() -> int:
    """The most memory this process has held."""
    with suppress(OSError):
        # ru_maxrss of a process begins with what its parent held when it was started; this does not.
        status = Path("/proc/self/status").read_text()
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) * 1024
    # kilobytes on Linux, bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    logging.disable(logging.INFO)
    if len(sys.argv) > 1:
        name, folder = sys.argv[1:]
        facts = STEPS[name][1](Path(folder))
        print(json.dumps({**facts, "peak": _peak_bytes()}))
        return
    # Beside the checkout, not in /tmp: that may be memory.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
        print_table(lines(Path(folder)))
    print("\nratio: peak memory above that of an open vault of no size, to the size of the file")


if __name__ == "__main__":
    main()
