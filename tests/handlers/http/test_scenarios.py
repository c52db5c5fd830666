"""A choir from its registration on, over HTTP: owners, roles, invitations, merging, voices and sections."""

import pytest

from db.errors import Conflict
from tests.handlers.http.site import Choir, Site, error_of, make_choir, make_sister, refused

LIIS, JAAN, MARI, KADRI = "liis@aurora.example", "jaan@aurora.example", "mari@aurora.example", "kadri@aurora.example"
TOM, ANNA = "tom@x.example", "anna@x.example"


def aurora(site: Site) -> Choir:
    """Liis (owner), Jaan (admin), Mari (conductor and librarian), Kadri (no role)."""
    choir = make_choir(site, "aurora", owner=LIIS)
    site.add_member(choir, "Jaan", JAAN, ["admin"])
    site.add_member(choir, "Mari", MARI, ["conductor", "librarian"])
    site.add_member(choir, "Kadri", KADRI)
    return choir


def union(site: Site) -> Choir:
    """The umbrella of Aurora and Meretuul, which share a vault."""
    umbrella = make_choir(site, "union", type="umbrella")
    make_sister(site, umbrella, "aurora", LIIS)
    make_sister(site, umbrella, "meretuul", "owner@meretuul.example")
    return umbrella


def id_of(rows: list[dict[str, str]], name: str) -> str:
    return next(row["id"] for row in rows if row["name"] == name)


def test_a_new_choir_has_its_owner_voices_sections_and_settings(site):
    choir = make_choir(site, "harmonia", owner="board@harmonia.example")
    owner = site.sign_in("harmonia", choir.owner)
    assert len(owner.rows("organizations")) == 1
    assert owner.rows("members?select=name,email_id") == [{"name": choir.owner, "email_id": choir.owner}]
    assert owner.rows("member_roles?select=role") == [{"role": "owner"}]
    for table in ("voices", "sections"):
        assert len(owner.rows(table)) == 13
        assert len(owner.rows(f"{table}?is_active=eq.1")) == 5
    assert len(owner.rows("sections?parent_section_id=not.is.null")) == 8
    assert owner.rows("vault_settings?select=key,value") == [{"key": "default_event_duration", "value": "120"}]


def test_a_name_that_is_taken_in_any_case_opens_no_second_tenant(site):
    choir = make_choir(site, "harmonia")
    before = site.vault_rows(choir, "SELECT count(*) AS n FROM vaultry_audit")
    with pytest.raises(Conflict) as caught:
        make_choir(site, "Harmonia")
    assert caught.value.code == "duplicate"
    assert site.vault_rows(choir, "SELECT count(*) AS n FROM vaultry_audit") == before


@pytest.mark.parametrize(
    ("subdomain", "answer"),
    [
        ("docs", {"available": False, "reason": "reserved"}),
        ("STATUS", {"available": False, "reason": "reserved"}),
        (" Aurora ", {"available": False, "reason": "taken"}),
        ("choir--two", {"available": True}),
    ],
)
def test_anybody_may_ask_whether_a_name_is_free(site, subdomain, answer):
    make_choir(site, "aurora")
    assert site.guest("aurora").done("organization.check_subdomain", subdomain=subdomain) == answer
    asked = site.client.request(
        "GET", "/aurora/rest/v1/rpc/organization.check_subdomain", query={"subdomain": subdomain}
    )
    assert asked.json() == answer


@pytest.mark.parametrize("subdomain", ["ha", "h" * 31, "harmonia-", "-coro", "my_choir", ""])
def test_a_malformed_name_is_refused(site, subdomain):
    make_choir(site, "aurora")
    answer = site.guest("aurora").call("organization.check_subdomain", subdomain=subdomain)
    assert refused(answer) == (400, "invalid_input")
    assert "subdomain" in error_of(answer)["message"]


