"""Own migrations applied to one vault: each step with its note is one commit. Knows the vault; no tenant, no terminal.

A step runs under the rules for SQL that somebody sent, and every row it changes is in the audit log. One that
switches foreign keys off, to make a table anew, cannot run in an ordinary transaction: it is announced in the audit
log, and its rows are not.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from db.clock import Moment
from db.errors import MigrationFailed, VaultError
from db.own_migrations.folder import OwnMigrations, OwnStep
from db.own_migrations.ledger import due_steps, note_own, record
from db.sql.messages import SqlFailed
from db.sql.session import SqlSession, sql_session
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.guard import Guard
from db.vault.vault import Vault

Names = Callable[[], frozenset[str]]


def apply_next(vault: Vault, brought: OwnMigrations, protected: Names, actor: Actor, now: Moment) -> OwnStep | None:
    """Apply the first step that is due, durably; None when there is none.

    Safe while others do the same: what is due is asked in the transaction itself. Raises MigrationFailed naming step
    and statement; nothing of that step happened then.
    """
    due = vault.read(lambda tx: due_steps(tx, brought)).value
    if not due:
        return None
    step = due[0]
    if step.keys_off:
        return _apply_without_keys(vault, brought, step, protected, actor, now)

    def work(tx: WriteTx) -> OwnStep | None:
        if due_steps(tx, brought)[:1] != (step,):
            return None
        connection, guard = tx.raw
        with sql_session(
            connection, guard, writes=True, protected=protected, is_over=lambda: False, note=tx.note
        ) as session:
            _run_all(session, step)
            if brought.format != "vaultry":
                record(session.run, brought, step, now)
        if brought.format == "vaultry":
            note_own(tx, step, now)
        return step

    try:
        applied = vault.write(work, actor, now).value
    except SqlFailed as exc:
        raise _failed(step, exc) from exc
    # Somebody else was first with it.
    return applied or apply_next(vault, brought, protected, actor, now)


def _apply_without_keys(
    vault: Vault, brought: OwnMigrations, step: OwnStep, protected: Names, actor: Actor, now: Moment
) -> OwnStep | None:
    about: dict[str, Any] = {"migration": step.name, "sha256": step.sha256, "foreign_keys": "off"}
    vault.write(lambda tx: tx.note("sqlite_schema", about), actor, now)

    def work(connection: sqlite3.Connection) -> bool:
        if due_steps(ReadTx(connection), brought)[:1] != (step,):
            return False
        guard = Guard(connection)
        guard.open = False
        with sql_session(connection, guard, writes=True, protected=protected, is_over=lambda: False) as session:
            _run_all(session, step)
            if brought.format != "vaultry":
                record(session.run, brought, step, now)
        guard.open = True
        if brought.format == "vaultry":
            record(connection.execute, brought, step, now)
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken is not None:
            raise MigrationFailed(f"{step.name}: rows of {broken[0]} refer to rows of {broken[2]} that are not there")
        return True

    try:
        did = vault.alter(work, foreign_keys=False)
    except SqlFailed as exc:
        raise _failed(step, exc) from exc
    except sqlite3.Error as exc:
        raise MigrationFailed(f"{step.name}: {exc}") from exc
    return step if did else apply_next(vault, brought, protected, actor, now)


def _run_all(session: SqlSession, step: OwnStep) -> None:
    for number, statement in enumerate(step.statements, 1):
        try:
            session.run(statement)
        except VaultError as exc:
            raise MigrationFailed(f"{step.name}: statement {number}: {exc.message}") from exc


def _failed(step: OwnStep, exc: SqlFailed) -> MigrationFailed:
    return MigrationFailed(f"{step.name}: {exc.message}")
