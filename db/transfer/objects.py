"""Where the files of imports and exports are in the store.

What an export made is beside the vault's log, so that it goes with the vault. What is to be imported has a folder of
its own: there alone may S3 take in what clients put, which comes without a condition and must replace no commit.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from db.errors import Invalid
from db.log.fetch import fetch_range
from db.stores.base import ObjectStore, StoredObject
from db.vault.opening import check_id

IMPORTS: Final = "imports/"


def import_key(vault_id: str, filename: str) -> str:
    """The key of a file that is to be imported into this vault."""
    return f"{IMPORTS}{check_id(vault_id)}/{filename}"


def export_key(vault_id: str, filename: str) -> str:
    """The key of an export of this vault."""
    return f"vaults/{check_id(vault_id)}/jobs/{filename}"


def stored_size(store: ObjectStore, key: str) -> int | None:
    """Bytes of the object, or None when there is none. Raises StoreUnavailable."""
    beside = store.list(f"{key.rpartition('/')[0]}/", op="jobs:list")
    return next((known.size for known in beside if known.key == key), None)


def uploads(store: ObjectStore) -> list[StoredObject]:
    """All files that are to be imported, or were. Raises StoreUnavailable."""
    return store.list(IMPORTS, op="jobs:list")


def read_object(store: ObjectStore, key: str, size: int) -> Iterator[bytes]:
    """The object in pieces of at most a megabyte. Raises StoreUnavailable, ObjectMissing."""
    return fetch_range(store, key, 0, size)


def checked(pieces: Iterator[bytes], etag: str) -> Iterator[bytes]:
    """The same pieces. Raises Invalid at their end when they are not the file of this MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != etag:
        raise Invalid(f"got a file of MD5 {digest.hexdigest()}, wanted {etag}", code="etag_differs")