def test_roles_count_in_the_organization_they_are_held_in_and_nowhere_else(site):
    umbrella = union(site)
    aurora_owner, meretuul_owner = site.sign_in("aurora", LIIS), site.sign_in("meretuul", "owner@meretuul.example")
    mari = aurora_owner.done("invite.create", name="Mari")
    at_aurora = site.session("aurora", MARI, invite_token=mari["token"])
    member_id = aurora_owner.rows("members?name=eq.Mari&select=id")[0]["id"]
    for role in ("conductor", "librarian"):
        aurora_owner.done("role.grant", member_id=member_id, role=role)
    invite = meretuul_owner.done("invite.create", name="Mari")
    mari_there = site.guest("meretuul").with_token(at_aurora["access_token"])
    assert mari_there.done("invite.accept", token=invite["token"])["member_id"] == member_id
    work = meretuul_owner.done("work.create", title="Meretuul's")
    meretuul_owner.done("edition.create", work_id=work["id"], name="Hired", license_type="licensed")
    mari_here = mari_there.at("aurora")
    own = mari_here.done("work.create", title="Aurora's")
    assert mari_here.call("work.delete", work_id=own["id"]).status == 200
    assert [row["title"] for row in mari_there.rows("works")] == ["Meretuul's"]
    assert refused(mari_there.call("work.create", title="x")) == (403, "forbidden")
    assert refused(mari_there.add("works", {"title": "x"})) == (403, "42501")
    assert mari_here.call("work.get", work_id=work["id"]).status == 404
    assert site.guest("meretuul").rows("works") == site.guest("meretuul").rows("editions") == []
    assert umbrella.entry.id == site.services.entry("meretuul").id


def test_an_owner_is_no_librarian_until_she_makes_herself_one(site):
    aurora(site)
    liis, jaan = site.sign_in("aurora", LIIS), site.sign_in("aurora", JAAN)
    work = liis.done("work.create", title="Locus iste")
    assert refused(liis.call("work.delete", work_id=work["id"])) == (403, "forbidden")
    assert refused(liis.send("DELETE", f"/rest/v1/works?id=eq.{work['id']}")) == (403, "42501")
    members = liis.done("member.list")
    own = next(member["id"] for member in members if member["email_id"] == LIIS)
    liis.done("role.grant", member_id=own, role="librarian")
    assert liis.call("work.delete", work_id=work["id"]).status == 200
    kadri = id_of(members, "Kadri")
    assert refused(jaan.call("role.grant", member_id=kadri, role="owner")) == (403, "forbidden")
    assert refused(jaan.call("role.grant", member_id=kadri, role="singer")) == (400, "invalid_input")


def test_the_last_owner_stays_until_another_can_sign_in(site):
    aurora(site)
    liis = site.sign_in("aurora", LIIS)
    members = liis.done("member.list")
    own, jaan_id = next(m["id"] for m in members if m["email_id"] == LIIS), id_of(members, "Jaan")
    liis.done("member.add_roster", name="Peeter", roles=["owner"])
    assert refused(liis.call("role.revoke", member_id=own, role="owner")) == (409, "last_owner")
    liis.done("role.grant", member_id=jaan_id, role="owner")
    assert liis.done("role.revoke", member_id=own, role="owner")["changed"] is True
    jaan = site.sign_in("aurora", JAAN)
    assert refused(jaan.call("role.revoke", member_id=jaan_id, role="owner")) == (409, "last_owner")
    assert refused(liis.call("role.revoke", member_id=jaan_id, role="owner")) == (403, "forbidden")


def test_a_roster_person_signs_in_by_invitation_and_stays_the_same_person(site, clock):
    aurora(site)
    clock.at("2026-02-05T10:00:00Z")
    jaan = site.sign_in("aurora", JAAN)
    anna = jaan.done("member.add_roster", name="Anna Tamm", sections=["Alto"])["id"]
    invite = jaan.done("invite.create", roster_member_id=anna)
    assert invite["expires_at"] == "2026-02-07T10:00:00.000Z"
    clock.at("2026-02-07T09:59:00Z")
    session = site.session("aurora", ANNA, invite_token=invite["token"])
    person = site.guest("aurora").with_token(session["access_token"])
    assert person.rows("members?email_id=not.is.null&select=id,name,email_id") == [
        {"id": anna, "name": "Anna Tamm", "email_id": ANNA}
    ]
    assert person.rows(f"member_sections?member_id=eq.{anna}&select=is_primary,sections(name)") == [
        {"is_primary": 1, "sections": {"name": "Alto"}}
    ]
    assert refused(site.guest("aurora").call("invite.open", token=invite["token"])) == (404, "not_found")
    assert refused(person.call("invite.accept", token=invite["token"])) == (409, "already_registered")


