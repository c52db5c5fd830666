"""What the declared policies show and allow, evaluated as the engine does."""

from dataclasses import replace

import pytest

from db.errors import Invalid, NotFound
from db.resources import Policy, Resource
from db.rest.visibility import allowed_sql, policy_values
from domain.choir.charter import CHOIR
from tests.domain.choir.stage import Stage

LIIS, JAAN, MARI, KADRI = "liis@aurora.example", "jaan@aurora.example", "mari@aurora.example", "kadri@aurora.example"
SISTER = "m@x.example"


def resource(table: str) -> Resource:
    found = CHOIR.resource(table)
    assert found is not None
    return found


def allowed(stage: Stage, table: str, policies: tuple[Policy, ...], caller: str, org: str, column: str = "rowid"):
    """The values of a column in the rows that any policy of the list lets the caller have."""
    principal = stage.as_person(org, caller)
    where = allowed_sql(policies, principal)
    rows = stage.connection.execute(
        f"SELECT {column} FROM main.{table} WHERE {where}", policy_values(principal, stage.now)
    )
    return {row[0] for row in rows}


def scene(stage: Stage) -> tuple[str, str]:
    """Aurora (owner, admin, librarian, plain member, roster person) and Meretuul, both with a full library."""
    org, other = stage.choir("aurora", owner=LIIS), stage.choir("meretuul", owner=SISTER)
    stage.singer(org, "Jaan", email=JAAN, roles=("admin",))
    stage.singer(org, "Mari", email=MARI, roles=("librarian",))
    stage.singer(org, "Kadri", email=KADRI)
    for owner, choir in ((LIIS, org), (SISTER, other)):
        alto = stage.entry(choir, "Alto")
        stage.call("member.add_roster", owner, choir, name="Anna", sections=["Alto"], voices=["Alto"])
        stage.call("invite.create", owner, choir, name="Somebody")
        for title, license_type in (("Free", "public_domain"), ("Hired", "licensed"), ("Gone", "public_domain")):
            work = stage.call("work.create", owner, choir, title=f"{title} {choir}")
            given = {"license_type": license_type, "section_ids": [alto]}
            stage.call("edition.create", owner, choir, work_id=work["id"], name=f"{title} {choir}", **given)
            plan(stage, owner, choir, work["id"])
        shelve(stage, owner, choir)
    umbrella = stage.choir("union", owner="board@union.example", kind="umbrella")
    for choir in (org, other):
        stage.call("affiliation.create", "board@union.example", umbrella, collective_id=choir)
    stage.connection.execute("UPDATE editions SET deleted_at = created_at WHERE name LIKE 'Gone%'")
    return org, other


def plan(stage: Stage, owner: str, choir: str, work_id: str) -> None:
    """A season and an event with the work and its edition, and somebody who said yes."""
    day = f"2026-01-{stage.value('SELECT count(*) + 1 FROM seasons'):02d}"
    season = stage.call("season.create", owner, choir, name="Spring", start_date=day)["id"]
    event, person = stage.now.new_id(), stage.as_person(choir, owner).id
    stage.tx.insert("events", id=event, org_id=choir, title="Concert", starts_at=f"{day}T18:00:00.000Z",
                    event_type="concert")  # fmt: skip
    edition = stage.value("SELECT id FROM editions WHERE work_id = ?", work_id)
    for kind, plan_id in (("season", season), ("event", event)):
        item = stage.call("repertoire.add_work", owner, choir, **{f"{kind}_id": plan_id}, work_id=work_id)["id"]
        given = {f"{kind}_id": plan_id, "item_id": item, "edition_id": edition}
        stage.call("repertoire.add_edition", owner, choir, **given)
    stage.tx.insert("participation", id=stage.now.new_id(), member_id=person, event_id=event)


