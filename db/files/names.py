"""Names of buckets and files, and the row a name leads to. Knows text; not tables, stores or HTTP."""

import re

from db.errors import Invalid

NAME_BYTES = 1024
# Words that stand in a path where a bucket could stand.
RESERVED = frozenset({"authenticated", "copy", "info", "list", "list-v2", "move", "public", "sign", "upload"})
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,98}[A-Za-z0-9]|[A-Za-z0-9]")


def check_bucket_id(given: object) -> str:
    """The id of a bucket to be made. Raises Invalid `bucket_id_invalid`."""
    if not isinstance(given, str) or not _BUCKET.fullmatch(given) or given in RESERVED:
        raise Invalid(
            f"got bucket {given!r}, wanted 1 to 100 letters, digits, hyphens, dots, underscores and blanks, "
            f"and none of: {', '.join(sorted(RESERVED))}",
            code="bucket_id_invalid",
            field="id",
        )
    return given


def check_name(given: object, field: str = "path") -> str:
    """The name of a file: parts joined by `/`, at most 1024 bytes. Raises Invalid `path_invalid`."""
    if not isinstance(given, str) or not given:
        raise _wrong(given, "a path such as folder/score.pdf", field)
    try:
        size = len(given.encode())
    except UnicodeEncodeError as exc:
        raise _wrong(given, "complete UTF-8", field) from exc
    if size > NAME_BYTES:
        raise Invalid(f"got a path of {size} bytes, the limit is {NAME_BYTES}", code="path_invalid", field=field)
    parts = given.split("/")
    # What is no UTF-8 in an address comes as the sign for it, under which all such names would be one.
    odd = not given.isprintable() or "\\" in given or "\N{REPLACEMENT CHARACTER}" in given
    if odd or "" in parts or "." in parts or ".." in parts:
        raise _wrong(given, "parts joined by '/', none of them empty, '.' or '..', without control characters", field)
    return given


def row_key_of(name: str) -> str:
    """The key of the row that owns a file: the first part of its name. Raises Invalid `path_invalid` without one."""
    key, slash, _ = name.partition("/")
    if not slash:
        raise _wrong(name, "the key of the row that owns the file, a '/', and a name", "path")
    return key


def _wrong(given: object, wanted: str, field: str) -> Invalid:
    return Invalid(f"got path {str(given)[:200]!r}, wanted {wanted}", code="path_invalid", field=field)
