"""The people of a band: what is seeded, who holds what, how a member's standing changes."""

import pytest

from db.errors import Conflict, Forbidden, Invalid, NotFound
from domain.band.first_run import load_first_run_data
from domain.band.people.status import STATUSES, may_become
from domain.band.permissions import MATRIX, ROLES, held_by


def test_the_first_run_data_is_the_same_after_a_second_run(stage):
    load_first_run_data(stage.tx, stage.now)
    tables = ("roles", "permissions", "role_permissions", "instruments", "sections")
    assert [stage.value(f"SELECT count(*) FROM {table}") for table in tables] == [8, 42, 192, 31, 3]


def test_the_seeded_tables_say_what_the_matrix_says(stage):
    seeded = stage.rows(
        "SELECT p.name, r.name FROM role_permissions AS rp JOIN permissions AS p ON p.id = rp.permission_id"
        " JOIN roles AS r ON r.id = rp.role_id"
    )
    assert set(seeded) == {(name, role) for name, roles in MATRIX.items() for role in roles}
    held = [sum(role in roles for roles in MATRIX.values()) for role in ROLES]
    assert held == [42, 40, 33, 33, 15, 17, 10, 2]


@pytest.mark.parametrize("role", [role for role in ROLES if role != "PUBLIC"])
def test_a_person_with_one_role_holds_what_a_token_of_that_role_holds(stage, role):
    stage.user("Ines", role)
    assert stage.as_person("Ines").permissions == held_by(role)


def test_somebody_without_a_role_has_what_the_public_has(stage):
    stage.user("Ines")
    assert stage.as_person("Ines").permissions == {"event.view.public", "cms.view.public"}


def test_a_role_counts_until_it_expires_for_a_super_administrator_too(stage):
    user_id = stage.user("Ines", "SUPER_ADMIN")
    stage.tx.execute("UPDATE user_roles SET expires_at = '2020-01-01T00:00:00.000Z' WHERE user_id = :id", id=user_id)
    assert not stage.as_person("Ines").may("system.config")


def test_an_expired_role_is_renewed_and_a_held_one_is_a_conflict(stage):
    user_id = stage.user("Ines", "LIBRARIAN")
    with pytest.raises(Conflict) as refused:
        stage.call("role.grant", "sam", user_id=user_id, role="LIBRARIAN")
    assert refused.value.code == "role_already_assigned"
    stage.tx.execute("UPDATE user_roles SET expires_at = '2020-01-01T00:00:00.000Z' WHERE user_id = :id", id=user_id)
    stage.call("role.grant", "sam", user_id=user_id, role="LIBRARIAN")
    assert stage.as_person("Ines").may("music.create")


def test_the_last_super_administrator_keeps_the_role_and_the_account(stage):
    ines = stage.user("Ines", "SUPER_ADMIN")
    sam = stage.as_person("sam").id
    stage.call("role.revoke", "sam", user_id=ines, role="SUPER_ADMIN")
    with pytest.raises(Conflict) as refused:
        stage.call("role.revoke", "sam", user_id=sam, role="SUPER_ADMIN")
    assert refused.value.code == "last_super_admin"
    with pytest.raises(Conflict) as refused:
        stage.call("user.delete", "sam", user_id=sam)
    assert refused.value.code == "own_account"


def test_a_role_for_members_skips_those_without_a_user(stage):
    linked, unlinked = stage.member("Ines", "MUSICIAN"), stage.member("Otto", user=False)
    given = stage.call("role.grant_to_members", "sam", member_ids=[linked, unlinked], role="STAFF")
    assert given == {"count": 1, "skipped": [unlinked]}
    with pytest.raises(Invalid) as refused:
        stage.call("role.grant_to_members", "sam", member_ids=[unlinked], role="STAFF")
    assert refused.value.code == "no_linked_accounts"


@pytest.mark.parametrize("new", STATUSES)
@pytest.mark.parametrize("old", STATUSES)
def test_a_status_changes_only_where_the_table_allows_it(stage, old, new):
    member_id = stage.member("Ines", status=old)
    if may_become(old, new):
        assert stage.call("member.set_status", "sam", member_id=member_id, status=new)["status"] == new
    else:
        with pytest.raises(Conflict) as refused:
            stage.call("member.set_status", "sam", member_id=member_id, status=new)
        assert refused.value.code == "invalid_transition"
        assert stage.value("SELECT status FROM members WHERE id = ?", member_id) == old


