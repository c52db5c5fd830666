"""Every list and report of a library of real size answers from indexes and scans no large table."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.domain.choir.library_of_size import COPIES, SLUGS, WORKS, fill
from tests.domain.choir.stage import Stage

OWNER, BOARD = "owner@aurora.example", "owner@union.example"

# Verb, whose desk, arguments.
READS: list[tuple[str, str, dict[str, Any]]] = [
    ("work.list", OWNER, {}),
    ("work.search", OWNER, {"q": "work 1"}),
    ("work.get", OWNER, {"work_id": "work-0"}),
    ("edition.list", OWNER, {}),
    ("edition.list", OWNER, {"work_id": "work-0"}),
    ("edition.get", OWNER, {"edition_id": "edition-0"}),
    ("copy.list", OWNER, {"edition_id": "edition-0"}),
    ("copy.get", OWNER, {"copy_id": "copy-0"}),
    ("copy.history", OWNER, {"copy_id": "copy-0"}),
    ("copy.history", OWNER, {"edition_id": "edition-0"}),
    ("copy.holders", OWNER, {"edition_id": "edition-0"}),
    ("member.copies", OWNER, {"member_id": "SOMEBODY"}),
    ("report.inventory", OWNER, {}),
    ("report.inventory", OWNER, {"edition_id": "edition-0"}),
    ("report.demand", OWNER, {}),
    ("report.mismatches", OWNER, {}),
    ("report.missing", OWNER, {"season_id": "season-aurora"}),
    ("report.missing", OWNER, {"event_id": "event-aurora"}),
    ("report.collection", OWNER, {}),
    ("takedown.list", OWNER, {}),
    ("takedown.list", OWNER, {"status": "pending"}),
    ("affiliation.active", OWNER, {}),
    ("umbrella.overview", BOARD, {}),
    ("umbrella.public_events", BOARD, {}),
    ("umbrella.storage_statement", BOARD, {}),
    ("shared.works", OWNER, {}),
    ("shared.events", OWNER, {}),
    ("settings.get", OWNER, {}),
    ("preferences.get", OWNER, {}),
]
# So many rows at most are read through no matter what: an association's organizations, its affiliations.
FEW = 20


@pytest.fixture(scope="module", params=["without figures", "analysed"])
def library(request: pytest.FixtureRequest) -> Iterator[tuple[Stage, dict[str, str]]]:
    stage = Stage()
    orgs = fill(stage)
    if request.param == "analysed":
        stage.connection.execute("ANALYZE")
    yield stage, orgs
    stage.close()


def statements(stage: Stage, verb: str, caller: str, org: str, args: dict[str, Any]) -> list[str]:
    """The SQL a verb runs, values filled in."""
    seen: list[str] = []
    principal = stage.as_person(org, caller)
    stage.connection.set_trace_callback(seen.append)
    try:
        stage.call(verb, principal, **args)
    finally:
        stage.connection.set_trace_callback(None)
    # Those of triggers and subprograms start with a comment.
    return [sql for sql in seen if sql.lstrip().upper().startswith(("SELECT", "WITH"))]


def scanned_tables(stage: Stage, sql: str) -> set[str]:
    """The tables of more than a few rows that the statement reads through; what it makes for itself is none."""
    plan = [row[3] for row in stage.rows(f"EXPLAIN QUERY PLAN {sql}")]
    scanned = {step.split()[1] for step in plan if step.startswith("SCAN")}
    tables = {row[0] for row in stage.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    aliases = {alias: table for table, alias in re.findall(r"\b(\w+) AS (\w+)\b", sql) if table in tables}
    found = {aliases.get(name, name) for name in scanned} & tables
    return {table for table in found if stage.value(f"SELECT count(*) FROM {table}") > FEW}


@pytest.mark.parametrize(("verb", "caller", "args"), READS, ids=lambda value: str(value)[:40])
def test_a_read_scans_no_large_table(library, verb, caller, args):
    stage, orgs = library
    somebody = stage.value("SELECT member_id FROM copy_assignments WHERE id = 'open-0'")
    given = {name: somebody if value == "SOMEBODY" else value for name, value in args.items()}
    ran = statements(stage, verb, caller, orgs["union" if caller == BOARD else "aurora"], given)
    assert ran
    for sql in ran:
        assert (sql, scanned_tables(stage, sql)) == (sql, set())


def test_the_figures_of_the_reports_agree_with_each_other(library):
    stage, orgs = library
    total = 0
    for slug in SLUGS:
        owner = f"owner@{slug}.example"
        lines = stage.call("report.inventory", owner, orgs[slug])
        total += sum(line["total"] for line in lines)
        for line in lines:
            assert line["total"] == line["lost"] + line["assigned"] + line["available"]
            assert line["total"] == line["good"] + line["fair"] + line["poor"] + line["lost"]
        assert [line["work"].casefold() for line in lines] == sorted(line["work"].casefold() for line in lines)
        demand = {line["edition_id"]: line for line in stage.call("report.demand", owner, orgs[slug])}
        assert {line["edition_id"] for line in lines} <= set(demand)
        for line in lines:
            assert demand[line["edition_id"]]["usable"] == line["total"] - line["lost"]
    assert total == COPIES
    overview = stage.call("umbrella.overview", BOARD, orgs["union"])
    assert overview["totals"]["works_count"] == WORKS


def test_missing_copies_are_those_that_counting_one_by_one_finds(library):
    stage, orgs = library
    report = stage.call("report.missing", OWNER, orgs["aurora"], season_id="season-aurora")
    pairs = stage.rows(
        "SELECT DISTINCT p.edition_id, h.member_id FROM season_works AS i"
        " JOIN season_work_editions AS p ON p.season_work_id = i.id"
        " JOIN edition_sections AS l ON l.edition_id = p.edition_id"
        " JOIN member_sections AS h ON h.section_id = l.section_id"
        " JOIN members AS m ON m.id = h.member_id WHERE i.season_id = 'season-aurora' AND m.email_id IS NOT NULL"
    )
    held = set(
        stage.rows(
            "SELECT c.edition_id, a.member_id FROM copy_assignments AS a JOIN physical_copies AS c ON c.id = a.copy_id"
            " WHERE a.returned_at IS NULL AND c.condition <> 'lost'"
        )
    )
    wanted = {pair for pair in pairs if pair not in held}
    assert {(line["edition_id"], line["member_id"]) for line in report["lines"]} == wanted
    assert report["total_missing"] == len(wanted) > 0
