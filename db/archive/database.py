"""The database of an archive: made to leave one platform, and to live on another. Knows files, keys and the kernel's
tables; no charter, no zip, no signature.

On the way out everything goes that only its platform can use or must not leave: the wrapped data key, answers kept for
repeated requests, messages not yet delivered. On the way in the vault gets an origin, a data key and an audit chain of
its own.
"""

import sqlite3
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db.audit.imported import NOTE, seal_section
from db.audit.trail import AuditTrail, verify_chain
from db.clock import Moment
from db.errors import Invalid
from db.files.ledger import carry_ledger
from db.json_sql import identifier
from db.keyring import KeyRing
from db.personal import PersonalCipher, ensure_data_key, key_context, load_cipher
from db.schema.hold import read_hold
from db.schema.migrate import MigrationSet, bring_up
from db.sql_functions import register_functions
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.new_file import mark_rollback
from db.vault.opening import audit_key, read_audit_key

Personal = Mapping[str, Collection[str]]
Work = Callable[[], object]
_LOOKUP = "_lookup"
_KEYS = "SELECT id, wrapped_key, created_at, destroyed_at FROM main.vaultry_personal_keys ORDER BY created_at, id"
_TABLES = """
SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
 ORDER BY name
"""
_ORIGIN = "UPDATE vaultry_settings SET value = ?, updated_at = ? WHERE key = 'origin'"


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key on its way. key: 32 bytes, None = destroyed."""

    id: str
    key: bytes | None
    created_at: str
    destroyed_at: str | None


def read_keys(connection: sqlite3.Connection, keyring: KeyRing) -> list[DataKey]:
    """The data keys of a database, unwrapped. Raises VaultError `misconfigured` under another platform secret."""
    return [
        DataKey(key_id, keyring.unwrap(wrapped, key_context(key_id)) if destroyed is None else None, created, destroyed)
        for key_id, wrapped, created, destroyed in connection.execute(_KEYS)
    ]


def prepare_to_leave(path: Path, keys: Sequence[DataKey], present: sqlite3.Connection) -> None:
    """Take out of the file what must stay.

    keys: those of today, so that what was erased since stays erased. present: the vault, which knows what contents of
    files there are today.
    """
    with _changed(path, PersonalCipher(None)) as connection:
        carry_ledger(present, connection)
        connection.execute("DELETE FROM vaultry_personal_keys")
        connection.executemany(
            "INSERT INTO vaultry_personal_keys (id, wrapped_key, created_at, destroyed_at) VALUES (?, '', ?, ?)",
            [(key.id, key.created_at, key.destroyed_at) for key in keys],
        )
        connection.execute("DELETE FROM vaultry_idempotency")
        connection.execute("DELETE FROM vaultry_outbox WHERE delivered_at IS NULL")


def lookups_of(connection: sqlite3.Connection, personal: Personal) -> dict[str, list[str]]:
    """The personal columns with a look-up hash beside them, by table."""
    found: dict[str, list[str]] = {}
    for table, names in personal.items():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({identifier(table)})")}
        beside = sorted(name for name in names if name in present and name + _LOOKUP in present)
        if beside:
            found[table] = beside
    return found


def refuse_odd_lookups(connection: sqlite3.Connection, personal: Personal) -> None:
    """Raise Invalid `lookup_differs` when a look-up hash is not that of the very value beside it.

    It could not be made again from the opened value, so an archive with opened values would not be complete.
    """
    for table, names in lookups_of(connection, personal).items():
        for name in names:
            column, lookup = identifier(name), identifier(name + _LOOKUP)
            odd = connection.execute(
                f"SELECT count(*) FROM main.{identifier(table)} WHERE {column} IS NOT NULL"
                f" AND {lookup} IS NOT personal_lookup(personal_open(?, {column}))",
                (f"{table}.{name}",),
            ).fetchone()[0]
            if odd:
                raise Invalid(
                    f"{odd} rows of {table} have a look-up hash that is not of their {name}",
                    code="lookup_differs",
                    hint="archive it without --with-personal-data: sealed values keep their hashes",
                )


def count_tables(connection: sqlite3.Connection) -> dict[str, int]:
    """The number of rows of every table."""
    names = [name for (name,) in connection.execute(_TABLES)]
    return {name: connection.execute(f"SELECT count(*) FROM {identifier(name)}").fetchone()[0] for name in names}


def chain_verdict(connection: sqlite3.Connection, keyring: KeyRing) -> str:
    """`whole`, or what is wrong with the audit chain."""
    key = read_audit_key(connection, keyring)
    _, broken = (0, "there is no audit log") if key is None else verify_chain(ReadTx(connection), key)
    return broken or "whole"


@dataclass(frozen=True, slots=True)
class Arrival:
    """How an archived vault begins its new life.

    vault_id: the new one. from_vault: the old one. keys: its data keys; None = values came opened and get a key of
    their own. personal: its sealed columns. manifest: the signed one. note: what the audit log says beside the section.
    """

    vault_id: str
    from_vault: str
    keys: Sequence[DataKey] | None
    personal: Personal
    manifest: str
    note: Mapping[str, str]


def make_at_home(
    path: Path, arrival: Arrival, sets: Sequence[MigrationSet], keyring: KeyRing, actor: Actor, now: Moment
) -> None:
    """Make the archive's database the first content of a vault of this platform, at today's schema.

    Raises Invalid `archive_damaged` for one that is unsound, MigrationFailed for one from a newer release.
    """
    mark_rollback(path)
    with _connected(path, PersonalCipher(None)) as connection:
        # Opened values may break rules that are made for sealed ones; they are checked once they are sealed.
        connection.execute(f"PRAGMA ignore_check_constraints = {'ON' if arrival.keys is None else 'OFF'}")
        _refuse_unsound(connection)
        bring_up(connection, sets, now, read_hold(connection))
    with _changed(path, PersonalCipher(None)) as connection:
        _settle_keys(connection, arrival, keyring, now)
        if arrival.keys is None:
            register_functions(connection, load_cipher(ReadTx(connection), keyring))
            _seal_columns(connection, arrival.personal)
        _without_triggers(
            connection, "vaultry_settings", lambda: connection.execute(_ORIGIN, (arrival.vault_id, now.text))
        )
        connection.execute("DELETE FROM vaultry_idempotency")
        connection.execute("DELETE FROM vaultry_outbox WHERE delivered_at IS NULL")
        section = seal_section(connection, arrival.from_vault, arrival.manifest, now.text)
        trail = AuditTrail(connection, audit_key(keyring, arrival.vault_id), frozenset())
        trail.note(actor, now.text, NOTE, {**section.note(), **arrival.note})
    with _connected(path, PersonalCipher(None)) as connection:
        connection.execute("VACUUM")
        _refuse_unsound(connection)


def _settle_keys(connection: sqlite3.Connection, arrival: Arrival, keyring: KeyRing, now: Moment) -> None:
    connection.execute("DELETE FROM vaultry_personal_keys")
    for key in arrival.keys or ():
        wrapped = "" if key.key is None else keyring.wrap(key.key, key_context(key.id))
        row = (key.id, wrapped, key.created_at, key.destroyed_at)
        connection.execute("INSERT INTO vaultry_personal_keys VALUES (?, ?, ?, ?)", row)
    if not arrival.keys:
        ensure_data_key(WriteTx(connection), keyring, now)


def _seal_columns(connection: sqlite3.Connection, personal: Personal) -> None:
    """Seal the opened values under the vault's own key and make their look-up hashes anew."""
    lookups = lookups_of(connection, personal)
    for table, names in personal.items():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({identifier(table)})")}
        sets: list[str] = []
        for name in sorted(present.intersection(names)):
            if name in lookups.get(table, ()):
                sets.append(f"{identifier(name + _LOOKUP)} = personal_lookup({identifier(name)})")
            sets.append(f"{identifier(name)} = personal_seal('{table}.{name}', {identifier(name)})")
        if sets:
            update = f"UPDATE main.{identifier(table)} SET {', '.join(sets)}"
            _without_triggers(connection, table, lambda sql=update: connection.execute(sql))  # type: ignore[misc]


def _without_triggers(connection: sqlite3.Connection, table: str, work: Work) -> None:
    """Do something to a table whose triggers must neither refuse nor answer to it."""
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {identifier(name)}")
    work()
    for _, sql in triggers:
        connection.execute(sql)


def _refuse_unsound(connection: sqlite3.Connection) -> None:
    lines = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    dangling = connection.execute("SELECT count(*) FROM pragma_foreign_key_check").fetchone()[0]
    if lines != ["ok"] or dangling:
        wrong = "; ".join(lines) if lines != ["ok"] else f"{dangling} references lead nowhere"
        raise Invalid(f"the archive is damaged: its database is unsound: {wrong}", code="archive_damaged")


@contextmanager
def _connected(path: Path, cipher: PersonalCipher) -> Generator[sqlite3.Connection]:
    """A file of one's own, which is thrown away when it was not finished."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA secure_delete = ON")
        register_functions(connection, cipher)
        yield connection
    finally:
        connection.close()


@contextmanager
def _changed(path: Path, cipher: PersonalCipher) -> Generator[sqlite3.Connection]:
    """The same in one transaction."""
    mark_rollback(path)
    with _connected(path, cipher) as connection:
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
