"""Which object of the store holds which content. Knows rows of `vaultry_blobs`; not files, names or rights.

A content is stored once for a vault, however many files have it. Which files refer to it is counted, never kept.
"""

import sqlite3
from dataclasses import dataclass

from db.clock import Moment
from db.errors import VaultError
from db.transaction import ReadTx, WriteTx


class BlobGone(VaultError):
    """The content that a new file was to share is being removed, or another object holds it now. Store it again."""

    code = "blob_gone"


@dataclass(frozen=True, slots=True)
class Blob:
    """A content. object: name of the object that holds it."""

    sha256: str
    size: int
    object: str


def find_blob(tx: ReadTx, sha256: str) -> Blob | None:
    """The content of this digest, if the vault keeps it."""
    row = tx.row("SELECT sha256, size, object FROM vaultry_blobs WHERE sha256 = :sha256", sha256=sha256)
    return None if row is None else Blob(*row)


def adopt(tx: WriteTx, blob: Blob, lost: str | None, now: Moment) -> Blob:
    """The content as the vault keeps it, for a file written in the same transaction.

    blob: what is in the store. When the vault has the content in another object, that one is used and `blob`'s is
    surplus, unless it is `lost`, an object that is not there any more.
    """
    known = find_blob(tx, blob.sha256)
    if known is None:
        tx.insert("vaultry_blobs", sha256=blob.sha256, size=blob.size, object=blob.object, created_at=now.text)
        return blob
    if known.object != lost:
        return known
    tx.execute("UPDATE vaultry_blobs SET object = :object WHERE sha256 = :sha", object=blob.object, sha=blob.sha256)
    return blob


def share(tx: WriteTx, blob: Blob) -> Blob:
    """The same content, still kept in the same object. Raises BlobGone."""
    if find_blob(tx, blob.sha256) != blob:
        raise BlobGone(f"content {blob.sha256}: its object changed meanwhile")
    return blob


_MARK = """
UPDATE vaultry_blobs SET released_at = :now
 WHERE released_at IS NULL AND NOT EXISTS (SELECT 1 FROM vaultry_files AS f WHERE f.sha256 = vaultry_blobs.sha256)
"""
_SWEEP = """
DELETE FROM vaultry_blobs
 WHERE released_at < :before AND NOT EXISTS (SELECT 1 FROM vaultry_files AS f WHERE f.sha256 = vaultry_blobs.sha256)
"""
_DUE = """
SELECT EXISTS (SELECT 1 FROM vaultry_blobs AS b WHERE (b.released_at IS NULL OR b.released_at < :before)
                  AND NOT EXISTS (SELECT 1 FROM vaultry_files AS f WHERE f.sha256 = b.sha256))
"""


def release_is_due(tx: ReadTx, before: str) -> bool:
    """Whether `release` would change anything."""
    return bool(tx.value(_DUE, before=before))


def release(tx: WriteTx, before: str, now: Moment) -> int:
    """Note which contents no file refers to, and forget those noted before that timestamp; how many were forgotten.

    Whatever referred to them since, any point in time included that is later than the note, would have taken it back.
    """
    tx.execute(_MARK, now=now.text)
    return tx.execute(_SWEEP, before=before)


def keeps_files(tx: ReadTx) -> bool:
    """Whether the vault's schema has come to files at all: it may be held at an earlier step."""
    return tx.value("SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_blobs'") is not None


def known_objects(tx: ReadTx) -> frozenset[str]:
    """The names of all objects that hold a content of the vault."""
    return frozenset(row[0] for row in tx.rows("SELECT object FROM vaultry_blobs"))


def knows_object(tx: ReadTx, name: str) -> bool:
    """Whether the object of this name holds a content of the vault."""
    return tx.value("SELECT 1 FROM vaultry_blobs WHERE object = :name", name=name) is not None


_UNREFERRED = """
DELETE FROM vaultry_blobs
 WHERE NOT EXISTS (SELECT 1 FROM vaultry_files AS f WHERE f.sha256 = vaultry_blobs.sha256)
"""


def forget_unreferred(tx: WriteTx) -> int:
    """Forget every content without a file: for a vault that begins as a copy and gets only what its files need."""
    return tx.execute(_UNREFERRED)


def carry_ledger(present: sqlite3.Connection, restored: sqlite3.Connection) -> None:
    """Give a vault's past state today's knowledge of what the store holds.

    Every note of a release starts anew: the restored files may have taken a content back.
    """
    if restored.execute("SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_blobs'").fetchone() is None:
        return
    rows = present.execute("SELECT sha256, size, object, created_at FROM main.vaultry_blobs").fetchall()
    restored.executemany("INSERT OR REPLACE INTO vaultry_blobs VALUES (?, ?, ?, ?, NULL)", [tuple(row) for row in rows])
