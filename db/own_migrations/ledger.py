"""Which steps a vault has had, as each tool writes it down. Knows three tables; runs no step."""

from collections.abc import Callable, Sequence
from typing import Final

from db.clock import Moment
from db.errors import Conflict, MigrationFailed
from db.own_migrations.folder import Format, OwnMigrations, OwnStep
from db.transaction import ReadTx, SqlValue, WriteTx

# As wrangler 4 and drizzle-orm 0.4x make them: they must not find another table there.
WRANGLER_TABLE: Final = """CREATE TABLE IF NOT EXISTS d1_migrations(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE,
		applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""
DRIZZLE_TABLE: Final = """CREATE TABLE IF NOT EXISTS "__drizzle_migrations" (
			id SERIAL PRIMARY KEY,
			hash text NOT NULL,
			created_at numeric
		)"""
_HAS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = :name"
_TABLES: Final[dict[Format, str]] = {
    "drizzle": "__drizzle_migrations",
    "vaultry": "vaultry_own_steps",
    "wrangler": "d1_migrations",
}
Run = Callable[[str, Sequence[SqlValue]], object]


def format_of(tx: ReadTx) -> Format:
    """How files without a journal are noted here: as those before them, or else as wrangler does."""
    has_own = _has(tx, "vaultry") and tx.value("SELECT 1 FROM vaultry_own_steps") is not None
    return "vaultry" if has_own and not _has(tx, "wrangler") else "wrangler"


def due_steps(tx: ReadTx, brought: OwnMigrations) -> tuple[OwnStep, ...]:
    """The steps that the vault lacks, in order.

    Raises MigrationFailed for a step that was edited after it ran (migration_edited), or that comes before one that
    ran (migration_missing), where the tool's table can tell; Conflict (charter_declares) for our own files in a vault
    that keeps no record of them.
    """
    if not _has(tx, brought.format):
        if brought.format == "vaultry":
            raise Conflict("only a blank vault keeps a record of numbered files; use --format", code="charter_declares")
        return brought.steps
    match brought.format:
        case "wrangler":
            names = {row[0] for row in tx.rows("SELECT name FROM main.d1_migrations")}
            return tuple(step for step in brought.steps if step.name not in names)
        case "drizzle":
            rows = tx.rows("SELECT CAST(created_at AS INTEGER), hash FROM main.__drizzle_migrations")
        case "vaultry":
            rows = tx.rows("SELECT number, sha256 FROM vaultry_own_steps")
    return _judged(brought, {row[0]: row[1] for row in rows})


def record(run: Run, brought: OwnMigrations, step: OwnStep, now: Moment) -> None:
    """Note the step in the vault. run: runs a statement with its values, by place."""
    match brought.format:
        case "wrangler":
            run(WRANGLER_TABLE, ())
            run("INSERT INTO d1_migrations (name) VALUES (?)", (step.name,))
        case "drizzle":
            run(DRIZZLE_TABLE, ())
            run('INSERT INTO __drizzle_migrations ("hash", "created_at") VALUES (?, ?)', (step.sha256, step.number))
        case "vaultry":
            values = (step.number, step.name, step.sha256, now.text)
            run("INSERT INTO vaultry_own_steps (number, name, sha256, applied_at) VALUES (?, ?, ?, ?)", values)


def note_own(tx: WriteTx, step: OwnStep, now: Moment) -> None:
    """As `record`, of our own files in an audited transaction: raw SQL may not write there."""
    values: dict[str, SqlValue] = {"number": step.number, "name": step.name, "sha256": step.sha256}
    tx.insert("vaultry_own_steps", **values, applied_at=now.text)


def _judged(brought: OwnMigrations, applied: dict[int, str]) -> tuple[OwnStep, ...]:
    """The steps behind the newest that ran; all before must have run as they are."""
    newest = max(applied, default=-1)
    for step in brought.steps:
        if step.number > newest:
            continue
        if step.number not in applied:
            raise MigrationFailed(
                f"{step.name} has not run here, but a later one has",
                code="migration_missing",
                hint="give it a new number",
            )
        if applied[step.number] != step.sha256:
            raise MigrationFailed(f"{step.name} was edited after it ran; add a new step", code="migration_edited")
    return tuple(step for step in brought.steps if step.number > newest)


def _has(tx: ReadTx, how: Format) -> bool:
    return tx.value(_HAS, name=_TABLES[how]) is not None
