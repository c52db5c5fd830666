"""What the database refuses by itself, whichever statement asks."""

import sqlite3

import pytest

from db.errors import Conflict, Invalid, VaultError
from tests.domain.choir.stage import Stage

LIIS = "liis@aurora.example"


def refusal(stage: Stage, sql: str, *values: object) -> VaultError:
    """The error the engine makes of the failing statement."""
    with pytest.raises(VaultError) as refused, stage.transaction():
        stage.connection.execute(sql, values)
    return refused.value


def scene(stage: Stage) -> dict[str, str]:
    """The ids of three organizations and of one of each kind of row below Aurora."""
    org, union = stage.choir("aurora", owner=LIIS), stage.choir("union", owner="u@x.example", kind="umbrella")
    meretuul = stage.choir("meretuul", owner="m@x.example")
    tom, alto = stage.singer(org, "Tom", email="tom@x.example"), stage.entry(org, "Alto")
    voice = stage.entry(org, "Alto", "voices")
    stage.tx.insert("member_sections", member_id=tom, section_id=alto)
    stage.tx.insert("member_voices", member_id=tom, voice_id=voice)
    work = stage.call("work.create", LIIS, org, title="Crucifixus")["id"]
    edition = stage.call("edition.create", LIIS, org, work_id=work, name="Choir score", section_ids=[alto])
    return {
        "aurora": org,
        "meretuul": meretuul,
        "union": union,
        "liis": str(stage.as_person(org, LIIS).id),
        "tom": tom,
        "anna": stage.singer(org, "Anna"),
        "second": stage.singer(union, email="second@x.example", roles=("admin",)),
        "work": work,
        "other_work": stage.call("work.create", LIIS, org, title="Sicut cervus")["id"],
        "edition": edition["id"],
        "invite": stage.call("invite.create", LIIS, org, name="Somebody")["id"],
        "voice": voice,
        "alto": alto,
        "alto_i": stage.entry(org, "Alto I"),
        "foreign": stage.entry(meretuul, "Alto"),
        "foreign_voice": stage.entry(meretuul, "Alto", "voices"),
    }


_ROLE = "INSERT INTO member_roles (member_id, org_id, role)"
_AFFILIATE = "INSERT INTO affiliations (id, collective_id, umbrella_id)"
_SECTION = "INSERT INTO sections (id, org_id, name, abbreviation, display_order, parent_section_id)"

RAISED = [
    ("last_owner", "DELETE FROM member_roles WHERE member_id = :liis"),
    ("last_owner", "UPDATE member_roles SET role = 'admin' WHERE member_id = :liis"),
    ("last_owner", "UPDATE member_roles SET member_id = :anna WHERE member_id = :liis"),
    ("last_owner", "UPDATE members SET email_id = NULL, email_id_lookup = NULL WHERE id = :liis"),
    ("last_owner", "DELETE FROM members WHERE id = :liis"),
    ("last_owner", "INSERT OR REPLACE INTO members (id, name) VALUES (:liis, 'Liis')"),
    ("last_owner", "DELETE FROM member_organizations WHERE member_id = :liis"),
    ("immutable", "UPDATE organizations SET subdomain = 'other' WHERE id = :aurora"),
    ("immutable", "UPDATE organizations SET type = 'umbrella' WHERE id = :aurora"),
    ("immutable", "UPDATE member_organizations SET org_id = :meretuul WHERE member_id = :tom"),
    ("immutable", "UPDATE works SET org_id = :meretuul"),
    ("immutable", "UPDATE voices SET org_id = :meretuul WHERE id = :voice"),
    ("immutable", "UPDATE sections SET org_id = :meretuul WHERE id = :alto"),
    ("immutable", "UPDATE editions SET work_id = :other_work"),
    ("duplicate", "INSERT INTO member_organizations (member_id, org_id) VALUES (:anna, :meretuul)"),
    ("umbrella_role", f"{_ROLE} VALUES (:second, :union, 'librarian')"),
    ("umbrella_role", "UPDATE member_roles SET role = 'librarian' WHERE member_id = :second"),
    ("wrong_type", f"{_AFFILIATE} VALUES ('x', :aurora, :meretuul)"),
    ("wrong_type", f"{_AFFILIATE} VALUES ('x', :union, :union)"),
    ("foreign_parent", "UPDATE sections SET parent_section_id = :foreign WHERE id = :alto"),
    ("foreign_parent", f"{_SECTION} VALUES ('x', :aurora, 'X', 'X', 1, :foreign)"),
    ("section_cycle", "UPDATE sections SET parent_section_id = :alto WHERE id = :alto"),
    ("section_cycle", "UPDATE sections SET parent_section_id = :alto_i WHERE id = :alto"),
    ("section_cycle", f"{_SECTION} VALUES ('x', :aurora, 'X', 'X', 1, 'x')"),
    ("not_a_member", "INSERT INTO member_sections (member_id, section_id) VALUES (:tom, :foreign)"),
    ("not_a_member", "INSERT INTO member_voices (member_id, voice_id) VALUES (:tom, :foreign_voice)"),
    ("not_a_member", "UPDATE member_sections SET section_id = :foreign"),
    ("not_a_member", "UPDATE member_voices SET voice_id = :foreign_voice"),
    ("foreign_section", "INSERT INTO edition_sections (edition_id, section_id) VALUES (:edition, :foreign)"),
    ("foreign_section", "UPDATE edition_sections SET section_id = :foreign"),
    ("foreign_section", "INSERT INTO invite_sections (invite_id, section_id) VALUES (:invite, :foreign)"),
    ("foreign_voice", "INSERT INTO invite_voices (invite_id, voice_id) VALUES (:invite, :foreign_voice)"),
]


