import os
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import CorruptLog
from db.log.ltx import (
    TXID,
    LtxFile,
    LtxHeader,
    decode,
    encode,
    file_checksum,
    lock_page,
    object_name,
    parse_name,
    read_header,
)
from tests.db.ltx_files import HEADER, PAGE, files, make_file

# Put together by hand from the format's description; each line is one part of the file.
STORED = bytes.fromhex(
    "4c545831 00000002 00000200 00000003"  # LTX1, no database checksum, page size, database pages
    "0000000000000002 0000000000000002 0000019dbd742a7b"  # first and last TXID, timestamp
    "0000000000000000 0000000000000000 0000000000000000 00000000 00000000"  # checksum before, WAL offset, size, salts
    "0102030405060708 0000000000000000000000000000000000000000"  # node id, reserved
    "00000002 0001 00000011"  # page 2, a size follows: 17 bytes
    "6f 7661756c7400 0100 ffe3"  # LZ4: 6 literals "vault" NUL, then from 1 byte back 4 + 15 + 255 + 227 bytes
    "50 0000000000"  # LZ4: 5 literals
    "000000000000"  # end of the frames
    "02 64 1b 00"  # page 2 at byte 100 takes 27 bytes; end of the index
    "0000000000000004"  # size of the index
    "0000000000000000 9220 3424b6f62074"  # no database checksum; file checksum
)


def failed_check(body: bytes) -> str | None:
    with pytest.raises(CorruptLog) as caught:
        decode(body)
    assert caught.value.message.startswith(f"ltx {caught.value.details}: ")
    return caught.value.details


def test_the_stored_file_has_not_changed() -> None:
    assert decode(STORED) == LtxFile(HEADER, {2: PAGE})
    assert encode(HEADER, {2: PAGE}) == STORED
    assert file_checksum(STORED) == 0x92203424B6F62074


def test_encode_writes_what_a_plain_description_of_the_format_gives() -> None:
    assert encode(HEADER, {2: PAGE}) == make_file()
    many = {number: bytes([number]) * 512 for number in (1, 2, 3)}
    assert encode(HEADER, many) == make_file(frames=list(many.items()))


def test_encode_takes_pages_in_any_order() -> None:
    assert encode(HEADER, {3: PAGE, 1: PAGE}) == encode(HEADER, {1: PAGE, 3: PAGE})


@given(files())
def test_decode_gives_back_what_was_encoded(file: LtxFile) -> None:
    body = encode(file.header, file.pages)
    assert decode(body) == file
    assert list(decode(body).pages) == sorted(file.pages)
    assert read_header(body) == file.header
    assert file_checksum(body) == int.from_bytes(body[-8:], "big")


@given(st.data())
def test_decode_notices_every_flipped_bit_that_is_not_the_compressors_choice(data: st.DataObject) -> None:
    body = bytearray(encode(HEADER, {2: PAGE}))
    block = range(110, 100 + body[-27])  # two LZ4 blocks may stand for one page: then nothing is lost
    position = data.draw(st.integers(0, len(body) - 1).filter(lambda at: at not in block))
    body[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CorruptLog):
        decode(bytes(body))


@given(st.binary(max_size=300))
def test_decode_refuses_bytes_that_are_no_file(body: bytes) -> None:
    with pytest.raises(CorruptLog):
        decode(body)


@given(st.integers(0, 10_000))
def test_decode_refuses_every_torn_file(length: int) -> None:
    body = encode(HEADER, {2: PAGE, 3: Random(1).randbytes(512)})
    with pytest.raises(CorruptLog):
        decode(body[: length % len(body)])


def test_decode_refuses_another_magic() -> None:
    assert failed_check(make_file(magic=b"LTX0")) == "magic"


def test_decode_refuses_a_file_with_database_checksums() -> None:
    assert failed_check(make_file(flags=0)) == "header flags"


def test_decode_refuses_a_pre_apply_checksum() -> None:
    assert failed_check(make_file(before=1)) == "pre-apply checksum"


def test_decode_refuses_a_post_apply_checksum() -> None:
    assert failed_check(make_file(after=1)) == "database checksum"


@pytest.mark.parametrize("page_bytes", [0, 256, 1000, 131_072])
def test_decode_refuses_a_page_size_sqlite_does_not_have(page_bytes: int) -> None:
    assert failed_check(make_file(page_bytes=page_bytes)) == "page size"


@pytest.mark.parametrize("database_pages", [0, 2**32 - 1])
def test_decode_refuses_a_database_size_sqlite_does_not_have(database_pages: int) -> None:
    assert failed_check(make_file(database_pages=database_pages)) == "database size"


