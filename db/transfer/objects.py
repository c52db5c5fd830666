"""Where the files of imports and exports are in the store: beside the vault's log, so that they go with the vault."""

import hashlib
from collections.abc import Iterator

from db.errors import Invalid
from db.log.fetch import fetch_range
from db.stores.base import ObjectStore, StoredObject
from db.vault.opening import check_id


def jobs_prefix(vault_id: str) -> str:
    """Where they are kept."""
    return f"vaults/{check_id(vault_id)}/jobs/"


def job_key(vault_id: str, filename: str) -> str:
    """The key of one of them."""
    return jobs_prefix(vault_id) + filename


def stored_size(store: ObjectStore, vault_id: str, filename: str) -> int | None:
    """Bytes of the object, or None when there is none. Raises StoreUnavailable."""
    found = next((known for known in job_objects(store, vault_id) if known.key == job_key(vault_id, filename)), None)
    return None if found is None else found.size


def job_objects(store: ObjectStore, vault_id: str) -> list[StoredObject]:
    """All of them, by key. Raises StoreUnavailable."""
    return store.list(jobs_prefix(vault_id), op="jobs:list")


def read_object(store: ObjectStore, vault_id: str, filename: str, size: int) -> Iterator[bytes]:
    """The object in pieces of at most a megabyte. Raises StoreUnavailable, ObjectMissing."""
    return fetch_range(store, job_key(vault_id, filename), 0, size)


def checked(pieces: Iterator[bytes], etag: str) -> Iterator[bytes]:
    """The same pieces. Raises Invalid at their end when they are not the file of this MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != etag:
        raise Invalid(f"got a file of MD5 {digest.hexdigest()}, wanted {etag}", code="etag_differs")
