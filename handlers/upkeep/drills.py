"""Restore drills: is every vault's backup proven? Which vault next, by which program, and a signed report of it.

Proves with `db.history.drill`. Safe twice at once and killed anywhere: a drill changes no vault, and counts from the
moment its report is recorded. The registry is drilled like a vault.
"""

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.audit.links import Link
from db.clock import Moment, timestamp
from db.errors import CorruptLog, NotFound
from db.events import DrillFailed, DrillNotDone, emit
from db.history.drill import LastSeen, copy_live, damaged, differences, digest_of, examine, last_seen, row_counts
from db.log.bookmark import Bookmark, parse_bookmark
from db.log.commit_log import CommitLog
from db.log.ltx import TXID
from db.registry.audit_anchors import find_anchor
from db.registry.directory import VaultEntry, find_vault
from db.registry.drills import REGISTRY, Drilled, due_today, last_drill, standings
from db.vault.database_file import write_database
from db.vault.work_folder import work_folder
from handlers.jobs.opening import opened
from handlers.services import Services
from handlers.upkeep.drill_report import DrillReport, content_of, keep_report
from handlers.upkeep.litestream import LitestreamFailed, find_litestream, litestream_version, restore_with_litestream

# One drill in so many is made with the litestream program, so that the open format is proven as well.
LITESTREAM_EVERY = 10
_COUNTS = ("passed", "failed", "not_done", "left", "by_litestream", "litestream_not_found")


@dataclass(frozen=True, slots=True)
class _Known:
    """What was known of a vault before its drill.

    report: of the last drill; None when its signature does not hold. seen: the newest commit known to be durable. kept:
    this machine's copy, put aside because it is ahead of the log.
    """

    last: Drilled | None
    report: Mapping[str, Any] | None
    seen: Bookmark | None
    kept: Path | None
    anchor: Link | None


def drill_vault(
    services: Services, entry: VaultEntry | None, now: Moment, *, with_litestream: bool = False
) -> DrillReport:
    """The report of a drill of one vault (None: the registry), signed, stored and recorded when this returns.

    The live side is read first, at its newest commit, and that very commit is then restored from the store; so writers
    that go on meanwhile change nothing. Raises what says nothing about the backup: StoreUnavailable, Unavailable, a
    full disk. Nothing is recorded then.
    """
    names = (REGISTRY, REGISTRY, REGISTRY) if entry is None else (entry.id, entry.slug or entry.id, entry.charter)
    report = DrillReport(now.new_id(), *names, started_at=now.text)
    program = find_litestream(services.settings) if with_litestream else None
    if with_litestream:
        report.litestream = "not_found" if program is None else "used"
    known = _known(services, entry, report.vault_id)
    report.newest_seen = "" if known.seen is None else str(known.seen)
    with work_folder(services.site.cache / ".drills") as folder:
        _prove(services, entry, report, folder, program, known)
    _compare_with_last(report, known)
    report.passed = not report.findings
    report.finished_at = services.clock().text
    keep_report(services, report, now)
    if report.findings:
        named = [f"{found.check}: {found.message}" for found in report.findings]
        emit(DrillFailed(report.vault_id, report.bookmark, named))
    return report


def drill_due(services: Services, now: Moment, deadline: Moment) -> Mapping[str, int]:
    """Drill the vaults whose turn it is until the deadline; counts, `left` of those not reached among them.

    Called again it goes on with the rest, and on a day whose share is done it does nothing. One that cannot be drilled
    stops no other.
    """
    due = due_today(services.registry_read(standings, current=True), now)
    # In another order each time: a vault too large for the time there is must not always stand before the same others,
    # and two runs at once seldom meet.
    due.sort(key=lambda known: hashlib.sha256(f"{known.vault_id} {now.ms}".encode()).digest())
    counts: dict[str, int] = dict.fromkeys(_COUNTS, 0)
    for position, standing in enumerate(due):
        if services.clock().ms >= deadline.ms:
            counts["left"] = len(due) - position
            break
        try:
            report = _drill_if_due(services, standing.vault_id, standing.drilled_at, now)
        except Exception as exc:
            # Not the text of the error: it may quote a row.
            emit(DrillNotDone(standing.vault_id, type(exc).__name__))
            counts["not_done"] += 1
            continue
        if report is not None:
            counts["passed" if report.passed else "failed"] += 1
            counts["by_litestream"] += report.litestream == "used"
            counts["litestream_not_found"] += report.litestream == "not_found"
    return counts


