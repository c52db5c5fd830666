"""What seasons, events, repertoire and participation refuse, with which status, and which field the answer names."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.handlers.http.planning import JAAN, MARI, add_event, add_work, aurora, id_of
from tests.handlers.http.site import Caller, Site, error_of, make_choir, refused


@dataclass(frozen=True)
class Scene:
    """Somebody with every desk, so that only the input is to blame, and ids to put into it."""

    caller: Caller
    ids: dict[str, str]

    def filled(self, args: dict[str, Any]) -> dict[str, Any]:
        """`$name` replaced by the id of that name."""
        return {
            name: self.ids[value[1:]] if isinstance(value, str) and value.startswith("$") else value
            for name, value in args.items()
        }


def scene(site: Site) -> Scene:
    choir = aurora(site)
    elsewhere = make_choir(site, "harmonia")
    stranger = site.add_member(elsewhere, "Stranger")
    jaan, mari = site.sign_in("aurora", JAAN), site.sign_in("aurora", MARI)
    jaan.done("role.grant", member_id=id_of(jaan, "Mari"), role="admin")
    season = mari.done("season.create", name="Spring", start_date="2026-01-12")["id"]
    event, later = add_event(mari, "2026-01-20T16:00:00Z"), add_event(mari, "2026-03-05T16:00:00Z")
    work, other = add_work(mari, "A", score={}), add_work(mari, "B", score={})
    item = mari.done("repertoire.add_work", event_id=event, work_id=work["work"])["id"]
    ids = {"season": season, "event": event, "later": later, "work": work["work"], "other": other["work"], "item": item}
    ids |= {"kadri": id_of(mari, "Kadri"), "stranger": stranger, "edition": work["score"], "foreign": other["score"]}
    assert choir.entry.id != elsewhere.entry.id
    return Scene(mari, ids)


REHEARSAL = {"title": "Rehearsal", "starts_at": "2026-03-05T18:00:00Z", "event_type": "rehearsal"}


def event(**changed: Any) -> dict[str, Any]:
    """One good event, and then one with the change."""
    return {"events": [REHEARSAL, {**REHEARSAL, **changed}]}


SET = {"event_id": "$event", "member_id": "$kadri"}
CASES: list[tuple[str, dict[str, Any], int, str, str | None]] = [
    ("season.create", {"name": "X", "start_date": "2026-13-01"}, 400, "invalid_input", "start_date"),
    ("season.create", {"name": "X", "start_date": "2026-02-30"}, 400, "invalid_input", "start_date"),
    ("season.create", {"name": "X", "start_date": "1.9.2026"}, 400, "invalid_input", "start_date"),
    ("season.create", {"name": "X", "start_date": "2026-01-12"}, 409, "duplicate", "start_date"),
    ("season.create", {"name": " ", "start_date": "2026-02-01"}, 400, "invalid_input", "name"),
    ("season.create", {"name": "x" * 201, "start_date": "2026-02-01"}, 400, "invalid_input", "name"),
    ("season.update", {"season_id": "$season"}, 400, "invalid_input", None),
    ("season.update", {"season_id": "$season", "name": None}, 400, "invalid_input", "name"),
    ("season.update", {"season_id": "nothing", "name": "X"}, 404, "not_found", "season_id"),
    ("season.by_date", {"date": "2026-02-30"}, 400, "invalid_input", "date"),
    ("event.create_many", event(starts_at="2026-03-05T18:00:00"), 400, "invalid_input", "starts_at"),
    ("event.create_many", event(starts_at="2026-02-30T18:00:00Z"), 400, "invalid_input", "starts_at"),
    ("event.create_many", event(ends_at="2026-03-05T17:59:59.999Z"), 400, "invalid_input", "ends_at"),
    ("event.create_many", event(event_type="party"), 400, "invalid_input", "event_type"),
    ("event.create_many", event(title="  "), 400, "invalid_input", "title"),
    ("event.create_many", event(title="x" * 201), 400, "invalid_input", "title"),
    ("event.create_many", event(description="x" * 4001), 400, "invalid_input", "description"),
    ("event.create_many", event(org_id="other"), 400, "invalid_input", "org_id"),
    ("event.create_many", {"events": []}, 400, "invalid_input", "events"),
    ("event.create_many", {"events": [REHEARSAL] * 101}, 400, "invalid_input", "events"),
    ("event.create_many", {"events": ["Rehearsal"]}, 400, "invalid_input", "events"),
    ("event.create_many", {"events": {"title": "x"}}, 400, "invalid_input", "events"),
    ("event.update", {"event_id": "$event", "ends_at": "2026-01-20T15:00:00Z"}, 400, "invalid_input", "ends_at"),
    ("event.update", {"event_id": "$event", "starts_at": None}, 400, "invalid_input", "starts_at"),
    ("event.update", {"event_id": "nothing", "title": "x"}, 404, "not_found", "event_id"),
    ("event.delete", {"event_id": "nothing"}, 404, "not_found", "event_id"),
    ("participation.set", {**SET, "planned_status": "present"}, 400, "invalid_input", "planned_status"),
    ("participation.set", {**SET, "actual_status": "yes"}, 400, "invalid_input", "actual_status"),
    ("participation.set", {**SET, "actual_status": ""}, 400, "invalid_input", "actual_status"),
    ("participation.set", {**SET, "actual_status": True}, 400, "invalid_input", "actual_status"),
    ("participation.set", SET, 400, "invalid_input", "planned_status"),
    ("participation.set", {**SET, "planned_notes": "x"}, 400, "invalid_input", "planned_status"),
    ("participation.set", {**SET, "planned_status": None, "planned_notes": "x"}, 400, "invalid_input", "planned_notes"),
    ("participation.set", {"event_id": "$event", "planned_status": "yes"}, 400, "invalid_input", "member_id"),
    ("participation.set", {**SET, "member_id": "$stranger", "planned_status": "yes"}, 404, "not_found", "member_id"),
    # What is unknown comes before what is misspelt.
    ("participation.set", {**SET, "member_id": "$stranger", "planned_status": "?"}, 404, "not_found", "member_id"),
    ("participation.set", {**SET, "event_id": "nothing", "planned_status": "?"}, 404, "not_found", "event_id"),
    ("participation.set", {**SET, "event_id": "$later", "actual_status": "?"}, 400, "invalid_input", "actual_status"),
    ("participation.summary", {"event_id": "nothing"}, 404, "not_found", "event_id"),
    ("roster.view", {"start": "2026-01-01T00:00:00Z"}, 400, "invalid_input", "end"),
    ("roster.view", {"end": "2026-01-01T00:00:00Z"}, 400, "invalid_input", "start"),
    ("roster.view", {"start": "2026-01-01", "end": "2026-02-01"}, 400, "invalid_input", "start"),
    ("repertoire.get", {}, 400, "invalid_input", "season_id"),
    ("repertoire.get", {"season_id": "$season", "event_id": "$event"}, 400, "invalid_input", "season_id"),
    ("repertoire.add_work", {"event_id": "$event", "work_id": "nothing"}, 404, "not_found", "work_id"),
    ("repertoire.add_work", {"event_id": "$event", "work_id": "$work"}, 409, "duplicate", "work_id"),
    ("repertoire.add_work", {"season_id": "nothing", "work_id": "$work"}, 404, "not_found", "season_id"),
    ("repertoire.remove_work", {"event_id": "$later", "item_id": "$item"}, 404, "not_found", "item_id"),
    ("repertoire.reorder", {"event_id": "$event", "ids": []}, 400, "invalid_input", "ids"),
    ("repertoire.reorder", {"event_id": "$event", "ids": ["nothing"]}, 400, "invalid_input", "ids"),
    ("repertoire.set_notes", {"event_id": "$event", "item_id": "$item"}, 400, "invalid_input", "notes"),
    ("repertoire.add_edition", {"event_id": "$event", "item_id": "$item", "edition_id": "$foreign"}, 400,
     "invalid_input", "edition_id"),
    ("repertoire.add_edition", {"event_id": "$event", "item_id": "$item", "edition_id": "nothing"}, 404, "not_found",
     "edition_id"),
    ("repertoire.set_primary", {"event_id": "$event", "item_id": "$item", "edition_id": "$edition"}, 404, "not_found",
     "edition_id"),
    ("repertoire.remove_edition", {"event_id": "$event", "item_id": "$item", "edition_id": "$edition"}, 404,
     "not_found", "edition_id"),
    ("materials.what_to_bring", {"event_id": "$event", "member_id": "$stranger"}, 404, "not_found", "member_id"),
]  # fmt: skip
TABLES = ("seasons", "events", "event_works", "season_works", "event_work_editions", "participation")


@pytest.mark.parametrize(("verb", "args", "status", "code", "field"), CASES, ids=lambda value: str(value)[:40])
def test_a_verb_refuses_bad_input_and_changes_nothing(site, verb, args, status, code, field):
    stage = scene(site)
    before = [stage.caller.rows(table) for table in TABLES]
    answer = stage.caller.call(verb, **stage.filled(args))
    assert refused(answer) == (status, code)
    assert error_of(answer)["details"] == field
    assert [stage.caller.rows(table) for table in TABLES] == before


def test_a_refused_event_says_which_one_it_is(site):
    answer = scene(site).caller.call("event.create_many", **event(event_type="party"))
    assert error_of(answer)["message"].startswith("events[1]: event_type: got 'party'")


def test_a_hundred_events_are_made_in_the_order_given(site):
    caller = scene(site).caller
    given = [{**REHEARSAL, "title": str(number)} for number in range(100)]
    made = caller.done("event.create_many", events=given)
    assert [row["title"] for row in made] == [str(number) for number in range(100)]
    assert made[0]["shown_until"] == "2026-03-05T20:00:00.000Z"
    assert made[0]["ends_at"] is None


def test_tables_keep_the_same_rules_and_leave_the_rest_to_verbs(site):
    stage = scene(site)
    caller, ids = stage.caller, stage.ids
    assert refused(caller.add("seasons", {"name": "X", "start_date": "2026-01-12"})) == (409, "duplicate")
    assert refused(caller.add("seasons", {"name": "X", "start_date": "2026-02-30"})) == (400, "invalid_input")
    backwards = {**REHEARSAL, "ends_at": "2026-03-05T17:00:00Z"}
    assert refused(caller.add("events", backwards)) == (400, "invalid_input")
    earlier = {"ends_at": "2026-01-01T00:00:00Z"}
    patched = caller.send("PATCH", f"/rest/v1/events?id=eq.{ids['event']}", earlier)
    assert refused(patched) == (400, "invalid_input")
    moved = caller.send("PATCH", f"/rest/v1/seasons?id=eq.{ids['season']}", {"start_date": "2026-01-13"})
    assert moved.status in (200, 204)
    rows = {
        "event_works": {"event_id": ids["event"], "work_id": ids["other"]},
        "event_work_editions": {"event_work_id": ids["item"], "edition_id": ids["edition"]},
        "participation": {"event_id": ids["event"], "member_id": ids["kadri"], "planned_status": "yes"},
    }
    for table, row in rows.items():
        assert caller.add(table, row).status >= 400, table
    assert caller.rows("participation") == []
