"""Founding, subdomains, registration inside an association, profile, deletion."""

import pytest

from db.errors import Conflict, Forbidden, Invalid, NotAuthenticated
from db.principal import guest
from domain.errors import Duplicate
from tests.domain.choir.stage import Stage

OWNER = "board@harmonia.example"


def counts(stage: Stage, *tables: str) -> list[int]:
    return [stage.value(f"SELECT count(*) FROM {table}") for table in tables]


def test_founding_a_choir_gives_it_an_owner_voices_sections_and_a_setting(stage: Stage):
    assert stage.call("organization.check_subdomain", guest(""), subdomain="harmonia") == {"available": True}
    org = stage.choir("harmonia", owner=OWNER)
    assert counts(stage, "organizations", "registered_owners", "voices", "sections") == [1, 1, 13, 13]
    assert stage.value("SELECT name FROM members") == OWNER
    assert stage.value("SELECT sum(is_active) FROM voices") == 5
    assert stage.rows("SELECT sum(is_active), count(parent_section_id) FROM sections") == [(5, 8)]
    assert stage.rows("SELECT org_id, key, value FROM vault_settings") == [(org, "default_event_duration", "120")]


def test_founding_seals_the_owners_address(stage: Stage):
    stage.choir("harmonia", owner=OWNER)
    stored = stage.value("SELECT email_id FROM members")
    assert OWNER not in stored
    assert stage.cipher.open("members.email_id", stored) == OWNER


def test_seeded_ids_are_repeatable_and_ranges_are_the_plain_names(stage: Stage):
    org = stage.choir()
    assert stage.rows("SELECT id, range_group FROM voices WHERE name = 'Tenor II'") == [(f"{org}_tenor-ii", "tenor")]
    assert stage.rows("SELECT id, parent_section_id FROM sections WHERE name = 'Tenor II'") == [
        (f"{org}-tenor-ii", f"{org}-tenor")
    ]


def test_a_second_choir_of_the_same_name_is_refused_and_changes_nothing(stage: Stage):
    stage.choir("harmonia", owner=OWNER)
    before = counts(stage, "organizations", "members", "voices", "sections")
    with pytest.raises(Duplicate):
        stage.choir(" Harmonia ", owner="other@harmonia.example")
    assert counts(stage, "organizations", "members", "voices", "sections") == before


RESERVED = (
    "www api admin app mail smtp ftp cdn static assets registry vault polyphony support help docs blog status test "
    "staging dev demo public auth login imap pop ssh vpn"
)


@pytest.mark.parametrize("name", [*RESERVED.split(), "healthz"])
def test_a_reserved_subdomain_is_not_available(stage: Stage, name: str):
    answer = stage.call("organization.check_subdomain", guest(""), subdomain=f" {name.upper()} ")
    assert answer == {"available": False, "reason": "reserved"}


def test_a_reserved_subdomain_cannot_be_founded(stage: Stage):
    with pytest.raises(Duplicate):
        stage.choir("docs")


def test_a_taken_subdomain_is_not_available(stage: Stage):
    stage.choir("harmonia", owner=OWNER)
    answer = stage.call("organization.check_subdomain", guest(""), subdomain="HARMONIA")
    assert answer == {"available": False, "reason": "taken"}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("ha", "3 to 30"),
        ("h" * 31, "3 to 30"),
        ("harmonia-", "either end"),
        ("-coro", "either end"),
        ("my_choir", "a-z"),
        ("õie", "a-z"),
        ("har\nmonia", "a-z"),
    ],
)
def test_a_malformed_subdomain_is_invalid_and_the_rule_is_named(stage: Stage, name: str, rule: str):
    with pytest.raises(Invalid) as refused:
        stage.call("organization.check_subdomain", guest(""), subdomain=name)
    assert refused.value.field == "subdomain"
    assert rule in refused.value.message
    with pytest.raises(Invalid):
        stage.choir(name)


@pytest.mark.parametrize("name", ["har", "h" * 30, "choir--two", "4choir"])
def test_a_well_formed_subdomain_is_available(stage: Stage, name: str):
    assert stage.call("organization.check_subdomain", guest(""), subdomain=name) == {"available": True}


def register(stage: Stage, caller: str, org: str, **changed: str) -> str:
    given = {"name": "Aurora", "subdomain": "aurora", "type": "collective", "contact_email": "liis@aurora.example"}
    answer = stage.call("organization.register", caller, org, **{**given, **changed})
    return str(answer["id"])


def test_an_umbrella_owner_registers_a_collective_that_is_affiliated_at_once(stage: Stage):
    union = stage.choir("union", owner="board@union.example", kind="umbrella")
    aurora = register(stage, "board@union.example", union)
    assert stage.rows("SELECT collective_id, umbrella_id, left_at FROM affiliations") == [(aurora, union, None)]
    assert stage.as_person(aurora, "liis@aurora.example").may("owner")


