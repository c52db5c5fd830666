"""Width and height of a picture, by its header. Knows PNG, GIF, JPEG and WebP; decodes no picture.

By hand: the libraries that do it read addresses and XML besides, or decode the whole picture; here bytes come in that
anybody may have made.
"""

import struct

# As much of a file as is looked at: what cameras write before the size of a JPEG is far less.
LEADING_BYTES = 1 << 20
# JPEG: markers of a frame's header. Source: ITU-T T.81, table B.1; C4, C8 and CC are of other kinds.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length after them.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


def picture_size(leading: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for what is no picture of the four kinds, or broken, or has no size.

    leading: the first bytes of the file, at least 30 of them where there are so many.
    """
    try:
        found = _size(leading)
    except (struct.error, IndexError):
        return None
    return found if found is not None and min(found) > 0 else None


def _size(leading: bytes) -> tuple[int, int] | None:
    if leading.startswith(b"\x89PNG\r\n\x1a\n") and leading[12:16] == b"IHDR":
        width, height = struct.unpack_from(">II", leading, 16)
        return width, height
    if leading.startswith((b"GIF87a", b"GIF89a")):
        width, height = struct.unpack_from("<HH", leading, 6)
        return width, height
    if leading.startswith(b"\xff\xd8"):
        return _jpeg(leading)
    if leading.startswith(b"RIFF") and leading[8:12] == b"WEBP":
        return _webp(leading)
    return None


def _jpeg(leading: bytes) -> tuple[int, int] | None:
    """From the header of the first frame, past whatever segments come before it."""
    place = 2
    while leading[place] == 0xFF:
        marker = leading[place + 1]
        if marker == 0xFF:  # a filler
            place += 1
        elif marker in _BARE:
            place += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", leading, place + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", leading, place + 2)
            place += 2 + length
    return None


def _webp(leading: bytes) -> tuple[int, int] | None:
    """Source: RFC 9649: 2.5 to 2.7 for the three kinds of a first chunk."""
    kind = leading[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(leading[24:27], "little"), 1 + int.from_bytes(leading[27:30], "little")
    if kind == b"VP8L" and leading[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", leading, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and leading[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", leading, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
