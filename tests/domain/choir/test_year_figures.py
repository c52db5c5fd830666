"""A year of real size: reports, sums and the roster say what counting row by row in Python says."""

from collections import Counter, defaultdict
from typing import Any

import pytest

from benchmarks.choir_year import BOARD, Collective, Year
from domain.attendance import percent
from domain.choir.repertoire.materials import summarise
from tests.domain.choir.stage import Stage


@pytest.fixture(params=[0, 1, 2], ids=lambda number: f"choir {number}")
def choir(request: pytest.FixtureRequest, plain_year: tuple[Stage, Year]) -> tuple[Stage, Collective]:
    stage, year = plain_year
    return stage, year.collectives[request.param]


def ask(stage: Stage, choir: Collective, verb: str, **args: Any) -> Any:
    return stage.call(verb, choir.conductor, choir.org_id, **args)


def sections_of(stage: Stage, choir: Collective) -> dict[str, set[str]]:
    """The sections of each member."""
    stands: dict[str, set[str]] = defaultdict(set)
    sql = "SELECT p.member_id, p.section_id FROM member_sections AS p JOIN sections AS s ON s.id = p.section_id"
    for member_id, section_id in stage.rows(f"{sql} WHERE s.org_id = ?", choir.org_id):
        stands[member_id].add(section_id)
    return stands


def listed_sections(stage: Stage) -> dict[str, set[str]]:
    """The sections each edition lists."""
    listed: dict[str, set[str]] = defaultdict(set)
    for edition_id, section_id in stage.rows("SELECT edition_id, section_id FROM edition_sections"):
        listed[edition_id].add(section_id)
    return listed


def copies_of(stage: Stage, choir: Collective) -> list[tuple[str, str, str | None]]:
    """Edition, condition and holder of every copy."""
    return stage.rows(
        "SELECT c.edition_id, c.condition, a.member_id FROM physical_copies AS c"
        " JOIN editions AS e ON e.id = c.edition_id JOIN works AS w ON w.id = e.work_id"
        " LEFT JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL WHERE w.org_id = ?",
        choir.org_id,
    )


def test_the_inventory_counts_every_copy_once(choir):
    stage, collective = choir
    lines = {line["edition_id"]: line for line in ask(stage, collective, "report.inventory")}
    copies = copies_of(stage, collective)
    assert set(lines) == {edition for edition, _, _ in copies}
    assert sum(line["total"] for line in lines.values()) == len(copies) == 500
    for edition, line in lines.items():
        own = [(condition, holder) for each, condition, holder in copies if each == edition]
        assert {name: line[name] for name in ("good", "fair", "poor", "lost")} == {
            name: sum(condition == name for condition, _ in own) for name in ("good", "fair", "poor", "lost")
        }
        assert line["assigned"] == sum(holder is not None and condition != "lost" for condition, holder in own)
        assert line["total"] == line["lost"] + line["assigned"] + line["available"]
    titles = [line["work"].casefold() for line in ask(stage, collective, "report.inventory")]
    assert titles == sorted(titles)


def test_the_demand_counts_each_member_of_the_listed_sections_once(choir):
    stage, collective = choir
    stands, listed = sections_of(stage, collective), listed_sections(stage)
    usable = Counter(edition for edition, condition, _ in copies_of(stage, collective) if condition != "lost")
    lines = ask(stage, collective, "report.demand")
    assert len(lines) == 2 * len(collective.works)
    for line in lines:
        meant = listed.get(line["edition_id"])
        needed = 101 if meant is None else sum(bool(held & meant) for held in stands.values())
        assert (line["needed"], line["usable"]) == (needed, usable[line["edition_id"]])
        assert line["shortage"] == max(0, needed - usable[line["edition_id"]])


def test_missing_copies_are_those_that_counting_pair_by_pair_finds(choir):
    stage, collective = choir
    stands, listed = sections_of(stage, collective), listed_sections(stage)
    registered = {row[0] for row in stage.rows("SELECT id FROM members WHERE email_id IS NOT NULL")}
    held = {(edition, holder) for edition, condition, holder in copies_of(stage, collective) if condition != "lost"}
    for kind, plan_id in (("season", collective.seasons[1]), ("event", collective.events[5])):
        picked = stage.rows(
            f"SELECT p.edition_id FROM {kind}_works AS i JOIN {kind}_work_editions AS p ON p.{kind}_work_id = i.id"
            f" WHERE i.{kind}_id = ?",
            plan_id,
        )
        wanted = {
            (edition, member)
            for (edition,) in picked
            for member, sections in stands.items()
            if sections & listed[edition] and member in registered and (edition, member) not in held
        }
        report = ask(stage, collective, "report.missing", **{f"{kind}_id": plan_id})
        assert len(report["lines"]) == report["total_missing"] == len(wanted) > 0
        assert {(line["edition_id"], line["member_id"]) for line in report["lines"]} == wanted
        assert report["edition_count"] == len({edition for edition, _ in wanted})


