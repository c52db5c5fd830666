"""A year of real size: every list, report and roster answers from an index, and scans no large table."""

import re
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from benchmarks.choir_year import BOARD, Collective, Year, fill
from db.errors import NotFound
from db.fields import parse_fields
from db.principal import Principal
from db.rest.planner import plan_read
from db.rest.request import ReadRequest, parse_request
from db.rest.sql import read_statement
from db.rest.visibility import is_open
from db.schema.schema import read_schema
from domain.choir.charter import CHOIR
from tests.domain.choir.stage import Stage
from tests.domain.query_plans import Watching, full_scans, large_tables, scans_of

# So many rows at most are read through no matter what: an association's organizations, its affiliations.
FEW = 20
# A list is one statement, a report or a roster a short sequence: never one for each row.
MOST_STATEMENTS = 7


def caller(stage: Stage, year: Year, choir: Collective | None) -> Principal:
    """The conductor, who owns the choir and keeps its library; None: somebody on the umbrella's board."""
    if choir is None:
        return stage.as_person(year.umbrella_id, BOARD)
    return stage.as_person(choir.org_id, choir.conductor)


def test_the_year_has_its_size_and_is_the_same_for_the_same_seed(plain_year):
    stage, year = plain_year
    sizes = large_tables(stage.connection, FEW)
    wanted = {"works": 400, "events": 90, "participation": 9000, "physical_copies": 1500}
    assert {name: sizes[name] for name in wanted} == wanted
    assert len(year.collectives) == 3
    # 120 singers, three conductors and the umbrella's owner.
    assert sizes["members"] == 124
    for seed, same in ((1, True), (2, False)):
        again = Stage()
        try:
            assert (fill(again.tx, seed) == year) is same
        finally:
            again.close()


# $name stands for an id of the choir, filled in by `arguments`.
READS: list[tuple[str, dict[str, str]]] = [
    ("organization.check_subdomain", {"subdomain": "meretuul"}),
    ("organization.list_public", {}),
    ("organization.get", {}),
    ("organization.storage_statement", {}),
    ("member.list", {}),
    ("member.get", {"member_id": "$member"}),
    ("member.copies", {"member_id": "$member"}),
    ("invite.list", {}),
    ("invite.open", {"token": "0" * 64}),
    ("voice.list", {}),
    ("section.list", {}),
    ("work.list", {}),
    ("work.search", {"q": "composer 1"}),
    ("work.get", {"work_id": "$work"}),
    ("edition.list", {}),
    ("edition.list", {"work_id": "$work"}),
    ("edition.get", {"edition_id": "$edition"}),
    ("catalogue.public_domain", {}),
    ("copy.list", {"edition_id": "$edition"}),
    ("copy.get", {"copy_id": "$copy"}),
    ("copy.history", {"copy_id": "$copy"}),
    ("copy.history", {"edition_id": "$edition"}),
    ("copy.holders", {"edition_id": "$edition"}),
    ("report.inventory", {}),
    ("report.inventory", {"edition_id": "$edition"}),
    ("report.demand", {}),
    ("report.demand", {"edition_id": "$edition"}),
    ("report.mismatches", {}),
    ("report.missing", {"season_id": "$season"}),
    ("report.missing", {"event_id": "$event"}),
    ("report.collection", {}),
    ("report.collection", {"season_id": "$season"}),
    ("file.read", {"edition_id": "$score"}),
    ("takedown.list", {}),
    ("takedown.list", {"status": "pending"}),
    ("settings.get", {}),
    ("preferences.get", {}),
    ("affiliation.active", {}),
    ("affiliation.status", {}),
    ("affiliation.history", {"umbrella_id": "$umbrella"}),
    ("shared.events", {}),
    ("shared.works", {}),
    ("shared.file", {"edition_id": "$shared"}),
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
    ("materials.what_to_bring", {"event_id": "$event", "member_id": "$member"}),
]
# Those of the umbrella's own door.
BOARD_READS: list[tuple[str, dict[str, str]]] = [
    ("umbrella.overview", {}),
    ("umbrella.public_events", {}),
    ("umbrella.storage_statement", {}),
    ("organization.storage_statement", {}),
    ("affiliation.status", {"collective_id": "$org"}),
    ("affiliation.active", {}),
    ("participation.summary", {"event_id": "$joint"}),
    ("event.list", {}),
]
ALL = [(verb, given, True) for verb, given in READS] + [(verb, given, False) for verb, given in BOARD_READS]


def test_every_verb_that_reads_is_looked_at():
    assert {verb for verb, _, _ in ALL} == {verb.name for verb in CHOIR.verbs if not verb.writes}


@pytest.fixture(scope="module")
def shared(filled: tuple[Stage, Year]) -> dict[str, str]:
    """The ids of what the umbrella owns: a score and an event."""
    stage, year = filled
    stage.tx.insert("works", id="shared", org_id=year.umbrella_id, title="Festival mass")
    stage.tx.insert("editions", id="shared", work_id="shared", name="Score", file_key="shared", file_size=9)
    stage.tx.insert("events", id="joint", org_id=year.umbrella_id, title="Festival", event_type="festival",
                    starts_at="2026-07-01T10:00:00.000Z")  # fmt: skip
    return {"$shared": "shared", "$joint": "joint"}


