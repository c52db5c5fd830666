"""The roster: adding, renaming, nicknames, removing, and what each caller reads."""

import pytest

from db.errors import Forbidden, Invalid, NotFound
from domain.errors import Duplicate, Inactive, LastOwner, SelfRemoval
from tests.domain.choir.stage import Stage

LIIS, JAAN, KADRI = "liis@aurora.example", "jaan@aurora.example", "kadri@aurora.example"


def aurora(stage: Stage) -> str:
    org = stage.choir("aurora", owner=LIIS)
    stage.singer(org, "Jaan", email=JAAN, roles=("admin",))
    stage.singer(org, "Kadri", email=KADRI)
    return org


def add(stage: Stage, org: str, name: str, **given: object) -> str:
    return str(stage.call("member.add_roster", JAAN, org, name=name, **given)["id"])


def card(stage: Stage, org: str, member_id: str, caller: str = JAAN) -> dict[str, object]:
    answer: dict[str, object] = stage.call("member.get", caller, org, member_id=member_id)
    return answer


def test_the_first_section_and_voice_of_a_new_member_are_primary(stage: Stage):
    org = aurora(stage)
    tenor, bass = stage.entry(org, "Tenor"), stage.entry(org, "Bass")
    member = add(stage, org, " Anna Tamm ", section_ids=[bass, tenor], voices=["tenor"], email_contact="ANNA@x.example")
    assert stage.rows("SELECT section_id, is_primary FROM member_sections WHERE member_id = ? ORDER BY 1", member) == [
        (bass, 1),
        (tenor, 0),
    ]
    assert stage.rows("SELECT voice_id, is_primary FROM member_voices") == [(stage.entry(org, "Tenor", "voices"), 1)]
    shown = card(stage, org, member)
    assert (shown["name"], shown["email_contact"], shown["registered"]) == ("Anna Tamm", "anna@x.example", False)


def test_a_csv_cell_names_several_sections_and_roles(stage: Stage):
    org = aurora(stage)
    member = add(stage, org, "Anna", sections="Bass; Tenor", roles="librarian;conductor", nickname="")
    shown = card(stage, org, member)
    assert shown["roles"] == ["conductor", "librarian"]
    assert shown["section"] == {"id": stage.entry(org, "Bass"), "name": "Bass", "abbreviation": "B"}


@pytest.mark.parametrize("name", ["Anna Tamm", "ANNA TAMM", "anna tamm ", "Õie", "õIE"])
def test_a_name_is_unique_here_ignoring_case(stage: Stage, name: str):
    org = aurora(stage)
    add(stage, org, "Anna Tamm")
    add(stage, org, "õie")
    with pytest.raises(Duplicate):
        add(stage, org, name)


def test_the_same_name_is_free_in_another_choir(stage: Stage):
    org = aurora(stage)
    add(stage, org, "Anna Tamm")
    other = stage.choir("meretuul", owner="m@x.example")
    assert stage.call("member.add_roster", "m@x.example", other, name="Anna Tamm")


def test_only_an_owner_adds_a_dormant_owner(stage: Stage):
    org = aurora(stage)
    with pytest.raises(Forbidden):
        add(stage, org, "Peeter", roles=["owner"])
    assert stage.call("member.add_roster", LIIS, org, name="Peeter", roles=["owner"])


def test_a_section_of_another_choir_is_not_found_and_nothing_is_written(stage: Stage):
    org = aurora(stage)
    foreign = stage.entry(stage.choir("meretuul", owner="m@x.example"), "Alto")
    before = stage.value("SELECT count(*) FROM members")
    with pytest.raises(NotFound):
        add(stage, org, "Anna", section_ids=[stage.entry(org, "Alto"), foreign])
    with pytest.raises(NotFound):
        add(stage, org, "Anna", sections=["Altos"])
    assert stage.value("SELECT count(*) FROM members") == before


def test_a_deactivated_section_takes_nobody_new(stage: Stage):
    org = aurora(stage)
    with pytest.raises(Inactive):
        add(stage, org, "Anna", sections=["Alto I"])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "   "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"email_contact": "anna@tamm"}, "email_contact"),
        ({"roles": ["singer"]}, "roles"),
        ({"roles": 7}, "roles"),
        ({"section_ids": [None]}, "section_ids"),
        ({"org_id": "other"}, "org_id"),
    ],
)
def test_bad_roster_input_names_its_field(stage: Stage, given: dict[str, object], field: str):
    org = aurora(stage)
    with pytest.raises(Invalid) as refused:
        stage.call("member.add_roster", JAAN, org, **{"name": "Anna", **given})
    assert refused.value.field == field


def test_a_member_renames_herself_and_nobody_else(stage: Stage):
    org = aurora(stage)
    kadri, anna = stage.as_person(org, KADRI), add(stage, org, "Anna")
    stage.call("member.rename", kadri, member_id=kadri.id, name="Kadri Pärn")
    with pytest.raises(Forbidden):
        stage.call("member.rename", kadri, member_id=anna, name="Anne")
    assert card(stage, org, anna)["name"] == "Anna"


def test_a_member_may_change_the_case_of_her_own_name(stage: Stage):
    org = aurora(stage)
    kadri = stage.as_person(org, KADRI)
    assert stage.call("member.rename", kadri, member_id=kadri.id, name="KADRI")["name"] == "KADRI"


