"""Removing contents nothing can need any more, and uploads nobody goes on with. Knows ages; not names or rights.

A content without a file is noted, and forgotten when the note is older than any point in time that can be restored:
the commits before the note may refer to it, those after do not, or they would have taken it back. Only what is
forgotten, or was never known, is removed from the store, and only when it is older than any upload can be.
"""

from dataclasses import dataclass

from db.clock import Moment
from db.files.keys import blob_key, file_objects, uploads_prefix
from db.files.ledger import known_objects, release, release_is_due
from db.log.retention import DAY_MS
from db.stores.base import ObjectStore
from db.transaction import Actor
from db.vault.vault import Vault

# No upload may take longer, from its first byte in the store to its commit.
UPLOAD_SECONDS = 86400
_PER_CALL = 1_000


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed. forgotten: contents. objects: of the store. uploads: objects of unfinished ones."""

    forgotten: int
    objects: int
    uploads: int


def collect(store: ObjectStore, vault: Vault, actor: Actor, points_days: int, now: Moment) -> Collected:
    """Remove what is due; safe beside uploads, restores and itself, and killed anywhere it goes on the next time."""
    # A day more: the restore that ends at this moment began with an older look.
    before = now.later(seconds=-(points_days + 1) * 86400)
    forgotten = 0
    if vault.read(lambda tx: release_is_due(tx, before)).value:
        forgotten = vault.write(lambda tx: release(tx, before, now), actor, now).value
    return Collected(forgotten, _remove_unknown(store, vault, now), _remove_stale_uploads(store, vault.id, now))


def _remove_unknown(store: ObjectStore, vault: Vault, now: Moment) -> int:
    """Remove the old objects that no row knows."""
    # Listed before the rows are read: whoever commits meanwhile put his object less than a day ago.
    limit_ms = now.ms - DAY_MS
    old = [found.key for found in file_objects(store, vault.id) if found.modified_ms < limit_ms]
    if not old:
        return 0
    known = {blob_key(vault.id, name) for name in vault.read(known_objects).value}
    return _delete(store, [key for key in old if key not in known])


def _remove_stale_uploads(store: ObjectStore, vault_id: str, now: Moment) -> int:
    """Remove the objects of uploads that began more than a day ago and of which nothing came since an hour."""
    prefix = uploads_prefix(vault_id)
    newest: dict[str, int] = {}
    listed = store.list(prefix, op="uploads:list")
    for found in listed:
        upload = found.key.removeprefix(prefix).partition("/")[0]
        newest[upload] = max(newest.get(upload, 0), found.modified_ms)
    limit_ms = now.ms - DAY_MS - _GRACE_MS
    stale = {upload for upload, modified_ms in newest.items() if modified_ms < limit_ms}
    return _delete(store, [f.key for f in listed if f.key.removeprefix(prefix).partition("/")[0] in stale])


# What came in the last moment of an upload's day is still being put together.
_GRACE_MS = 3600 * 1000


def _delete(store: ObjectStore, keys: list[str]) -> int:
    for start in range(0, len(keys), _PER_CALL):
        store.delete(keys[start : start + _PER_CALL], op="files:delete")
    return len(keys)
