import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import WalDamaged
from db.vault.wal import HEADER_BYTES, Commit, WalHeader, read_commits, read_header
from db.vault.wal_checksum import extend

WORD = 0xFFFFFFFF
PAGE_SIZES = [512, 4096, 65536]


@contextmanager
def open_cache(folder: Path, page_bytes: int = 4096) -> Iterator[sqlite3.Connection]:
    """A database in WAL mode as a vault keeps it, with one empty table already in the database file."""
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={page_bytes}")
        for setting in ("journal_mode=WAL", "synchronous=OFF", "wal_autocheckpoint=0"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("CREATE TABLE words(word)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield connection


def log(folder: Path) -> bytes:
    return (folder / "cache.db-wal").read_bytes()


def read_all(body: bytes, *, verify: bool = True) -> Commit | None:
    header = read_header(body)
    return read_commits(body[HEADER_BYTES:], header, header.checksum, verify=verify)


def words_after_applying(folder: Path, commit: Commit, page_bytes: int) -> list[str]:
    """What SQLite finds in the database file once the pages are written into a copy of it."""
    image = bytearray((folder / "cache.db").read_bytes())
    image.extend(bytes(max(0, commit.database_pages * page_bytes - len(image))))
    for number, page in commit.pages.items():
        image[(number - 1) * page_bytes : number * page_bytes] = page
    copy = folder / "copy.db"
    copy.write_bytes(image[: commit.database_pages * page_bytes])
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY rowid")]


def plain_sums(sums: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    """The checksum as its description in SQLite's file format puts it, pair by pair."""
    s0, s1 = sums
    for x0, x1 in struct.iter_unpack(f"{order}II", data):
        s0 = s0 + x0 + s1 & WORD
        s1 = s1 + x1 + s0 & WORD
    return s0, s1


sums = st.tuples(st.integers(0, WORD), st.integers(0, WORD))


@given(
    sums, st.integers(1, 300).flatmap(lambda pairs: st.binary(min_size=pairs * 8, max_size=pairs * 8)), st.booleans()
)
def test_extend_agrees_with_the_pair_by_pair_sum(before: tuple[int, int], data: bytes, big_endian: bool) -> None:
    assert extend(before, data, big_endian=big_endian) == plain_sums(before, data, ">" if big_endian else "<")


@pytest.mark.parametrize("page_bytes", [1 << power for power in range(9, 17)])
def test_extend_is_exact_for_the_largest_words_of_each_page_size(page_bytes: int) -> None:
    page = b"\xff" * page_bytes
    assert extend((WORD, WORD), page, big_endian=False) == plain_sums((WORD, WORD), page, "<")


@pytest.mark.parametrize("page_bytes", PAGE_SIZES)
def test_the_header_of_a_log_of_sqlite_is_read(tmp_path: Path, page_bytes: int) -> None:
    with open_cache(tmp_path, page_bytes) as connection:
        connection.execute("INSERT INTO words VALUES ('one')")
        body = log(tmp_path)
    header = read_header(body)
    assert header.page_bytes == page_bytes
    assert header.salt == body[16:24]
    assert header.frame_bytes == 24 + page_bytes


@pytest.mark.parametrize("page_bytes", PAGE_SIZES)
@pytest.mark.parametrize("verify", [True, False])
def test_several_commits_fold_into_the_last_image_of_each_page(tmp_path: Path, page_bytes: int, verify: bool) -> None:
    with open_cache(tmp_path, page_bytes) as connection:
        for word in ("one", "two", "three"):
            connection.execute("INSERT INTO words VALUES (?)", (word,))
        body = log(tmp_path)
        commit = read_all(body, verify=verify)
        assert commit is not None
        assert commit.end == len(body)
        assert len(body) > HEADER_BYTES + 2 * (24 + page_bytes)
        assert list(commit.pages) == [2]
        assert words_after_applying(tmp_path, commit, page_bytes) == ["one", "two", "three"]


@pytest.mark.parametrize("page_bytes", PAGE_SIZES)
def test_reading_continues_where_the_last_commit_ended(tmp_path: Path, page_bytes: int) -> None:
    with open_cache(tmp_path, page_bytes) as connection:
        connection.execute("INSERT INTO words VALUES ('one')")
        body = log(tmp_path)
        header, first = read_header(body), read_all(body)
        assert first is not None
        connection.execute("INSERT INTO words VALUES ('two')")
        appended = log(tmp_path)[first.end :]
        second = read_commits(appended, header, first.checksum, start=first.end)
        assert second is not None
        assert second.end == first.end + len(appended)
        assert read_commits(appended, header, header.checksum, start=first.end) is None, "the sums of another place"
        assert words_after_applying(tmp_path, second, page_bytes) == ["one", "two"]


def test_nothing_appended_is_no_commit(tmp_path: Path) -> None:
    with open_cache(tmp_path) as connection:
        connection.execute("INSERT INTO words VALUES ('one')")
        body = log(tmp_path)
    header, commit = read_header(body), read_all(body)
    assert commit is not None
    assert read_commits(b"", header, commit.checksum, start=commit.end) is None


@pytest.mark.parametrize("verify", [True, False])
def test_frames_of_a_transaction_that_is_open_or_rolled_back_are_left_alone(tmp_path: Path, verify: bool) -> None:
    with open_cache(tmp_path) as connection:
        connection.execute("PRAGMA cache_size=2")
        connection.execute("INSERT INTO words VALUES ('kept')")
        committed = len(log(tmp_path))
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO words VALUES (?)", [("x" * 3000,)] * 20)
        spilled = log(tmp_path)
        assert len(spilled) > committed, "the small page cache was to spill into the log"
        open_commit = read_all(spilled, verify=verify)
        connection.execute("ROLLBACK")
        rolled_back = read_all(log(tmp_path), verify=verify)
        connection.execute("INSERT INTO words VALUES ('next')")
        after = read_all(log(tmp_path), verify=verify)
        assert open_commit is not None
        assert rolled_back is not None
        assert after is not None
        assert open_commit.end == rolled_back.end == committed
        assert words_after_applying(tmp_path, after, 4096) == ["kept", "next"]


def test_pages_that_a_spilling_transaction_writes_twice_are_read_once(tmp_path: Path) -> None:
    with open_cache(tmp_path) as connection:
        connection.execute("PRAGMA cache_size=2")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO words VALUES (?)", [("x" * 3000,)] * 20)
        connection.execute("UPDATE words SET word = 'y' || rowid")
        connection.execute("COMMIT")
        commit = read_all(log(tmp_path))
        assert commit is not None
        assert words_after_applying(tmp_path, commit, 4096) == [f"y{number}" for number in range(1, 21)]


def test_pages_above_a_database_that_shrank_are_dropped(tmp_path: Path) -> None:
    with open_cache(tmp_path) as connection:
        connection.executemany("INSERT INTO words VALUES (?)", [("x" * 3000,)] * 20)
        connection.execute("DELETE FROM words WHERE rowid > 1")
        connection.execute("VACUUM")
        commit = read_all(log(tmp_path))
        assert commit is not None
        assert max(commit.pages) <= commit.database_pages < 10
        assert words_after_applying(tmp_path, commit, 4096) == ["x" * 3000]


@given(cut=st.integers(0, 3 * (24 + 512)))
def test_a_torn_tail_leaves_the_commits_before_it(cut: int) -> None:
    body, ends = three_commits()
    length = max(len(body) - cut, HEADER_BYTES)
    commit = read_all(body[:length])
    assert (HEADER_BYTES if commit is None else commit.end) == max(end for end in ends if end <= length)


@given(data=st.data())
def test_a_flipped_bit_ends_the_log_before_its_commit(data: st.DataObject) -> None:
    body, ends = three_commits()
    position = data.draw(st.integers(HEADER_BYTES, len(body) - 1))
    flipped = bytearray(body)
    flipped[position] ^= 1 << data.draw(st.integers(0, 7))
    commit = read_all(bytes(flipped))
    assert (HEADER_BYTES if commit is None else commit.end) == max(end for end in ends if end <= position)


@cache
def three_commits() -> tuple[bytes, list[int]]:
    """A log of three commits in small pages and where each ends, made once; the header's end counts as an end."""
    ends = [HEADER_BYTES]
    with TemporaryDirectory() as name, open_cache(Path(name), 512) as connection:
        for word in ("one", "two", "three"):
            connection.execute("INSERT INTO words VALUES (?)", (word * 200,))
            ends.append(len(log(Path(name))))
        return log(Path(name)), ends


@pytest.mark.parametrize("verify", [True, False])
def test_frames_from_before_a_restart_of_the_log_are_ignored(tmp_path: Path, verify: bool) -> None:
    with open_cache(tmp_path) as connection:
        for number in range(10):
            connection.execute("INSERT INTO words VALUES (?)", (f"old {number}",))
        old = log(tmp_path)
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("INSERT INTO words VALUES ('new')")
        body = log(tmp_path)
        assert len(body) == len(old), "the old frames were to stay behind the new one"
        commit = read_all(body, verify=verify)
        assert commit is not None
        assert commit.end == HEADER_BYTES + 24 + 4096
        assert words_after_applying(tmp_path, commit, 4096)[-1] == "new"


def big_endian_log(body: bytes) -> bytes:
    """The same log as a big-endian machine would have written it: other magic, other sums."""
    head = struct.pack(">I", 0x377F0683) + body[4:24]
    before = plain_sums((0, 0), head, ">")
    written = head + struct.pack(">II", *before)
    step = 24 + read_header(body).page_bytes
    for offset in range(HEADER_BYTES, len(body), step):
        frame = body[offset : offset + step]
        before = plain_sums(plain_sums(before, frame[:8], ">"), frame[24:], ">")
        written += frame[:16] + struct.pack(">II", *before) + frame[24:]
    return written


def test_a_log_from_a_big_endian_machine_reads_the_same() -> None:
    body, _ = three_commits()
    ours, theirs = read_all(body), read_all(big_endian_log(body))
    assert ours is not None
    assert theirs is not None
    assert read_header(big_endian_log(body)).big_endian
    assert (theirs.pages, theirs.end) == (ours.pages, ours.end)


def make_header(magic: int = 0x377F0682, version: int = 3007000, page_bytes: int = 4096) -> bytes:
    head = struct.pack(">IIII8s", magic, version, page_bytes, 0, b"saltsalt")
    return head + struct.pack(">II", *plain_sums((0, 0), head, "<"))


def test_a_made_header_is_accepted() -> None:
    assert read_header(make_header()) == WalHeader(4096, b"saltsalt", struct.unpack(">II", make_header()[24:]), False)


@pytest.mark.parametrize(
    ("body", "step"),
    [
        (b"", "wal header"),
        (make_header()[:31], "wal header"),
        (make_header(magic=0x377F0684), "wal magic"),
        (make_header(version=3007001), "wal format"),
        (make_header(page_bytes=256), "wal page size"),
        (make_header(page_bytes=4095), "wal page size"),
        (make_header()[:31] + b"\0", "wal header checksum"),
    ],
)
def test_read_header_refuses_what_sqlite_would_refuse(body: bytes, step: str) -> None:
    with pytest.raises(WalDamaged, match=f"^{step}: "):
        read_header(body)
