"""Is a vault what its log says, and is the log whole? Reads everything, changes nothing. Knows no tenant by name."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from db.audit.imported import imported_findings
from db.audit.trail import verify_chain
from db.errors import VaultError
from db.history.points import database_file_at
from db.keyring import KeyRing
from db.log.bookmark import bookmark_of
from db.log.commit_log import SNAPSHOT_LEVEL, CommitLog, LogObject
from db.log.fetch import PART_BYTES
from db.log.pages import changed_pages
from db.personal import load_cipher
from db.sql_functions import register_functions
from db.stores.base import ObjectMissing
from db.transaction import ReadTx
from db.vault.live_copy import copy_live
from db.vault.new_file import mark_rollback
from db.vault.opening import read_audit_key
from db.vault.vault import Vault

# Each holds the parts of an object in the making, and what its thread allocates stays with it.
_CHECKERS = 4
_NAMED = 5
_LISTED = 20
_SOUND = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. check: object, chain, copy, integrity, reference or audit."""

    check: str
    message: str


@dataclass(frozen=True, slots=True)
class Content:
    """The state of a database rebuilt from its log. audit_rows: length of the audit chain as far as it holds."""

    findings: list[Finding]
    bookmark: str
    audit_rows: int


def verify_objects(log: CommitLog, progress: Callable[[int, int], None]) -> tuple[int, list[Finding]]:
    """How many objects the log has, and what is wrong with single ones and with their sequence.

    progress: told how many were read, and of how many.
    """
    objects = log.list_all()
    one_large = threading.Lock()

    def check(found: LogObject) -> Finding | None:
        try:
            with one_large if found.size > PART_BYTES else nullcontext():
                log.check(found)
        except ObjectMissing:
            return None  # Pruned since it was listed; if somebody else removed it, the sequence below shows it.
        except VaultError as exc:
            return Finding("object", exc.message)
        return None

    findings: list[Finding] = []
    with ThreadPoolExecutor(_CHECKERS, thread_name_prefix="verify") as checkers:
        for done, finding in enumerate(checkers.map(check, objects), 1):
            progress(done, len(objects))
            if finding is not None:
                findings.append(finding)
    return len(objects), findings + gaps(log.list_all())


def gaps(objects: Sequence[LogObject]) -> list[Finding]:
    """The commits that no file holds though later ones are there; those a snapshot replaced at the start are none."""
    steps = sorted((found.min_txid, found.max_txid) for found in objects if found.level != SNAPSHOT_LEVEL)
    if not steps:
        return [Finding("chain", "the log holds no commit")]
    snapshots = [found.max_txid for found in objects if found.level == SNAPSHOT_LEVEL]
    pruned = bool(snapshots) and steps[0][0] <= min(snapshots) + 1
    reached = steps[0][0] - 1 if pruned else min(snapshots, default=0)
    findings: list[Finding] = []
    for low, high in steps:
        if low > reached + 1:
            findings.append(Finding("chain", f"commits {reached + 1:016x} to {low - 1:016x} are missing"))
        reached = max(reached, high)
    return findings


def verify_content(vault: Vault, keyring: KeyRing) -> Content:
    """What is wrong with the newest state as the log gives it: against the local copy, and by SQLite's own checks.

    Raises CorruptLog, NotFound when the log cannot be followed to the newest commit.
    """
    with vault.scratch() as folder:
        local, rebuilt = folder / "local.sqlite", folder / "log.sqlite"
        head = copy_live(vault, local)
        database_file_at(vault.log, head.txid, rebuilt)
        findings = _compare(local, rebuilt)
        local.unlink()
        mark_rollback(rebuilt)
        # immutable: without locks and without a -wal file beside it.
        connection = sqlite3.connect(
            f"{rebuilt.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None
        )
        try:
            register_functions(connection, load_cipher(ReadTx(connection), keyring))
            findings += _by_sqlite(connection)
            audit_rows, broken = _audit(connection, keyring)
            findings += [Finding("audit", message) for message in imported_findings(connection)]
        finally:
            connection.close()
    if broken is not None:
        findings.append(Finding("audit", broken))
    return Content(findings, str(bookmark_of(vault.id, head.txid, head.node_id)), audit_rows)


def _compare(local: Path, rebuilt: Path) -> list[Finding]:
    named: list[str] = []
    differing = 0
    for number, _ in changed_pages(local, rebuilt):
        differing += 1
        if differing <= _NAMED:
            named.append(str(number))
    if not differing:
        return []
    return [Finding("copy", f"{differing} pages of the local copy differ from the log: {', '.join(named)}")]


def _by_sqlite(connection: sqlite3.Connection) -> list[Finding]:
    """What SQLite finds, the first few of each kind."""
    lines = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_LISTED})")]
    findings = [Finding("integrity", line) for line in lines if line != _SOUND]
    for table, rowid, parent, _ in islice(connection.execute("PRAGMA foreign_key_check"), _LISTED):
        findings.append(Finding("reference", f"{table} row {rowid} refers to a row of {parent} that is not there"))
    return findings


def _audit(connection: sqlite3.Connection, keyring: KeyRing) -> tuple[int, str | None]:
    key = read_audit_key(connection, keyring)
    return (0, "there is no audit log") if key is None else verify_chain(ReadTx(connection), key)
