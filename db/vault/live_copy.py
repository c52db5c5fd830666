"""A copy of a vault's local file as it is now, taken while others write. Knows the vault and its log; not SQLite.

The main file changes only when commits that are durable are folded or written into it. So the bytes are copied as they
are found, at whichever moments, and then the commits made meanwhile are applied from the log: every page they touched
gets its last image, and all others never changed.
"""

from pathlib import Path
from shutil import copyfile

from db.errors import Contended
from db.vault.database_file import bring_forward
from db.vault.head import Head
from db.vault.vault import Vault

_ATTEMPTS = 3


def copy_live(vault: Vault, path: Path) -> Head:
    """Copy the vault's own file to `path` and bring it to the newest commit, which is returned.

    Nobody waits for it longer than for one folding of the write-ahead file. Raises Contended when the local copy is
    made anew each time, and as `Vault.read`.
    """
    vault.read_raw(lambda _, head: head)
    for _ in range(_ATTEMPTS):
        before = vault.standing(fold=True)
        copyfile(before.database, path)
        after = vault.standing()
        if after.rebuilds == before.rebuilds:
            if after.head.txid > before.head.txid:
                bring_forward(vault.log, path, before.head.txid, after.head.txid)
            return after.head
    raise Contended("the local copy of the vault was made anew while it was being copied", retry_after_s=1)
