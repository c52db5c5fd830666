"""Going through a vault's history: states at a point, restore, fork, export. History itself is never rewritten."""

import sqlite3
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.audit.trail import AuditTrail
from db.clock import Moment, timestamp, timestamp_ms
from db.errors import Invalid
from db.files.ledger import carry_ledger
from db.log.bookmark import Bookmark, bookmark_of, is_of_vault, parse_bookmark
from db.log.commit_log import CommitLog, LogObject, restore_chain
from db.log.ltx import TXID
from db.personal import PersonalCipher, load_cipher
from db.schema.hold import SchemaHold, put_hold, read_hold
from db.schema.migrate import MigrationSet, bring_up
from db.schema.state import newest_numbers
from db.sql_functions import register_functions
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.database_file import write_database
from db.vault.new_file import mark_rollback, mark_wal
from db.vault.opening import Kind, Site, create_vault, read_audit_key
from db.vault.vault import Vault

# What a restore carries over from the present: the audit log only grows, an erased key stays erased, what was delivered
# once is not delivered again, and who was forgotten stays so.
_CARRIED = (
    "vaultry_audit",
    "vaultry_personal_keys",
    "vaultry_outbox",
    "vaultry_row_keys",
    "vaultry_forgotten",
)


@dataclass(frozen=True, slots=True)
class Point:
    """A commit of the past. timestamp: 24 characters of UTC."""

    txid: TXID
    bookmark: str
    timestamp: str


def find_point(log: CommitLog, at: str) -> Point:
    """The commit named by a bookmark, or the last one at or before a timestamp with an offset.

    Raises Invalid for text that is neither or a bookmark of another vault, NotFound for a point that was pruned.
    """
    objects = log.list_all()
    if _looks_like_bookmark(at):
        wanted = parse_bookmark(at)
        if not is_of_vault(wanted, log.vault_id):
            raise Invalid("the bookmark is not of this vault", code="bookmark_unknown")
        if wanted.txid > max((found.max_txid for found in objects), default=0):
            raise Invalid("the bookmark is ahead of this vault", code="bookmark_ahead")
        point = _point(log, restore_chain(objects, upto=wanted.txid)[-1])
        if point.bookmark != at:
            raise Invalid("the bookmark is not of this vault", code="bookmark_unknown")
        return point
    txid = log.txid_at(objects, timestamp_ms(at, "at"))
    return _point(log, restore_chain(objects, upto=txid)[-1])


def database_file_at(log: CommitLog, txid: TXID, path: Path) -> None:
    """Write the database file at a commit to `path`, page by page. Raises NotFound when the log does not stop there.

    The file is to be trusted when this has returned.
    """
    write_database(log, path, upto=txid)


def database_at(log: CommitLog, txid: TXID) -> bytes:
    """As `database_file_at`, the bytes of a small one."""
    with tempfile.TemporaryDirectory(prefix="vaultry-point-") as folder:
        path = Path(folder) / "point.sqlite"
        database_file_at(log, txid, path)
        return path.read_bytes()


def current_database_file(vault: Vault, path: Path) -> Point:
    """Write the database file at the newest commit to `path`, page by page, and name the commit; nobody waits for it.

    It comes from the log and not from the local copy, so that every checksum was compared.
    """
    answer = vault.read_raw(lambda _, head: head)
    database_file_at(vault.log, answer.value.txid, path)
    return Point(answer.value.txid, answer.bookmark, timestamp(answer.value.timestamp_ms))


def current_database(vault: Vault) -> tuple[bytes, Point]:
    """As `current_database_file`, the bytes of a small one."""
    with tempfile.TemporaryDirectory(prefix="vaultry-point-") as folder:
        path = Path(folder) / "point.sqlite"
        point = current_database_file(vault, path)
        return path.read_bytes(), point


