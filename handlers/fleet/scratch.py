"""Scratch space of one run: a cache folder of its own, and vaults that are in no directory. Knows no migration.

A run holds a lock for as long as it lives. What it leaves when it is killed is therefore known at once on the same
machine, and after an hour anywhere else.
"""

import fcntl
import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from db.clock import Moment
from db.errors import VaultError
from db.log.removal import remove_vault
from db.registry.scratch_vaults import (
    Purpose,
    abandoned_scratch,
    list_scratch,
    listed_scratch,
    scratch_of_run,
    scratch_runs,
    strike_scratch,
    take_over_scratch,
)
from db.transaction import Actor
from db.vault.opening import Site
from handlers.services import Services

# No vault id begins with a dot, so the folder is in nobody's way among the local copies.
_FOLDER = ".runs"
_PER_COMMIT = 100
_SWEEPER = Actor("scratch.sweep", "job", "", "scratch.sweep")


@dataclass(frozen=True, slots=True)
class Run:
    """One run. site: with the run's own cache folder, which goes with it."""

    id: str
    site: Site

    def forget_copy(self, vault_id: str) -> None:
        """Remove the local copy of a vault that is closed."""
        shutil.rmtree(self.site.cache / vault_id, ignore_errors=True)


@contextmanager
def scratch_run(services: Services) -> Generator[Run]:
    """A run with an empty cache folder; what dead runs left is removed first."""
    sweep_scratch(services)
    run_id = services.clock().new_id()
    folder = _runs(services) / run_id
    lock = _lock_new(folder)
    try:
        yield Run(run_id, replace(services.site, cache=folder / "cache"))
    finally:
        shutil.rmtree(folder / "cache", ignore_errors=True)
        # What it could not remove is left to the next run, which knows by the folder that this one is dead.
        with suppress(VaultError):
            if not services.registry_read(partial(scratch_of_run, run_id=run_id), current=True):
                shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def list_before_making(services: Services, run: Run, purpose: Purpose, vault_ids: Sequence[str], actor: Actor) -> None:
    """Note vaults in the registry that the run is about to make, in one commit."""
    now = services.clock()
    note = partial(list_scratch, run_id=run.id, purpose=purpose, vault_ids=vault_ids, now=now)
    services.registry_write(note, actor, now)


def drop_scratch(services: Services, vault_ids: Sequence[str], actor: Actor) -> int:
    """Remove the logs of those that are still listed, and strike them, in one commit; how many objects there were.

    A vault that entered the directory is not listed any more, and stays.
    """
    listed = services.registry_read(partial(listed_scratch, vault_ids=vault_ids), current=True) if vault_ids else []
    objects = sum(remove_vault(services.site.store, vault_id) for vault_id in listed)
    if listed:
        services.registry_write(partial(strike_scratch, vault_ids=listed), actor, services.clock())
    return objects


def sweep_scratch(services: Services, now: Moment | None = None) -> int:
    """Remove what runs that are dead left behind; how many vaults it was. Safe twice at once."""
    swept = 0
    for run_id in services.registry_read(scratch_runs, current=True):
        lock = _lock_dead(_runs(services) / run_id)
        if lock is not None:
            swept += _drop_all(services, services.registry_read(partial(scratch_of_run, run_id=run_id)))
            shutil.rmtree(_runs(services) / run_id, ignore_errors=True)
            os.close(lock)
    moment = now or services.clock()
    old = services.registry_read(lambda tx: abandoned_scratch(tx, moment, _PER_COMMIT))
    if old:
        # Before anything is removed: a process that was only slow must not enter them in the directory now.
        services.registry_write(partial(take_over_scratch, vault_ids=old), _SWEEPER, services.clock())
    swept += _drop_all(services, old)
    _remove_dead_folders(_runs(services))
    return swept


def _drop_all(services: Services, vault_ids: Sequence[str]) -> int:
    for start in range(0, len(vault_ids), _PER_COMMIT):
        drop_scratch(services, vault_ids[start : start + _PER_COMMIT], _SWEEPER)
    return len(vault_ids)


def _runs(services: Services) -> Path:
    return services.settings.cache / _FOLDER


def _remove_dead_folders(runs: Path) -> None:
    """Remove the folders of dead runs that listed no vault."""
    with suppress(FileNotFoundError):
        for folder in list(runs.iterdir()):
            lock = _lock_dead(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock_new(folder: Path) -> int:
    """The lock of a new run's folder. Somebody who sweeps may have taken the folder for a dead one's: begin again."""
    while True:
        with suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if (folder / "lock").stat().st_ino == os.fstat(lock).st_ino:
                    return lock
            os.close(lock)


def _lock_dead(folder: Path) -> int | None:
    """The lock of a run that ended without removing its folder; None when it lives, or is not of this machine."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