def test_an_invitation_that_fails_lets_nobody_in(site, clock):
    aurora(site)
    liis = site.sign_in("aurora", LIIS)
    invite = liis.done("invite.create", name="Somebody")
    door = site.guest("aurora")

    def enter(token: str):
        door.auth("otp", {"email": ANNA})
        return door.auth("verify", {"email": ANNA, "token": site.code(ANNA), "invite_token": token})

    assert refused(enter("0" * 64)) == (404, "not_found")
    clock.tick(48 * 3600)
    assert refused(enter(invite["token"])) == (410, "invite_expired")
    make_choir(site, "harmonia", owner="h@x.example")
    elsewhere = site.sign_in("harmonia", "h@x.example").done("invite.create", name="Anna")
    assert refused(enter(elsewhere["token"])) == (404, "not_found")
    assert len(site.sign_in("aurora", LIIS).rows("members")) == 4


def test_an_invitation_is_used_once_even_when_two_click_at_once(site):
    aurora(site)
    invite = site.sign_in("aurora", LIIS).done("invite.create", name="Anna")
    site.session("aurora", ANNA, invite_token=invite["token"])
    door = site.guest("aurora")
    door.auth("otp", {"email": ANNA})
    again = door.auth("verify", {"email": ANNA, "token": site.code(ANNA), "invite_token": invite["token"]})
    assert refused(again) == (409, "already_registered")
    door.auth("otp", {"email": TOM})
    other = door.auth("verify", {"email": TOM, "token": site.code(TOM), "invite_token": invite["token"]})
    assert refused(other) == (404, "not_found")


def test_an_invitation_is_renewed_with_its_token_and_revoked_while_it_lives(site, clock):
    aurora(site)
    jaan = site.sign_in("aurora", JAAN)
    anna = jaan.done("member.add_roster", name="Anna Tamm")["id"]
    first = jaan.done("invite.create", roster_member_id=anna)
    assert refused(jaan.call("invite.create", roster_member_id=anna)) == (409, "pending_invite")
    clock.tick(48 * 3600 + 60)
    assert refused(site.guest("aurora").call("invite.open", token=first["token"])) == (410, "invite_expired")
    clock.tick(2 * 3600 - 60)
    jaan = site.sign_in("aurora", JAAN)
    assert refused(jaan.call("invite.revoke", id=first["id"])) == (404, "not_found")
    renewed = jaan.done("invite.renew", id=first["id"])
    assert (renewed["token"], renewed["expires_at"]) == (first["token"], "2026-02-09T12:00:00.000Z")
    assert site.guest("aurora").done("invite.open", token=first["token"])["name"] == "Anna Tamm"
    assert jaan.call("invite.revoke", id=first["id"]).status == 200
    assert refused(jaan.call("invite.renew", id=first["id"])) == (404, "not_found")


def test_a_roster_person_merges_into_the_member_who_accepts(site):
    union(site)
    aurora_owner, meretuul_owner = site.sign_in("aurora", LIIS), site.sign_in("meretuul", "owner@meretuul.example")
    here = meretuul_owner.done("invite.create", name="Tom", sections=["Bass"])
    session = site.session("meretuul", TOM, invite_token=here["token"])
    survivor = meretuul_owner.rows("members?name=eq.Tom&select=id")[0]["id"]
    roster = aurora_owner.done("member.add_roster", name="Thomas", sections=["Tenor"], roles=["section_leader"])["id"]
    invite = aurora_owner.done("invite.create", roster_member_id=roster)
    tom = site.guest("aurora").with_token(session["access_token"])
    assert tom.done("invite.accept", token=invite["token"]) == {"member_id": survivor, "outcome": "merged"}
    assert tom.rows(f"members?id=eq.{roster}") == []
    assert tom.rows(f"member_organizations?member_id=eq.{survivor}&select=nickname") == [{"nickname": "Thomas"}]
    assert tom.rows(f"member_roles?member_id=eq.{survivor}&select=role") == [{"role": "section_leader"}]
    for slug, section in (("aurora", "Tenor"), ("meretuul", "Bass")):
        assert tom.at(slug).rows(f"member_sections?member_id=eq.{survivor}&select=is_primary,sections(name)") == [
            {"is_primary": 1, "sections": {"name": section}}
        ]