def arguments(stage: Stage, year: Year, choir: Collective, shared: Mapping[str, str], given: Mapping[str, str]) -> Any:
    copy = stage.connection.execute(
        "SELECT edition_id FROM physical_copies WHERE id = ?", (choir.copies[0],)
    ).fetchone()  # fmt: skip
    score = stage.value(
        "SELECT e.id FROM editions AS e JOIN works AS w ON w.id = e.work_id"
        " WHERE w.org_id = ? AND e.file_key IS NOT NULL LIMIT 1",
        choir.org_id,
    )
    ids = {
        "$season": choir.seasons[0], "$event": choir.events[3], "$section": f"{choir.org_id}-alto",
        "$member": choir.members[1], "$work": choir.works[0], "$edition": copy[0], "$copy": choir.copies[0],
        "$umbrella": year.umbrella_id, "$org": choir.org_id, "$score": score, **shared,
    }  # fmt: skip
    return {name: int(value) if name == "upcoming" else ids.get(value, value) for name, value in given.items()}


@pytest.mark.parametrize(("verb", "given", "at_choir"), ALL, ids=lambda value: str(value)[:30])
def test_a_verb_reads_no_large_table_from_end_to_end(filled, shared, verb, given, at_choir):
    stage, year = filled
    declared, choir = CHOIR.verb(verb), year.collectives[1]
    assert declared is not None
    args = parse_fields(arguments(stage, year, choir, shared, given), declared.params)
    tx, who = Watching(stage.connection), caller(stage, year, choir if at_choir else None)
    with pytest.raises(NotFound) if verb == "invite.open" else nullcontext():
        declared.run(tx, who, args, stage.now)
    assert 0 < len(tx.ran) <= MOST_STATEMENTS
    assert scans_of(stage.connection, tx.ran, FEW) == []


LISTS: list[tuple[str, tuple[tuple[str, str], ...]]] = [
    *((resource.table, ()) for resource in CHOIR.resources),
    *((resource.table, (("limit", "20"), ("select", "count()"))) for resource in CHOIR.resources),
    ("seasons", (("order", "start_date.desc"),)),
    ("events", (("starts_at", "gte.2026-02-05T00:00:00Z"), ("order", "starts_at"))),
    ("events", (("id", "eq.$event"), ("select", "*,event_works(*,event_work_editions(*))"))),
    ("event_works", (("event_id", "eq.$event"), ("order", "display_order"))),
    ("event_work_editions", (("event_work_id", "eq.x"),)),
    ("season_works", (("season_id", "eq.$season"), ("order", "display_order"))),
    ("season_work_editions", (("season_work_id", "eq.x"),)),
    ("participation", (("event_id", "eq.$event"),)),
    ("participation", (("member_id", "eq.$member"),)),
    ("works", (("order", "title"), ("limit", "20"))),
    ("works", (("select", "*,editions(*,edition_sections(*))"), ("limit", "20"))),
    ("physical_copies", (("edition_id", "eq.x"), ("order", "copy_number"))),
    ("copy_assignments", (("member_id", "eq.$member"), ("returned_at", "is.null"))),
]


@pytest.mark.parametrize("who", ["conductor", "singer", "guest", "board"])
@pytest.mark.parametrize(("table", "query"), LISTS, ids=lambda value: str(value)[:40])
def test_a_list_over_rest_reads_no_large_table_from_end_to_end(filled, table, query, who):
    stage, year = filled
    choir = year.collectives[0]
    ids = {"$event": choir.events[0], "$season": choir.seasons[0], "$member": choir.members[1]}
    pairs = tuple((name, re.sub(r"\$\w+", lambda found: ids[found[0]], value)) for name, value in query)
    request = parse_request("GET", table, pairs)
    assert isinstance(request, ReadRequest)
    resources = {resource.table: resource for resource in CHOIR.resources}
    callers = {
        "conductor": lambda: caller(stage, year, choir),
        "singer": lambda: stage.as_person(choir.org_id, "singer5@year.example"),
        "guest": lambda: stage.as_person(choir.org_id, ""),
        "board": lambda: caller(stage, year, None),
    }
    principal = callers[who]()
    plan = plan_read(read_schema(stage.tx), resources, principal, request, stage.now)
    planned = read_statement(plan)
    if not is_open(resources[table].read, principal):
        return  # WHERE 0: not a row is read, whatever the plan says.
    assert scans_of(stage.connection, [(planned.sql, planned.parameters)], FEW) == []


def test_the_plan_of_a_full_scan_is_noticed(filled):
    stage, _ = filled
    assert full_scans(stage.connection, "SELECT count(*) FROM participation AS p WHERE p.planned_notes = 'x'", {}, FEW)
    assert full_scans(stage.connection, "SELECT * FROM main.works AS w ORDER BY title", {}, FEW)
    assert full_scans(stage.connection, "SELECT count(*) FROM organizations AS o, physical_copies AS c", {}, FEW)
