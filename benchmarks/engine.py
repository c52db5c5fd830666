"""The engine against bare sqlite3: commits, groups, reads, bytes and store calls."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.table import Line, in_turns, microseconds
from db.keyring import KeyRing
from db.schema.migrate import load_set
from db.stores.base import ObjectStore, StoredObject
from db.stores.directory import DirectoryStore
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.opening import Kind, Site, create_vault
from db.vault.vault import Vault

ACTOR = Actor("benchmark", "system", "benchmark", "benchmark.write")
WRITERS = 64
PUT_S = 0.020
_TABLE = "CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT) STRICT"
_BODY = "The quick brown fox jumps over the lazy dog. " * 3


class CountingStore:
    """A store that counts its calls and bytes, and makes every put take at least `put_s` seconds."""

    def __init__(self, inner: ObjectStore, put_s: float = 0.0) -> None:
        self._inner = inner
        self._put_s = put_s
        self.calls: Counter[str] = Counter()
        self.put_bytes = 0

    @property
    def level_folder(self) -> str:
        return self._inner.level_folder

    def exists(self, key: str, *, op: str) -> bool:
        self.calls[op] += 1
        return self._inner.exists(key, op=op)

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        self.calls[op] += 1
        return self._inner.get(key, op=op, start=start, limit=limit)

    def put(self, key: str, body: bytes | Path, *, timestamp_ms: int, op: str) -> None:
        self.calls[op] += 1
        self.put_bytes += body.stat().st_size if isinstance(body, Path) else len(body)
        if self._put_s:
            # Not for 0: a sleep of nothing still gives the processor away, for longer than a commit takes.
            time.sleep(self._put_s)
        self._inner.put(key, body, timestamp_ms=timestamp_ms, op=op)

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        self.calls[op] += 1
        return self._inner.list(prefix, after=after, op=op)

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        self.calls[op] += 1
        self._inner.delete(keys, op=op)


def open_site(folder: Path, put_s: float = 0.0) -> tuple[Vault, CountingStore]:
    """A vault of the kernel's tables and one more, audited, on a directory store."""
    store = CountingStore(DirectoryStore(folder / "store"), put_s)
    site = Site(store, folder / "cache", KeyRing("benchmark-secret-" * 3))
    vault = create_vault(site, "bench", Kind((load_set("kernel"),)))
    vault.alter(lambda connection: connection.execute(_TABLE) is not None)
    return vault, store


def insert(number: int) -> Callable[[WriteTx], None]:
    return lambda tx: tx.insert("note", title=f"note {number}", body=_BODY)


def commits(folder: Path) -> list[Line]:
    """One-row commits, durable on return on both sides; the engine's with and without its audit log."""
    audited, store = open_site(folder / "audited")
    plain_log, _ = open_site(folder / "plain")
    plain = Vault(plain_log.log, plain_log._copy, lambda _: None)
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute(_TABLE)

    def commit_bare(number: int) -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO note (title, body) VALUES (?, ?)", (f"note {number}", _BODY))
        bare.execute("COMMIT")

    floor = DirectoryStore(folder / "floor")

    def put_alone(number: int) -> None:
        floor.put(f"vaults/floor/ltx/0/{number:016x}.ltx", _BODY.encode() * 3, timestamp_ms=number, op="floor")

    put, beside = in_turns(put_alone, commit_bare)
    ours, reference = in_turns(lambda number: plain.write(insert(number), ACTOR), commit_bare)
    with_audit, again = in_turns(lambda number: audited.write(insert(number), ACTOR), commit_bare)
    store.calls.clear()
    store.put_bytes = 0
    for number in range(50):
        audited.write(insert(number), ACTOR)
    calls, size = dict(store.calls), store.put_bytes / 50
    bare.close()
    audited.close()
    plain_log.close()
    return [
        _ratio("a file and its folder synced, alone / sqlite3 FULL", put, beside, "the disk's part"),
        _ratio("one-row commit, directory, two fsyncs / sqlite3 FULL", ours, reference, "<= 2.5"),
        _ratio("the same with the audit log / sqlite3 FULL", with_audit, again, ""),
        Line("bytes of a one-row commit, audited", f"{size:.0f} B", "", "", "<= 4096 B"),
        Line("store calls of 50 commits", str(calls), "", "", "1 look + 1 put each"),
    ]


def groups(folder: Path) -> list[Line]:
    """64 writers, each put taking 20 ms: sharing commits, against one at a time."""
    vault, store = open_site(folder / "group", PUT_S)

    def run(write: Callable[[int], object], each: int) -> float:
        def work(first: int) -> None:
            for number in range(first, first + each):
                write(number)

        threads = [threading.Thread(target=work, args=(writer * 1000,)) for writer in range(WRITERS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return WRITERS * each / (time.perf_counter() - started)

    one_by_one = threading.Lock()

    def ungrouped(number: int) -> None:
        with one_by_one:
            vault.write(insert(number), ACTOR)

    slow = run(ungrouped, 1)
    store.calls.clear()
    fast = run(lambda number: vault.write(insert(number), ACTOR), 8)
    puts = store.calls["commit:put"]
    vault.close()
    return [
        Line(
            f"{WRITERS} writers, 20 ms puts: grouped / one by one",
            f"{fast:.0f}/s ({puts} puts for {WRITERS * 8})",
            f"{slow:.0f}/s",
            f"{fast / slow:.1f}x",
            ">= 8x",
        )
    ]


def reads(folder: Path) -> list[Line]:
    """A point read through the vault, current by one look, against bare sqlite3 on the same rows."""
    vault, store = open_site(folder / "read")
    bare = sqlite3.connect(folder / "bare-read.sqlite", isolation_level=None)
    bare.execute(_TABLE)
    for number in range(1, 1001):
        bare.execute("INSERT INTO note (title, body) VALUES (?, ?)", (f"note {number}", _BODY))

    def fill(tx: WriteTx) -> None:
        for number in range(1, 1001):
            tx.insert("note", title=f"note {number}", body=_BODY)

    vault.write(fill, ACTOR)

    def read(tx: ReadTx, number: int) -> object:
        return tx.row("SELECT id, title, body FROM note WHERE id = :id", id=number % 1000 + 1)

    def read_bare(number: int) -> object:
        return bare.execute("SELECT id, title, body FROM note WHERE id = ?", (number % 1000 + 1,)).fetchone()

    ours, reference = in_turns(lambda number: vault.read(lambda tx: read(tx, number)), read_bare, batch=100)
    store.calls.clear()
    for number in range(50):
        vault.read(lambda tx, number=number: read(tx, number))
    calls = dict(store.calls)
    bare.close()
    vault.close()
    return [
        _ratio("current point read / sqlite3", ours, reference, ""),
        Line("store calls of 50 current reads", str(calls), "", "", "1 look each"),
    ]


def _ratio(what: str, ours: float, reference: float, target: str) -> Line:
    return Line(what, microseconds(ours), microseconds(reference), f"{ours / reference:.2f}x", target)
