"""Accepting a roster person's invitation as somebody the vault knows already."""

from typing import Any

import pytest

from tests.domain.choir.stage import Stage

LIIS, TOM = "liis@aurora.example", "tom@x.example"


def scene(stage: Stage) -> tuple[str, str, str, str]:
    """Aurora, Meretuul, Tom (registered in Meretuul, bass) and the roster person Thomas (Aurora, tenor)."""
    aurora, meretuul = stage.choir("aurora", owner=LIIS), stage.choir("meretuul", owner="m@x.example")
    tom = stage.singer(meretuul, "Tom", email=TOM)
    stage.call(
        "member.assign_section", "m@x.example", meretuul, member_id=tom, section_id=stage.entry(meretuul, "Bass")
    )
    stage.at = "2025-09-01T18:00:00Z"
    thomas = stage.call("member.add_roster", LIIS, aurora, name="Thomas", sections=["Tenor"], roles=["section_leader"])
    stage.at = "2026-02-05T10:00:00Z"
    return aurora, meretuul, tom, str(thomas["id"])


def merge(stage: Stage, org: str, roster_id: str) -> Any:
    invite = stage.call("invite.create", LIIS, org, roster_member_id=roster_id)
    return stage.call("invite.accept", TOM, org, token=invite["token"])


def sections_of(stage: Stage, member: str) -> dict[str, int]:
    return dict(stage.rows("SELECT section_id, is_primary FROM member_sections WHERE member_id = ?", member))


def test_the_roster_row_is_merged_into_the_known_member(stage: Stage):
    aurora, meretuul, tom, thomas = scene(stage)
    assert merge(stage, aurora, thomas) == {"member_id": tom, "outcome": "merged"}
    assert stage.rows("SELECT 1 FROM members WHERE id = ?", thomas) == []
    assert stage.rows("SELECT 1 FROM invites") == []
    membership = stage.rows("SELECT nickname, joined_at FROM member_organizations WHERE org_id = ? AND member_id = ?",
                            aurora, tom)  # fmt: skip
    assert membership == [("Thomas", "2025-09-01T18:00:00.000Z")]
    assert sections_of(stage, tom) == {stage.entry(aurora, "Tenor"): 1, stage.entry(meretuul, "Bass"): 1}
    assert stage.rows("SELECT org_id, role FROM member_roles WHERE member_id = ?", tom) == [(aurora, "section_leader")]
    assert stage.as_person(aurora, TOM).may("attendance:record")
    assert not stage.as_person(meretuul, TOM).may("attendance:record")


def test_a_merge_keeps_the_moment_and_author_of_a_placement(stage: Stage):
    aurora, _, tom, thomas = scene(stage)
    liis = stage.as_person(aurora, LIIS).id
    merge(stage, aurora, thomas)
    kept = stage.rows("SELECT joined_at, assigned_by FROM member_sections WHERE member_id = ? AND section_id = ?",
                      tom, stage.entry(aurora, "Tenor"))  # fmt: skip
    assert kept == [("2025-09-01T18:00:00.000Z", liis)]


def test_the_survivors_primary_wins_over_the_roster_persons(stage: Stage):
    aurora, _, tom, thomas = scene(stage)
    stage.join(aurora, tom)
    baritone, tenor = stage.entry(aurora, "Baritone"), stage.entry(aurora, "Tenor")
    stage.call("member.assign_section", LIIS, aurora, member_id=tom, section_id=baritone)
    merge(stage, aurora, thomas)
    held = sections_of(stage, tom)
    assert (held[baritone], held[tenor]) == (1, 0)


def test_a_double_placement_is_dropped_and_its_mark_kept(stage: Stage):
    aurora, _, tom, thomas = scene(stage)
    stage.join(aurora, tom)
    tenor = stage.entry(aurora, "Tenor")
    stage.tx.insert("member_sections", member_id=tom, section_id=tenor, is_primary=0)
    merge(stage, aurora, thomas)
    assert sections_of(stage, tom)[tenor] == 1


def test_the_survivor_keeps_a_membership_and_role_of_her_own(stage: Stage):
    aurora, _, tom, thomas = scene(stage)
    stage.join(aurora, tom, ["section_leader", "librarian"])
    merge(stage, aurora, thomas)
    roles = stage.rows("SELECT role FROM member_roles WHERE member_id = ? ORDER BY role", tom)
    assert roles == [("librarian",), ("section_leader",)]
    assert stage.rows("SELECT nickname FROM member_organizations WHERE member_id = ? AND org_id = ?", tom, aurora) == [
        (None,)
    ]


def test_equal_names_need_no_nickname(stage: Stage):
    aurora, _, tom, thomas = scene(stage)
    stage.call("member.rename", LIIS, aurora, member_id=thomas, name="Tom")
    merge(stage, aurora, thomas)
    assert stage.rows("SELECT nickname FROM member_organizations WHERE member_id = ? AND org_id = ?", tom, aurora) == [
        (None,)
    ]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("members", "invited_by"),
        ("member_organizations", "invited_by"),
        ("member_roles", "granted_by"),
        ("member_voices", "assigned_by"),
        ("member_sections", "assigned_by"),
        ("vault_settings", "updated_by"),
        ("editions", "file_uploaded_by"),
        ("invites", "invited_by"),
    ],
)
def test_every_reference_to_the_roster_person_means_the_survivor(stage: Stage, table: str, column: str):
    aurora, _, tom, thomas = scene(stage)
    stage.call("member.add_roster", LIIS, aurora, name="Anna", sections=["Alto"], voices=["Alto"], roles=["librarian"])
    work = stage.call("work.create", LIIS, aurora, title="Sicut cervus")
    stage.call("edition.create", LIIS, aurora, work_id=work["id"], name="Choir score")
    stage.call("invite.create", LIIS, aurora, name="Somebody")
    key = stage.value(f"SELECT max(rowid) FROM {table}")
    stage.connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (thomas, key))
    merge(stage, aurora, thomas)
    assert stage.rows(f"SELECT {column} FROM {table} WHERE rowid = ?", key) == [(tom,)]
    assert stage.rows("PRAGMA foreign_key_check") == []
