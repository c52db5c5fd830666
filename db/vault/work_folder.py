"""A folder to work in that leaves nothing behind, even if its process is killed. Knows files; not what is in them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = "lock"


@contextmanager
def work_folder(root: Path) -> Generator[Path]:
    """A new folder below `root`, private and absolute, removed with the block.

    Whoever works holds a lock in his folder; one that nobody holds was left by a killed process and is removed now.
    """
    root = root.resolve()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    gate = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Between the making of a folder and the taking of its lock nobody else may look.
        fcntl.flock(gate, fcntl.LOCK_EX)
        _sweep(root)
        folder = Path(tempfile.mkdtemp(dir=root))
        held = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(gate)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _sweep(root: Path) -> None:
    for folder in root.iterdir():
        if not folder.is_dir():
            continue
        try:
            held = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            # Its owner is removing it, or was killed before there was a lock: the gate lets nobody be in between.
            shutil.rmtree(folder, ignore_errors=True)
            continue
        try:
            with suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)
