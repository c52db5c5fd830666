"""An import as one commit: the text runs on a copy of the vault, and the copy becomes its content, or nothing does.

Others read and write meanwhile. If one of them wrote, the text is run again, this time while writers wait. The commit
carries the result under the job's id, so that a job which was interrupted behind it is not done twice.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from db.audit.trail import AuditTrail
from db.clock import Moment
from db.errors import Invalid
from db.history.points import database_file_at
from db.log.ltx import TXID
from db.personal import load_cipher
from db.sql.messages import sql_error
from db.sql_functions import register_functions
from db.transaction import Actor, ReadTx
from db.transfer.loading import Loaded, load
from db.vault.new_file import mark_rollback, mark_wal
from db.vault.opening import Kind, Site, read_audit_key
from db.vault.vault import Vault

IMPORTS: Final = "d1.import"
_PRAGMAS = (
    # Whatever goes wrong, the file is thrown away; but single statements are undone, and tried again.
    "PRAGMA synchronous = OFF",
    # As on a writer of the vault.
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA cell_size_check = ON",
)
_ANSWER = "SELECT answer FROM main.vaultry_idempotency WHERE actor = ? AND key = ?"
_KEEP = "INSERT INTO main.vaultry_idempotency (actor, key, digest, answer, created_at) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Text:
    """What is imported. job_id: under which it is done once. digest: SHA-256 in hex of what makes it the same.

    statements: gives them from the first on, each time it is called. protected: names that are not theirs to change.
    go_on: called now and then; raises to stop. sealed: personal values are not opened.
    """

    job_id: str
    digest: str
    statements: Callable[[], Iterable[str]]
    protected: frozenset[str]
    go_on: Callable[[], None]
    sealed: bool


class _Moved(Exception):
    """Another commit was made since the copy was: it is no longer what the vault holds."""


class _Done(Exception):
    """An earlier attempt of the same job was committed."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


def import_text(vault: Vault, site: Site, kind: Kind, text: Text, actor: Actor, now: Moment) -> dict[str, Any]:
    """Run the text in one commit; its bookmark, the number of statements and figures, as clients read them.

    Raises SqlFailed, Invalid, Contended, StoreUnavailable (nothing was changed), CommitUnknown.
    """
    attempt = _Attempt(vault, site, kind, text, actor, now)
    try:
        attempt.stop_if_done()
        try:
            bookmark = vault.replace(attempt.make, attempt.check)
        except _Moved:
            bookmark = vault.replace(lambda _: None, attempt.make_at_head)
    except _Done as done:
        return {"final_bookmark": vault.bookmark, **done.result}
    return {"final_bookmark": bookmark, **attempt.result}


class _Attempt:
    """One import under way. result: of the copy made last."""

    def __init__(self, vault: Vault, site: Site, kind: Kind, text: Text, actor: Actor, now: Moment) -> None:
        self._vault = vault
        self._site = site
        self._kind = kind
        self._text = text
        self._actor = actor
        self._now = now
        self._base = TXID(0)
        self.result: dict[str, Any] = {}

    def stop_if_done(self) -> None:
        """Raise _Done when the vault carries the job's result, `refusal` when it takes no writes."""
        self._vault.read_raw(lambda connection, _: self._check_done(connection))
        if self._vault.refusal is not None:
            raise self._vault.refusal

    def make(self, path: Path) -> None:
        """Write the new content, from the newest commit on, while others write."""
        self._make(path, self._vault.read_raw(lambda _, head: head.txid).value)

    def check(self, writer: sqlite3.Connection, path: Path) -> None:
        """Refuse the copy if it is not of the head. Nobody else commits until this one is made."""
        self._check_done(writer)
        if self._vault.head.txid != self._base:
            raise _Moved

    def make_at_head(self, writer: sqlite3.Connection, path: Path) -> None:
        """As `make`, while writers of this process wait."""
        self._check_done(writer)
        self._make(path, self._vault.head.txid)

    def _make(self, path: Path, base: TXID) -> None:
        self._base = base
        path.unlink(missing_ok=True)
        database_file_at(self._vault.log, base, path)
        mark_rollback(path)
        with closing(sqlite3.connect(path, isolation_level=None, cached_statements=64)) as connection:
            self._prepare(connection)
            began = time.perf_counter()
            loaded = self._load(connection)
            self.result = _told(loaded, (time.perf_counter() - began) * 1000, path.stat().st_size)
        mark_wal(path)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        row_factory = connection.row_factory
        register_functions(connection, load_cipher(ReadTx(connection), self._site.keyring))
        connection.row_factory = row_factory

    def _load(self, connection: sqlite3.Connection) -> Loaded:
        key = read_audit_key(connection, self._site.keyring)
        if key is None:
            raise Invalid("the vault has no audit log")
        text, at = self._text, self._now.text
        trail = AuditTrail(connection, key, self._kind.redacted, self._kind.unaudited, self._kind.forgettable)
        connection.execute("BEGIN")
        loaded = load(
            connection, trail, text.statements(), text.protected, self._actor, at, text.go_on, sealed=text.sealed
        )
        if not loaded.statements:
            raise Invalid("No SQL statements detected.", code="sql_failed")
        trail.note(self._actor, at, "database.import", {"job": text.job_id, "statements": loaded.statements})
        told = json.dumps(_told(loaded, 0.0, 0), separators=(",", ":"))
        connection.execute(_KEEP, (IMPORTS, text.job_id, text.digest, told, at))
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as exc:
            # What was put off to the end: references to rows that never came.
            raise sql_error(exc, "COMMIT") from exc
        return loaded

    def _check_done(self, connection: sqlite3.Connection) -> None:
        row = connection.execute(_ANSWER, (IMPORTS, self._text.job_id)).fetchone()
        if row is not None:
            raise _Done(json.loads(row[0]))


def _told(loaded: Loaded, duration_ms: float, size: int) -> dict[str, Any]:
    """The result as clients read it; every figure is a number."""
    return {
        "num_queries": loaded.statements,
        "meta": {
            "duration": round(duration_ms, 2),
            "changes": loaded.changes,
            "last_row_id": loaded.last_row_id,
            "rows_read": loaded.read,
            "rows_written": loaded.written,
            "size_after": size,
            "changed_db": loaded.changed,
        },
    }
