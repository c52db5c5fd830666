"""The stock litestream program restores a vault as the engine itself shows it: at the head, at a TXID, at a time.

What is expected was read from the vault while it stood there, never from the engine's own restore.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from db.clock import timestamp
from db.errors import NotFound
from db.history.points import database_at
from db.log.commit_log import COMMIT_LEVEL, RANGE_LEVEL, SNAPSHOT_LEVEL, CommitLog
from db.log.ltx import TXID
from db.log.retention import HOUR_MS, Retention, make_snapshot, tend
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.stores.s3 import SINGLE_PUT_BYTES
from db.transaction import WriteTx
from db.vault.vault import Vault
from tests.engine.desk import ACTOR, content, new_desk
from tests.moto_s3 import MotoS3, clean_environment

LITESTREAM = Path(sys.executable).with_name("litestream")
# The bucket's clock counts whole seconds, and litestream refuses a time after its last object.
CLOCK_STEP_S = 1.1
KEEP = Retention(points_days=1, commits_hours=24, range_commits=4)
DAY_LATER_MS = 25 * HOUR_MS

Content = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True)
class Place:
    """A store, and how litestream finds a vault in it."""

    store: ObjectStore
    url: str
    environment: dict[str, str]

    def restored(self, output: Path, *options: str) -> Content:
        """Everything in the database that litestream makes."""
        output.unlink(missing_ok=True)
        done = self._run("restore", "-o", str(output), *options, self.url)
        assert done.returncode == 0, done.stderr
        with closing(sqlite3.connect(output)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            return content(connection)

    def refuses(self, output: Path, *options: str) -> bool:
        """Whether litestream finds nothing to restore there."""
        return self._run("restore", "-o", str(output), *options, self.url).returncode != 0

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(LITESTREAM), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(params=["directory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "directory":
        store = DirectoryStore(tmp_path / "store")
        return Place(store, f"file://{store.root}/vaults/desk", clean_environment())
    s3: MotoS3 = request.getfixturevalue("s3")
    prefix = f"litestream/{tmp_path.name}"
    query = f"endpoint={s3.endpoint}&region={s3.region}&forcePathStyle=true"
    return Place(s3.store(prefix), f"s3://{s3.bucket}/{prefix}/vaults/desk?{query}", s3.environment())


@dataclass
class Played:
    """A vault, and what it held after each of its commits."""

    vault: Vault
    contents: dict[int, Content] = field(default_factory=dict)

    def write(self, *works: Callable[[WriteTx], None]) -> None:
        for work in works:
            self.vault.write(work, ACTOR)
            head, shown = self.vault.read_raw(lambda connection, head: (head.txid, content(connection))).value
            self.contents[head] = shown

    @property
    def head(self) -> int:
        return self.vault.head.txid


def stock(tx: WriteTx) -> None:
    """A row for each storage class, at its edges."""
    tx.insert("shelves", id=1, name="Größe, 大小, \U0001f3b6")
    for number, extra in enumerate((None, 0, 2**63 - 1, -(2**63), 0.1, -1.5e300, "1", "", b"", b"\0\xff"), start=1):
        tx.insert("books", id=number, shelf_id=1, title=f"book {number}", price=number / 3, cover=b"\0" * number)
        tx.execute("UPDATE books SET extra = :extra WHERE id = :id", extra=extra, id=number)


def lend(tx: WriteTx) -> None:
    tx.insert("loans", book_id=3, reader="reader 1")
    tx.insert("loans", book_id=4, reader="reader 2")


def rename(tx: WriteTx) -> None:
    tx.execute("UPDATE shelves SET name = 'renamed' WHERE id = 1")


def discard(tx: WriteTx) -> None:
    tx.execute("DELETE FROM books WHERE id = 3")


def fill(tx: WriteTx) -> None:
    """Enough bytes that a snapshot is due, and pages that a later commit frees."""
    for number in range(40):
        tx.insert("people", id=number, email=None, name=os.urandom(2000).hex())


def empty(tx: WriteTx) -> None:
    tx.execute("DELETE FROM people WHERE id > 2")


def visit(tx: WriteTx) -> None:
    tx.execute("UPDATE counters SET value = value + 1")


def test_litestream_restores_every_value_at_the_head_at_each_txid_and_at_a_time(place: Place, tmp_path: Path) -> None:
    played = Played(new_desk(place.store, tmp_path / "cache"))
    played.write(stock, fill, lend, rename)
    middle, middle_ms = played.head, played.vault.head.timestamp_ms
    time.sleep(CLOCK_STEP_S)
    played.write(empty, discard, visit)
    played.vault.close()
    assert place.restored(tmp_path / "head.db") == played.contents[played.head]
    for txid, shown in played.contents.items():
        assert place.restored(tmp_path / "txid.db", "-txid", f"{txid:016x}") == shown, txid
    between = timestamp(middle_ms + 20)
    assert place.restored(tmp_path / "time.db", "-timestamp", between) == played.contents[middle]


def print_covers(tx: WriteTx) -> None:
    """More than a store takes at once."""
    tx.insert("shelves", id=2, name="prints")
    for number in range(100, 110):
        tx.insert("books", id=number, shelf_id=2, title="print", cover=os.urandom(1 << 20))


def test_litestream_restores_objects_that_went_to_the_store_in_parts(place: Place, tmp_path: Path) -> None:
    played = Played(new_desk(place.store, tmp_path / "cache"))
    log = CommitLog(place.store, "desk")
    played.write(stock, print_covers)
    large = played.head
    assert log.list_level(COMMIT_LEVEL)[-1].size > SINGLE_PUT_BYTES
    assert place.restored(tmp_path / "commit.db") == played.contents[large]
    played.write(rename)
    make_snapshot(played.vault)
    assert log.list_level(SNAPSHOT_LEVEL)[-1].size > SINGLE_PUT_BYTES
    log.delete(log.list_level(COMMIT_LEVEL)[:-1])
    assert place.restored(tmp_path / "snapshot.db") == played.contents[played.head]
    played.vault.close()


def test_litestream_restores_what_is_left_after_snapshot_ranges_and_pruning(place: Place, tmp_path: Path) -> None:
    played = Played(new_desk(place.store, tmp_path / "cache"))
    log = CommitLog(place.store, "desk")
    played.write(stock, fill, empty, lend, rename)
    early = played.head
    assert tend(played.vault, played.vault.head.timestamp_ms + DAY_LATER_MS, KEEP) > 0
    played.write(*[visit] * 4, discard)
    assert tend(played.vault, played.vault.head.timestamp_ms + DAY_LATER_MS, KEEP) > 0
    ranged = max(found.max_txid for found in log.list_level(RANGE_LEVEL))
    played.write(visit, visit)
    played.vault.close()

    chain = log.chain()
    assert {found.level for found in chain} == {SNAPSHOT_LEVEL, RANGE_LEVEL, COMMIT_LEVEL}, "all three are needed"
    assert min(found.min_txid for found in log.list_level(COMMIT_LEVEL)) > early, "commits were pruned"
    assert place.restored(tmp_path / "head.db") == played.contents[played.head]
    for point in (chain[0].max_txid, ranged, played.head - 1):
        assert place.restored(tmp_path / "txid.db", "-txid", f"{point:016x}") == played.contents[point], point


def test_litestream_and_the_engine_agree_on_what_was_pruned(place: Place, tmp_path: Path) -> None:
    played = Played(new_desk(place.store, tmp_path / "cache"))
    log = CommitLog(place.store, "desk")
    played.write(stock, fill, visit)
    pruned = played.head - 1
    for _ in range(2):
        tend(played.vault, played.vault.head.timestamp_ms + DAY_LATER_MS, KEEP)
    played.vault.close()
    with pytest.raises(NotFound):
        database_at(log, TXID(pruned))
    assert place.refuses(tmp_path / "pruned.db", "-txid", f"{pruned:016x}")
    assert place.restored(tmp_path / "head.db") == played.contents[played.head]
