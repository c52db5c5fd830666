"""LTX files for tests: any that may be, and ones with a wrong part, written out plainly apart from the encoder."""

import struct
from collections.abc import Sequence
from random import Random

import lz4.block
from fastcrc.crc64 import go_iso
from hypothesis import strategies as st

from db.log.ltx import TXID, LtxFile, LtxHeader, lock_page

PAGE = b"vault".ljust(512, b"\0")
HEADER = LtxHeader(512, 3, TXID(2), TXID(2), 1_777_000_000_123, 0x0102030405060708)


def make_file(
    *,
    magic: bytes = b"LTX1",
    flags: int = 2,
    page_bytes: int = 512,
    database_pages: int = 3,
    txids: tuple[int, int] = (2, 2),
    before: int = 0,
    frames: Sequence[tuple[int, bytes]] = ((2, PAGE),),
    frame_flags: int = 1,
    end: bytes = bytes(6),
    index_shift: int = 0,
    index_bytes: int | None = None,
    after: int = 0,
) -> bytes:
    """A file with a right checksum and, if asked for, one wrong part: written out plainly, apart from the encoder."""
    head = struct.pack(">4sIIIQQQQ", magic, flags, page_bytes, database_pages, *txids, HEADER.timestamp_ms, before)
    head += bytes(24) + struct.pack(">Q", HEADER.node_id) + bytes(20)
    stored, hashed, index = head, head, b""
    for number, page in frames:
        block = lz4.block.compress(page, store_size=False)
        frame = struct.pack(">IHI", number, frame_flags, len(block))
        for value in (number, len(stored) + index_shift, len(frame) + len(block)):
            index += varint(value)
        stored += frame + block
        hashed += frame + page
    index += b"\0"
    tail = end + index + struct.pack(">QQ", len(index) if index_bytes is None else index_bytes, after)
    return stored + tail + struct.pack(">Q", go_iso(hashed + tail) | 1 << 63)


def varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([low])


@st.composite
def files(draw: st.DrawFn) -> LtxFile:
    page_bytes = 1 << draw(st.integers(9, 16))
    low = draw(st.integers(1, 2**63))
    database_pages = draw(st.integers(1, 4 if low == 1 else 2**32 - 2))
    if low == 1:
        numbers = set(range(1, database_pages + 1))
    else:
        in_database = st.integers(1, database_pages).filter(lambda number: number != lock_page(page_bytes))
        numbers = draw(st.sets(in_database, max_size=5))
    noise = Random(draw(st.integers(0, 9))).randbytes(page_bytes)
    fill = st.binary(max_size=64).map(lambda start: start.ljust(page_bytes, b"\0")) | st.just(noise)
    header = LtxHeader(
        page_bytes,
        database_pages,
        TXID(low),
        TXID(draw(st.integers(low, 2**64 - 1))),
        draw(st.integers(0, 2**62)),
        draw(st.integers(0, 2**64 - 1)),
    )
    return LtxFile(header, {number: draw(fill) for number in sorted(numbers)})
