"""Letting go of old audit rows: the chain loses its beginning and says so. Knows rows and times; not who decides.

The last row that goes leaves its number and mac in a note at the end of the chain, from which verification begins.
Imported sections go whole, once the last of their rows is old enough.
"""

import sqlite3

from db.audit.trail import PRUNED, AuditTrail
from db.clock import Moment
from db.errors import VaultError
from db.keyring import KeyRing
from db.transaction import Actor, ReadTx
from db.vault.opening import read_audit_key
from db.vault.vault import FIRST_PRIMARY, Vault

# The newest row stays whatever its age: the chain goes on from it.
_LAST_OLD = """
SELECT max(seq) AS seq FROM vaultry_audit
 WHERE seq < (SELECT max(seq) FROM vaultry_audit)
   AND seq < coalesce((SELECT seq FROM vaultry_audit WHERE at >= :before ORDER BY seq LIMIT 1), 9223372036854775807)
"""
_OLD_SECTIONS = """
SELECT s.section FROM vaultry_audit_sections AS s
 WHERE s.imported_at < :before
   AND NOT EXISTS (SELECT 1 FROM vaultry_audit_imported AS i WHERE i.section = s.section AND i.at >= :before)
"""
_TRIGGERS = """
SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'
   AND tbl_name IN ('vaultry_audit', 'vaultry_audit_imported', 'vaultry_audit_sections')
"""


def prune_audit(vault: Vault, keyring: KeyRing, before: str, actor: Actor, now: Moment) -> int:
    """Remove the audit rows from before that timestamp; how many. A second run right after finds none.

    Raises VaultError `misconfigured` for a vault without the key.
    """
    removed: list[int] = []

    def due(tx: ReadTx) -> bool:
        oldest = tx.value("SELECT at FROM vaultry_audit ORDER BY seq LIMIT 1")
        return (oldest is not None and oldest < before and tx.value(_LAST_OLD, before=before) is not None) or bool(
            tx.rows(_OLD_SECTIONS, before=before)
        )

    def prune(writer: sqlite3.Connection) -> bool:
        tx, removed[:] = ReadTx(writer), [0]
        if not due(tx):
            return False
        key = read_audit_key(writer, keyring)
        if key is None:
            raise VaultError("the vault has no audit key", code="misconfigured")
        triggers = writer.execute(_TRIGGERS).fetchall()
        for name, _ in triggers:
            writer.execute(f'DROP TRIGGER "{name}"')
        removed[0] = _remove_sections(writer, tx, before) + _remove_rows(writer, tx, key, before, actor, now)
        for _, sql in triggers:
            writer.execute(sql)
        return True

    if vault.read(due, FIRST_PRIMARY).value:
        vault.alter(prune)
    return sum(removed)


def _remove_rows(writer: sqlite3.Connection, tx: ReadTx, key: bytes, before: str, actor: Actor, now: Moment) -> int:
    last: int | None = tx.value(_LAST_OLD, before=before)
    if last is None:
        return 0
    mac: bytes = tx.value("SELECT mac FROM vaultry_audit WHERE seq = :seq", seq=last)
    note = {"seq": last, "mac": mac.hex(), "before": before}
    AuditTrail(writer, key, frozenset()).note(actor, now.text, PRUNED, note)
    return writer.execute("DELETE FROM vaultry_audit WHERE seq <= ?", (last,)).rowcount


def _remove_sections(writer: sqlite3.Connection, tx: ReadTx, before: str) -> int:
    removed = 0
    for row in tx.rows(_OLD_SECTIONS, before=before):
        gone = writer.execute("DELETE FROM vaultry_audit_imported WHERE section = ?", (row["section"],))
        removed += gone.rowcount
        writer.execute("DELETE FROM vaultry_audit_sections WHERE section = ?", (row["section"],))
    return removed