@pytest.mark.parametrize(("code", "sql"), RAISED)
def test_a_broken_rule_is_refused_with_its_code(stage: Stage, code: str, sql: str):
    ids = scene(stage)
    with pytest.raises(Conflict) as refused, stage.transaction():
        stage.connection.execute(sql, ids)
    assert refused.value.code == code


def test_a_member_of_two_choirs_keeps_the_address(stage: Stage):
    ids = scene(stage)
    stage.join(ids["meretuul"], ids["tom"])
    error = refusal(stage, "UPDATE members SET email_id = NULL, email_id_lookup = NULL WHERE id = ?", ids["tom"])
    assert error.code == "duplicate"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE organizations SET name = ' Aurora'",
        "UPDATE organizations SET name = ''",
        "UPDATE organizations SET trust_individual_responsibility = 2",
        "UPDATE organizations SET created_at = '2026-02-05 10:00:00'",
        "UPDATE members SET email_id = NULL WHERE name = 'Tom'",
        "UPDATE members SET name = printf('%.201c', 'x')",
        "UPDATE sections SET abbreviation = '123456789'",
        "UPDATE sections SET is_active = 2",
        "UPDATE voices SET category = 'dance'",
        "UPDATE works SET title = 'Crucifixus '",
        "UPDATE editions SET edition_type = 'score'",
        "UPDATE editions SET license_type = 'cc'",
        "UPDATE editions SET external_url = 'javascript:alert(1)'",
        "UPDATE editions SET file_key = 'other'",
        "UPDATE invites SET token = 'short'",
        "UPDATE invites SET expires_at = created_at",
        "UPDATE member_roles SET role = 'singer' WHERE member_id IN (SELECT id FROM members WHERE name = 'Tom')",
    ],
)
def test_a_value_out_of_bounds_is_refused(stage: Stage, sql: str):
    ids = scene(stage)
    stage.tx.insert("member_roles", member_id=ids["tom"], org_id=ids["aurora"], role="admin")
    error = refusal(stage, sql)
    assert isinstance(error, Invalid)
    assert error.code == "23514"


_ORGANIZATION = "INSERT INTO organizations (id, name, subdomain, type, contact_email)"
_TOMS_HASH = "(SELECT email_id_lookup FROM members WHERE name = 'Tom')"


@pytest.mark.parametrize(
    "sql",
    [
        f"{_ORGANIZATION} VALUES ('x', 'X', 'aurora', 'collective', 'a@b.example')",
        f"UPDATE members SET email_id_lookup = {_TOMS_HASH} WHERE email_id IS NOT NULL",
        "UPDATE sections SET name = 'Alto' WHERE name = 'Bass'",
    ],
)
def test_a_second_row_under_one_key_is_a_conflict(stage: Stage, sql: str):
    scene(stage)
    assert refusal(stage, sql).code == "23505"


