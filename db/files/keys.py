"""Where a vault's files are in the store. Knows keys; not what is in the objects, nor who may read them.

`vaults/{vault id}/files/{object}` holds a content, `vaults/{vault id}/uploads/{upload}/` the parts of an upload that
is not complete. Both stand beside the vault's log, so that whatever removes the vault removes them, and under it alone:
the same content in two vaults is two objects.
"""

from db.stores.base import ObjectStore, StoredObject
from db.vault.opening import check_id


def files_prefix(vault_id: str) -> str:
    """Where the contents of a vault's files are kept."""
    return f"vaults/{check_id(vault_id)}/files/"


def blob_key(vault_id: str, name: str) -> str:
    """The key of one content. name: of the object, as `vaultry_blobs` has it."""
    return files_prefix(vault_id) + name


def uploads_prefix(vault_id: str) -> str:
    """Where the parts of unfinished uploads are kept."""
    return f"vaults/{check_id(vault_id)}/uploads/"


def file_objects(store: ObjectStore, vault_id: str) -> list[StoredObject]:
    """Every object that holds a content of the vault, by key; also those no file refers to any more.

    Raises StoreUnavailable.
    """
    return store.list(files_prefix(vault_id), op="files:list")
