"""Invitations: creating, renewing, revoking, opening and accepting them."""

import pytest

from db.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from db.principal import Principal
from domain.choir.acceptance import Join, JoinKnown, Merge, Register, Repeat, Unknown, decide_acceptance
from domain.errors import AlreadyRegistered, InviteExpired, PendingInvite
from tests.domain.choir.stage import Stage

LIIS, JAAN, ANNA = "liis@aurora.example", "jaan@aurora.example", "anna@x.example"


def aurora(stage: Stage) -> str:
    org = stage.choir("aurora", owner=LIIS)
    stage.singer(org, "Jaan", email=JAAN, roles=("admin",))
    return org


def roster(stage: Stage, org: str, name: str = "Anna Tamm", **given: object) -> str:
    return str(stage.call("member.add_roster", JAAN, org, name=name, **given)["id"])


def invite(stage: Stage, org: str, **given: object) -> dict[str, str]:
    answer: dict[str, str] = stage.call("invite.create", JAAN, org, **given)
    return answer


def verified(org: str, email: str, name: str = "") -> Principal:
    return Principal(None, "person", org, frozenset(), email, email, name)


@pytest.mark.parametrize(
    ("roster_id", "registered", "known", "expected"),
    [
        (None, False, None, Join()),
        (None, False, "g", JoinKnown("g")),
        ("r", False, None, Register("r")),
        ("r", False, "g", Merge("r", "g")),
        ("r", True, "r", Repeat("r")),
        ("r", True, None, Unknown()),
        ("r", True, "g", Unknown()),
    ],
)
def test_the_case_follows_from_the_link_and_the_address(roster_id, registered, known, expected):
    assert decide_acceptance(roster_id, roster_registered=registered, known_id=known) == expected


def test_a_roster_person_registers_within_48_hours_and_stays_the_same_row(stage: Stage):
    org = aurora(stage)
    stage.at = "2026-02-01T10:00:00Z"
    anna = roster(stage, org, sections=["Alto"], roles=["librarian"])
    stage.at = "2026-02-05T10:00:00Z"
    made = invite(stage, org, roster_member_id=anna)
    assert made["expires_at"] == "2026-02-07T10:00:00.000Z"
    stage.at = "2026-02-07T09:59:00Z"
    answer = stage.call("invite.accept", verified(org, ANNA), token=made["token"])
    assert answer == {"member_id": anna, "outcome": "registered"}
    assert stage.rows("SELECT section_id, is_primary FROM member_sections") == [(stage.entry(org, "Alto"), 1)]
    assert stage.as_person(org, ANNA).id == anna
    assert stage.as_person(org, ANNA).may("scores:upload")
    assert stage.rows("SELECT * FROM invites") == []
    with pytest.raises(NotFound):
        stage.call("invite.open", "", org, token=made["token"])


def test_a_registered_address_is_stored_sealed(stage: Stage):
    org = aurora(stage)
    anna = roster(stage, org)
    stage.call("invite.accept", verified(org, ANNA), token=invite(stage, org, roster_member_id=anna)["token"])
    sealed = stage.value("SELECT email_id FROM members WHERE id = ?", anna)
    assert ANNA not in sealed
    assert stage.cipher.open("members.email_id", sealed) == ANNA


def test_the_second_click_on_a_used_link_tells_the_member_she_is_registered(stage: Stage):
    org = aurora(stage)
    token = invite(stage, org, roster_member_id=roster(stage, org))["token"]
    stage.call("invite.accept", verified(org, ANNA), token=token)
    with pytest.raises(AlreadyRegistered):
        stage.call("invite.accept", ANNA, org, token=token)
    with pytest.raises(NotFound):
        stage.call("invite.accept", verified(org, "stranger@x.example"), token=token)
    assert stage.value("SELECT count(*) FROM members WHERE name = 'Anna Tamm'") == 1


def test_one_person_has_one_live_invitation(stage: Stage):
    org = aurora(stage)
    anna = roster(stage, org)
    first = invite(stage, org, roster_member_id=anna)
    with pytest.raises(PendingInvite):
        invite(stage, org, roster_member_id=anna)
    stage.at = first["expires_at"]
    second = invite(stage, org, roster_member_id=anna)
    assert stage.rows("SELECT id FROM invites") == [(second["id"],)]


