"""Going through a vault's history: states at a point, restore, fork, export. History itself is never rewritten."""

import sqlite3
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db.audit import AuditTrail
from db.bookmark import Bookmark, bookmark_of, is_of_vault, parse_bookmark
from db.cache import write_pages
from db.clock import timestamp, timestamp_ms
from db.errors import Invalid
from db.log import CommitLog, LogObject, restore_chain
from db.ltx import TXID
from db.migrate import MigrationSet, bring_up
from db.open_vault import Kind, Site, create_vault, read_audit_key
from db.personal import PersonalCipher, load_cipher
from db.sql_functions import register_functions
from db.transaction import Actor, ReadTx
from db.vault import Vault
from db.vault_file import as_rollback, as_wal

# What a restore carries over from the present: the audit log only grows, an erased key stays erased, and what was
# delivered once is not delivered again.
_CARRIED = ("vaultry_audit", "vaultry_personal_keys", "vaultry_outbox")


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


def database_at(log: CommitLog, txid: TXID) -> bytes:
    """The bytes of the database file at a commit. Raises NotFound when the log does not stop there."""
    with tempfile.TemporaryDirectory(prefix="vaultry-point-") as folder:
        path = Path(folder) / "point.sqlite"
        for file in log.restore_files(upto=txid):
            write_pages(path, file.pages, file.header.page_bytes, file.header.database_pages)
        return path.read_bytes()


def current_database(vault: Vault) -> tuple[bytes, Point]:
    """The bytes of the database file at the newest commit, and that commit; writers go on meanwhile."""
    answer = vault.read_raw(lambda connection, head: (connection.serialize(), head))
    database, head = answer.value
    return database, Point(head.txid, answer.bookmark, timestamp(head.timestamp_ms))


def restore(vault: Vault, site: Site, at: str, actor: Actor, sets: Sequence[MigrationSet] = ()) -> Point:
    """Bring back the state at a bookmark or time, as a new commit; the point that was restored.

    The audit log goes on and says so, erased keys stay erased, the outbox stays. Undo: restore the bookmark before.
    sets: of the vault; a state from before a step gets it in the same commit, so that nobody meets an old schema.
    """
    point = find_point(vault.log, at)
    past = database_at(vault.log, point.txid)
    now = site.clock()

    def build(writer: sqlite3.Connection) -> bytes:
        with _in_memory(past) as restored:
            has_keys = _has(restored, "vaultry_personal_keys")
            cipher = load_cipher(ReadTx(restored), site.keyring) if has_keys else PersonalCipher(None)
            register_functions(restored, cipher)
            bring_up(restored, sets, now)
            restored.execute("BEGIN")
            for table in _CARRIED:
                _carry(writer, restored, table)
            key = read_audit_key(restored, site.keyring)
            if key is not None:
                note = {"bookmark": point.bookmark, "timestamp": point.timestamp}
                AuditTrail(restored, key, frozenset()).note(actor, now.text, "vault.restore", note)
            restored.execute("COMMIT")
            return as_wal(restored.serialize())

    vault.replace(build)
    return point


def fork(vault: Vault, site: Site, kind: Kind, new_id: str, at: str | None = None) -> tuple[Vault, Point]:
    """A new vault that begins as this one was at a bookmark or time (None: now); the new vault, open, and the point.

    Keys erased since stay erased in it, and what its parent has yet to deliver is left to the parent.
    """
    if at is None:
        database, point = current_database(vault)
    else:
        point = find_point(vault.log, at)
        database = database_at(vault.log, point.txid)

    def build(present: sqlite3.Connection) -> bytes:
        with _in_memory(database) as forked:
            forked.execute("BEGIN")
            _carry(present, forked, "vaultry_personal_keys")
            if _has(forked, "vaultry_outbox"):
                forked.execute("DELETE FROM vaultry_outbox WHERE delivered_at IS NULL")
            forked.execute("COMMIT")
            return as_wal(forked.serialize())

    content = vault.read_raw(lambda connection, _: build(connection)).value
    return create_vault(site, new_id, kind, content), point


@contextmanager
def _in_memory(database: bytes) -> Generator[sqlite3.Connection]:
    """The database in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(as_rollback(database))
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
    file = next(iter(log.fetch([found])))
    header = file.header
    bookmark: Bookmark = bookmark_of(log.vault_id, header.max_txid, header.node_id)
    return Point(header.max_txid, str(bookmark), timestamp(header.timestamp_ms))


def _looks_like_bookmark(text: str) -> bool:
    return text[8:9] == "-" and len(text) > 30


__all__ = ["Point", "current_database", "database_at", "find_point", "fork", "restore"]