def test_who_leaves_gives_up_playing_and_who_returns_plays_without_leading(stage):
    member_id = stage.member("Ines", "MUSICIAN", "SECTION_LEADER", sections=["Brass"], leads=True)
    left = stage.call("member.set_status", "sam", member_id=member_id, status="ALUMNI", leave_date="2026-06-30")
    assert left["leave_date"] == "2026-06-30T00:00:00.000Z"
    assert left["open_assignments"] == []
    assert not stage.as_person("Ines").may("music.view.assigned")
    back = stage.call("member.set_status", "sam", member_id=member_id, status="ACTIVE")
    assert (back["leave_date"], back["join_date"]) == (None, "2026-04-10T00:00:00.000Z")
    assert stage.as_person("Ines").may("music.view.assigned")
    assert not stage.as_person("Ines").may("attendance.mark.section")
    assert stage.rows("SELECT is_leader FROM member_sections WHERE member_id = ?", member_id) == [(0,)]


def test_nobody_leaves_before_joining(stage):
    member_id = stage.member("Ines")
    stage.call("member.update", "sam", member_id=member_id, join_date="2025-09-01")
    with pytest.raises(Invalid, match="2025-08-31"):
        stage.call("member.set_status", "sam", member_id=member_id, status="ALUMNI", leave_date="2025-08-31")


def test_several_statuses_change_together_or_not_at_all(stage):
    ready, gone = stage.member("Ines"), stage.member("Otto", status="PENDING")
    with pytest.raises(Conflict):
        stage.call("member.set_statuses", "sam", member_ids=[ready, gone], status="LEAVE_OF_ABSENCE")
    assert stage.value("SELECT status FROM members WHERE id = ?", ready) == "ACTIVE"
    with pytest.raises(Invalid):
        stage.call("member.set_statuses", "sam", member_ids=[], status="ACTIVE")


def test_the_first_instrument_is_primary_unless_another_is_marked(stage):
    member_id = stage.member("Ines")
    flute, oboe = stage.named("instruments", "Flute"), stage.named("instruments", "Oboe")
    held = "SELECT instrument_id FROM member_instruments WHERE member_id = ? AND is_primary = 1"
    stage.call("member.set_instruments", "sam", member_id=member_id, instruments=[flute, oboe])
    assert stage.value(held, member_id) == flute
    stage.call("member.set_instruments", "sam", member_id=member_id, instruments=[flute, {"id": oboe, "is_primary": 1}])
    assert stage.value(held, member_id) == oboe
    for wrong in ([flute, flute], ["kazoo"], [{"id": flute, "is_primary": 1}, {"id": oboe, "is_primary": 1}]):
        with pytest.raises(Invalid):
            stage.call("member.set_instruments", "sam", member_id=member_id, instruments=wrong)
    assert stage.value(held, member_id) == oboe


def test_a_section_that_stays_keeps_the_day_of_its_assignment(stage):
    member_id = stage.member("Ines", sections=["Brass"])
    stage.tx.execute("UPDATE member_sections SET assigned_at = '2020-01-01T00:00:00.000Z'")
    brass, winds = stage.named("sections", "Brass"), stage.named("sections", "Woodwinds")
    stage.call("member.set_sections", "sam", member_id=member_id, sections=[{"id": brass, "is_leader": 1}, winds])
    placed = stage.rows("SELECT is_leader, assigned_at < '2021' FROM member_sections ORDER BY is_leader DESC")
    assert placed == [(1, 1), (0, 0)]


def test_one_changes_the_own_address_but_not_the_own_dates(stage):
    member_id = stage.member("Ines", "MUSICIAN")
    stage.call("me.update_member", "Ines", email="Ines.New@Riverside.example ", phone="555 0100")
    sealed = stage.rows("SELECT email, phone, email_hash FROM members WHERE id = ?", member_id)[0]
    assert "555" not in str(sealed)
    assert stage.call("member.find_by_email", "sam", email="ines.new@riverside.example")[0]["id"] == member_id
    for field in ("join_date", "notes", "status", "sections"):
        with pytest.raises(Forbidden):
            stage.call("me.update_member", "Ines", **{field: "2020-01-01"})


def test_a_change_leaves_every_sealed_column_it_does_not_name(stage):
    member_id = stage.call("member.create", "sam", first_name="Ines", last_name="Ruiz", email="ines@x.example",
                           phone="555 0101", emergency_name="Ana", notes="keeps the keys")["id"]  # fmt: skip
    stage.call("member.update", "sam", member_id=member_id, phone=None, last_name="Roy")
    kept = stage.rows(
        "SELECT last_name, phone, personal_open('members.email', email), notes,"
        " personal_open('members.emergency_name', emergency_name) FROM members WHERE id = ?",
        member_id,
    )
    assert kept == [("Roy", None, "ines@x.example", "keeps the keys", "Ana")]