@pytest.mark.parametrize("txids", [(0, 2), (3, 2)])
def test_decode_refuses_txids_that_are_no_range(txids: tuple[int, int]) -> None:
    assert failed_check(make_file(txids=txids)) == "TXID order"


@pytest.mark.parametrize("numbers", [(3, 2), (2, 2)])
def test_decode_refuses_pages_that_do_not_ascend(numbers: tuple[int, int]) -> None:
    assert failed_check(make_file(frames=[(number, PAGE) for number in numbers])) == "page order"


def test_decode_refuses_a_page_beyond_the_database() -> None:
    assert failed_check(make_file(frames=[(4, PAGE)])) == "page range"


def test_decode_refuses_a_page_of_another_length() -> None:
    assert failed_check(make_file(frames=[(2, PAGE[:-1])])) == "page length"
    assert failed_check(make_file(frames=[(2, os.urandom(513))])) == "page compression"


def test_decode_refuses_frame_flags_it_does_not_know() -> None:
    assert failed_check(make_file(frame_flags=0)) == "frame flags"


def test_decode_refuses_a_frame_that_reaches_into_the_index() -> None:
    body = bytearray(make_file())
    body[108:110] = b"\x10\x00"
    assert failed_check(bytes(body)) == "frame size"


def test_decode_refuses_anything_between_frames_and_index() -> None:
    assert failed_check(make_file(end=b"\0\0\0\0\0\1")) == "end of frames"
    assert failed_check(make_file(end=bytes(7))) == "end of frames"


def test_decode_refuses_an_index_that_does_not_match_the_frames() -> None:
    assert failed_check(make_file(index_shift=1)) == "index"


def test_decode_refuses_an_index_larger_than_the_file() -> None:
    assert failed_check(make_file(index_bytes=2**63)) == "index size"


def test_decode_refuses_a_wrong_file_checksum() -> None:
    body = make_file()
    assert failed_check(body[:-1] + bytes([body[-1] ^ 1])) == "file checksum"


def test_decode_refuses_a_snapshot_with_a_page_missing() -> None:
    assert failed_check(make_file(txids=(1, 2), frames=[(1, PAGE), (3, PAGE)])) == "snapshot"


def test_encode_refuses_what_decode_would_refuse() -> None:
    snapshot = LtxHeader(512, 3, TXID(1), TXID(1), 0)
    for header, pages, check in [
        (snapshot, {1: PAGE}, "snapshot"),
        (HEADER, {4: PAGE}, "page range"),
        (HEADER, {0: PAGE}, "page range"),
        (HEADER, {2: PAGE[:-1]}, "page length"),
        (LtxHeader(500, 3, TXID(2), TXID(2), 0), {2: bytes(500)}, "page size"),
        (LtxHeader(512, 3, TXID(3), TXID(2), 0), {2: PAGE}, "TXID order"),
    ]:
        with pytest.raises(CorruptLog) as caught:
            encode(header, pages)
        assert caught.value.details == check


def test_no_file_holds_the_lock_page() -> None:
    lock = lock_page(65536)
    assert lock == 16385
    header = LtxHeader(65536, lock + 1, TXID(2), TXID(2), 0)
    with pytest.raises(CorruptLog, match="lock page"):
        encode(header, {lock: bytes(65536)})
    assert list(decode(encode(header, {lock + 1: bytes(65536)})).pages) == [lock + 1]
    assert (
        failed_check(make_file(page_bytes=65536, database_pages=lock + 1, frames=[(lock, bytes(65536))])) == "lock page"
    )


def test_a_snapshot_over_one_gibibyte_skips_the_lock_page() -> None:
    empty = bytes(65536)
    lock = lock_page(65536)
    header = LtxHeader(65536, lock + 1, TXID(1), TXID(9), 0)
    pages = {number: empty for number in range(1, lock + 2) if number != lock}
    assert len(decode(encode(header, pages)).pages) == lock


def test_object_names_are_hex_of_fixed_width_and_parse_back() -> None:
    assert object_name(1, 0x1F) == "0000000000000001-000000000000001f.ltx"
    assert parse_name("0000000000000001-000000000000001f.ltx") == (1, 31)


@pytest.mark.parametrize(
    "name",
    [
        "0000000000000001-000000000000001F.ltx",
        "0000000000000001-000000000000001f.ltx.tmp",
        "1-2.ltx",
        "0000000000000000-0000000000000001.ltx",
        "0000000000000002-0000000000000001.ltx",
        "marker",
    ],
)
def test_other_names_are_no_log_objects(name: str) -> None:
    assert parse_name(name) is None