def test_an_invitation_expires_after_48_hours_and_can_be_renewed(stage: Stage):
    org = aurora(stage)
    made = invite(stage, org, name="Somebody")
    stage.at = "2026-02-07T10:01:00Z"
    with pytest.raises(InviteExpired):
        stage.call("invite.open", "", org, token=made["token"])
    with pytest.raises(InviteExpired):
        stage.call("invite.accept", verified(org, ANNA), token=made["token"])
    assert stage.value("SELECT count(*) FROM invites") == 1
    stage.at = "2026-02-07T12:00:00Z"
    renewed = stage.call("invite.renew", JAAN, org, id=made["id"])
    assert (renewed["expires_at"], renewed["token"]) == ("2026-02-09T12:00:00.000Z", made["token"])
    stage.at = "2026-02-09T11:59:59.999Z"
    assert stage.call("invite.open", "", org, token=made["token"])["subdomain"] == "aurora"
    stage.at = "2026-02-09T12:00:00Z"
    with pytest.raises(InviteExpired):
        stage.call("invite.open", "", org, token=made["token"])


def test_a_revoked_invitation_cannot_be_renewed_and_an_expired_one_not_revoked(stage: Stage):
    org = aurora(stage)
    made, other = invite(stage, org, name="Somebody"), invite(stage, org, name="Another")
    stage.call("invite.revoke", JAAN, org, id=made["id"])
    for verb in ("invite.renew", "invite.revoke"):
        with pytest.raises(NotFound):
            stage.call(verb, JAAN, org, id=made["id"])
    stage.at = other["expires_at"]
    with pytest.raises(NotFound):
        stage.call("invite.revoke", JAAN, org, id=other["id"])


def test_invitations_belong_to_their_organization(stage: Stage):
    org, other = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    made = invite(stage, org, name="Somebody")
    for verb in ("invite.renew", "invite.revoke"):
        with pytest.raises(NotFound):
            stage.call(verb, "m@x.example", other, id=made["id"])
    for verb in ("invite.open", "invite.accept"):
        with pytest.raises(NotFound):
            stage.call(verb, verified(other, ANNA), token=made["token"])


def test_the_list_shows_live_invitations_newest_first(stage: Stage):
    org = aurora(stage)
    invite(stage, org, name="Old")
    stage.at = "2026-02-06T10:00:00Z"
    made = invite(stage, org, name="New", sections=["Tenor", "Bass"], voices=["Tenor"])
    listed = stage.call("invite.list", JAAN, org)
    assert [line["name"] for line in listed] == ["New", "Old"]
    assert listed[0]["link_path"] == f"/invite/accept?token={made['token']}"
    assert (listed[0]["invited_by"], listed[0]["sections"], listed[0]["voices"]) == (
        "Jaan",
        ["Tenor", "Bass"],
        ["Tenor"],
    )
    stage.at = "2026-02-07T10:00:00Z"
    assert [line["name"] for line in stage.call("invite.list", JAAN, org)] == ["New"]


def test_a_token_is_64_hex_characters(stage: Stage):
    org = aurora(stage)
    token = invite(stage, org, name="Somebody")["token"]
    assert (len(token), set(token) - set("0123456789abcdef")) == (64, set())


def test_a_linked_invitation_stores_its_roles_as_dormant(stage: Stage):
    org = aurora(stage)
    anna = roster(stage, org)
    invite(stage, org, roster_member_id=anna, roles=["conductor"])
    assert stage.rows("SELECT role FROM member_roles WHERE member_id = ?", anna) == [("conductor",)]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": " "},
        {"name": "Somebody", "roles": ["admin"]},
        {"name": "Somebody", "roles": ["singer"]},
        {"name": "Somebody", "token": "x"},
    ],
)
def test_a_bad_free_invitation_is_refused(stage: Stage, given: dict[str, object]):
    org = aurora(stage)
    with pytest.raises(Invalid):
        invite(stage, org, **given)


@pytest.mark.parametrize("extra", ["name", "section_ids", "voice_ids", "sections", "voices"])
def test_a_linked_invitation_takes_name_and_placement_from_the_roster(stage: Stage, extra: str):
    org = aurora(stage)
    anna = roster(stage, org)
    given = "Anna" if extra == "name" else ["Alto"]
    with pytest.raises(Invalid):
        invite(stage, org, roster_member_id=anna, **{extra: given})


def test_only_roster_people_of_this_choir_are_invited_by_link(stage: Stage):
    org, other = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    with pytest.raises(NotFound):
        invite(stage, org, roster_member_id=stage.singer(other, "Tom"))
    with pytest.raises(AlreadyRegistered):
        invite(stage, org, roster_member_id=stage.as_person(org, LIIS).id)


def test_inviting_somebody_as_owner_needs_an_owner(stage: Stage):
    org = aurora(stage)
    anna = roster(stage, org)
    with pytest.raises(Forbidden):
        invite(stage, org, roster_member_id=anna, roles=["owner"])
    assert stage.call("invite.create", LIIS, org, roster_member_id=anna, roles=["owner"])


