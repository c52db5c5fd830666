"""Erasing one vault from store and disk: what there is, and how it goes. Knows objects and files; no registry.

Every step may be interrupted and run again. Nothing outside the vault's own folders is looked at.
"""

import fcntl
import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.clock import Moment
from db.errors import CorruptLog, NotFound, Unavailable
from db.log.bookmark import bookmark_of
from db.log.commit_log import COMMIT_LEVEL, RANGE_LEVEL, SNAPSHOT_LEVEL, CommitLog, LogObject
from db.log.removal import remove_vault
from db.personal import REDACTED_COLUMNS, destroy_data_key
from db.stores.base import ObjectMissing
from db.transaction import Actor, ReadTx
from db.vault.opening import Kind, Site, check_id, open_vault

_LEVELS = {SNAPSHOT_LEVEL: "snapshots", RANGE_LEVEL: "ranges", COMMIT_LEVEL: "commits"}
_LOCK = "lock"
# Without sets no step is applied to a vault that is about to go.
_AS_IT_IS = Kind((), REDACTED_COLUMNS)
_KEYS = "SELECT id, destroyed_at FROM vaultry_personal_keys ORDER BY created_at, id"


@dataclass(slots=True)
class Copies:
    """Local copies on this machine. in_use: held open by a process, and so left alone."""

    removed: int = 0
    in_use: int = 0


def count_objects(site: Site, vault_id: str) -> dict[str, Any]:
    """What the store holds of the vault: objects and bytes by kind, the first and the last bookmark."""
    log = CommitLog(site.store, check_id(vault_id))
    found = log.list_all()
    counts = {name: {"objects": 0, "bytes": 0} for name in (*_LEVELS.values(), "other")}
    keys: set[str] = set()
    for known in found:
        keys.add(known.key)
        _count(counts[_LEVELS[known.level]], known.size)
    for stored in site.store.list(f"vaults/{vault_id}/", op="erase:list"):
        if stored.key not in keys:
            _count(counts["other"], stored.size)
    ends = sorted(found, key=lambda known: known.max_txid)
    return {
        "store": counts,
        "first_bookmark": _bookmark(log, ends[:1]),
        "last_bookmark": _bookmark(log, ends[-1:]),
    }


def data_keys(site: Site, vault_id: str) -> list[dict[str, str]]:
    """Digests of the ids of its data keys, and whether they were destroyed before; none if it is unreadable."""
    try:
        vault = open_vault(site, vault_id, _AS_IT_IS)
    except (NotFound, CorruptLog):
        return []
    try:
        rows = vault.read(_keys).value
    finally:
        vault.close()
    return [{"id_sha256": hashlib.sha256(key.encode()).hexdigest(), "state": state} for key, state in rows]


def destroy_key(site: Site, vault_id: str, actor: Actor, now: Moment) -> bool:
    """Destroy the data key by a commit, so that whoever still has the vault open loses it as well.

    False when the vault cannot be opened any more: its objects, and the wrapped key in them, are going already.
    """
    try:
        vault = open_vault(site, vault_id, _AS_IT_IS)
    except (NotFound, CorruptLog):
        return False
    try:
        if vault.read(_keys).value:
            vault.write(lambda tx: destroy_data_key(tx, now), actor, now)
    finally:
        vault.close()
    return True


def remove_objects(site: Site, vault_id: str) -> int:
    """Remove every object of the vault, files included, until a listing shows none; how many there were.

    Somebody who had the vault open may have added one meanwhile. Raises Unavailable when that does not end.
    """
    removed = 0
    for _ in range(10):
        found = remove_vault(site.store, vault_id)
        if not found:
            return removed
        removed += found
    raise Unavailable(f"somebody goes on writing to vault {vault_id}; stop that process", retry_after_s=60)


def remove_copies(root: Path, vault_id: str) -> Copies:
    """Remove the vault's files on this machine, edits that were kept aside included, but for the locks themselves.

    A lock that is removed while somebody takes it protects nothing.
    """
    copies = Copies()
    for lock in (root / check_id(vault_id)).glob(f"*/{_LOCK}"):
        with suppress(FileNotFoundError):
            _remove_slot(lock, copies)
    return copies


def _remove_slot(lock: Path, copies: Copies) -> None:
    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        copies.in_use += 1
    else:
        held = [path for path in lock.parent.iterdir() if path.name != _LOCK]
        for path in held:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        copies.removed += bool(held)
    finally:
        os.close(descriptor)


def _keys(tx: ReadTx) -> list[tuple[str, str]]:
    if tx.value("SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_personal_keys'") is None:
        return []
    return [(row["id"], "destroyed" if row["destroyed_at"] is None else "destroyed before") for row in tx.rows(_KEYS)]


def _count(kind: dict[str, int], size: int) -> None:
    kind["objects"] += 1
    kind["bytes"] += size


def _bookmark(log: CommitLog, ends: list[LogObject]) -> str | None:
    for known in ends:
        with suppress(ObjectMissing, CorruptLog):
            header = log.header(known)
            return str(bookmark_of(log.vault_id, header.max_txid, header.node_id))
    return None
