"""Letting go of the local copies of a closed vault, so that a look at every vault does not fill the disk.

Knows the slots of a cache folder and their locks; not what is in the files.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


def has_copy(root: Path, vault_id: str) -> bool:
    """Whether this disk holds a copy of the vault, in use or not."""
    return any((root / vault_id).glob("*/vault.sqlite"))


def discard_copies(root: Path, vault_id: str) -> None:
    """Remove the vault's copies that no process has open; what was kept of edits by hand stays.

    The folder and its lock stay too: a lock that is removed while somebody takes it protects nothing.
    """
    for lock in (root / vault_id).glob("*/lock"):
        with suppress(FileNotFoundError):
            _discard(lock)


def _discard(lock: Path) -> None:
    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The marker first: without it the rest is nothing to go on with.
        for name in ("marker", "vault.sqlite-wal", "vault.sqlite-shm", "vault.sqlite"):
            lock.with_name(name).unlink(missing_ok=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
