"""Removing a vault for good: every object of its log. Knows ids and keys; not whether anybody may."""

from db.stores.base import ObjectStore
from db.vault.opening import check_id

_PER_CALL = 1000


def remove_vault(store: ObjectStore, vault_id: str) -> int:
    """Remove the log of a vault; how many objects there were.

    Interrupted, some are left: call it again. Nobody may be writing to it. Raises StoreUnavailable.
    """
    keys = [stored.key for stored in store.list(f"vaults/{check_id(vault_id)}/", op="remove:list")]
    # The newest first: whatever opens the rest meanwhile finds an older state, never a log with a hole.
    keys.reverse()
    for start in range(0, len(keys), _PER_CALL):
        store.delete(keys[start : start + _PER_CALL], op="remove:delete")
    return len(keys)
