"""The smallest headers of pictures that say how large they are."""

import struct


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(40)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(40)


def jpeg(width: int, height: int, *, before: bytes = b"") -> bytes:
    """before: segments between the start and the frame."""
    app = b"\xff\xe0" + struct.pack(">H", 16) + bytes(14)
    # A table, a filler and a frame of the progressive kind.
    table = b"\xff\xc4" + struct.pack(">H", 5) + bytes(3) + b"\xff"
    return b"\xff\xd8" + app + before + table + b"\xff\xc2" + struct.pack(">HBHH", 11, 8, height, width) + bytes(40)


def webp(width: int, height: int, kind: bytes) -> bytes:
    """kind: VP8, VP8L or VP8X."""
    bodies = {
        b"VP8X": bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14),
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }
    body = bodies[kind] + bytes(20)
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WEBP" + kind + struct.pack("<I", len(body)) + body