def shelve(stage: Stage, owner: str, choir: str) -> None:
    """A copy at home with the owner, a complaint, and the owner's own language."""
    edition_id = stage.value("SELECT id FROM editions WHERE name = ?", f"Free {choir}")
    copy = stage.call("copy.add", owner, choir, edition_id=edition_id, copy_number="1")
    stage.call("copy.assign", owner, choir, copy_id=copy["id"], member_id=stage.as_person(choir, owner).id)
    complaint = {"claimant_name": "C", "claimant_email": "c@x.example", "reason": "Mine", "attestation": True}
    stage.call("takedown.submit", "", choir, edition_id=edition_id, **complaint)
    stage.call("preferences.update", owner, choir, language="et")


TABLES = [declared.table for declared in CHOIR.resources]


@pytest.mark.parametrize("table", TABLES)
def test_nobody_reads_rows_of_another_organization(stage: Stage, table: str):
    org, other = scene(stage)
    policies = resource(table).read
    # Everybody of Aurora together sees exactly what an owner with every desk sees there, and none of it from Meretuul.
    here = set().union(
        *(allowed(stage, table, policies, caller, org) for caller in (LIIS, JAAN, MARI, KADRI, SISTER, ""))
    )
    there = allowed(stage, table, policies, SISTER, other)
    assert here
    assert there
    assert here.isdisjoint(there)


@pytest.mark.parametrize("table", [table for table in TABLES if table not in ("organizations", "works", "editions")])
@pytest.mark.parametrize("caller", ["", SISTER])
def test_a_guest_reads_the_public_library_only(stage: Stage, table: str, caller: str):
    org, _ = scene(stage)
    assert allowed(stage, table, resource(table).read, caller, org) == set()


@pytest.mark.parametrize(
    ("caller", "seen"),
    [("", {"Free"}), (SISTER, {"Free"}), (KADRI, {"Free", "Hired"}), (MARI, {"Free", "Hired", "Gone"})],
)
def test_editions_show_by_licence_and_takedown(stage: Stage, caller: str, seen: set[str]):
    org, _ = scene(stage)
    names = allowed(stage, "editions", resource("editions").read, caller, org, "name")
    assert {name.split()[0] for name in names} == seen


@pytest.mark.parametrize(("caller", "seen"), [("", {"Free"}), (KADRI, {"Free", "Hired", "Gone"})])
def test_guests_see_the_works_of_free_editions(stage: Stage, caller: str, seen: set[str]):
    org, _ = scene(stage)
    titles = allowed(stage, "works", resource("works").read, caller, org, "title")
    assert {title.split()[0] for title in titles} == seen


@pytest.mark.parametrize("column", ["email_id", "email_contact"])
def test_addresses_show_to_the_person_and_the_admin_desk(stage: Stage, column: str):
    org, _ = scene(stage)
    masks = resource("members").masks[column]
    everybody = allowed(stage, "members", resource("members").read, LIIS, org, "name")
    assert allowed(stage, "members", masks, JAAN, org, "name") == everybody
    assert allowed(stage, "members", masks, KADRI, org, "name") == {"Kadri"}
    assert allowed(stage, "members", masks, MARI, org, "name") == {"Mari"}
    assert allowed(stage, "members", masks, "", org, "name") == set()


@pytest.mark.parametrize("table", ["invites", "vault_settings"])
def test_invitations_and_settings_are_for_the_admin_desk(stage: Stage, table: str):
    org, _ = scene(stage)
    assert len(allowed(stage, table, resource(table).read, JAAN, org)) == 1
    assert allowed(stage, table, resource(table).read, MARI, org) == set()


@pytest.mark.parametrize("table", TABLES)
def test_tables_whose_rules_need_a_verb_are_read_only(table: str):
    declared = resource(table)
    writable = bool(declared.insert or declared.update or declared.delete)
    assert writable == (table in ("works", "editions", "edition_sections", "seasons", "events"))


@pytest.mark.parametrize(("caller", "may"), [(LIIS, True), (JAAN, True), (MARI, True), (KADRI, False), ("", False)])
def test_the_librarian_desk_writes_works_and_editions(stage: Stage, caller: str, may: bool):
    org, _ = scene(stage)
    for table in ("works", "editions"):
        assert bool(allowed(stage, table, resource(table).insert, caller, org)) is may
        assert bool(allowed(stage, table, resource(table).update, caller, org)) is may
        assert bool(allowed(stage, table, resource(table).delete, caller, org)) is (caller == MARI)


