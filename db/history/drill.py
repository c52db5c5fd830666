"""Proving a backup: the vault as the store alone gives it, against the vault as it is. Changes neither.

Works on two plain files, so that nothing is held in memory and no reader of the vault waits for long. Knows the log and
SQLite; no tenant and no signature.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from db.audit.links import Link
from db.audit.trail import verify_chain
from db.errors import VaultError
from db.history.digest import SCHEMA_TABLE, ContentDigest, content_digest
from db.history.verification import Finding
from db.keyring import KeyRing
from db.log.bookmark import Bookmark, bookmark_of
from db.log.commit_log import CommitLog
from db.log.ltx import TXID
from db.personal import PersonalCipher, load_cipher
from db.sql_functions import register_functions
from db.transaction import ReadTx
from db.vault.cache import CacheFolder
from db.vault.head import Head
from db.vault.new_file import mark_rollback
from db.vault.opening import Site, read_audit_key
from db.vault.vault import Vault

_NAMED = 20
_SOUND = "ok"
# A full disk or a missing function is no fault of the file.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_HAS_KEYS = "SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_personal_keys'"
_MAC = "SELECT mac FROM vaultry_audit WHERE seq = ?"


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The newest commit a local copy knows. kept: where it was copied to, for it may be the only one that has it."""

    bookmark: Bookmark
    kept: Path | None


@dataclass(frozen=True, slots=True)
class Examined:
    """What a database file holds. content: None when it could not be read through. audit_rows: as far as they hold."""

    findings: list[Finding]
    content: ContentDigest | None
    audit_rows: int


def last_seen(site: Site, vault_id: str) -> LastSeen | None:
    """What this machine's copy of a closed vault knows to be durable; None without a trusted copy.

    Opening the vault would forget it: a copy that is ahead of the log is made anew. Such a one is copied aside here.
    """
    folder = CacheFolder(site.cache, vault_id)
    try:
        marker = folder.read_marker()
        if marker is None or marker.txid == 0:
            return None
        ahead = _ends_before(CommitLog(site.store, vault_id), marker.txid)
        kept = folder.keep_edit(site.clock().text) if ahead and folder.agrees(marker) else None
    finally:
        folder.close()
    return LastSeen(bookmark_of(vault_id, marker.txid, marker.node_id), kept)


def _ends_before(log: CommitLog, txid: TXID) -> bool:
    """Whether the log lacks this commit and every later one; one that was pruned is not lacking."""
    if log.look(txid) is not None:
        return False
    return max((found.max_txid for found in log.list_all()), default=TXID(0)) < txid


def copy_live(vault: Vault, path: Path) -> tuple[Head, str]:
    """Copy the vault as it is now into a new file; the commit it stands at, known to be the newest, and its bookmark.

    Readers of the vault wait for the length of the copy. Raises as `Vault.read`.
    """

    def copy(connection: sqlite3.Connection, head: Head) -> Head:
        with closing(sqlite3.connect(path)) as target:
            connection.backup(target)
        return head

    answer = vault.read_raw(copy)
    mark_rollback(path)
    return answer.value, answer.bookmark


def examine(path: Path, keyring: KeyRing, anchor: Link | None) -> Examined:
    """What SQLite, the audit chain and the digest say of a restored file. anchor: a link that the chain must have."""
    mark_rollback(path)
    with closing(_open(path)) as connection:
        findings: list[Finding] = []
        try:
            has_keys = connection.execute(_HAS_KEYS).fetchone() is not None
            cipher = load_cipher(ReadTx(connection), keyring) if has_keys else PersonalCipher(None)
            register_functions(connection, cipher)
            findings += _by_sqlite(connection)
            audit_rows, broken = _audit(connection, keyring, anchor)
            if broken is not None:
                findings.append(Finding("audit", broken))
            return Examined(findings, content_digest(connection), audit_rows)
        except sqlite3.DatabaseError as exc:
            return Examined([*findings, Finding("integrity", damaged(exc))], None, 0)
        except VaultError as exc:
            return Examined([*findings, Finding("keys", exc.message)], None, 0)


def damaged(exc: sqlite3.DatabaseError) -> str:
    """What is wrong with a file that SQLite cannot read. Raises `exc` itself when it says nothing about the file."""
    if getattr(exc, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
        raise exc
    return f"SQLite says: {exc}"


def digest_of(path: Path) -> ContentDigest:
    """The content digest of a file that `copy_live` made. Raises sqlite3.DatabaseError for a damaged one."""
    with closing(_open(path)) as connection:
        return content_digest(connection)


def differences(live: ContentDigest, restored: ContentDigest) -> list[Finding]:
    """Where the restored content differs from the live one: tables and counts, never values."""
    findings: list[Finding] = []
    for name in sorted(live.tables.keys() | restored.tables.keys()):
        here, there = live.tables.get(name), restored.tables.get(name)
        if here == there:
            continue
        if here is None or there is None:
            which = "live vault" if there is None else "restored copy"
            findings.append(Finding("content", f"{name}: only the {which} has this table"))
        elif here.rows != there.rows:
            findings.append(Finding("content", f"{name}: {here.rows} rows in the live vault, {there.rows} restored"))
        else:
            findings.append(Finding("content", f"{name}: {here.rows} rows in both, of other content"))
    return findings


def row_counts(content: ContentDigest) -> Mapping[str, int]:
    """Rows by table, the schema's own aside."""
    return {name: table.rows for name, table in content.tables.items() if name != SCHEMA_TABLE}


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _by_sqlite(connection: sqlite3.Connection) -> list[Finding]:
    lines = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({_NAMED})")]
    findings = [Finding("integrity", line) for line in lines if line != _SOUND]
    broken: dict[tuple[str, str], int] = {}
    for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        broken[table, parent] = broken.get((table, parent), 0) + 1
    for (table, parent), rows in sorted(broken.items()):
        findings.append(Finding("reference", f"{table}: {rows} rows refer to rows of {parent} that are not there"))
    return findings


def _audit(connection: sqlite3.Connection, keyring: KeyRing, anchor: Link | None) -> tuple[int, str | None]:
    key = read_audit_key(connection, keyring)
    if key is None:
        return 0, "there is no audit log"
    rows, broken = verify_chain(ReadTx(connection), key)
    if broken is not None or anchor is None:
        return rows, broken
    found = connection.execute(_MAC, (anchor.seq,)).fetchone()
    if found is not None and found[0].hex() == anchor.mac:
        return rows, None
    return rows, f"audit row {anchor.seq}, which was anchored, {'is gone' if found is None else 'is another'}"