def test_a_new_name_is_free_in_every_organization_of_the_member(stage: Stage):
    org = aurora(stage)
    other = stage.choir("meretuul", owner="m@x.example")
    kadri = stage.as_person(org, KADRI)
    assert kadri.id is not None
    stage.join(other, kadri.id)
    stage.singer(other, "Tiina")
    with pytest.raises(Duplicate):
        stage.call("member.rename", kadri, member_id=kadri.id, name="tiina")


def test_the_nickname_used_here_wins_over_the_general_one(stage: Stage):
    org = aurora(stage)
    kadri = stage.as_person(org, KADRI)
    stage.call("member.set_nickname", kadri, member_id=kadri.id, nickname="Kats")
    stage.call("member.set_nickname", kadri, member_id=kadri.id, nickname="K.", here=True)
    assert card(stage, org, str(kadri.id))["display_name"] == "K."
    stage.call("member.set_nickname", kadri, member_id=kadri.id, nickname="  ", here=True)
    assert card(stage, org, str(kadri.id))["display_name"] == "Kats"


def test_a_nickname_must_be_given_to_be_cleared(stage: Stage):
    org = aurora(stage)
    kadri = stage.as_person(org, KADRI)
    with pytest.raises(Invalid):
        stage.call("member.set_nickname", kadri, member_id=kadri.id)


def test_removing_a_member_keeps_the_person_and_drops_what_belongs_here(stage: Stage):
    org = aurora(stage)
    anna = add(stage, org, "Anna", sections=["Alto"], voices=["Alto"], roles=["librarian"])
    stage.call("invite.create", JAAN, org, roster_member_id=anna)
    stage.call("member.remove", JAAN, org, member_id=anna)
    assert stage.rows("SELECT name FROM members WHERE id = ?", anna) == [("Anna",)]
    for table in ("member_organizations", "member_roles", "member_voices", "member_sections"):
        assert stage.rows(f"SELECT * FROM {table} WHERE member_id = ?", anna) == []
    assert stage.rows("SELECT * FROM invites") == []


def test_removing_a_member_leaves_other_organizations_alone(stage: Stage):
    org, other = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    tom = stage.singer(other, "Tom", email="tom@x.example", roles=("librarian",))
    bass = stage.entry(other, "Bass")
    stage.tx.insert("member_sections", member_id=tom, section_id=bass, is_primary=1)
    stage.join(org, tom)
    stage.call("member.remove", JAAN, org, member_id=tom)
    assert stage.rows("SELECT section_id, is_primary FROM member_sections") == [(bass, 1)]
    assert stage.as_person(other, "tom@x.example").may("scores:upload")


def test_nobody_removes_herself(stage: Stage):
    org = aurora(stage)
    with pytest.raises(SelfRemoval):
        stage.call("member.remove", JAAN, org, member_id=stage.as_person(org, JAAN).id)


def test_an_owner_is_removed_by_an_owner_only(stage: Stage):
    org = aurora(stage)
    liis = stage.as_person(org, LIIS).id
    second = stage.singer(org, "Rein", email="rein@x.example", roles=("owner",))
    with pytest.raises(Forbidden):
        stage.call("member.remove", JAAN, org, member_id=liis)
    stage.call("member.remove", "rein@x.example", org, member_id=liis)
    assert stage.rows("SELECT member_id FROM registered_owners") == [(second,)]


def test_a_token_acting_as_owner_cannot_remove_the_last_one(stage: Stage):
    org = aurora(stage)
    liis = stage.as_person(org, LIIS)
    token = type(liis)(None, "token", org, liis.permissions, "token 1", "token")
    with pytest.raises(LastOwner):
        stage.call("member.remove", token, member_id=liis.id)


def test_the_card_shows_addresses_to_the_person_and_the_desk_only(stage: Stage):
    org = aurora(stage)
    stage.singer(org, "Tiina", email="tiina@x.example")
    kadri = str(stage.as_person(org, KADRI).id)
    seen = {caller: card(stage, org, kadri, caller)["email_id"] for caller in (LIIS, JAAN, KADRI, "tiina@x.example")}
    assert seen == {LIIS: KADRI, JAAN: KADRI, KADRI: KADRI, "tiina@x.example": None}


def test_the_list_is_for_the_desk_and_sorts_by_display_name(stage: Stage):
    org = aurora(stage)
    add(stage, org, "zoe", nickname="anna b")
    add(stage, org, "Õie")
    names = [member["display_name"] for member in stage.call("member.list", JAAN, org)]
    assert names == ["anna b", "Jaan", "Kadri", LIIS, "Õie"]
    with pytest.raises(Forbidden):
        stage.call("member.list", KADRI, org)


def test_the_list_shows_live_invitations(stage: Stage):
    org = aurora(stage)
    anna = add(stage, org, "Anna")
    invite = stage.call("invite.create", JAAN, org, roster_member_id=anna)
    assert card(stage, org, anna)["invite"] == {"id": invite["id"], "expires_at": invite["expires_at"]}
    assert card(stage, org, anna, KADRI)["invite"] is None
    stage.at = invite["expires_at"]
    assert card(stage, org, anna)["invite"] is None


def test_a_member_of_another_choir_is_not_found(stage: Stage):
    org = aurora(stage)
    tom = stage.singer(stage.choir("meretuul", owner="m@x.example"), "Tom")
    for verb, given in (
        ("member.get", {}),
        ("member.remove", {}),
        ("member.rename", {"name": "Tim"}),
        ("member.set_nickname", {"nickname": "Tim"}),
    ):
        with pytest.raises(NotFound):
            stage.call(verb, JAAN, org, member_id=tom, **given)
