"""What a content shows itself to be, against what it is declared as. Knows leading bytes; not files or limits."""

import re
from dataclasses import dataclass

from db.errors import Invalid

# So many leading bytes are looked at.
HEAD_BYTES = 4096
TEXT = "text/plain"
UNKNOWN = "application/octet-stream"
# What clients send that were told no type.
UNDECLARED = frozenset({"", "text/plain;charset=utf-8"})
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_MP3 = re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")
_OFFICE = "application/vnd.openxmlformats-officedocument."


@dataclass(frozen=True, slots=True)
class _Signature:
    """types: media types whose contents begin so, the usual one first. pattern: matched at the first byte."""

    types: tuple[str, ...]
    pattern: re.Pattern[bytes]


def _signature(pattern: bytes, *types: str) -> _Signature:
    return _Signature(types, re.compile(pattern, re.DOTALL))


_SIGNATURES = (
    _signature(rb"%PDF-", "application/pdf"),
    _signature(rb"\x89PNG\r\n\x1a\n", "image/png", "image/apng"),
    _signature(rb"\xff\xd8\xff", "image/jpeg", "image/jpg", "image/pjpeg"),
    _signature(rb"GIF8[79]a", "image/gif"),
    _signature(rb"RIFF....WEBP", "image/webp"),
    _signature(rb"BM.{4}\0\0\0\0", "image/bmp", "image/x-ms-bmp"),
    _signature(rb"II\*\0|MM\0\*", "image/tiff"),
    _signature(rb"....ftyp(avif|avis)", "image/avif"),
    _signature(rb"....ftyp(heic|heix|mif1|msf1)", "image/heic", "image/heif"),
    _signature(rb"....ftyp", "video/mp4", "audio/mp4", "audio/x-m4a", "audio/m4a", "video/quicktime", "video/x-m4v"),
    _signature(rb"\x1aE\xdf\xa3", "video/webm", "audio/webm", "video/x-matroska", "audio/x-matroska"),
    _signature(_MP3.pattern, "audio/mpeg", "audio/mp3"),
    _signature(rb"\xff[\xf0\xf1\xf8\xf9]|ADIF", "audio/aac"),
    _signature(rb"RIFF....WAVE", "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"),
    _signature(rb"fLaC", "audio/flac", "audio/x-flac"),
    _signature(rb"OggS", "audio/ogg", "video/ogg", "application/ogg", "audio/opus"),
    _signature(rb"MThd", "audio/midi", "audio/x-midi", "audio/mid"),
    _signature(
        rb"PK(\x03\x04|\x05\x06)",
        "application/zip",
        "application/x-zip-compressed",
        f"{_OFFICE}wordprocessingml.document",
        f"{_OFFICE}spreadsheetml.sheet",
        f"{_OFFICE}presentationml.presentation",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
        "application/epub+zip",
        "application/vnd.recordare.musicxml",
    ),
    _signature(
        rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
    ),
    _signature(rb"\x1f\x8b", "application/gzip", "application/x-gzip"),
    _signature(rb"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    _signature(rb"SQLite format 3\0", "application/vnd.sqlite3", "application/x-sqlite3"),
)
_TEXTS = ("application/json", "application/xml", "application/javascript", "application/x-ndjson", "image/svg+xml")


def essence(declared: str) -> str:
    """`type/subtype` in lower case, without parameters. Raises Invalid `content_type_invalid`."""
    found = declared.partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(found) or len(declared) > 200 or not declared.isprintable():
        raise Invalid(
            f"got content type {declared[:100]!r}, wanted one such as application/pdf",
            code="content_type_invalid",
            field="content-type",
        )
    return found


def settle_type(declared: str, head: bytes) -> str:
    """The content type to keep: the declared one if the content may be that, the found one if none was declared.

    head: the first 4096 bytes, or all there are. Raises Invalid `content_mismatch` naming both types.
    """
    if declared.replace(" ", "").lower() in UNDECLARED:
        return found_type(head) if head else declared or TEXT
    wanted = essence(declared)
    if not _may_be(wanted, head):
        raise Invalid(
            f"the file is declared {wanted}, its content is {found_type(head)}",
            code="content_mismatch",
            field="content-type",
        )
    return declared.strip()


def found_type(head: bytes) -> str:
    """The type that the leading bytes show; text/plain for text, application/octet-stream for what is not known."""
    known = next((signature for signature in _SIGNATURES if signature.pattern.match(head)), None)
    if known is not None:
        return known.types[0]
    return TEXT if _is_text(head) else UNKNOWN


def is_taken(content_type: str, types: tuple[str, ...]) -> bool:
    """Whether a bucket that takes these types takes this one. types: `type/subtype`, `type/*` or `*/*`; () = all."""
    found = essence(content_type)
    return not types or any(found == known or (known.endswith("/*") and _within(found, known)) for known in types)


def _within(found: str, family: str) -> bool:
    return family == "*/*" or found.startswith(family[:-1])


def _may_be(wanted: str, head: bytes) -> bool:
    signatures = [signature for signature in _SIGNATURES if wanted in signature.types]
    if signatures:
        return any(signature.pattern.match(head) for signature in signatures)
    if wanted.startswith("text/") or wanted in _TEXTS or wanted.endswith(("+json", "+xml")):
        return _is_text(head)
    return True


def _is_text(head: bytes) -> bool:
    """Whether it can be text: UTF-8, as far as it goes, or UTF-16 with its mark; without NUL otherwise."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as exc:
        # A character may be cut off at the end of what is looked at.
        return exc.start > len(head) - 4 and len(head) >= HEAD_BYTES
    return True
