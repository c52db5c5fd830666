"""The address of the store, `file:` or `s3:`, taken apart. Knows the two forms; opens nothing."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from db.errors import Invalid

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FORMS = "file:./folder, file:///absolute/folder or s3://bucket/prefix?region=...&endpoint=..."


def store_folder(store: str) -> Path | None:
    """The folder of a `file:` address, or None for an S3 one. Raises Invalid for a file address with a host."""
    if not store.startswith("file:"):
        return None
    parts = urlsplit(store)
    if parts.netloc or parts.query or parts.fragment or not parts.path:
        raise _wrong(store)
    return Path(unquote(parts.path))


def store_bucket(store: str, setting: str = "VAULTRY_STORE") -> tuple[str, str] | None:
    """Bucket and prefix of an `s3:` address, or None for a directory. Raises Invalid for any other form."""
    if store.startswith("file:"):
        return None
    address, _, query = store.partition("?")
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not address.startswith("s3://") or not _BUCKET.fullmatch(bucket) or re.search(r"#|//", prefix):
        raise _wrong(store, setting)
    if not dict(parse_qsl(query, keep_blank_values=True)).keys() <= {"endpoint", "region"}:
        raise _wrong(store, setting)
    return bucket, prefix


def store_endpoint(store: str) -> str:
    """The endpoint an `s3:` address names in its query, or '': Amazon's own, or no S3 store."""
    return "" if store.startswith("file:") else dict(parse_qsl(store.partition("?")[2])).get("endpoint", "")


def _wrong(store: str, setting: str = "VAULTRY_STORE") -> Invalid:
    return Invalid(f"{setting}: got {store!r}, wanted {_FORMS}", code="setting_invalid", field=setting)
