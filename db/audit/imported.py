"""Audit logs that came with an archive: kept as sealed sections, each anchored in the chain that follows it.

A chain's key belongs to the platform that made it, so nobody else can add to it. What came is kept as it was, under a
digest that the archive's signature vouches for; the first row of the new chain notes that digest, and so the new
platform's key vouches for it from then on. Knows rows and digests; not archives, signatures or tenants.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

NOTE = "vault.import"
COLUMNS = (
    "seq", "at", "actor", "actor_kind", "request_id", "verb", "operation", "table_name", "row_key", "old_values",
    "new_values", "mac",
)  # fmt: skip
_NAMES = ", ".join(COLUMNS)
_LIVE = f"SELECT {_NAMES} FROM vaultry_audit ORDER BY seq"
_HEAD = "SELECT seq, mac FROM vaultry_audit ORDER BY seq DESC LIMIT 1"
_NEXT = "SELECT coalesce(max(section), 0) + 1 FROM vaultry_audit_sections"
_SECTION = "INSERT INTO vaultry_audit_sections VALUES (?, ?, ?, ?, ?, ?, ?)"
_MOVE = f"INSERT INTO vaultry_audit_imported (section, {_NAMES}) SELECT ?, {_NAMES} FROM vaultry_audit ORDER BY seq"
_TRIGGERS = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'vaultry_audit'"
_HAS = "SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_audit_sections'"
_SECTIONS = "SELECT section, row_count, head, digest FROM vaultry_audit_sections ORDER BY section"
_IMPORTED = f"SELECT {_NAMES} FROM vaultry_audit_imported WHERE section = ? ORDER BY seq"
_NOTES = """
SELECT new_values FROM vaultry_audit WHERE operation = 'note' AND table_name = ?1
UNION ALL
SELECT new_values FROM vaultry_audit_imported WHERE operation = 'note' AND table_name = ?1
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A sealed section. rows: how many. head: mac of the last one as hex, '' without any. digest: of its lines."""

    number: int
    rows: int
    head: str
    digest: str

    def note(self) -> dict[str, Any]:
        """What the new chain says of it."""
        return {"section": self.number, "rows": self.rows, "head": self.head, "digest": self.digest}


def audit_lines(connection: sqlite3.Connection) -> Iterator[bytes]:
    """The audit log as lines of JSON, oldest row first; the mac as hex digits."""
    return _lines(connection.execute(_LIVE))


def audit_head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Number and mac, as hex, of the newest audit row; 0 and '' without any."""
    row = connection.execute(_HEAD).fetchone()
    return (0, "") if row is None else (row[0], row[1].hex())


def seal_section(connection: sqlite3.Connection, vault_id: str, manifest: str, at: str) -> Section:
    """Make the audit log a section of its own, in the open transaction, and leave an empty one to begin anew.

    vault_id: whose it was. manifest: the signed manifest that vouches for it. at: 24 characters of UTC.
    """
    rows, head = audit_head(connection)
    number = connection.execute(_NEXT).fetchone()[0]
    section = Section(number, rows, head, _digest(audit_lines(connection)))
    last = bytes.fromhex(head) if head else None
    connection.execute(_SECTION, (number, vault_id, rows, last, section.digest, manifest, at))
    connection.execute(_MOVE, (number,))
    triggers = connection.execute(_TRIGGERS).fetchall()
    for name, _ in triggers:
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("DELETE FROM vaultry_audit")
    for _, sql in triggers:
        connection.execute(sql)
    return section


def imported_findings(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the imported sections: rows that are not those that came, digests no chain speaks of."""
    if connection.execute(_HAS).fetchone() is None:
        return []
    noted = {note["section"]: note for (text,) in connection.execute(_NOTES, (NOTE,)) for note in [json.loads(text)]}
    findings: list[str] = []
    for number, rows, head, digest in connection.execute(_SECTIONS).fetchall():
        section = Section(number, rows, "" if head is None else head.hex(), digest)
        if _digest(_lines(connection.execute(_IMPORTED, (number,)))) != digest:
            findings.append(f"imported section {number} was changed")
        elif any(noted.get(number, {}).get(name) != value for name, value in section.note().items()):
            findings.append(f"imported section {number} is not the one the audit log speaks of")
    return findings


def _lines(rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    for *values, mac in rows:
        line = dict(zip(COLUMNS, [*values, bytes(mac).hex()], strict=True))
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _digest(lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return digest.hexdigest()
