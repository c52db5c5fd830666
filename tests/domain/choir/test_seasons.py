"""Which season an event belongs to, whatever is moved or deleted; and what an order of works is after any changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.clock import timestamp
from db.errors import Invalid
from domain.errors import Duplicate
from tests.domain.choir.stage import Stage

LIIS = "liis@aurora.example"
DAYS = st.dates(date(2025, 12, 28), date(2026, 1, 20))
# Around midnight, where the day of a local time zone would be another one.
MOMENTS = st.builds(
    lambda day, ms: timestamp(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000 + ms),
    DAYS,
    st.sampled_from([0, 1, 43_200_000, 86_399_999]),
)


@contextmanager
def staged() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    org = stage.choir(owner=LIIS)
    try:
        yield stage, org
    finally:
        stage.close()


def add_events(stage: Stage, org: str, moments: list[str]) -> dict[str, str]:
    """The start of each event by id."""
    events = {stage.now.new_id(): moment for moment in moments}
    for event_id, moment in events.items():
        stage.tx.insert("events", id=event_id, org_id=org, title="x", starts_at=moment, event_type="rehearsal")
    return events


def season_by_rule(starts: dict[str, date], day: date) -> str | None:
    """The season with the greatest first day that is not after the day."""
    begun = [(first, season_id) for season_id, first in starts.items() if first <= day]
    return max(begun)[1] if begun else None


def assert_grouped(stage: Stage, org: str, starts: dict[str, date], events: dict[str, str]) -> None:
    """Every event is in the season of its day and in no other; both ways of asking agree."""
    shown = {
        season_id: [row["id"] for row in stage.call("season.events", LIIS, org, season_id=season_id)]
        for season_id in starts
    }
    for event_id, moment in events.items():
        day = date.fromisoformat(moment[:10])
        rule = season_by_rule(starts, day)
        assert [season_id for season_id, ids in shown.items() if event_id in ids] == ([rule] if rule else [])
        found = stage.call("season.by_date", LIIS, org, date=day.isoformat())
        assert (found and found["id"]) == rule
    for season_id, ids in shown.items():
        assert [events[event_id] for event_id in ids] == sorted(events[event_id] for event_id in ids)
        roster = stage.call("roster.view", LIIS, org, season_id=season_id)
        assert [event["id"] for event in roster["events"]] == ids


@settings(max_examples=25, deadline=None)
@given(st.lists(DAYS, min_size=1, max_size=4, unique=True), st.lists(MOMENTS, max_size=8), st.data())
def test_an_event_is_in_exactly_the_season_of_its_day(firsts: list[date], moments: list[str], data: st.DataObject):
    with staged() as (stage, org):
        events = add_events(stage, org, moments)
        starts = {
            stage.call("season.create", LIIS, org, name=str(first), start_date=first.isoformat())["id"]: first
            for first in firsts
        }
        assert_grouped(stage, org, starts, events)
        moved, first = data.draw(st.sampled_from(sorted(starts))), data.draw(DAYS)
        if first in (day for season_id, day in starts.items() if season_id != moved):
            with pytest.raises(Duplicate):
                stage.call("season.update", LIIS, org, season_id=moved, start_date=first.isoformat())
        else:
            stage.call("season.update", LIIS, org, season_id=moved, start_date=first.isoformat())
            starts[moved] = first
        assert_grouped(stage, org, starts, events)
        stage.call("season.delete", LIIS, org, season_id=moved)
        del starts[moved]
        assert_grouped(stage, org, starts, events)
        assert stage.value("SELECT count(*) FROM events") == len(events)


def test_neighbours_are_the_next_older_and_the_next_newer(stage: Stage):
    org, other = stage.choir(owner=LIIS), stage.choir("meretuul", owner="m@x.example")
    stage.call("season.create", "m@x.example", other, name="Elsewhere", start_date="2026-01-02")
    first = date(2026, 1, 1)
    ids = [
        stage.call("season.create", LIIS, org, name=str(n), start_date=(first + timedelta(n)).isoformat())["id"]
        for n in (2, 0, 4)
    ]
    card = stage.call("season.get", LIIS, org, season_id=ids[0])
    assert (card["previous"]["id"], card["next"]["id"]) == (ids[1], ids[2])
    assert [row["id"] for row in stage.call("season.list", LIIS, org)] == [ids[2], ids[0], ids[1]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "order"]), st.randoms(use_true_random=False)), max_size=15))
def test_an_order_survives_any_changes(steps):
    with staged() as (stage, org):
        season = stage.call("season.create", LIIS, org, name="Spring", start_date="2026-01-12")["id"]
        model: dict[str, int] = {}
        for kind, chance in steps:
            if kind == "add":
                work = stage.call("work.create", LIIS, org, title="x")["id"]
                item = stage.call("repertoire.add_work", LIIS, org, season_id=season, work_id=work)
                model[item["id"]] = max(model.values(), default=-1) + 1
                assert item["display_order"] == model[item["id"]]
            elif kind == "remove" and model:
                gone = chance.choice(sorted(model))
                stage.call("repertoire.remove_work", LIIS, org, season_id=season, item_id=gone)
                del model[gone]
            elif kind == "order":
                order = chance.sample(sorted(model), len(model))
                stage.call("repertoire.reorder", LIIS, org, season_id=season, ids=order)
                model = {item_id: position for position, item_id in enumerate(order)}
                if order:
                    with pytest.raises(Invalid):
                        stage.call("repertoire.reorder", LIIS, org, season_id=season, ids=order[1:])
            listed = stage.call("repertoire.get", LIIS, org, season_id=season)
            assert [(row["id"], row["display_order"]) for row in listed] == sorted(model.items(), key=lambda at: at[1])
