"""The stock litestream program restores what is written here, from a folder and from a bucket."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from db.clock import timestamp
from db.log.ltx import TXID, LtxHeader, encode, object_name
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.vault import wal
from tests.moto_s3 import clean_environment, moto_s3

WORDS = ("one", "two", "three")
SECOND = 1000


def commits(folder: Path) -> Iterator[tuple[dict[int, bytes], int]]:
    """For each word, the pages changed and the size of the database: at first all of them, then out of SQLite's log."""
    cache = folder / "cache.db"
    with closing(sqlite3.connect(cache, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE words(word)")
        connection.execute("INSERT INTO words VALUES (?)", WORDS[:1])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        image = cache.read_bytes()
        pages = [image[start : start + 4096] for start in range(0, len(image), 4096)]
        yield dict(enumerate(pages, start=1)), len(pages)
        end, sums = wal.HEADER_BYTES, None
        for word in WORDS[1:]:
            connection.execute("INSERT INTO words VALUES (?)", (word,))
            log = Path(f"{cache}-wal").read_bytes()
            header = wal.read_header(log)
            commit = wal.read_commits(log[end:], header, sums or header.checksum, start=end)
            assert commit is not None
            end, sums = commit.end, commit.checksum
            yield commit.pages, commit.database_pages


def write_history(store: ObjectStore, folder: Path, times_ms: tuple[int, int, int]) -> Iterator[int]:
    """One level 0 file for each word; yields the TXID after each."""
    for txid, (pages, database_pages) in enumerate(commits(folder), start=1):
        header = LtxHeader(4096, database_pages, TXID(txid), TXID(txid), times_ms[txid - 1], node_id=txid)
        key = store.level_folder.format(vault="choir", level=0) + object_name(txid, txid)
        store.put(key, encode(header, pages), timestamp_ms=times_ms[txid - 1], op="test:put")
        yield txid


def restore(url: str, output: Path, environment: dict[str, str], *options: str) -> list[str]:
    """The words in the database that litestream restores."""
    program = str(Path(sys.executable).with_name("litestream"))
    command = [program, "restore", "-o", str(output), *options, url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(output)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY rowid")]


def test_litestream_restores_a_folder_at_its_end_at_a_txid_and_at_a_time(tmp_path: Path) -> None:
    times_ms = (1_777_000_000_000, 1_777_000_060_000, 1_777_000_120_000)
    store = DirectoryStore(tmp_path / "store")
    assert list(write_history(store, tmp_path, times_ms)) == [1, 2, 3]
    url, environment = f"file://{store.root}/vaults/choir", clean_environment()
    between = timestamp(times_ms[1] + SECOND)
    assert restore(url, tmp_path / "end.db", environment) == ["one", "two", "three"]
    assert restore(url, tmp_path / "txid.db", environment, "-txid", f"{2:016x}") == ["one", "two"]
    assert restore(url, tmp_path / "time.db", environment, "-timestamp", between) == ["one", "two"]


def test_litestream_restores_a_bucket_at_its_end_at_a_txid_and_at_a_time(tmp_path: Path) -> None:
    # Litestream takes the range of possible times from the bucket's own clock, which counts whole seconds, and the time
    # of each file from its metadata: so the last file is put late, and the second claims to be later than it was put.
    start = int(time.time())
    times_ms = (start * SECOND, start * SECOND + 1500, start * SECOND + 2000)
    with moto_s3() as s3:
        for txid in write_history(s3.store(prefix="prefix"), tmp_path, times_ms):
            if txid == 2:
                time.sleep(max(0, start + 2 - time.time()))
        url = f"s3://{s3.bucket}/prefix/vaults/choir?endpoint={s3.endpoint}&region={s3.region}&forcePathStyle=true"
        before_second = timestamp(start * SECOND + 1000)
        assert restore(url, tmp_path / "end.db", s3.environment()) == ["one", "two", "three"]
        assert restore(url, tmp_path / "txid.db", s3.environment(), "-txid", f"{2:016x}") == ["one", "two"]
        assert restore(url, tmp_path / "time.db", s3.environment(), "-timestamp", before_second) == ["one"]
