"""Numbered SQL steps applied to a vault: which are due, and applying them one commit each. Knows no charter by name.

A step is `migrations/{set}/NNNN_what_it_does.sql`. Its first line may be `-- foreign_keys: off`, to rebuild a table.
"""

import hashlib
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from db.clock import Moment
from db.errors import MigrationFailed
from db.events import StepApplied, StepFailed, emit
from db.schema.hold import SchemaHold, put_hold, read_hold
from db.sql.splitting import split_statements
from db.vault.freshness import Freshness
from db.vault.vault import Vault

FOLDER = Path(__file__).parents[2] / "migrations"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_KEYS_OFF = "-- foreign_keys: off"
_HAS_LEDGER = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'vaultry_migrations'"
_LEDGER = "SELECT set_name, number, sha256 FROM vaultry_migrations ORDER BY set_name, number"
# The column came with a step of its own.
_HAS_APPLIED_TO = "SELECT 1 FROM pragma_table_info('vaultry_migrations') WHERE name = 'applied_to'"
_APPLIED_TO = "UPDATE vaultry_migrations SET applied_to = ? WHERE set_name = ? AND number = ?"
_RECORD = "INSERT INTO vaultry_migrations (set_name, number, name, sha256, applied_at) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered file. sha256: of its bytes. foreign_keys: False when it asks to have them off."""

    set_name: str
    number: int
    name: str
    sql: str
    sha256: str
    foreign_keys: bool

    def __str__(self) -> str:
        """`choir/0002_roles`."""
        return f"{self.set_name}/{self.number:04d}_{self.name}"


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """The steps of one folder, numbered from 1 without a gap."""

    name: str
    steps: tuple[Step, ...]


@cache
def load_set(name: str, folder: Path = FOLDER) -> MigrationSet:
    """The set `folder/name`. Raises MigrationFailed for a badly named file, a gap, or no such set."""
    steps: list[Step] = []
    for path in sorted((folder / name).glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[1]) != len(steps) + 1:
            wanted = f"{len(steps) + 1:04d}_what_it_does.sql"
            raise MigrationFailed(f"got {name}/{path.name}, wanted {wanted}", code="migration_missing")
        content = path.read_bytes()
        sql = content.decode()
        digest = hashlib.sha256(content).hexdigest()
        steps.append(Step(name, int(match[1]), match[2], sql, digest, not sql.startswith(_KEYS_OFF)))
    if not steps:
        raise MigrationFailed(f"no migration set {name!r}", code="migration_missing")
    return MigrationSet(name, tuple(steps))


def due_steps(ledger: Sequence[tuple[str, int, str]], sets: Sequence[MigrationSet]) -> list[Step]:
    """The steps a vault lacks, in order, from its ledger of (set, number, hash).

    Raises MigrationFailed when the ledger has a step that is edited (migration_edited), missing before a later one
    (migration_missing), or newer than this code (migration_newer).
    """
    due: list[Step] = []
    for migration_set in sets:
        applied = {number: sha256 for name, number, sha256 in ledger if name == migration_set.name}
        newest = max(applied, default=0)
        if newest > len(migration_set.steps):
            raise MigrationFailed(
                f"the vault is at {migration_set.name}/{newest:04d}, this code knows {len(migration_set.steps):04d}",
                code="migration_newer",
                hint="run a release at least as new as the one that migrated the vault",
            )
        for step in migration_set.steps:
            if step.number > newest:
                due.append(step)
            elif step.number not in applied:
                raise MigrationFailed(f"the vault has no record of {step}, but of later ones", code="migration_missing")
            elif applied[step.number] != step.sha256:
                raise MigrationFailed(f"{step} was edited after it ran; add a new step", code="migration_edited")
    return due


def read_ledger(connection: sqlite3.Connection) -> list[tuple[str, int, str]]:
    """The (set, number, hash) of every step the vault has had; empty before the first."""
    if connection.execute(_HAS_LEDGER).fetchone() is None:
        return []
    return [(row[0], row[1], row[2]) for row in connection.execute(_LEDGER)]


