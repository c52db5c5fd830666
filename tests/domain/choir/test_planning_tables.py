"""What the tables of seasons, events and participation refuse by themselves, and what goes along with what."""

import pytest

from db.errors import Conflict, Invalid
from tests.domain.choir.stage import Stage

LIIS, TOM, MERETUUL = "liis@aurora.example", "tom@x.example", "m@x.example"


def scene(stage: Stage) -> dict[str, str]:
    """Ids in Aurora (a season, two events, a work in both with its edition picked, Tom's record) and in Meretuul."""
    org, other = stage.choir("aurora", owner=LIIS), stage.choir("meretuul", owner=MERETUUL)
    ids = {"org": org, "other": other, "tom": stage.singer(org, "Tom"), "stranger": stage.singer(other, "Stranger")}
    for name, owner, choir in (("", LIIS, org), ("foreign_", MERETUUL, other)):
        ids[f"{name}work"] = stage.call("work.create", owner, choir, title="A")["id"]
        given = {"work_id": ids[f"{name}work"], "name": "score"}
        ids[f"{name}edition"] = stage.call("edition.create", owner, choir, **given)["id"]
    ids["second"] = stage.call("work.create", LIIS, org, title="B")["id"]
    ids["season"] = stage.call("season.create", LIIS, org, name="Spring", start_date="2026-01-12")["id"]
    for name in ("event", "later"):
        ids[name] = stage.now.new_id()
        stage.tx.insert("events", id=ids[name], org_id=org, title=name, starts_at="2026-01-20T16:00:00.000Z",
                        event_type="rehearsal")  # fmt: skip
    for kind in ("season", "event"):
        plan = {f"{kind}_id": ids[kind]}
        item = ids[f"{kind}_item"] = stage.call("repertoire.add_work", LIIS, org, **plan, work_id=ids["work"])["id"]
        stage.call("repertoire.add_edition", LIIS, org, **plan, item_id=item, edition_id=ids["edition"])
    stage.tx.insert("participation", id="p", member_id=ids["tom"], event_id=ids["event"], actual_status="present",
                    recorded_at="2026-01-20T16:00:00.000Z")  # fmt: skip
    return ids


RAISED = [
    ("immutable", "UPDATE seasons SET org_id = :other"),
    ("immutable", "UPDATE events SET org_id = :other"),
    ("immutable", "UPDATE season_works SET work_id = :second"),
    ("immutable", "UPDATE event_works SET event_id = :later"),
    ("immutable", "UPDATE season_work_editions SET edition_id = :foreign_edition"),
    ("immutable", "UPDATE event_work_editions SET edition_id = :foreign_edition"),
    ("immutable", "UPDATE participation SET event_id = :later"),
    ("foreign_work", "INSERT INTO season_works (id, season_id, work_id) VALUES ('x', :season, :foreign_work)"),
    ("foreign_work", "INSERT INTO event_works (id, event_id, work_id) VALUES ('x', :event, :foreign_work)"),
    ("foreign_edition",
     "INSERT INTO season_work_editions (id, season_work_id, edition_id) VALUES ('x', :season_item, :foreign_edition)"),
    ("foreign_edition",
     "INSERT INTO event_work_editions (id, event_work_id, edition_id) VALUES ('x', :event_item, :foreign_edition)"),
    ("not_a_member", "INSERT INTO participation (id, member_id, event_id) VALUES ('x', :stranger, :event)"),
    ("23505", "INSERT INTO seasons (id, org_id, name, start_date) VALUES ('x', :org, 'X', '2026-01-12')"),
    ("23505", "INSERT INTO participation (id, member_id, event_id) VALUES ('x', :tom, :event)"),
    ("23505", "INSERT INTO event_works (id, event_id, work_id) VALUES ('x', :event, :work)"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "sql"), RAISED)
def test_a_broken_rule_is_refused_with_its_code(stage: Stage, code: str, sql: str):
    ids = scene(stage)
    with pytest.raises(Conflict) as refused, stage.transaction():
        stage.connection.execute(sql, ids)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE seasons SET start_date = '2026-02-30'",
        "UPDATE seasons SET start_date = '2026-1-2'",
        "UPDATE seasons SET start_date = '2026-01-12T00:00:00.000Z'",
        "UPDATE seasons SET name = ' Spring'",
        "UPDATE events SET event_type = 'party'",
        "UPDATE events SET starts_at = '2026-01-20 16:00:00'",
        "UPDATE events SET ends_at = '2026-01-20T15:59:59.999Z'",
        "UPDATE events SET title = ''",
        "UPDATE event_work_editions SET is_primary = 2",
        "UPDATE participation SET planned_status = 'present', planned_at = recorded_at",
        "UPDATE participation SET planned_status = 'yes'",
        "UPDATE participation SET planned_notes = 'x'",
        "UPDATE participation SET actual_status = 'yes'",
        "UPDATE participation SET actual_status = NULL",
        "UPDATE participation SET actual_status = NULL, recorded_at = NULL, recorded_by = member_id",
    ],
)
def test_a_value_out_of_bounds_is_refused(stage: Stage, sql: str):
    scene(stage)
    with pytest.raises(Invalid) as refused, stage.transaction():
        stage.connection.execute(sql)
    assert refused.value.code == "23514"