def test_mismatches_are_the_loans_to_people_of_no_listed_section(choir):
    stage, collective = choir
    stands, listed = sections_of(stage, collective), listed_sections(stage)
    wanted = sum(
        holder is not None and bool(listed[edition]) and not listed[edition] & stands[holder]
        for edition, _, holder in copies_of(stage, collective)
    )
    assert len(ask(stage, collective, "report.mismatches")) == wanted > 0


def test_the_collection_asks_for_every_loan_of_the_seasons_editions_once(choir):
    stage, collective = choir
    picked = {
        row[0]
        for row in stage.rows(
            "SELECT p.edition_id FROM season_works AS i JOIN season_work_editions AS p ON p.season_work_id = i.id"
            " WHERE i.season_id = ?",
            collective.seasons[1],
        )
    }
    holders = Counter(holder for edition, _, holder in copies_of(stage, collective) if holder and edition in picked)
    report = ask(stage, collective, "report.collection")
    assert report["season_id"] == collective.seasons[1]
    assert (report["total_outstanding"], report["member_count"]) == (holders.total(), len(holders))
    assert {line["member_id"]: len(line["loans"]) for line in report["members"]} == dict(holders)


def test_the_roster_counts_as_a_plain_count_does(choir):
    stage, collective = choir
    shown = ask(stage, collective, "roster.view", start="2025-01-01T00:00:00Z", end="2027-01-01T00:00:00Z")
    assert (len(shown["members"]), len(shown["events"])) == (101, 30)
    cells = [cell for row in shown["members"] for cell in row["cells"]]
    assert len(cells) == 101 * 30
    recorded = stage.rows(
        "SELECT p.actual_status FROM participation AS p JOIN events AS e ON e.id = p.event_id"
        " WHERE e.org_id = ? AND p.actual_status IS NOT NULL",
        collective.org_id,
    )
    counted = Counter(row[0] for row in recorded)
    assert shown["average_attendance"] == percent(counted["present"], counted.total())
    assert sum(line["total"] for line in shown["section_stats"]) == 100


def test_summaries_add_up_to_the_members(choir):
    stage, collective = choir
    for event_id in collective.events[::5]:
        summary = ask(stage, collective, "participation.summary", event_id=event_id)
        stored = Counter(stage.rows("SELECT planned_status, actual_status FROM participation WHERE event_id = ?",
                                    event_id))  # fmt: skip
        for place, names in ((0, {"yes": "yes", "no": "no", "maybe": "maybe", "late": "late"}),
                             (1, {"present": "present", "absent": "absent", "late": "late_arrivals"})):  # fmt: skip
            for word, name in names.items():
                assert summary[name] == sum(count for key, count in stored.items() if key[place] == word)
        assert sum(summary[name] for name in ("yes", "no", "maybe", "late", "no_response")) == summary["members"] == 101
        assert summary["present"] + summary["absent"] + summary["late_arrivals"] + summary["not_recorded"] == 101


def test_coverage_and_what_to_bring_follow_the_listed_sections(choir):
    stage, collective = choir
    event_id, member_id = collective.events[2], collective.members[3]
    # Every work has a score for everybody: everything is covered.
    assert {line["status"] for line in ask(stage, collective, "repertoire.coverage", event_id=event_id)} == {"covered"}
    brought = ask(stage, collective, "materials.what_to_bring", event_id=event_id, member_id=member_id)
    listed, own = listed_sections(stage), sections_of(stage, collective)[member_id]
    copies = copies_of(stage, collective)
    held = {edition for edition, _, holder in copies if holder == member_id}
    picked = stage.rows(
        "SELECT p.edition_id FROM event_works AS i JOIN event_work_editions AS p ON p.event_work_id = i.id"
        " WHERE i.event_id = ?",
        event_id,
    )
    wanted = {edition for (edition,) in picked if not listed[edition] or listed[edition] & own or edition in held}
    assert {entry["edition_id"] for entry in brought["entries"]} == wanted
    assert brought["summary"] == summarise(brought["entries"])
    usable = {edition for edition, condition, _ in copies if condition != "lost"}
    good = {edition for edition, condition, holder in copies if holder == member_id and condition != "lost"}
    assert brought["summary"]["warnings"] == len(wanted & usable - good)


def test_the_umbrellas_figures_are_those_of_its_choirs(plain_year):
    stage, year = plain_year
    overview = stage.call("umbrella.overview", BOARD, year.umbrella_id)
    assert [line["member_count"] for line in overview["collectives"]] == [101, 101, 101]
    totals = overview["totals"]
    assert [totals[name] for name in ("member_count", "works_count", "editions_count", "event_count")] == [
        123, 400, 800, 90]  # fmt: skip
    assert totals["storage_bytes"] == stage.value("SELECT sum(size) FROM vaultry_files")
