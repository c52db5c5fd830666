"""Making and opening vaults: log, local copy, keys and migrations put together. Knows no charter by name."""

import hashlib
import hmac
import re
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from db.clock import Moment, system_moment
from db.errors import Conflict, Invalid, NotFound, VaultError
from db.forgetting.declared import Subject
from db.keyring import KeyRing
from db.log.commit_log import SNAPSHOT_LEVEL, CommitLog
from db.log.follower import rebuild_copy
from db.log.ltx import TXID, LtxHeader, encode
from db.log.pages import cut_pages, page_size
from db.personal import PersonalCipher, load_cipher
from db.schema.migrate import MigrationSet
from db.schema.upkeep import SchemaUpkeep
from db.sql_functions import register_functions
from db.stores.base import ObjectStore
from db.transaction import ReadTx
from db.vault.cache import CacheFolder
from db.vault.database_file import database_pages, encode_database
from db.vault.freshness import NEVER, instant
from db.vault.local_copy import LocalCopy
from db.vault.new_file import as_wal, mark_wal, new_database
from db.vault.vault import Vault, VaultOptions

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_HAS_KEYS = "SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_personal_keys'"
_ORIGIN = "SELECT value FROM vaultry_settings WHERE key = 'origin'"


@dataclass(frozen=True, slots=True)
class Site:
    """Where vaults are kept and worked on by this process.

    cache: folder of the local copies. keyring: of the platform. clock: the moment now.
    """

    store: ObjectStore
    cache: Path
    keyring: KeyRing
    options: VaultOptions = field(default_factory=VaultOptions)
    clock: Callable[[], Moment] = system_moment


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of vault it is. sets: migration sets in order. redacted: `table.column` kept out of the audit log.

    unaudited: bookkeeping that leaves no row in it at all, as `table` or `table.column`. forgettable: `table.column`
    that it keeps sealed, and whom each is about.
    """

    sets: tuple[MigrationSet, ...]
    redacted: frozenset[str] = frozenset()
    unaudited: frozenset[str] = frozenset()
    forgettable: Mapping[str, Subject] = field(default_factory=dict[str, Subject])


def create_vault(site: Site, vault_id: str, kind: Kind, content: Path | None = None) -> Vault:
    """A new vault, open. content: its database file, which is used up (a fork, an import); None: freshly prepared.

    Raises Conflict (vault_exists) when the log has begun already. Interrupted before the put, nothing was made.
    """
    now = site.clock()
    log = CommitLog(site.store, check_id(vault_id))
    # The first commit of an old vault may be pruned, but then it has a snapshot.
    begun = bool(log.list_level(SNAPSHOT_LEVEL))
    if begun or not _put_first(site, log, kind, content, now):
        raise Conflict(f"vault {vault_id} exists already", code="vault_exists")
    return open_vault(site, vault_id, kind)


def _put_first(site: Site, log: CommitLog, kind: Kind, content: Path | None, now: Moment) -> bool:
    """Make the first commit, with every page; False when there is one already."""
    node_id = int.from_bytes(now.random_bytes(8), "big")
    if content is None:
        database = as_wal(new_database(kind.sets, log.vault_id, site.keyring, now))
        pages, size = cut_pages(database), page_size(database)
        header = LtxHeader(size, len(database) // size, TXID(1), TXID(1), now.ms, node_id=node_id)
        return log.put_commit(TXID(1), encode(header, pages), now.ms) is None
    mark_wal(content)
    header = LtxHeader(*database_pages(content), TXID(1), TXID(1), now.ms, node_id=node_id)
    body = content.with_name(f"{content.name}.ltx")
    encode_database(content, header, body)
    content.unlink()
    try:
        return log.put_commit(TXID(1), body, now.ms) is None
    finally:
        body.unlink()


def open_vault(site: Site, vault_id: str, kind: Kind) -> Vault:
    """The vault, at the newest commit and with every migration applied.

    A step that fails leaves the vault open for reading at the step before; `refusal` then says which and why. So does
    a hold on the schema, at the step it names, once this code knows later ones.
    Raises NotFound (vault_not_found), CorruptLog, StoreUnavailable.
    """
    began = instant()
    log = CommitLog(site.store, check_id(vault_id))
    copy = LocalCopy(CacheFolder(site.cache, vault_id), vault_id, site.options.readers, _prepare(site.keyring))
    try:
        ended = _fill(copy, log, site)
    except BaseException:
        copy.connections.close_abandoned()
        copy.cache.close()
        raise
    looked = began if ended else NEVER
    key = _audit_key(site.keyring)
    vault = Vault(log, copy, key, kind.redacted, site.options, site.clock, looked, kind.unaudited, kind.forgettable)
    try:
        # A step is never judged by a copy that lacks a later release's.
        vault.schema_keeper = SchemaUpkeep(kind.sets, site.clock)
        vault.refusal = vault.schema_keeper.settle(vault, since=began)
    except BaseException:
        vault.close()
        raise
    return vault


def _fill(copy: LocalCopy, log: CommitLog, site: Site) -> bool:
    """Bring the copy to where the log shows it to end; whether a look behind that, begun meanwhile, found nothing."""
    reason = "missing"
    if copy.resume():
        head, age_ms = copy.head, site.clock().ms - copy.head.checked_ms
        behind = log.look_beside(TXID(head.txid + 1))
        if log.holds(head.txid, head.node_id):
            return age_ms <= site.options.base_age_ms and _nothing(behind)
        # The log went on and was pruned; or it is another store's, or one that was set back.
        reason = "stale"
    looks: list[Future[bytes | None]] = []
    rebuild_copy(log, copy, reason, site.clock, lambda txid: looks.append(log.look_beside(TXID(txid + 1))))
    return _nothing(looks[-1])


def _nothing(look: "Future[bytes | None]") -> bool:
    """Whether the look found nothing; one that failed is left to the first who needs to know."""
    try:
        return look.result() is None
    except VaultError:
        return False


def vault_exists(store: ObjectStore, vault_id: str) -> bool:
    """Whether the vault's log has begun."""
    try:
        return bool(CommitLog(store, check_id(vault_id)).chain())
    except NotFound:
        return False


def check_id(vault_id: str) -> str:
    """The id, fit to be part of a path. Raises Invalid."""
    if not _ID.fullmatch(vault_id):
        raise Invalid(f"got vault id {vault_id!r}, wanted 1-63 of a-z, 0-9 and hyphen", code="vault_id_invalid")
    return vault_id


def audit_key(keyring: KeyRing, origin: str) -> bytes:
    """The key of a vault's audit chain. origin: the id it was first made under, which forks keep."""
    return hmac.digest(keyring.subkey("audit log"), origin.encode(), hashlib.sha256)


def read_audit_key(connection: sqlite3.Connection, keyring: KeyRing) -> bytes | None:
    """The audit key by the origin in the vault's settings; None for a database without them."""
    if connection.execute(_HAS_KEYS).fetchone() is None:
        return None
    row = connection.execute(_ORIGIN).fetchone()
    return None if row is None else audit_key(keyring, row[0])


def _audit_key(keyring: KeyRing) -> Callable[[sqlite3.Connection], bytes | None]:
    return lambda connection: read_audit_key(connection, keyring)


def _prepare(keyring: KeyRing) -> Callable[[sqlite3.Connection], None]:
    """What every new connection gets: the SQL functions, with the vault's own data key."""

    def prepare(connection: sqlite3.Connection) -> None:
        has_keys = connection.execute(_HAS_KEYS).fetchone() is not None
        register_functions(connection, load_cipher(ReadTx(connection), keyring) if has_keys else PersonalCipher(None))

    return prepare
