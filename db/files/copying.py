"""Contents for a vault that begins as a copy of another. Knows two vaults' folders; not how the copy came about."""

from pathlib import Path

from db.clock import Moment
from db.files.keys import blob_key
from db.files.ledger import Blob, forget_unreferred, keeps_files
from db.log.fetch import fetch_range
from db.stores.base import ObjectExists, ObjectMissing, ObjectStore
from db.transaction import Actor, ReadTx
from db.vault.vault import Vault

_BLOBS = "SELECT sha256, size, object FROM vaultry_blobs"


def copy_contents(store: ObjectStore, source_id: str, vault: Vault, actor: Actor, now: Moment) -> int:
    """Give the vault its own object of every content its files have; how many.

    Interrupted, call it again. A content that its source has lost stays lost. Raises StoreUnavailable.
    """
    if not vault.read(_has_any).value:
        return 0
    vault.write(forget_unreferred, actor, now)
    blobs = vault.read(_wanted).value
    with vault.scratch() as folder:
        return sum(_copy(store, source_id, vault.id, blob, folder / "content", now) for blob in blobs)


def _has_any(tx: ReadTx) -> bool:
    return keeps_files(tx) and tx.value("SELECT 1 FROM vaultry_blobs LIMIT 1") is not None


def _wanted(tx: ReadTx) -> list[Blob]:
    return [Blob(*row) for row in tx.rows(_BLOBS)]


def _copy(store: ObjectStore, source_id: str, target_id: str, blob: Blob, path: Path, now: Moment) -> bool:
    key = blob_key(target_id, blob.object)
    if store.exists(key, op="files:look"):
        return True
    try:
        with path.open("wb") as file:
            for chunk in fetch_range(store, blob_key(source_id, blob.object), 0, blob.size):
                file.write(chunk)
        store.put(key, path, timestamp_ms=now.ms, op="files:copy")
    except ObjectMissing:
        return False
    except ObjectExists:
        pass
    return True