def is_litestreams_turn(vault_id: str, now: Moment) -> bool:
    """Whether this vault is restored with litestream on this day: one in ten, by vault and date alone."""
    drawn = hashlib.sha256(f"{vault_id} {now.text[:10]}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % LITESTREAM_EVERY == 0


def _drill_if_due(services: Services, vault_id: str, drilled_at: str | None, now: Moment) -> DrillReport | None:
    """The drill's report; None when the tenant is active no more, or somebody else has drilled it since."""
    last = services.registry_read(lambda tx: last_drill(tx, vault_id))
    entry = services.registry_read(lambda tx: find_vault(tx, vault_id))
    is_active = vault_id == REGISTRY or (entry is not None and entry.status == "active")
    if not is_active or (last is not None and last.drilled_at != drilled_at):
        return None
    return drill_vault(services, entry, services.clock(), with_litestream=is_litestreams_turn(vault_id, now))


def _prove(
    services: Services,
    entry: VaultEntry | None,
    report: DrillReport,
    folder: Path,
    program: Path | None,
    known: _Known,
) -> None:
    """Copy, restore, examine and compare; what is wrong goes into the report."""
    live, restored = folder / "live.sqlite", folder / "restored.sqlite"
    try:
        with opened(services, entry) as vault:
            head, report.bookmark = copy_live(vault, live)
    except (CorruptLog, NotFound) as exc:
        report.add("restore", exc.message)
        return
    except sqlite3.DatabaseError as exc:
        report.add("live", damaged(exc))
        return
    report.commit_at = timestamp(head.timestamp_ms)
    if known.seen is None or known.seen.txid < head.txid:
        report.newest_seen = report.bookmark
    elif str(known.seen) != report.bookmark:
        kept = "" if known.kept is None else f"; the copy of this machine, which is ahead, was kept as {known.kept}"
        report.add("log", f"the log ends with {report.bookmark}, but {known.seen} was durable before{kept}")
    if _restore(services, report, program, head.txid, restored):
        _compare(services, report, live, restored, known.anchor)


def _restore(services: Services, report: DrillReport, program: Path | None, txid: TXID, restored: Path) -> bool:
    """Restore from the store alone; whether there is a file to look at."""
    if program is not None:
        try:
            version = litestream_version(program)
            restore_with_litestream(program, services.settings, report.vault_id, txid, restored)
        except LitestreamFailed as exc:
            # Our own code is next: it tells whether it is the log or the program, and names the object.
            report.add("litestream", exc.message)
        else:
            report.restored_with = f"litestream {version}"
            return True
    try:
        write_database(CommitLog(services.site.store, report.vault_id), restored, upto=txid)
    except (CorruptLog, NotFound) as exc:
        report.add("restore", exc.message)
        return False
    return True


def _compare(services: Services, report: DrillReport, live: Path, restored: Path, anchor: Link | None) -> None:
    report.size_bytes = restored.stat().st_size
    examined = examine(restored, services.keyring, anchor)
    report.findings += examined.findings
    report.audit_rows = examined.audit_rows
    if examined.content is None:
        return
    report.rows, report.digest = row_counts(examined.content), examined.content.digest
    try:
        content = digest_of(live)
    except sqlite3.DatabaseError as exc:
        report.add("live", damaged(exc))
        return
    report.live_digest = content.digest
    report.findings += differences(content, examined.content)


def _known(services: Services, entry: VaultEntry | None, vault_id: str) -> _Known:
    """Read before the vault is looked at: each of it is older than what will be found then."""
    last = services.registry_read(lambda tx: last_drill(tx, vault_id))
    anchor = services.registry_read(lambda tx: find_anchor(tx, vault_id))
    content = None if last is None else content_of(services, last)
    bookmarks = ["" if content is None else content["newest_seen"], "" if entry is None else entry.bookmark]
    seen = [parse_bookmark(bookmark) for bookmark in bookmarks if bookmark]
    with services.pool.borrow(vault_id) as vault:
        live = services.registry if entry is None else vault
        copied = last_seen(services.site, vault_id) if live is None else LastSeen(parse_bookmark(live.bookmark), None)
    if copied is not None:
        seen.append(copied.bookmark)
    newest = max(seen, key=lambda bookmark: bookmark.txid, default=None)
    kept = None if copied is None else copied.kept
    return _Known(last, content, newest, kept, None if anchor is None else Link(anchor.seq, anchor.mac))


def _compare_with_last(report: DrillReport, known: _Known) -> None:
    """A vault that made no commit since its last drill must have the content it had then, whoever's cache was lost."""
    if known.last is None or not report.digest:
        return
    then = known.last.drilled_at
    if known.report is None:
        report.add("report", f"the signature of the report of {then} does not hold")
    elif (
        known.report["passed"]
        and known.report["bookmark"] == report.bookmark
        and known.report["digest"] != report.digest
    ):
        report.add("content", f"at this very commit the drill of {then} found other content")