def test_one_active_affiliation_per_pair_and_history_in_order(stage: Stage):
    ids = scene(stage)
    add = "INSERT INTO affiliations (id, collective_id, umbrella_id, joined_at, left_at) VALUES (?, ?, ?, ?, ?)"
    pair = (ids["aurora"], ids["union"])
    stage.connection.execute(add, ("a", *pair, "2025-01-10T00:00:00.000Z", "2026-03-01T00:00:00.000Z"))
    stage.connection.execute(add, ("b", *pair, "2026-09-01T00:00:00.000Z", None))
    assert refusal(stage, add, "c", *pair, "2026-09-02T00:00:00.000Z", None).code == "23505"
    backwards = ("c", *pair, "2026-09-02T00:00:00.000Z", "2026-09-01T00:00:00.000Z")
    assert refusal(stage, add, *backwards).code == "23514"


def test_a_role_needs_a_membership_and_ends_with_it(stage: Stage):
    ids = scene(stage)
    grant = "INSERT INTO member_roles (member_id, org_id, role) VALUES (?, ?, 'admin')"
    assert refusal(stage, grant, ids["tom"], ids["meretuul"]).code == "23503"
    stage.connection.execute(grant, (ids["tom"], ids["aurora"]))
    stage.connection.execute("DELETE FROM member_organizations WHERE member_id = ?", (ids["tom"],))
    assert stage.rows("SELECT * FROM member_roles WHERE member_id = ?", ids["tom"]) == []


@pytest.mark.parametrize("kind", ["voice", "section"])
def test_a_raw_primary_mark_clears_the_others_of_that_choir(stage: Stage, kind: str):
    ids = scene(stage)
    add = f"INSERT INTO member_{kind}s (member_id, {kind}_id, is_primary) VALUES (?, ?, 1)"
    bass, tenor = (stage.entry(ids["aurora"], name, f"{kind}s") for name in ("Bass", "Tenor"))
    for entry in (bass, tenor):
        stage.connection.execute(add, (ids["tom"], entry))
    assert stage.rows(f"SELECT {kind}_id FROM member_{kind}s WHERE is_primary = 1") == [(tenor,)]
    stage.connection.execute(f"UPDATE member_{kind}s SET is_primary = 1 WHERE {kind}_id = ?", (bass,))
    assert stage.rows(f"SELECT {kind}_id FROM member_{kind}s WHERE is_primary = 1") == [(bass,)]


def test_every_table_is_strict(stage: Stage):
    listed = stage.rows("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    assert {name for name, strict in listed if not strict} <= {"sqlite_schema"}


def test_the_fast_path_of_a_request_uses_indexes(stage: Stage):
    plan = stage.rows("EXPLAIN QUERY PLAN SELECT id, name FROM principals WHERE email IN ('a', 'b') AND active")
    assert any("idx_members_email_id" in row[3] for row in plan)
    plan = stage.rows(
        "EXPLAIN QUERY PLAN SELECT permission FROM grants WHERE principal_id = 'a' AND scope IN ('b', '')"
    )
    assert not [
        row[3] for row in plan if row[3].startswith("SCAN") and "matrix" not in row[3] and "CONSTANT" not in row[3]
    ]


def test_timestamps_by_default_have_24_characters(stage: Stage):
    ids = scene(stage)
    stage.connection.execute("INSERT INTO works (id, org_id, title) VALUES ('w', ?, 'X')", (ids["aurora"],))
    created_at = stage.value("SELECT created_at FROM works WHERE id = 'w'")
    assert (len(created_at), created_at[10], created_at[-1]) == (24, "T", "Z")


def test_the_pragma_that_everything_rests_on_is_on(stage: Stage):
    assert stage.value("PRAGMA foreign_keys") == 1
    with pytest.raises(sqlite3.IntegrityError):
        stage.connection.execute("INSERT INTO works (id, org_id, title) VALUES ('w', 'nobody', 'X')")
