"""Database files made from objects and objects from database files, page by page."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.errors import CorruptLog, Invalid, NotFound
from db.log.commit_log import COMMIT_LEVEL, CommitLog
from db.log.ltx import TXID, LtxFile, LtxHeader, decode, encode
from db.log.pages import changed_pages, cut_pages, file_pages
from db.stores.directory import DirectoryStore
from db.vault.database_file import bring_forward, encode_database, encode_difference, encode_range, write_database

SIZE = 512


def commit(txid: int, database_pages: int, pages: dict[int, bytes]) -> LtxFile:
    header = LtxHeader(SIZE, database_pages, TXID(txid), TXID(txid), 1000 + txid, node_id=txid)
    return LtxFile(header, {number: page for number, page in pages.items() if number <= database_pages})


def log_of(folder: Path, files: Sequence[LtxFile]) -> CommitLog:
    log = CommitLog(DirectoryStore(folder / "store"), "v")
    for file in files:
        assert log.put_commit(file.header.max_txid, encode(file.header, file.pages), file.header.timestamp_ms) is None
    return log


def page(seed: int) -> bytes:
    return seed.to_bytes(2, "big") * (SIZE // 2)


@st.composite
def histories(draw: st.DrawFn) -> list[LtxFile]:
    """A first commit with every page and some more that change, lengthen and shorten the database."""
    seeds = st.integers(0, 65535).map(page)
    count = draw(st.integers(1, 8))
    files = [commit(1, count, {number: draw(seeds) for number in range(1, count + 1)})]
    for txid in range(2, draw(st.integers(3, 6))):
        before, count = count, draw(st.integers(1, 8))
        new = dict.fromkeys(range(before + 1, count + 1), b"")
        changed = dict.fromkeys(draw(st.sets(st.integers(1, count))), b"")
        files.append(commit(txid, count, {number: draw(seeds) for number in sorted(new | changed)}))
    return files


def content(files: Sequence[LtxFile]) -> bytes:
    image = bytearray()
    for file in files:
        length = file.header.database_pages * SIZE
        image = image[:length].ljust(length, b"\0")
        for number, found in file.pages.items():
            image[(number - 1) * SIZE : number * SIZE] = found
    return bytes(image)


quickly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quickly
@given(histories(), st.data())
def test_the_file_at_a_commit_is_what_its_commits_give(
    tmp_path_factory: pytest.TempPathFactory, files: list[LtxFile], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log, path = log_of(folder, files), folder / "database"
    path.write_bytes(b"whatever was there before" * 1000)
    upto = data.draw(st.integers(1, len(files)))
    assert write_database(log, path, upto=TXID(upto)) == files[upto - 1].header
    assert path.read_bytes() == content(files[:upto])
    later = data.draw(st.integers(upto, len(files)))
    bring_forward(log, path, TXID(upto), TXID(later))
    assert path.read_bytes() == content(files[:later])
    assert write_database(log, path) == files[-1].header
    assert path.read_bytes() == content(files)


@quickly
@given(histories())
def test_a_range_holds_the_last_image_of_every_page(
    tmp_path_factory: pytest.TempPathFactory, files: list[LtxFile]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = log_of(folder, files)
    header = encode_range(log, log.list_level(COMMIT_LEVEL)[1:], folder / "range.ltx")
    last = files[-1].header
    assert header == LtxHeader(SIZE, last.database_pages, TXID(2), last.max_txid, last.timestamp_ms, last.node_id)
    folded = decode((folder / "range.ltx").read_bytes())
    assert content([files[0], folded]) == content(files)
    assert folded.pages.keys() == {
        number for file in files[1:] for number in file.pages if number <= last.database_pages
    }


def test_a_point_between_objects_is_refused(tmp_path: Path) -> None:
    log = log_of(tmp_path, [commit(1, 1, {1: page(1)})])
    with pytest.raises(NotFound):
        write_database(log, tmp_path / "database", upto=TXID(2))


def test_an_object_that_holds_another_commit_is_refused(tmp_path: Path) -> None:
    log = log_of(tmp_path, [commit(1, 1, {1: page(1)}), commit(2, 1, {1: page(2)})])
    first, second = log.list_level(COMMIT_LEVEL)
    (tmp_path / "store" / second.key).write_bytes((tmp_path / "store" / first.key).read_bytes())
    with pytest.raises(CorruptLog, match="belongs into 0000000000000001"):
        write_database(log, tmp_path / "database")


def database(path: Path, rows: int, page_bytes: int = SIZE) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE IF NOT EXISTS note (body TEXT)")
        connection.executemany("INSERT INTO note VALUES (?)", ((f"row {number}" * 20,) for number in range(rows)))
        connection.execute("COMMIT")
    return path


def test_a_database_is_encoded_page_by_page_as_it_would_be_at_once(tmp_path: Path) -> None:
    path, body = database(tmp_path / "database", 9000), tmp_path / "body"
    content = path.read_bytes()
    assert len(content) > 1 << 20, "longer than what is read at once"
    assert dict(file_pages(path)) == cut_pages(content)
    header = LtxHeader(SIZE, len(content) // SIZE, TXID(1), TXID(7), 5)
    assert encode_database(path, header, body) == body.stat().st_size
    assert body.read_bytes() == encode(header, cut_pages(content))


@pytest.mark.parametrize(("before", "after"), [(10, 10), (9000, 10), (10, 9000), (9000, 9001)])
def test_the_difference_of_two_files_leads_from_one_to_the_other(tmp_path: Path, before: int, after: int) -> None:
    old, new = database(tmp_path / "old", before), database(tmp_path / "new", after)
    pages = new.stat().st_size // SIZE
    differs = encode_difference(old, new, LtxHeader(SIZE, pages, TXID(2), TXID(2), 5), tmp_path / "body")
    assert differs is (before != after)
    if differs:
        change = decode((tmp_path / "body").read_bytes())
        assert content([LtxFile(change.header, cut_pages(old.read_bytes())), change]) == new.read_bytes()
        assert all(old.read_bytes()[(n - 1) * SIZE : n * SIZE] != found for n, found in change.pages.items() if n > 1)


def test_a_file_that_only_grew_shorter_differs_by_its_first_page(tmp_path: Path) -> None:
    old = database(tmp_path / "old", 100)
    new = tmp_path / "new"
    new.write_bytes(old.read_bytes()[:-SIZE])
    assert [number for number, _ in changed_pages(old, new)] == [1]


def test_files_of_different_page_sizes_are_not_compared(tmp_path: Path) -> None:
    old, new = database(tmp_path / "old", 1), database(tmp_path / "new", 1, page_bytes=1024)
    with pytest.raises(Invalid, match="1024 bytes, wanted 512"):
        list(changed_pages(old, new))
    new.write_bytes(b"no database at all")
    with pytest.raises(Invalid, match="no SQLite database"):
        list(changed_pages(old, new))