def restore(
    vault: Vault,
    site: Site,
    at: str,
    actor: Actor,
    sets: Sequence[MigrationSet] = (),
    *,
    hold: bool = False,
    settle: Callable[[WriteTx], object] | None = None,
) -> Point:
    """Bring back the state at a bookmark or time, as a new commit; the point that was restored.

    The audit log goes on and says so, erased keys stay erased, the outbox stays. Undo: restore the bookmark before.
    sets: of the vault; a state from before a step gets it in the same commit, so that nobody meets an old schema.
    hold: the schema stays that of the point as well, and is held there until the hold is lifted.
    settle: what the state needs before anybody sees it, such as forgetting people again; part of the same commit.
    """
    point = find_point(vault.log, at)
    now = site.clock()

    def build(writer: sqlite3.Connection, past: Path) -> None:
        with _opened(past) as restored:
            has_keys = _has(restored, "vaultry_personal_keys")
            cipher = load_cipher(ReadTx(restored), site.keyring) if has_keys else PersonalCipher(None)
            register_functions(restored, cipher)
            wanted = _hold_at(writer, restored, now, hold=hold)
            bring_up(restored, sets, now, wanted)
            restored.execute("BEGIN")
            put_hold(restored, wanted)
            for table in _CARRIED:
                _carry(writer, restored, table)
            carry_ledger(writer, restored)
            if settle is not None:
                settle(WriteTx(restored))
            key = read_audit_key(restored, site.keyring)
            if key is not None:
                note: dict[str, Any] = {"bookmark": point.bookmark, "timestamp": point.timestamp}
                if wanted is not None:
                    note["schema_held_at"] = dict(wanted.highest)
                AuditTrail(restored, key, frozenset()).note(actor, now.text, "vault.restore", note)
            restored.execute("COMMIT")
        mark_wal(past)

    vault.replace(lambda path: database_file_at(vault.log, point.txid, path), build)
    return point


def fork(vault: Vault, site: Site, kind: Kind, new_id: str, at: str | None = None) -> tuple[Vault, Point]:
    """A new vault that begins as this one was at a bookmark or time (None: now); the new vault, open, and the point.

    Keys erased since stay erased in it, and what its parent has yet to deliver is left to the parent.
    """
    with vault.scratch() as folder:
        path = folder / "fork.sqlite"
        if at is None:
            point = current_database_file(vault, path)
        else:
            point = find_point(vault.log, at)
            database_file_at(vault.log, point.txid, path)
        with _opened(path) as forked:
            forked.execute("BEGIN")
            vault.read_raw(lambda present, _: _carry(present, forked, "vaultry_personal_keys"))
            if _has(forked, "vaultry_outbox"):
                forked.execute("DELETE FROM vaultry_outbox WHERE delivered_at IS NULL")
            forked.execute("COMMIT")
        return create_vault(site, new_id, kind, path), point


def _hold_at(
    present: sqlite3.Connection, restored: sqlite3.Connection, now: Moment, *, hold: bool
) -> SchemaHold | None:
    """The hold that the restored state gets: one of its own, or today's, if the state is not beyond it already."""
    numbers = newest_numbers(restored)
    if hold:
        return SchemaHold(numbers, now.text)
    kept = read_hold(present)
    beyond = kept is not None and not all(kept.allows(name, number) for name, number in numbers.items())
    return None if beyond else kept


@contextmanager
def _opened(database: Path) -> Generator[sqlite3.Connection]:
    """A file of our own, to be changed in place; it is left in rollback-journal mode."""
    mark_rollback(database)
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        # Killed halfway, it is thrown away.
        connection.execute("PRAGMA synchronous = OFF")
        # An erased key that is taken out again must not linger in free space.
        connection.execute("PRAGMA secure_delete = ON")
        yield connection
    finally:
        connection.close()


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is not None


def _carry(writer: sqlite3.Connection, restored: sqlite3.Connection, table: str) -> None:
    """Replace a table's rows by the present ones; a point before the table existed goes without."""
    if not _has(restored, table):
        return
    triggers = restored.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,))
    kept = triggers.fetchall()
    for name, _ in kept:
        restored.execute(f'DROP TRIGGER "{name}"')
    restored.execute(f'DELETE FROM "{table}"')
    columns = [row[1] for row in restored.execute(f'PRAGMA table_info("{table}")')]
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    rows = writer.execute(f'SELECT {names} FROM main."{table}"')
    restored.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', (tuple(row) for row in rows))
    for _, sql in kept:
        restored.execute(sql)


def _point(log: CommitLog, found: LogObject) -> Point:
    header = log.header(found)
    bookmark: Bookmark = bookmark_of(log.vault_id, header.max_txid, header.node_id)
    return Point(header.max_txid, str(bookmark), timestamp(header.timestamp_ms))


def _looks_like_bookmark(text: str) -> bool:
    return text[8:9] == "-" and len(text) > 30


__all__ = [
    "Point",
    "current_database",
    "current_database_file",
    "database_at",
    "database_file_at",
    "find_point",
    "fork",
    "restore",
]
