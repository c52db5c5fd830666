"""Object stores: the protocol, a folder on disk, an S3 bucket. Knows addresses of stores; not what is kept in them."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from db.errors import Invalid
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore


def open_store(url: str, **options: Any) -> ObjectStore:
    """The store at `file:///folder` or `s3://bucket/prefix?endpoint=...&region=...`.

    options: keyword arguments of S3Store, such as access keys, which do not belong into an address. They win over the
    query's. Raises Invalid for another scheme, an incomplete address or an unknown name in the query.
    """
    address = urlsplit(url)
    if address.scheme == "file":
        if address.netloc not in ("", "localhost") or not address.path.strip("/"):
            raise Invalid(f"store address: got {url!r}, wanted file:///an/absolute/folder")
        return DirectoryStore(Path(unquote(address.path)))
    if address.scheme == "s3":
        if not address.netloc:
            raise Invalid(f"store address: got {url!r}, wanted s3://bucket/prefix")
        query: dict[str, Any] = dict(parse_qsl(address.query))
        if unknown := sorted(query.keys() - {"endpoint", "region"}):
            raise Invalid(f"store address: got {', '.join(unknown)} in the query, wanted endpoint and region only")
        # Here and not above: loading obstore lengthens a cold start, and a vault in a folder never needs it.
        from db.stores.s3 import S3Store

        return S3Store(address.netloc, unquote(address.path).strip("/"), **{**query, **options})
    raise Invalid(f"store address: got {url!r}, wanted one that starts with file:// or s3://")
