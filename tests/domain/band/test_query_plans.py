"""A band of real size: lists, searches, reports, the desk and one's own music answer from indexes."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.band_season import DIRECTOR, LIBRARIAN, NOW, PLAYER, Season, fill
from db.fields import parse_fields
from db.principal import Principal, find_principal, guest
from db.rest.planner import plan_read
from db.rest.request import ReadRequest, parse_request
from db.rest.sql import read_statement
from db.rest.visibility import is_open
from db.schema.schema import read_schema
from domain.band.calendar.reminders import remind, remind_of_attendance
from domain.band.charter import BAND
from domain.band.content.news_desk import expire_announcements, publish_content
from domain.band.music.desk import mark_overdue
from domain.band.permissions import MATRIX
from tests.domain.band.stage import Stage
from tests.domain.query_plans import Watching, full_scans, large_tables, scans_of

# Members, composers, announcements, rights: so many rows are read through no matter what.
FEW = len(MATRIX) * 5
MOST_STATEMENTS = 12
SEASON = {"from": "2026-01-01T00:00:00Z", "to": "2026-12-31T23:59:59Z"}


@pytest.fixture(scope="module")
def plain() -> Iterator[tuple[Stage, Season]]:
    stage = Stage()
    stage.at = NOW
    with stage.transaction():
        season = fill(stage.tx)
    yield stage, season
    stage.close()


@pytest.fixture(scope="module", params=["without figures", "analysed"])
def filled(plain: tuple[Stage, Season], request: pytest.FixtureRequest) -> Iterator[tuple[Stage, Season]]:
    """The band as the planner sees it at first, and once it has counted."""
    made, season = plain
    stage = Stage()
    stage.at = NOW
    made.connection.backup(stage.connection)
    if request.param == "analysed":
        stage.connection.execute("ANALYZE")
    yield stage, season
    stage.close()


def caller(stage: Stage, email: str) -> Principal:
    found = find_principal(stage.tx, email, stage.cipher.lookup(email), "") if email else guest("")
    assert found is not None
    return found


def ids(season: Season) -> dict[str, str]:
    return {"$event": season.events[100], "$member": season.members[7], "$piece": season.pieces[3],
            "$page": season.pages[3]}  # fmt: skip


def filled_in(season: Season, value: Any) -> Any:
    known = ids(season)
    for name, one in known.items():
        value = value.replace(name, one) if isinstance(value, str) else value
    return value


def test_the_band_has_its_size_and_is_the_same_for_the_same_seed(plain):
    stage, season = plain
    sizes = large_tables(stage.connection, 0)
    wanted = {"members": 80, "music_pieces": 1200, "music_parts": 14_000, "events": 300, "attendance": 20_000}
    assert {name: sizes[name] for name in wanted} == wanted
    for seed, same in ((1, True), (2, False)):
        again = Stage()
        try:
            with again.transaction():
                assert (fill(again.tx, seed) == season) is same
        finally:
            again.close()


READS: list[tuple[str, str, dict[str, Any]]] = [
    (DIRECTOR, "member.roster", {}),
    (DIRECTOR, "member.find_by_email", {"email": PLAYER}),
    (DIRECTOR, "user.list", {}),
    (PLAYER, "me.permissions", {}),
    (LIBRARIAN, "music.search", {"q": "festive suite"}),
    (PLAYER, "music.search", {"q": "festive suite"}),
    (LIBRARIAN, "music.search", {}),
    (LIBRARIAN, "music.performances", {"piece_id": "$piece"}),
    (LIBRARIAN, "part.list", {"piece_id": "$piece"}),
    (LIBRARIAN, "music.desk", {}),
    (LIBRARIAN, "assignment.list", {}),
    (LIBRARIAN, "assignment.list", {"status": "PICKED_UP"}),
    (LIBRARIAN, "assignment.list", {"piece_id": "$piece"}),
    (LIBRARIAN, "assignment.list", {"member_id": "$member", "q": "suite"}),
    (LIBRARIAN, "assignment.list", {"overdue": True}),
    (PLAYER, "me.music", {}),
    ("", "event.list", {"upcoming": True}),
    (DIRECTOR, "event.list", {**SEASON, "type": "CONCERT"}),
    ("", "event.get", {"event_id": "$event"}),
    (PLAYER, "event.get", {"event_id": "$event"}),
    (DIRECTOR, "report.attendance", SEASON),
    (DIRECTOR, "report.attendance", {"event_id": "$event"}),
    (DIRECTOR, "report.attendance", {**SEASON, "status": "PRESENT", "event_type": "CONCERT"}),
    (DIRECTOR, "report.attendance_by_section", SEASON),
    (DIRECTOR, "report.event_attendance", {"event_id": "$event"}),
    (DIRECTOR, "report.member_attendance", {"member_id": "$member"}),
    (PLAYER, "report.member_attendance", SEASON),
    (DIRECTOR, "attendance.export", {"kind": "detailed", **SEASON}),
    (DIRECTOR, "attendance.export", {"kind": "member-summary", **SEASON}),
    (DIRECTOR, "attendance.export", {"kind": "event-summary", **SEASON}),
    (DIRECTOR, "page.versions", {"page_id": "$page"}),
    ("", "site.read", {"slug": "news/report-3"}),
    ("", "site.news", {}),
    ("", "site.search", {"q": "band pla"}),
    (PLAYER, "me.notifications", {}),
    (PLAYER, "me.notifications", {"unread": True}),
    (PLAYER, "message.list", {}),
]


@pytest.mark.parametrize(("who", "verb", "given"), READS, ids=lambda value: str(value)[:40])
def test_a_verb_reads_no_large_table_from_end_to_end(filled, who, verb, given):
    stage, season = filled
    declared = BAND.verb(verb)
    assert declared is not None
    args = parse_fields({name: filled_in(season, value) for name, value in given.items()}, declared.params)
    tx = Watching(stage.connection)
    tx.notes = []  # An export notes that it was made.
    tx.note = lambda subject, values: None
    declared.run(tx, caller(stage, who), args, stage.now)
    assert 0 < len(tx.ran) <= MOST_STATEMENTS
    ran = [(sql, values) for sql, values in tx.ran if "GROUP BY status" not in sql]  # Each part is counted once.
    assert scans_of(stage.connection, ran, FEW, walks=True) == []


LISTS: list[tuple[str, str]] = [
    ("members", "order=last_name,first_name&limit=20"),
    ("members", "status=eq.ACTIVE&select=*,member_sections(section_id),member_instruments(*)"),
    ("music_pieces", "order=title&limit=20"),
    ("music_pieces", "title=fts.festive&limit=20"),
    ("music_pieces", "composer_id=eq.x&order=title"),
    ("music_parts", "piece_id=eq.$piece"),
    ("music_assignments", "member_id=eq.$member"),
    ("music_assignments", "piece_id=eq.$piece&select=*,music_pieces(title),members(last_name)"),
    ("events", "start_time=gte.2026-04-10T00:00:00Z&order=start_time&limit=20"),
    ("events", "id=eq.$event&select=*,event_music(*),event_notes(*)"),
    ("attendance", "event_id=eq.$event"),
    ("attendance", "member_id=eq.$member&order=marked_at.desc"),
    ("pages", "slug=eq.news/report-3"),
    ("pages", "raw_markdown=fts.band"),
    ("announcements", "order=is_urgent.desc,published_at.desc&limit=20"),
    ("user_notifications", "order=created_at.desc&limit=20"),
    ("messages", "limit=20"),
]


@pytest.mark.parametrize("who", [DIRECTOR, LIBRARIAN, PLAYER, ""])
@pytest.mark.parametrize(("table", "query"), LISTS)
def test_a_list_over_rest_reads_no_large_table_from_end_to_end(filled, table, query, who):
    stage, season = filled
    pairs = tuple((name, filled_in(season, value)) for name, value in (one.split("=", 1) for one in query.split("&")))
    request = parse_request("GET", table, pairs)
    assert isinstance(request, ReadRequest)
    resources = {resource.table: resource for resource in BAND.resources}
    principal = caller(stage, who)
    if table not in resources or not is_open(resources[table].read, principal):
        return
    planned = read_statement(plan_read(read_schema(stage.tx), resources, principal, request, stage.now))
    assert scans_of(stage.connection, [(planned.sql, planned.parameters)], FEW, walks=True) == []


JOBS = [remind, remind_of_attendance, publish_content, expire_announcements, mark_overdue]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__)
def test_a_job_with_nothing_to_do_reads_no_large_table_from_end_to_end(filled, job):
    stage, _ = filled
    tx = Watching(stage.connection)
    tx.execute = lambda sql, **values: tx.ran.append((sql, values)) or 0
    job(tx, stage.now)
    assert scans_of(stage.connection, tx.ran, FEW) == []


def test_a_full_scan_is_noticed(filled):
    stage, _ = filled
    assert full_scans(stage.connection, "SELECT count(*) FROM attendance WHERE notes = 'x'", {}, FEW)