def apply_step(connection: sqlite3.Connection, step: Step, now: Moment) -> None:
    """Run the step and its ledger row inside the open transaction. Raises MigrationFailed naming step and reason."""
    try:
        for statement in split_statements(step.sql):
            connection.execute(statement)
            if not connection.in_transaction:
                raise MigrationFailed(f"{step}: ends its transaction, got {statement[:40]!r}; leave that to the engine")
        connection.execute(_RECORD, (step.set_name, step.number, step.name, step.sha256, now.text))
    except sqlite3.Error as exc:
        raise MigrationFailed(f"{step}: {exc}") from exc
    if not step.foreign_keys:
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            rows = ", ".join(f"{row[0]} row {row[1]} -> {row[2]}" for row in broken[:5])
            raise MigrationFailed(f"{step}: {len(broken)} references lead nowhere: {rows}")


def bring_up(
    connection: sqlite3.Connection, sets: Sequence[MigrationSet], now: Moment, hold: SchemaHold | None = None
) -> None:
    """Apply what is due, and `hold` allows, to a database that nobody else sees, each step in a transaction.

    Raises MigrationFailed.
    """
    for step in due_steps(read_ledger(connection), sets):
        if hold is not None and not hold.allows(step.set_name, step.number):
            continue
        connection.execute(f"PRAGMA foreign_keys = {'ON' if step.foreign_keys else 'OFF'}")
        connection.execute("BEGIN")
        apply_step(connection, step, now)
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise MigrationFailed(f"{step}: {exc}") from exc


def steps_to_apply(
    connection: sqlite3.Connection, sets: Sequence[MigrationSet], *, lift_hold: bool = False
) -> list[Step]:
    """The due steps that a hold on the vault allows, or, where it is to be lifted, all. Raises as `due_steps`."""
    due = due_steps(read_ledger(connection), sets)
    hold = None if lift_hold or not due else read_hold(connection)
    return due if hold is None else [step for step in due if hold.allows(step.set_name, step.number)]


def migrate(
    vault: Vault,
    sets: Sequence[MigrationSet],
    now: Moment,
    since: int | None = None,
    *,
    lift_hold: bool = False,
) -> list[Step]:
    """Apply what is due, one durable commit for each step; the steps applied by this call.

    lift_hold: apply also what a hold forbids; the first such step's commit ends it.
    Safe while other processes do the same: who loses the race for a step's commit catches up and finds it applied.
    since: a look that began after this `instant` shows well enough what is due. Raises MigrationFailed; the vault then
    stays at the step before, readable.
    """
    applied: list[Step] = []
    while True:
        looked = Freshness(since=since)
        due = vault.read_raw(lambda found, _: steps_to_apply(found, sets, lift_hold=lift_hold), looked).value
        if not due:
            return applied
        step = due[0]

        def work(connection: sqlite3.Connection, step: Step = step) -> bool:
            if steps_to_apply(connection, sets, lift_hold=lift_hold)[:1] != [step]:
                return False
            if lift_hold:
                put_hold(connection, None)
            apply_step(connection, step, now)
            if connection.execute(_HAS_APPLIED_TO).fetchone() is not None:
                connection.execute(_APPLIED_TO, (vault.bookmark, step.set_name, step.number))
            return True

        try:
            did = vault.alter(work, foreign_keys=step.foreign_keys)
        except (MigrationFailed, sqlite3.Error) as exc:
            # A deferred constraint speaks up at COMMIT only.
            failure = exc if isinstance(exc, MigrationFailed) else MigrationFailed(f"{step}: {exc}")
            emit(StepFailed(vault.id, str(step), failure.message))
            raise failure from exc
        if did:
            emit(StepApplied(vault.id, str(step), vault.head.txid))
            applied.append(step)
