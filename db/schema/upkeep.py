"""The schema of an open vault against the one this process knows: applied, failed or held. Knows steps; not commits."""

import sqlite3
from collections.abc import Callable, Sequence

from db.clock import Moment
from db.errors import MigrationFailed, VaultError
from db.schema.hold import SchemaHold, read_hold
from db.schema.migrate import MigrationSet, Step, due_steps, migrate, read_ledger
from db.vault.freshness import FIRST_UNCONSTRAINED
from db.vault.vault import Vault

_State = tuple[list[tuple[str, int, str]], SchemaHold | None]


class SchemaUpkeep:
    """Keeps one open vault at the steps of its kind, as far as they can and may be applied."""

    def __init__(self, sets: Sequence[MigrationSet], clock: Callable[[], Moment]) -> None:
        self._sets = sets
        self._clock = clock
        self._newest = {known.name: len(known.steps) for known in sets}
        self._seen: _State | None = None

    def settle(self, vault: Vault, since: int | None = None) -> VaultError | None:
        """Apply what is due; the failure, or the hold, for which the vault takes no writes, or None.

        since: as in `Freshness`, for the look at what is due.
        """
        try:
            migrate(vault, self._sets, self._clock(), since)
            refusal = held_refusal(vault, self._sets)
        except MigrationFailed as exc:
            refusal = exc
        self._seen = vault.read_raw(lambda connection, _: _state(connection), FIRST_UNCONSTRAINED).value
        return refusal

    def behind(self, connection: sqlite3.Connection) -> bool:
        """Whether the database lacks a step that this process knows. One that is ahead is not behind."""
        had = {(name, number) for name, number, _ in read_ledger(connection)}
        return any((name, number) not in had for name, number in self._newest.items())

    def changed(self, connection: sqlite3.Connection) -> bool:
        """Whether its steps, or the hold on them, differ from when `settle` looked last."""
        return _state(connection) != self._seen


def held_refusal(vault: Vault, sets: Sequence[MigrationSet]) -> MigrationFailed | None:
    """Why a vault takes no writes whose operator took a step back that these sets have; None when it was not so."""

    def held(connection: sqlite3.Connection) -> MigrationFailed | None:
        due, hold = due_steps(read_ledger(connection), sets), read_hold(connection)
        return None if not due or hold is None else _held_back(due[0], hold)

    return vault.read_raw(lambda connection, _: held(connection), FIRST_UNCONSTRAINED).value


def _held_back(step: Step, hold: SchemaHold) -> MigrationFailed:
    return MigrationFailed(
        f"{step} was taken back at {hold.since} and is held back; this release needs it to write",
        code="migration_held",
        hint="`vaultry fleet roll` applies it again; a release without the step writes at once",
    )


def _state(connection: sqlite3.Connection) -> _State:
    return read_ledger(connection), read_hold(connection)