def test_a_second_primary_pick_is_refused_by_the_database(stage: Stage):
    ids = scene(stage)
    other = stage.call("edition.create", LIIS, ids["org"], work_id=ids["work"], name="part")["id"]
    for kind in ("season", "event"):
        with pytest.raises(Conflict) as refused, stage.transaction():
            stage.tx.execute(
                f"INSERT INTO {kind}_work_editions (id, {kind}_work_id, edition_id, is_primary)"
                " VALUES ('x', :item, :edition, 1)",
                item=ids[f"{kind}_item"],
                edition=other,
            )
        assert refused.value.code == "23505"


def counts(stage: Stage) -> list[int]:
    tables = ("season_works", "season_work_editions", "event_works", "event_work_editions", "participation")
    return [stage.value(f"SELECT count(*) FROM {table}") for table in tables]


@pytest.mark.parametrize(
    ("verb", "given", "left"),
    [
        ("season.delete", {"season_id": "season"}, [0, 0, 1, 1, 1]),
        ("repertoire.remove_work", {"season_id": "season", "item_id": "season_item"}, [0, 0, 1, 1, 1]),
        ("member.remove", {"member_id": "tom"}, [1, 1, 1, 1, 1]),
        ("organization.delete", {}, [0, 0, 0, 0, 0]),
    ],
)
def test_what_is_below_goes_along_and_records_stay_with_the_event(stage: Stage, verb, given, left):
    ids = scene(stage)
    args = {name: ids[value] for name, value in given.items()} or {"subdomain": "aurora"}
    stage.call(verb, LIIS, ids["org"], **args)
    assert counts(stage) == left
    assert stage.rows("PRAGMA foreign_key_check") == []


def test_deleting_an_event_takes_programme_and_records_along(stage: Stage):
    ids = scene(stage)
    owner = stage.as_person(ids["org"], LIIS).id
    stage.tx.insert("member_roles", member_id=owner, org_id=ids["org"], role="conductor")
    stage.call("event.delete", LIIS, ids["org"], event_id=ids["event"])
    assert counts(stage) == [1, 1, 0, 0, 0]
    stage.tx.insert("member_roles", member_id=owner, org_id=ids["org"], role="librarian")
    stage.call("work.delete", LIIS, ids["org"], work_id=ids["work"])
    assert counts(stage) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("season_works", "added_by"),
        ("season_work_editions", "added_by"),
        ("event_works", "added_by"),
        ("event_work_editions", "added_by"),
        ("events", "created_by"),
        ("participation", "recorded_by"),
    ],
)
def test_a_merge_repoints_every_reference(stage: Stage, table: str, column: str):
    ids = scene(stage)
    survivor = stage.singer(ids["other"], "Thomas", email=TOM)
    stage.connection.execute(f"UPDATE {table} SET {column} = ?", (ids["tom"],))
    invite = stage.call("invite.create", LIIS, ids["org"], roster_member_id=ids["tom"])
    stage.call("invite.accept", TOM, ids["org"], token=invite["token"])
    assert set(stage.rows(f"SELECT {column} FROM {table}")) == {(survivor,)}
    assert stage.rows("SELECT member_id, actual_status FROM participation") == [(survivor, "present")]


def test_a_merge_fills_the_halves_the_survivor_lacks_and_no_others(stage: Stage):
    ids = scene(stage)
    org, tom = ids["org"], ids["tom"]
    survivor = stage.singer(ids["other"], "Thomas", email=TOM)
    stage.join(org, survivor)
    at = "2026-01-19T16:00:00.000Z"
    stage.connection.execute(
        "UPDATE participation SET planned_status = 'no', planned_at = ?, planned_notes = 'r'", (at,)
    )
    stage.tx.insert("participation", id="q", member_id=survivor, event_id=ids["event"], planned_status="yes",
                    planned_at=at)  # fmt: skip
    stage.tx.insert("participation", id="r", member_id=tom, event_id=ids["later"], planned_status="late", planned_at=at)
    invite = stage.call("invite.create", LIIS, org, roster_member_id=tom)
    stage.call("invite.accept", TOM, org, token=invite["token"])
    kept = stage.rows(
        "SELECT id, member_id, planned_status, planned_notes, actual_status FROM participation ORDER BY id"
    )
    assert kept == [("q", survivor, "yes", None, "present"), ("r", survivor, "late", None, None)]
