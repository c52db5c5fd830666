"""What the tables of copies, loans and complaints refuse by themselves, whichever door a write comes through."""

import pytest

from db.errors import Conflict, Invalid
from tests.domain.choir.stage import Stage

LIIS = "liis@aurora.example"
NOW = "2026-02-05T10:00:00.000Z"


def shelf(stage: Stage) -> None:
    """Aurora with the copies `here`, `out` and `lost` of the edition `e`, and Meretuul with the edition `foreign`."""
    for slug, edition in (("aurora", "e"), ("meretuul", "foreign")):
        org = stage.choir(slug, owner=f"liis@{slug}.example")
        stage.tx.insert("works", id=f"w-{edition}", org_id=org, title="Os justi")
        stage.tx.insert("editions", id=edition, work_id=f"w-{edition}", name="Choir score")
    for copy_id, condition in (("here", "good"), ("out", "good"), ("lost", "lost")):
        stage.tx.insert("physical_copies", id=copy_id, edition_id="e", copy_number=copy_id, condition=condition)
    stage.tx.insert("copy_assignments", id="loan", copy_id="out", member_id=person(stage, "aurora"))
    complain(stage, "complaint", "aurora", "e")


def person(stage: Stage, slug: str) -> str:
    found: str = stage.value(
        "SELECT m.member_id FROM member_organizations AS m JOIN organizations AS o ON o.id = m.org_id"
        " WHERE o.subdomain = ?",
        slug,
    )
    return found


def complain(stage: Stage, complaint_id: str, slug: str, edition_id: str) -> None:
    org = stage.value("SELECT id FROM organizations WHERE subdomain = ?", slug)
    person = {"claimant_name": "", "claimant_email": "", "reason": "Mine.", "attestation": 1}
    stage.tx.insert("takedowns", id=complaint_id, org_id=org, edition_id=edition_id, **person)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE physical_copies SET copy_number = 'x' WHERE id = 'here'", "immutable"),
        ("UPDATE physical_copies SET edition_id = 'foreign' WHERE id = 'here'", "immutable"),
        ("UPDATE copy_assignments SET copy_id = 'here'", "immutable"),
        ("DELETE FROM physical_copies WHERE id = 'out'", "copy_on_loan"),
        ("DELETE FROM takedowns; DELETE FROM editions WHERE id = 'e'", "copy_on_loan"),
        ("DELETE FROM takedowns; DELETE FROM works WHERE id = 'w-e'", "copy_on_loan"),
        ("INSERT INTO copy_assignments (id, copy_id, member_id) SELECT 'x', 'out', member_id FROM copy_assignments",
         "23505"),
        ("INSERT INTO copy_assignments (id, copy_id, member_id) SELECT 'x', 'lost', member_id FROM copy_assignments",
         "copy_lost"),
        ("INSERT INTO physical_copies (id, edition_id, copy_number) VALUES ('x', 'e', 'here')", "23505"),
        (f"UPDATE takedowns SET status = 'rejected', processed_at = '{NOW}'; UPDATE takedowns SET status = 'approved'",
         "already_processed"),
        (f"UPDATE editions SET deleted_at = '{NOW}'; UPDATE editions SET deleted_at = NULL", "immutable"),
        (f"UPDATE copy_assignments SET returned_at = '{NOW}'; DELETE FROM editions WHERE id = 'e'", "in_use"),
        (f"UPDATE copy_assignments SET returned_at = '{NOW}'; DELETE FROM works WHERE id = 'w-e'", "in_use"),
    ],
)  # fmt: skip
def test_a_change_that_breaks_a_rule_of_the_shelves_is_a_conflict(stage: Stage, sql: str, code: str):
    shelf(stage)
    *before, last = sql.split("; ")
    for statement in before:
        stage.connection.execute(statement)
    with pytest.raises(Conflict) as refused, stage.transaction():
        stage.connection.execute(last)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE physical_copies SET acquired_at = '2026-02-30' WHERE id = 'here'",
        "UPDATE physical_copies SET condition = 'torn' WHERE id = 'here'",
        "UPDATE physical_copies SET notes = printf('%4001s', 'x') WHERE id = 'here'",
        "UPDATE takedowns SET status = 'open'",
        "UPDATE takedowns SET status = 'approved'",
        "UPDATE copy_assignments SET returned_at = '2026-02-05 10:00:00'",
    ],
)
def test_a_value_out_of_its_range_is_invalid(stage: Stage, sql: str):
    shelf(stage)
    with pytest.raises(Invalid), stage.transaction():
        stage.connection.execute(sql)


def test_a_copy_is_lent_to_members_of_its_organization(stage: Stage):
    shelf(stage)
    with pytest.raises(Conflict) as refused, stage.transaction():
        stage.tx.insert("copy_assignments", id="x", copy_id="here", member_id=person(stage, "meretuul"))
    assert refused.value.code == "not_a_member"


def test_a_complaint_is_about_an_edition_of_its_own_organization(stage: Stage):
    shelf(stage)
    with pytest.raises(Conflict) as refused, stage.transaction():
        complain(stage, "x", "aurora", "foreign")
    assert refused.value.code == "foreign_edition"


def test_a_loan_outlives_the_membership_and_goes_with_the_organization(stage: Stage):
    shelf(stage)
    stage.tx.execute("UPDATE copy_assignments SET assigned_by = member_id")
    anna = stage.singer(stage.value("SELECT id FROM organizations WHERE subdomain = 'aurora'"), "Anna")
    stage.tx.insert("copy_assignments", id="second", copy_id="here", member_id=anna)
    stage.tx.execute("DELETE FROM member_organizations WHERE member_id = :id", id=anna)
    assert stage.value("SELECT count(*) FROM copy_assignments") == 2
    with stage.transaction():
        stage.tx.execute("DELETE FROM organizations WHERE subdomain = 'aurora'")
    for table in ("physical_copies", "copy_assignments", "takedowns"):
        assert stage.value(f"SELECT count(*) FROM {table}") == 0