def test_registration_reuses_the_person_the_vault_knows(stage: Stage):
    union = stage.choir("union", owner="board@union.example", kind="umbrella")
    aurora = register(stage, "board@union.example", union, contact_email="board@union.example")
    assert counts(stage, "members", "member_organizations") == [1, 2]
    assert stage.as_person(aurora, "board@union.example").may("owner")


def test_only_an_umbrella_owner_registers_organizations(stage: Stage):
    choir = stage.choir("harmonia", owner=OWNER)
    with pytest.raises(Forbidden):
        register(stage, OWNER, choir)
    with pytest.raises(NotAuthenticated):
        register(stage, "", choir)


def test_registration_refuses_an_unknown_type(stage: Stage):
    union = stage.choir("union", owner="board@union.example", kind="umbrella")
    with pytest.raises(Invalid) as refused:
        register(stage, "board@union.example", union, type="choir")
    assert refused.value.field == "type"


def test_the_profile_changes_only_what_is_given(stage: Stage):
    org = stage.choir("harmonia", owner=OWNER)
    stage.call("organization.update", OWNER, org, language="et", timezone="Europe/Tallinn")
    profile = stage.call("organization.update", OWNER, org, language=None, trust_individual_responsibility=True)
    assert (profile["language"], profile["timezone"]) == (None, "Europe/Tallinn")
    assert (profile["name"], profile["trust_individual_responsibility"]) == ("Harmonia", 1)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"subdomain": "other"},
        {"type": "umbrella"},
        {"name": None},
        {"name": "  "},
        {"trust_individual_responsibility": None},
        {"trust_individual_responsibility": "yes"},
        {"contact_email": "anna@tamm"},
        {"language": "est"},
        {"locale": "et_EE"},
        {"timezone": "Mars/Olympus"},
    ],
)
def test_a_bad_profile_is_refused(stage: Stage, given: dict[str, object]):
    org = stage.choir("harmonia", owner=OWNER)
    with pytest.raises(Invalid):
        stage.call("organization.update", OWNER, org, **given)


def test_another_organizations_profile_cannot_be_addressed(stage: Stage):
    aurora = stage.choir()
    other = stage.choir("meretuul", owner="owner@meretuul.example")
    with pytest.raises(Forbidden):
        stage.call("organization.update", "liis@aurora.example", aurora, org_id=other, name="Mine")


def test_the_public_directory_lists_every_organization_by_name(stage: Stage):
    stage.choir("meretuul", owner="a@x.example")
    stage.choir("aurora", owner="b@x.example")
    listed = stage.call("organization.list_public", guest(""))
    assert [line["name"] for line in listed] == ["Aurora", "Meretuul"]
    assert set(listed[0]) == {"id", "name", "subdomain", "type", "contact_email", "created_at"}


def test_deleting_an_organization_needs_its_subdomain_repeated(stage: Stage):
    org = stage.choir("harmonia", owner=OWNER)
    with pytest.raises(Invalid):
        stage.call("organization.delete", OWNER, org, subdomain="harmony")
    assert counts(stage, "organizations") == [1]


def test_deleting_an_organization_is_the_owners_right(stage: Stage):
    org = stage.choir("harmonia", owner=OWNER)
    stage.singer(org, email="jaan@x.example", roles=("admin",))
    with pytest.raises(Forbidden):
        stage.call("organization.delete", "jaan@x.example", org, subdomain="harmonia")


def test_deleting_an_organization_takes_everything_it_owns_and_nothing_else(stage: Stage):
    org = stage.choir("harmonia", owner=OWNER)
    other = stage.choir()
    stage.call("member.add_roster", OWNER, org, name="Anna", sections=["Alto"], roles=["owner"])
    work = stage.call("work.create", OWNER, org, title="Sicut cervus")
    alto = stage.entry(org, "Alto")
    stage.call("edition.create", OWNER, org, work_id=work["id"], name="Choir score", section_ids=[alto])
    stage.call("invite.create", OWNER, org, name="Somebody", section_ids=[alto])
    stage.call("organization.delete", OWNER, org, subdomain="harmonia")
    assert stage.rows("SELECT id FROM organizations") == [(other,)]
    assert counts(stage, "works", "editions", "edition_sections", "invites", "invite_sections") == [0] * 5
    assert counts(stage, "member_sections", "member_roles", "voices", "sections") == [0, 1, 13, 13]
    assert stage.rows("PRAGMA foreign_key_check") == []


def test_the_raw_deletion_of_an_organization_passes_its_own_owner_rule(stage: Stage):
    stage.choir("harmonia", owner=OWNER)
    stage.tx.execute("DELETE FROM organizations")
    assert counts(stage, "member_roles", "member_organizations") == [0, 0]


def test_the_last_owner_rule_is_a_conflict_with_its_code_in_raw_sql(stage: Stage):
    stage.choir("harmonia", owner=OWNER)
    with pytest.raises(Conflict) as refused, stage.transaction():
        stage.tx.execute("DELETE FROM member_roles")
    assert refused.value.code == "last_owner"
