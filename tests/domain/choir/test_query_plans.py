"""A year of real size: every list, report and roster answers from an index, and with the figures of a plain count."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from benchmarks.choir_year import NOW, Collective, Year, fill
from db.fields import parse_fields
from db.principal import Principal
from db.rest.planner import plan_read
from db.rest.request import ReadRequest, parse_request
from db.rest.sql import read_statement
from db.schema.schema import read_schema
from db.transaction import ReadTx, SqlValue
from domain.attendance import percent
from domain.choir.charter import CHOIR
from tests.domain.choir.stage import Stage

LARGE = ("participation", "events", "works", "editions", "members", "member_organizations", "member_sections",
         "event_works", "event_work_editions", "season_works", "season_work_editions", "edition_sections")  # fmt: skip
ALIAS = re.compile(r"\b(?:FROM|JOIN)\s+(?:main\.)?\"?(\w+)\"?(?:\s+(?:AS\s+)?\"?(\w+)\"?)?", re.IGNORECASE)


class Watching(ReadTx):
    """A transaction that remembers what it ran."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.ran: list[tuple[str, dict[str, SqlValue]]] = []

    def _run(self, sql: str, values: Mapping[str, SqlValue]) -> sqlite3.Cursor:
        self.ran.append((sql, dict(values)))
        return super()._run(sql, values)


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Stage, Year]]:
    stage = Stage()
    stage.at = NOW
    with stage.transaction():
        year = fill(stage.tx)
    yield stage, year
    stage.close()


def full_scans(stage: Stage, sql: str, values: Mapping[str, SqlValue]) -> list[str]:
    """The steps that read a whole large table, with or without an index."""
    named = {match[2] or match[1]: match[1] for match in ALIAS.finditer(sql)}
    named |= {table: table for table in LARGE}
    steps = [row[3] for row in stage.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    scans = [step for step in steps if step.startswith("SCAN ")]
    return [step for step in scans if named.get(step.split()[1].removeprefix("main.")) in LARGE]


def caller(stage: Stage, choir: Collective) -> Principal:
    return stage.as_person(choir.org_id, choir.conductor)


def test_the_year_has_its_size_and_is_the_same_every_time(filled):
    stage, year = filled
    counts = {table: stage.value(f"SELECT count(*) FROM {table}") for table in ("works", "events", "participation")}
    assert counts == {"works": 400, "events": 90, "participation": 9000}
    # 120 singers, three conductors and the umbrella's owner.
    assert stage.value("SELECT count(*) FROM members") == 124
    again = Stage()
    try:
        assert fill(again.tx) == year
    finally:
        again.close()


READS: list[tuple[str, dict[str, str]]] = [
    ("season.list", {}),
    ("season.get", {"season_id": "$season"}),
    ("season.by_date", {"date": "2026-02-05"}),
    ("season.events", {"season_id": "$season"}),
    ("event.list", {}),
    ("event.list", {"upcoming": "1", "event_type": "concert"}),
    ("event.get", {"event_id": "$event"}),
    ("participation.list", {"event_id": "$event"}),
    ("participation.summary", {"event_id": "$event"}),
    ("roster.view", {}),
    ("roster.view", {"season_id": "$season"}),
    ("roster.view", {"start": "2025-09-01T00:00:00Z", "end": "2026-09-01T00:00:00Z", "section_id": "$section"}),
    ("repertoire.get", {"event_id": "$event"}),
    ("repertoire.get", {"season_id": "$season"}),
    ("repertoire.coverage", {"event_id": "$event"}),
    ("repertoire.coverage", {"season_id": "$season"}),
    ("repertoire.suggestions", {"event_id": "$event"}),
    ("materials.what_to_bring", {"event_id": "$event"}),
    ("shared.events", {}),
]


def arguments(choir: Collective, given: Mapping[str, str]) -> dict[str, Any]:
    ids = {"$season": choir.seasons[0], "$event": choir.events[3], "$section": f"{choir.org_id}-alto"}
    return {name: int(value) if name == "upcoming" else ids.get(value, value) for name, value in given.items()}


@pytest.mark.parametrize(("verb", "given"), READS, ids=lambda value: str(value)[:30])
def test_a_verb_reads_no_large_table_from_end_to_end(filled, verb, given):
    stage, year = filled
    declared, choir = CHOIR.verb(verb), year.collectives[1]
    assert declared is not None
    tx = Watching(stage.connection)
    declared.run(tx, caller(stage, choir), parse_fields(arguments(choir, given), declared.params), stage.now)
    assert tx.ran
    for sql, values in tx.ran:
        assert full_scans(stage, sql, values) == [], sql


LISTS = [
    ("seasons", (("order", "start_date.desc"),)),
    ("events", (("starts_at", "gte.2026-02-05T00:00:00Z"), ("order", "starts_at"))),
    ("events", (("id", "eq.$event"), ("select", "*,event_works(*,event_work_editions(*))"))),
    ("event_works", (("event_id", "eq.$event"), ("order", "display_order"))),
    ("event_work_editions", (("event_work_id", "eq.x"),)),
    ("season_works", (("season_id", "eq.$season"), ("order", "display_order"))),
    ("season_work_editions", (("season_work_id", "eq.x"),)),
    ("participation", (("event_id", "eq.$event"),)),
    ("participation", (("member_id", "eq.$member"),)),
]


@pytest.mark.parametrize(("table", "query"), LISTS, ids=lambda value: str(value)[:40])
def test_a_list_over_rest_reads_no_large_table_from_end_to_end(filled, table, query):
    stage, year = filled
    choir = year.collectives[0]
    ids = {"$event": choir.events[0], "$season": choir.seasons[0], "$member": choir.members[1]}
    pairs = tuple((name, re.sub(r"\$\w+", lambda found: ids[found[0]], value)) for name, value in query)
    request = parse_request("GET", table, pairs)
    assert isinstance(request, ReadRequest)
    resources = {resource.table: resource for resource in CHOIR.resources}
    plan = plan_read(read_schema(stage.tx), resources, caller(stage, choir), request, stage.now)
    planned = read_statement(plan)
    assert full_scans(stage, planned.sql, planned.parameters) == []


def test_the_plan_of_a_full_scan_is_noticed(filled):
    stage, _ = filled
    assert full_scans(stage, "SELECT count(*) FROM participation AS p WHERE p.planned_notes = 'x'", {})
    assert full_scans(stage, "SELECT * FROM main.works AS w ORDER BY title", {})


def test_the_roster_counts_as_a_plain_count_does(filled):
    stage, year = filled
    choir = year.collectives[2]
    shown = stage.call("roster.view", caller(stage, choir), start="2025-01-01T00:00:00Z", end="2027-01-01T00:00:00Z")
    assert (len(shown["members"]), len(shown["events"])) == (101, 30)
    cells = [cell for row in shown["members"] for cell in row["cells"]]
    assert len(cells) == 101 * 30
    recorded = stage.rows(
        "SELECT p.actual_status FROM participation AS p JOIN events AS e ON e.id = p.event_id"
        " WHERE e.org_id = ? AND p.actual_status IS NOT NULL",
        choir.org_id,
    )
    counted = Counter(row[0] for row in recorded)
    assert shown["average_attendance"] == percent(counted["present"], counted.total())
    assert sum(line["total"] for line in shown["section_stats"]) == 100