def test_one_section_is_primary_in_each_choir(site):
    choir = aurora(site)
    liis = site.sign_in("aurora", LIIS)
    sections = liis.rows("sections?select=id,name")
    tom = site.add_member(choir, "Tom", TOM, sections=["Tenor"])
    baritone = id_of(sections, "Baritone")
    liis.done("member.assign_section", member_id=tom, section_id=baritone, is_primary=True)
    primaries = f"member_sections?member_id=eq.{tom}&is_primary=eq.1&select=sections(name)"
    assert liis.rows(primaries) == [{"sections": {"name": "Baritone"}}]
    liis.done("member.unassign", member_id=tom, section_id=baritone)
    assert liis.rows(primaries) == []
    assert liis.done("member.get", member_id=tom)["section"]["name"] == "Tenor"


def test_reassigning_a_section_moves_members_and_invitations_and_counts_them(site):
    choir = aurora(site)
    liis = site.sign_in("aurora", LIIS)
    sections = liis.rows("sections?select=id,name")
    source, target = id_of(sections, "Tenor I"), id_of(sections, "Tenor")
    liis.done("section.activate", section_id=source, is_active=True)
    people = [site.add_member(choir, f"Tenor {number}", section_ids=[source]) for number in range(7)]
    for member_id in people[:2]:
        liis.done("member.assign_section", member_id=member_id, section_id=target)
    liis.done("member.make_primary", member_id=people[1], section_id=target)
    liis.done("invite.create", name="Another", section_ids=[source])
    assert liis.done("section.reassign", source_id=source, target_id=target) == {"moved": 6}
    assert len(liis.rows(f"member_sections?section_id=eq.{target}&is_primary=eq.1")) == 7
    assert liis.rows(f"member_sections?section_id=eq.{source}") == []
    left = {entry["id"]: entry["assignments"] for entry in liis.done("section.list")}
    assert (left[source], left[target]) == (0, 8)
    assert refused(liis.call("section.delete", section_id=target)) == (409, "in_use")
    child = liis.done("section.create", name="Tenor Ia", abbreviation="T1a", parent_section_id=source)["id"]
    assert refused(liis.call("section.delete", section_id=source)) == (409, "in_use")
    assert liis.call("section.delete", section_id=child).status == 200
    work = liis.done("work.create", title="Locus iste")["id"]
    part = liis.done("edition.create", work_id=work, name="Part", section_ids=[source])["id"]
    assert refused(liis.call("section.delete", section_id=source)) == (409, "in_use")
    liis.done("edition.update", edition_id=part, section_ids=[])
    assert liis.call("section.delete", section_id=source).status == 200


def test_removing_somebody_ends_the_membership_and_keeps_the_rules(site):
    aurora(site)
    jaan = site.sign_in("aurora", JAAN)
    members = jaan.done("member.list")
    own, kadri = id_of(members, "Jaan"), id_of(members, "Kadri")
    owner = next(member["id"] for member in members if member["email_id"] == LIIS)
    assert refused(jaan.call("member.remove", member_id=own)) == (409, "self_removal")
    assert refused(jaan.call("member.remove", member_id=owner)) == (403, "forbidden")
    assert jaan.call("member.remove", member_id=kadri).status == 200
    assert refused(jaan.call("member.remove", member_id=kadri)) == (404, "not_found")
    site.guest("aurora").auth("otp", {"email": KADRI})
    back = site.guest("aurora").auth("verify", {"email": KADRI, "token": site.code(KADRI)})
    assert refused(back) == (403, "not_registered")
