"""A small vault for proofs about the engine: its tables are in `migrations/desk`; and a clock that a test can move."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from db.audit.trail import verify_chain
from db.clock import Moment, system_moment
from db.history.points import database_at
from db.keyring import KeyRing
from db.log.commit_log import COMMIT_LEVEL, CommitLog, LogObject, decode_object, restore_chain
from db.log.ltx import TXID
from db.schema.migrate import load_set
from db.stores.base import ObjectStore
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.new_file import as_rollback
from db.vault.opening import Kind, Site, create_vault, open_vault, read_audit_key
from db.vault.vault import Vault, VaultOptions

KEYS = KeyRing("a secret of the tests, long enough to be one")
ACTOR = Actor("person-1", "person", "request-1", "desk.test")
START_MS = 1_777_000_000_000
KIND = Kind((load_set("kernel"), load_set("desk", Path(__file__).parent / "migrations")), frozenset({"people.email"}))


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, ms: int = START_MS) -> None:
        self.ms = ms

    def __call__(self) -> Moment:
        return Moment(self.ms)


def site(
    store: ObjectStore, cache: Path, clock: Callable[[], Moment] = system_moment, options: VaultOptions | None = None
) -> Site:
    return Site(store, cache, KEYS, options or VaultOptions(), clock)


def new_desk(
    store: ObjectStore,
    cache: Path,
    clock: Callable[[], Moment] = system_moment,
    *,
    options: VaultOptions | None = None,
    vault_id: str = "desk",
) -> Vault:
    """A new vault with one counter, `visits`, at 0."""
    vault = create_vault(site(store, cache, clock, options), vault_id, KIND)
    vault.write(lambda tx: tx.insert("counters", id="visits", value=0), ACTOR)
    return vault


def open_desk(
    store: ObjectStore,
    cache: Path,
    clock: Callable[[], Moment] = system_moment,
    *,
    options: VaultOptions | None = None,
    vault_id: str = "desk",
) -> Vault:
    return open_vault(site(store, cache, clock, options), vault_id, KIND)


def note(request: str) -> Callable[[WriteTx], str]:
    """A work that leaves one row."""

    def work(tx: WriteTx) -> str:
        tx.insert("requests", id=request, note=None)
        return request

    return work


def noted(vault: Vault) -> list[str]:
    """The rows that `note` left, by a current read."""
    return vault.read(requests).value


def requests(tx: ReadTx) -> list[str]:
    return [row["id"] for row in tx.rows("SELECT id FROM requests ORDER BY id")]


def commits(log: CommitLog) -> list[LogObject]:
    return log.list_level(COMMIT_LEVEL)


def content(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table with the type of each value, and the schema itself."""
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    found = {"": [tuple(row) for row in connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name")]}
    for table in tables:
        columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
        values = ", ".join(f'"{name}", typeof("{name}")' for name in columns)
        rows = connection.execute(f'SELECT {values} FROM "{table}"')
        found[table] = sorted((tuple(row) for row in rows), key=repr)
    return found


def content_at(log: CommitLog, txid: int) -> dict[str, list[tuple[object, ...]]]:
    """The content that the log gives for a commit."""
    with closing(in_memory(database_at(log, TXID(txid)))) as connection:
        return content(connection)


def in_memory(database: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(as_rollback(database))
    return connection


def check_log(store: ObjectStore, vault_id: str = "desk") -> list[str]:
    """The requests noted at the head, after every check that the log allows: objects, chain, database, audit log."""
    log = CommitLog(store, vault_id)
    objects = log.list_all()
    for found in objects:
        header = decode_object(found.key, store.get(found.key, op="check:get")).header
        assert (header.min_txid, header.max_txid) == (found.min_txid, found.max_txid)
    head = max(found.max_txid for found in objects)
    assert restore_chain(objects)[-1].max_txid == head
    with closing(in_memory(database_at(log, head))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        key = read_audit_key(connection, KEYS)
        assert key is not None
        rows, broken = verify_chain(ReadTx(connection), key)
        assert broken is None
        assert rows > 0
        return requests(ReadTx(connection))