def test_a_token_cannot_invite(stage: Stage):
    org = aurora(stage)
    token = Principal(None, "token", org, stage.as_person(org, JAAN).permissions, "token 1")
    with pytest.raises(Forbidden):
        stage.call("invite.create", token, name="Somebody")


def test_accepting_needs_a_verified_address(stage: Stage):
    org = aurora(stage)
    token = invite(stage, org, name="Somebody")["token"]
    with pytest.raises(NotAuthenticated):
        stage.call("invite.accept", "", org, token=token)


def test_somebody_new_joins_with_the_invitations_placements(stage: Stage):
    org = aurora(stage)
    made = invite(stage, org, name="Somebody", sections=["Tenor", "Bass"], voices=["Tenor"])
    answer = stage.call("invite.accept", verified(org, ANNA, "Anna Tamm"), token=made["token"])
    assert answer["outcome"] == "joined"
    shown = stage.call("member.get", ANNA, org, member_id=answer["member_id"])
    assert (shown["name"], shown["email_id"], shown["section"]["name"]) == ("Anna Tamm", ANNA, "Tenor")
    assert [(section["name"], section["is_primary"]) for section in shown["sections"]] == [("Tenor", 1), ("Bass", 0)]


@pytest.mark.parametrize(("given", "expected"), [("", "Somebody (3)"), ("Anna", "Anna"), ("SOMEBODY", "SOMEBODY (3)")])
def test_a_taken_name_gets_a_number(stage: Stage, given: str, expected: str):
    org = aurora(stage)
    stage.singer(org, "somebody")
    stage.singer(org, "Somebody (2)")
    token = invite(stage, org, name="Somebody")["token"]
    member = stage.call("invite.accept", verified(org, ANNA, given), token=token)["member_id"]
    assert stage.value("SELECT name FROM members WHERE id = ?", member) == expected


def test_a_known_person_joins_a_second_choir(stage: Stage):
    org, other = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    tom = stage.singer(other, "Tom", email="tom@x.example", roles=("conductor",))
    token = invite(stage, org, name="Tom from Meretuul", sections=["Tenor"])["token"]
    answer = stage.call("invite.accept", verified(org, "tom@x.example"), token=token)
    assert answer == {"member_id": tom, "outcome": "joined"}
    assert stage.as_person(org, "tom@x.example").may("member")
    assert not stage.as_person(org, "tom@x.example").may("events:create")
    assert stage.rows("SELECT section_id, is_primary FROM member_sections") == [(stage.entry(org, "Tenor"), 1)]


def test_a_known_person_whose_name_is_taken_here_gets_a_nickname(stage: Stage):
    org, other = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    tom = stage.singer(other, "Tom", email="tom@x.example")
    stage.singer(org, "TOM")
    token = invite(stage, org, name="Tom")["token"]
    stage.call("invite.accept", verified(org, "tom@x.example"), token=token)
    assert stage.call("member.get", LIIS, org, member_id=tom)["display_name"] == "Tom (2)"


def test_a_member_who_accepts_again_only_gets_what_is_missing(stage: Stage):
    org = aurora(stage)
    kadri = stage.singer(org, "Kadri", email="kadri@x.example")
    alto, tenor = stage.entry(org, "Alto"), stage.entry(org, "Tenor")
    stage.tx.insert("member_sections", member_id=kadri, section_id=alto, is_primary=1)
    token = invite(stage, org, name="Kadri", section_ids=[tenor, alto])["token"]
    stage.call("invite.accept", "kadri@x.example", org, token=token)
    assert stage.rows("SELECT section_id, is_primary FROM member_sections ORDER BY is_primary") == [
        (tenor, 0),
        (alto, 1),
    ]


def test_a_link_to_somebody_registered_since_is_harmless(stage: Stage):
    org = aurora(stage)
    anna = roster(stage, org)
    token = invite(stage, org, roster_member_id=anna)["token"]
    stage.tx.execute(
        "UPDATE members SET email_id = personal_seal('members.email_id', :email),"
        " email_id_lookup = personal_lookup(:email) WHERE id = :id",
        email=ANNA,
        id=anna,
    )
    with pytest.raises(NotFound):
        stage.call("invite.open", "", org, token=token)
    with pytest.raises(NotFound):
        stage.call("invite.accept", verified(org, "other@x.example"), token=token)
    answer = stage.call("invite.accept", ANNA, org, token=token)
    assert answer == {"member_id": anna, "outcome": "unchanged"}
