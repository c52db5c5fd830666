"""The choir's own jobs in rounds of maintenance: figures by day, files checked; twice, and with clocks that jump."""

import json

import pytest

from db.registry.daily_figures import days_counted
from tests.handlers.jobs.upkeep_site import DAY_MS, HOUR_MS, START_MS, Upkeep

JOB = "choir.figures.count"
# The site's clock begins at 06:13 on 25 February 2026.
TODAY, LATER, EARLIER = "2026-02-25", "2026-03-01", "2026-02-23"


@pytest.fixture
def choir(upkeep):
    return upkeep.choir()


def add_event(upkeep: Upkeep, entry, event_id: str, day: str, kind: str = "concert") -> None:
    upkeep.write(
        entry,
        "INSERT INTO events (id, org_id, title, starts_at, event_type)"
        f" SELECT '{event_id}', id, 'x', '{day}T19:00:00.000Z', '{kind}' FROM organizations",
    )


def days(upkeep: Upkeep, entry) -> dict[str, dict[str, int]]:
    """The figures the registry keeps, by day."""
    found = upkeep.services.registry_read(lambda tx: days_counted(tx, entry.id, JOB), current=True)
    assert [line.day for line in found] == [line.counted_at[:10] for line in found]
    return {line.day: dict(line.figures) for line in found}


def bookmarks(upkeep: Upkeep, entry) -> int:
    return upkeep.txid(entry)


def test_a_day_has_one_line_of_figures_however_often_it_is_counted(upkeep, choir):
    add_event(upkeep, choir, "a", TODAY)
    before = bookmarks(upkeep, choir)
    assert upkeep.round(JOB).jobs[JOB].done == 1
    first = days(upkeep, choir)
    assert first == {TODAY: {
        "members": 1, "organizations": 1, "works": 0, "editions": 0, "file_bytes": 0,
        "events_rehearsal": 0, "events_concert": 1, "events_retreat": 0, "events_festival": 0}}  # fmt: skip
    assert upkeep.round(JOB).runs == 0
    upkeep.round(JOB, force=True)
    assert days(upkeep, choir) == first
    assert bookmarks(upkeep, choir) == before
    add_event(upkeep, choir, "b", TODAY, "rehearsal")
    upkeep.clock.ms += HOUR_MS
    upkeep.round(JOB, force=True)
    assert days(upkeep, choir)[TODAY]["events_rehearsal"] == 1


def test_a_clock_that_jumps_leaves_a_line_for_each_day_it_stood_on(upkeep, choir):
    for number, day in enumerate((TODAY, LATER, EARLIER)):
        for turn in range(number + 1):
            add_event(upkeep, choir, f"{number}-{turn}", day)
    for ms in (START_MS, START_MS + 4 * DAY_MS, START_MS - 2 * DAY_MS, START_MS, START_MS + 4 * DAY_MS):
        upkeep.clock.ms = ms
        for _ in range(2):
            upkeep.round(JOB, force=True)
    concerts = {day: figures["events_concert"] for day, figures in days(upkeep, choir).items()}
    assert concerts == {EARLIER: 3, TODAY: 1, LATER: 2}


def test_a_count_that_comes_late_never_replaces_a_later_one_of_its_day(upkeep, choir):
    add_event(upkeep, choir, "a", TODAY)
    upkeep.clock.ms = START_MS + HOUR_MS
    upkeep.round(JOB, force=True)
    add_event(upkeep, choir, "b", TODAY)
    upkeep.clock.ms = START_MS
    upkeep.round(JOB, force=True)
    assert days(upkeep, choir)[TODAY]["events_concert"] == 1


def test_the_figures_go_with_their_tenant_and_one_broken_vault_stops_no_other(upkeep, choir):
    other = upkeep.choir("meretuul")
    upkeep.alter(choir, "DROP TABLE events")
    report = upkeep.round(JOB, "choir.files.check")
    assert (report.jobs[JOB].done, report.jobs[JOB].failed) == (1, 1)
    assert report.jobs["choir.files.check"].done == 2
    assert list(days(upkeep, other)) == [TODAY]
    assert days(upkeep, choir) == {}


def test_what_a_check_of_files_finds_is_counted_and_left_as_it_is(upkeep, choir):
    upkeep.write(
        choir,
        "INSERT INTO works (id, org_id, title) SELECT 'w', id, 'Locus iste' FROM organizations",
        "INSERT INTO editions (id, work_id, name, file_key, file_size) VALUES ('e', 'w', 'Score', 'e', 9)",
    )
    before = bookmarks(upkeep, choir)
    for _ in range(2):
        assert upkeep.round("choir.files.check", force=True).jobs["choir.files.check"].sums == {"unmatched": 1}
    kept = upkeep.run(choir, "choir.files.check").report
    assert kept == {"unmatched": 1}
    assert "Locus" not in json.dumps(dict(kept))
    assert bookmarks(upkeep, choir) == before


def test_invitations_are_forgotten_once_whichever_way_the_clock_jumps(upkeep, choir):
    upkeep.write(
        choir,
        "INSERT INTO invites (id, org_id, token, name, invited_by, created_at, expires_at)"
        " SELECT 'i', o.id, lower(hex(randomblob(32))), 'Anna', m.id, '2026-01-22T06:00:00.000Z',"
        " '2026-01-24T06:00:00.000Z' FROM organizations AS o, members AS m",
    )
    purged: list[int] = []
    for ms in (START_MS - 10 * DAY_MS, START_MS, START_MS, START_MS - 30 * DAY_MS, START_MS + DAY_MS):
        upkeep.clock.ms = ms
        report = upkeep.round("choir.invites.purge", force=True)
        purged.append(report.jobs["choir.invites.purge"].sums.get("rows", 0))
    assert purged == [0, 1, 0, 0, 0]
