"""Files written and read page by page: the same bytes, pages and refusals as at once, in memory that does not grow."""

import io
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import db.log.ltx_stream
from db.errors import CorruptLog
from db.log.ltx import TXID, LtxFile, LtxHeader, decode, encode, lock_page
from db.log.ltx_stream import LtxReader, LtxWriter, read_file
from tests.db.ltx_files import HEADER, PAGE, files, make_file

# A busy machine takes its time.
untimed = settings(deadline=None)
THREE = {1: PAGE, 2: Random(1).randbytes(512), 3: PAGE}


def written(header: LtxHeader, pages: Mapping[int, bytes]) -> bytes:
    out = io.BytesIO()
    with LtxWriter(out, header) as writer:
        for number in pages:
            writer.add(number, pages[number])
        assert writer.finish() == len(out.getvalue())
    return out.getvalue()


def cut(body: bytes, length: int) -> list[bytes]:
    return [body[start : start + length] for start in range(0, len(body), length)]


def read(chunks: Iterable[bytes], size: int) -> LtxFile:
    reader = LtxReader(chunks, size)
    return LtxFile(reader.header, dict(reader.pages()))


def refused(body: bytes) -> str | None:
    with pytest.raises(CorruptLog) as caught:
        read([body], len(body))
    assert caught.value.message.startswith(f"ltx {caught.value.details}: ")
    return caught.value.details


@untimed
@given(files())
def test_the_bytes_are_those_of_a_file_encoded_at_once(file: LtxFile) -> None:
    assert written(file.header, dict(sorted(file.pages.items()))) == encode(file.header, file.pages)


@untimed
@given(files(), st.integers(1, 700))
def test_the_pages_are_those_of_a_file_decoded_at_once_however_the_bytes_come(file: LtxFile, length: int) -> None:
    body = encode(file.header, file.pages)
    assert read(cut(body, length), len(body)) == decode(body)


@pytest.mark.parametrize("chunk_bytes", [1, 7, 64])
def test_an_index_longer_than_what_is_held_of_it_is_written_and_compared(
    chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.log.ltx_stream, "CHUNK_BYTES", chunk_bytes)
    header = LtxHeader(512, 300, TXID(1), TXID(4), 5)
    pages = {number: number.to_bytes(512, "big") for number in range(1, 301)}
    body = encode(header, pages)
    assert written(header, pages) == body
    assert read([body], len(body)).pages == pages
    shifted = bytearray(body)
    shifted[-30] ^= 1
    assert refused(bytes(shifted)) == "index"


@untimed
@given(st.data())
def test_a_damaged_file_is_refused_when_it_would_be_at_once(data: st.DataObject) -> None:
    body = bytearray(encode(HEADER, THREE))
    for _ in range(data.draw(st.integers(1, 2))):
        body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        expected = decode(bytes(body))
    except CorruptLog:
        refused(bytes(body))
    else:
        assert read([bytes(body)], len(body)) == expected


@untimed
@given(st.integers(0, 10_000), st.booleans())
def test_a_torn_file_is_refused_whether_its_length_tells_or_not(length: int, told: bool) -> None:
    body = encode(HEADER, THREE)
    torn = body[: length % len(body)]
    with pytest.raises(CorruptLog):
        read([torn], len(torn) if told else len(body))


def test_bytes_behind_the_end_are_refused() -> None:
    body = encode(HEADER, THREE)
    with pytest.raises(CorruptLog, match="index size"):
        read([body, b"more"], len(body) + 4)
    with pytest.raises(CorruptLog, match="goes on"):
        read([body, b"more"], len(body))


@pytest.mark.parametrize(
    ("body", "check"),
    [
        (make_file(magic=b"LTX0"), "magic"),
        (make_file(flags=0), "header flags"),
        (make_file(after=1), "database checksum"),
        (make_file(frames=[(3, PAGE), (2, PAGE)]), "page order"),
        (make_file(frames=[(2, PAGE), (2, PAGE)]), "page order"),
        (make_file(frames=[(4, PAGE)]), "page range"),
        (make_file(frames=[(2, PAGE[:-1])]), "page length"),
        (make_file(frame_flags=0), "frame flags"),
        (make_file(index_shift=1), "index"),
        (make_file(index_bytes=2**63), "index"),
        (make_file(txids=(1, 2), frames=[(1, PAGE), (3, PAGE)]), "snapshot"),
        (make_file(end=bytes(7)), "index size"),
    ],
)
def test_each_check_has_its_name(body: bytes, check: str) -> None:
    assert refused(body) == check


def test_a_wrong_checksum_is_found_though_every_page_was_given() -> None:
    body = make_file()
    reader = LtxReader([body[:-1] + bytes([body[-1] ^ 1])], len(body), "some/key")
    pages = reader.pages()
    assert next(pages) == (2, PAGE)
    with pytest.raises(CorruptLog, match=r"^some/key: ltx file checksum: ") as caught:
        next(pages)
    assert caught.value.details == "file checksum"


def test_a_frame_that_claims_more_than_a_page_can_take_is_not_waited_for() -> None:
    body = bytearray(make_file())
    body[106:110] = b"\x7f\xff\xff\xff"

    def endless() -> Iterator[bytes]:
        yield bytes(body)
        raise AssertionError("more was asked for")

    reader = LtxReader(endless(), len(body))
    with pytest.raises(CorruptLog, match="frame size"):
        list(reader.pages())


def test_the_writer_refuses_what_a_reader_would() -> None:
    snapshot = LtxHeader(512, 3, TXID(1), TXID(1), 0)
    lock = lock_page(65536)
    large = LtxHeader(65536, lock + 1, TXID(2), TXID(2), 0)
    cases: list[tuple[LtxHeader, dict[int, bytes], str]] = [
        (snapshot, {1: PAGE}, "snapshot"),
        (HEADER, {4: PAGE}, "page range"),
        (HEADER, {0: PAGE}, "page range"),
        (HEADER, {3: PAGE, 2: PAGE}, "page order"),
        (HEADER, {2: PAGE[:-1]}, "page length"),
        (large, {lock: bytes(65536)}, "lock page"),
        (LtxHeader(512, 3, TXID(3), TXID(2), 0), {}, "TXID order"),
    ]
    for header, pages, check in cases:
        with pytest.raises(CorruptLog) as caught:
            written(header, pages)
        assert caught.value.details == check


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.ltx"
    noise = Random(2).randbytes(65536)
    header = LtxHeader(65536, 300, TXID(1), TXID(1), 0)
    tracemalloc.start()
    with path.open("wb") as out, LtxWriter(out, header) as writer:
        for number in range(1, 301):
            writer.add(number, noise)
        assert writer.finish() > 300 * 65536
    count = sum(1 for _ in LtxReader(read_file(path), path.stat().st_size).pages())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 300
    assert peak < 6 << 20
