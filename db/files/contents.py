"""Contents between the store and the vault's ledger: stored once, then referred to. Knows objects; not names or rights.

A content goes to the store under a new name before the commit that refers to it. Killed in between, it is an object
that no row knows, which the job `files` removes after a day; nothing else ever sees it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TypeVar

from db.clock import Moment
from db.errors import StoreUnavailable, VaultError
from db.files.keys import blob_key
from db.files.ledger import Blob, BlobGone, adopt, find_blob, knows_object, share
from db.files.spool import Spool
from db.log.fetch import CutShort, fetch_range
from db.stores.base import ObjectExists, ObjectMissing, ObjectStore, OutcomeUnknown
from db.transaction import WriteTx
from db.vault.vault import Vault

T = TypeVar("T")
# Takes the transaction and gives it the content its file refers to; done before anything else is written.
Adopt = Callable[[WriteTx], Blob]
_ATTEMPTS = 3


def keep_content(store: ObjectStore, vault: Vault, spool: Spool, now: Moment, commit: Callable[[Adopt], T]) -> T:
    """Store a content and commit what refers to it: `commit` writes the file with the blob that its `Adopt` gives.

    What `commit` returned. Raises what it raises, StoreUnavailable.
    """
    for _ in range(_ATTEMPTS):
        known = vault.read(lambda tx: find_blob(tx, spool.sha256)).value
        if known is not None and store.exists(blob_key(vault.id, known.object), op="files:look"):
            with suppress(BlobGone):
                return commit(partial(_shared, known))
            continue
        stored = Blob(spool.sha256, spool.size, now.new_id())
        put_content(store, vault.id, stored.object, spool, now)
        return keep_stored(store, vault, stored, now, commit)
    raise StoreUnavailable("the content changed its place again and again; try again", retry_after_s=1)


def _shared(blob: Blob, tx: WriteTx) -> Blob:
    return share(tx, blob)


def keep_stored(store: ObjectStore, vault: Vault, stored: Blob, now: Moment, commit: Callable[[Adopt], T]) -> T:
    """Commit what refers to a content that is in the store already; its object goes if nothing came to refer to it.

    Raises what `commit` raises.
    """
    known = vault.read(lambda tx: find_blob(tx, stored.sha256)).value
    there = known is None or store.exists(blob_key(vault.id, known.object), op="files:look")
    lost = None if known is None or there else known.object
    try:
        return commit(lambda tx: adopt(tx, stored, lost, now))
    finally:
        # Killed here, or unable to look, it leaves the object to the job.
        with suppress(VaultError):
            if not vault.read(lambda tx: knows_object(tx, stored.object)).value:
                store.delete([blob_key(vault.id, stored.object)], op="files:discard")


def put_content(store: ObjectStore, vault_id: str, name: str, spool: Spool, now: Moment) -> None:
    """Put a spooled content under a new name. Raises StoreUnavailable, TooLarge."""
    key = blob_key(vault_id, name)
    try:
        store.put(key, spool.path, timestamp_ms=now.ms, op="files:put")
    except (OutcomeUnknown, ObjectExists) as exc:
        # Nobody else uses the name: if the object is there, it is ours, and whole.
        if not store.exists(key, op="files:look"):
            raise StoreUnavailable(f"files:put: {exc.message}", retry_after_s=1) from exc


def read_content(store: ObjectStore, vault_id: str, name: str, start: int, count: int) -> Iterator[bytes]:
    """That part of a content, in chunks of at most a megabyte, fetched ahead.

    Raises VaultError `file_corrupt` at once when the object is not there or too short, StoreUnavailable also later.
    """
    chunks = fetch_range(store, blob_key(vault_id, name), start, count)
    try:
        first = next(chunks, b"")
    except ObjectMissing as exc:
        raise VaultError(f"files: object {name} of vault {vault_id} is gone", code="file_corrupt") from exc
    except CutShort as exc:
        raise VaultError(f"files: object {name} of vault {vault_id} is cut short", code="file_corrupt") from exc
    return _after(first, chunks)


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