@pytest.mark.parametrize("table", TABLES)
def test_every_declared_column_exists(stage: Stage, table: str):
    declared = resource(table)
    columns = {row[0] for row in stage.rows("SELECT name FROM pragma_table_info(?)", table)}
    named = {*declared.fields, *declared.supplied, *declared.touched, *declared.masks, *declared.hidden}
    assert named | declared.personal | declared.fixed <= columns


def test_the_lookup_hash_is_hidden_and_addresses_are_personal():
    members = resource("members")
    assert members.hidden == {"email_id_lookup"}
    assert members.personal == {"email_id", "email_contact"}


@pytest.mark.parametrize(("edition", "section"), [("here", "there"), ("there", "here"), ("nowhere", "here")])
def test_only_sections_and_editions_of_this_choir_are_joined_over_rest(stage: Stage, edition: str, section: str):
    org, other = scene(stage)
    check, caller = resource("edition_sections").check, stage.as_person(org, LIIS)
    editions = {
        place: stage.value("SELECT id FROM editions WHERE name = ?", f"Free {choir}")
        for place, choir in (("here", org), ("there", other))
    } | {"nowhere": "nowhere"}
    sections = {"here": stage.entry(org, "Alto"), "there": stage.entry(other, "Alto")}
    check(stage.tx, caller, None, {"edition_id": editions["here"], "section_id": sections["here"]}, stage.now)
    with pytest.raises(NotFound):
        check(stage.tx, caller, None, {"edition_id": editions[edition], "section_id": sections[section]}, stage.now)


def test_a_work_of_another_choir_answers_as_one_that_does_not_exist(stage: Stage):
    org, other = scene(stage)
    check, caller = resource("editions").check, stage.as_person(org, LIIS)
    here, there = (stage.value("SELECT id FROM works WHERE title = ?", f"Free {choir}") for choir in (org, other))
    check(stage.tx, caller, None, {"work_id": here, "edition_type": "part"}, stage.now)
    for work_id in (there, "nowhere"):
        with pytest.raises(NotFound):
            check(stage.tx, caller, None, {"work_id": work_id}, stage.now)
    with pytest.raises(Invalid):
        check(stage.tx, caller, None, {"work_id": here, "edition_type": None}, stage.now)


def test_a_new_work_gets_its_organization_from_the_scope(stage: Stage):
    org, _ = scene(stage)
    supplied = resource("works").supplied
    caller = stage.as_person(org, LIIS)
    assert supplied["org_id"](caller, stage.now) == org
    assert supplied["created_at"](caller, stage.now) == "2026-02-05T10:00:00.000Z"
    assert supplied["id"](caller, stage.now) != supplied["id"](caller, stage.now)


@pytest.mark.parametrize("email", ["conductor0@year.example", "singer5@year.example", "union@year.example", ""])
def test_a_policy_that_another_one_covers_takes_no_row_away(plain_year, email):
    stage, year = plain_year
    stage.connection.execute("SAVEPOINT looking")
    try:
        taken = "UPDATE editions SET deleted_at = created_at WHERE substr(id, -1) < '4'"
        stage.connection.execute(taken)
        caller = stage.as_person(year.collectives[0].org_id, email)
        values = policy_values(caller, stage.now)
        covered = [found for found in CHOIR.resources if any(policy.unless for policy in found.read)]
        assert {found.table for found in covered} >= {"works", "editions", "physical_copies", "copy_assignments"}
        for resource in covered:
            plain = tuple(replace(policy, unless=None) for policy in resource.read)
            shown, wanted = (
                stage.connection.execute(
                    f"SELECT id FROM {resource.table} WHERE {allowed_sql(policies, caller)} ORDER BY id", values
                ).fetchall()
                for policies in (resource.read, plain)
            )
            assert [tuple(row) for row in shown] == [tuple(row) for row in wanted]
    finally:
        stage.connection.execute("ROLLBACK TO looking")
        stage.connection.execute("RELEASE looking")