def test_a_user_has_one_member_at_most(stage):
    stage.member("Ines", "MUSICIAN")
    other = stage.member("Otto", user=False)
    user_id = stage.as_person("Ines").id
    with pytest.raises(Conflict) as refused:
        stage.call("member.link_user", "sam", member_id=other, user_id=user_id)
    assert refused.value.code == "member_already_linked"


def test_linking_a_user_to_an_active_member_makes_a_musician(stage):
    member_id, user_id = stage.member("Otto", user=False), stage.user("Otto")
    stage.call("member.link_user", "sam", member_id=member_id, user_id=user_id)
    assert stage.as_person("Otto").may("music.view.assigned")


def test_a_deleted_member_comes_back_for_thirty_days(stage):
    member_id = stage.member("Ines")
    assert stage.call("member.delete", "sam", member_id=member_id)["restorable_until"] == "2026-05-10T12:00:00.000Z"
    with pytest.raises(Conflict) as refused:
        stage.call("member.delete", "sam", member_id=member_id)
    assert refused.value.code == "already_deleted"
    stage.at = "2026-05-10T12:00:00.001Z"
    with pytest.raises(Conflict) as refused:
        stage.call("member.restore", "sam", member_id=member_id)
    assert refused.value.code == "restore_window_closed"
    stage.at = "2026-05-10T12:00:00.000Z"
    stage.call("member.restore", "sam", member_id=member_id)
    with pytest.raises(Conflict) as refused:
        stage.call("member.restore", "sam", member_id=member_id)
    assert refused.value.code == "not_deleted"


def test_the_roster_is_for_those_who_hand_out_parts_and_shows_no_address(stage):
    stage.member("Ines", "LIBRARIAN", sections=["Brass"])
    stage.member("Otto", "MUSICIAN", status="ALUMNI")
    roster = stage.call("member.roster", "Ines")
    assert [entry["first_name"] for entry in roster] == ["Ines"]
    assert set(roster[0]) == {"id", "first_name", "last_name", "status", "instruments", "sections"}
    assert [section["name"] for section in roster[0]["sections"]] == ["Brass"]
    with pytest.raises(Forbidden):
        stage.call("member.roster", "Otto")


def test_an_export_says_in_the_audit_log_that_it_was_made(stage):
    stage.member("Ines", sections=["Brass"])
    stage.member("Otto", status="ALUMNI")
    rows = stage.call("member.export", "sam", status="ACTIVE")
    assert list(rows[0]) == [
        "First Name", "Last Name", "Email", "Phone", "Status", "Section", "Instrument", "Role", "Join Date",
        "Emergency Contact", "Emergency Phone", "Emergency Email",
    ]  # fmt: skip
    assert [(row["First Name"], row["Section"], row["Email"]) for row in rows] == [
        ("Ines", "Brass", "ines@riverside.example")
    ]
    assert stage.tx.notes == [("members", {"action": "EXPORT", "filters": {"status": "ACTIVE"}, "rows": 1})]


def test_a_permission_is_two_or_three_words(stage):
    assert stage.call("permission.create", "sam", name="bar.serve")["id"]
    for wrong in ("bar", "bar.serve.own.twice", "Bar.serve", "bar.serve.mine", "bar..own"):
        with pytest.raises(Invalid):
            stage.call("permission.create", "sam", name=wrong)
    with pytest.raises(Conflict) as refused:
        stage.call("permission.create", "sam", name="bar.serve")
    assert refused.value.code == "name_taken"
    stage.call("role.allow", "sam", role="MUSICIAN", permission="bar.serve")
    stage.user("Ines", "MUSICIAN")
    assert stage.as_person("Ines").may("bar.serve")
    with pytest.raises(Conflict):
        stage.call("role.disallow", "sam", role="SUPER_ADMIN", permission="auth.manage")
    with pytest.raises(NotFound):
        stage.call("role.disallow", "sam", role="PUBLIC", permission="bar.serve")


def test_an_instrument_or_a_section_in_use_stays(stage):
    member_id = stage.member("Ines", sections=["Brass"])
    flute = stage.named("instruments", "Flute")
    stage.call("member.set_instruments", "sam", member_id=member_id, instruments=[flute])
    for sql in ("DELETE FROM instruments WHERE name = 'Flute'", "DELETE FROM sections WHERE name = 'Brass'"):
        with pytest.raises(Conflict) as refused, stage.transaction():
            stage.connection.execute(sql)
        assert refused.value.code == "in_use"
