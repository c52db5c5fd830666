"""Whether the store has what the vault's files are made of. Reads names and lengths, never a byte of a content."""

from dataclasses import dataclass

from db.clock import Moment
from db.files.keys import blob_key, file_objects
from db.files.ledger import knows_object
from db.log.retention import DAY_MS
from db.stores.base import ObjectStore
from db.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class ContentCheck:
    """contents: that the vault keeps. lost: without an object, or with one of another length. unknown: objects older
    than a day of which no row knows; the job `files` removes those."""

    contents: int
    lost: int
    unknown: int


def check_contents(store: ObjectStore, vault: Vault, now: Moment) -> ContentCheck:
    """What is kept against what is there. Raises StoreUnavailable."""
    # Read before the store is listed: an object is put before its row is committed.
    rows = vault.read(lambda tx: tx.rows("SELECT object, size FROM vaultry_blobs")).value
    kept = {blob_key(vault.id, row["object"]): (str(row["object"]), int(row["size"])) for row in rows}
    listed = {found.key: found for found in file_objects(store, vault.id)}
    missed = [name for key, (name, size) in kept.items() if key not in listed or listed[key].size != size]
    # What was forgotten between the two looks is no loss.
    lost = sum(_is_kept(vault, name) for name in missed)
    limit_ms = now.ms - DAY_MS
    unknown = sum(key not in kept and found.modified_ms < limit_ms for key, found in listed.items())
    return ContentCheck(len(kept), lost, unknown)


def _is_kept(vault: Vault, name: str) -> bool:
    return vault.read(lambda tx: knows_object(tx, name)).value
