"""Who sees and may do what, over HTTP: guests, members, role holders, and API tokens narrowed in every way."""

import pytest

from tests.handlers.http.site import REST, Caller, Choir, Site, error_of, make_choir, refused

LIIS, JAAN, MARI, TONU, KADRI = (f"{name}@aurora.example" for name in ("liis", "jaan", "mari", "tonu", "kadri"))
PEOPLE = {"admin": JAAN, "librarian": MARI, "section_leader": TONU, "member": KADRI, "owner": LIIS}


def scene(site: Site) -> Choir:
    """Everybody of the cast, and one work for each licence."""
    choir = make_choir(site, "aurora", owner=LIIS)
    site.add_member(choir, "Jaan", JAAN, ["admin"])
    site.add_member(choir, "Mari", MARI, ["librarian"])
    site.add_member(choir, "Tõnu", TONU, ["section_leader"])
    site.add_member(choir, "Kadri", KADRI)
    site.add_member(choir, "Peeter", roles=["librarian"])
    owner = site.sign_in("aurora", LIIS)
    for license_type in ("public_domain", "licensed", "owned"):
        work = owner.done("work.create", title=f"{license_type} work")
        owner.done("edition.create", work_id=work["id"], name=f"{license_type} edition", license_type=license_type)
    mixed = owner.rows("works?title=eq.public_domain%20work&select=id")[0]["id"]
    owner.done("edition.create", work_id=mixed, name="hired parts", license_type="licensed")
    return choir


def people(site: Site) -> dict[str, Caller]:
    return {role: site.sign_in("aurora", email) for role, email in PEOPLE.items()}


def test_a_guest_sees_public_domain_editions_their_works_and_nobody(site):
    scene(site)
    guest = site.guest("aurora")
    assert guest.rows("works?select=title,editions(name)") == [
        {"title": "public_domain work", "editions": [{"name": "public_domain edition"}]}
    ]
    assert guest.get("editions", prefer="count=exact").header("content-range") == "0-0/1"
    assert [work["title"] for work in guest.done("work.list")] == ["public_domain work"]
    assert [edition["name"] for edition in guest.done("edition.list")] == ["public_domain edition"]
    for table in ("members", "member_roles", "member_organizations", "voices", "sections", "member_sections", "invites",
                  "vault_settings", "edition_sections"):  # fmt: skip
        assert (table, guest.rows(table)) == (table, [])
    organization = guest.rows("organizations?select=name,language,timezone,trust_individual_responsibility")
    assert organization == [
        {"name": "Aurora", "language": None, "timezone": None, "trust_individual_responsibility": None}
    ]


@pytest.mark.parametrize(
    "query",
    [
        "works?title=eq.licensed%20work",
        "editions?name=like.owned*",
        "works?editions.name=eq.hired%20parts&select=title,editions!inner(name)",
        f"members?email_id=eq.{LIIS}",
        "editions?select=name,works!inner(title)&works.title=eq.licensed%20work",
    ],
)
def test_a_guest_who_filters_by_what_is_hidden_learns_nothing(site, query):
    scene(site)
    answer = site.guest("aurora").get(query, prefer="count=exact")
    assert (answer.json(), answer.header("content-range")) == ([], "*/0")


WRITES = [
    ("POST", "works", {"title": "x"}),
    ("PATCH", "works?id=not.is.null", {"title": "x"}),
    ("DELETE", "works?id=not.is.null", None),
    ("POST", "editions", {"work_id": "x", "name": "x"}),
]


@pytest.mark.parametrize(("method", "query", "body"), WRITES)
def test_a_guest_writes_nothing_and_is_told_to_sign_in(site, method, query, body):
    scene(site)
    answer = site.guest("aurora").send(method, f"{REST}/{query}", body)
    assert refused(answer) == (401, "42501")
    assert refused(site.guest("aurora").call("work.create", title="x")) == (401, "not_authenticated")


@pytest.mark.parametrize(
    "table", ["members", "member_roles", "organizations", "voices", "sections", "invites", "vault_settings"]
)
def test_tables_whose_rules_need_a_verb_take_no_row_from_anybody(site, table):
    choir = scene(site)
    for caller in (site.sign_in("aurora", LIIS), site.guest("aurora").with_token(site.api_token(choir, "owner"))):
        assert refused(caller.add(table, {"name": "x"})) == (403, "42501")
        assert refused(caller.send("DELETE", f"{REST}/{table}?rowid=not.is.null")) in (
            (403, "42501"),
            (400, "42703"),
        )


def test_addresses_are_for_the_person_and_the_admin_desk(site):
    scene(site)
    callers = people(site)
    everybody = {"Jaan": JAAN, "Kadri": KADRI, "Mari": MARI, "Peeter": None, "Tõnu": TONU, LIIS: LIIS}
    for role in ("owner", "admin"):
        rows = callers[role].rows("members?select=name,email_id")
        assert {row["name"]: row["email_id"] for row in rows} == everybody
    for role, own in (("librarian", "Mari"), ("section_leader", "Tõnu"), ("member", "Kadri")):
        rows = callers[role].rows("members?select=name,email_id,email_contact")
        assert {row["name"] for row in rows} == set(everybody)
        assert {row["name"] for row in rows if row["email_id"] or row["email_contact"]} == {own}
        assert callers[role].rows(f"members?email_id=eq.{LIIS}") == []
        assert [row["name"] for row in callers[role].rows("members?email_id=not.is.null&select=name")] == [own]
        assert refused(callers[role].call("member.list")) == (403, "forbidden")


MATRIX = [
    ("work.create", {"title": "x"}, {"owner", "admin", "librarian"}),
    ("work.delete", {"work_id": "x"}, {"librarian"}),
    ("edition.delete", {"edition_id": "x"}, {"librarian"}),
    ("member.list", {}, {"owner", "admin"}),
    ("invite.list", {}, {"owner", "admin"}),
    ("member.add_roster", {"name": "New"}, {"owner", "admin"}),
    ("organization.get", {}, {"owner", "admin"}),
    ("organization.delete", {"subdomain": "wrong"}, {"owner"}),
    ("voice.list", {}, set(PEOPLE)),
    ("member.get", {"member_id": "x"}, set(PEOPLE)),
]


@pytest.mark.parametrize(("verb", "args", "allowed"), MATRIX, ids=[verb for verb, _, _ in MATRIX])
def test_a_verb_is_for_the_roles_of_the_matrix(site, verb, args, allowed):
    scene(site)
    answers = {role: caller.call(verb, **args) for role, caller in people(site).items()}
    forbidden = {role for role, answer in answers.items() if answer.status == 403}
    assert {role for role in PEOPLE if role not in forbidden} == allowed
    assert all(answers[role].status in (200, 400, 404, 409) for role in allowed)
    assert refused(site.guest("aurora").call(verb, **args)) == (401, "not_authenticated")


def test_the_library_is_written_over_rest_by_the_same_roles_as_by_verbs(site):
    scene(site)
    for role, caller in people(site).items():
        added = caller.add("works", {"title": f"by {role}"})
        assert (role, added.status) == (role, 201 if role in ("owner", "admin", "librarian") else 403)
        removed = caller.send("DELETE", f"{REST}/works?title=eq.by%20{role}")
        assert (role, removed.status) == (role, 204 if role == "librarian" else 403)


def test_roles_of_somebody_without_an_address_sleep(site):
    scene(site)
    site.guest("aurora").auth("otp", {"email": "peeter@aurora.example"})
    code = site.code("peeter@aurora.example")
    answer = site.guest("aurora").auth("verify", {"email": "peeter@aurora.example", "token": code})
    assert refused(answer) == (403, "not_registered")


def test_a_role_that_is_taken_away_ends_with_the_next_request(site):
    scene(site)
    liis, mari = site.sign_in("aurora", LIIS), site.sign_in("aurora", MARI)
    assert mari.call("work.create", title="before").status == 200
    member_id = liis.rows("members?name=eq.Mari&select=id")[0]["id"]
    liis.done("role.revoke", member_id=member_id, role="librarian")
    assert refused(mari.call("work.create", title="after")) == (403, "forbidden")


def token(site: Site, choir: Choir, role: str = "librarian", **reach: object) -> Caller:
    return site.guest("aurora").with_token(site.api_token(choir, role, **reach))


def test_a_token_acts_as_its_role(site):
    choir = scene(site)
    librarian, member = token(site, choir), token(site, choir, "member")
    assert librarian.add("works", {"title": "x"}).status == 201
    assert librarian.send("PATCH", f"{REST}/works?title=eq.x", {"title": "y"}).status == 204
    assert refused(librarian.call("member.list")) == (403, "forbidden")
    assert len(member.rows("works")) == 4
    assert refused(member.add("works", {"title": "x"})) == (403, "42501")
    assert {row["email_id"] for row in member.rows("members")} == {None}


def test_a_token_for_one_table_knows_no_other(site):
    choir = scene(site)
    caller = token(site, choir, tables=["works"], verbs=[])
    assert caller.add("works", {"title": "x"}).status == 201
    assert caller.send("PATCH", f"{REST}/works?title=eq.x", {"composer": "y"}).status == 204
    assert refused(caller.get("editions")) == (404, "PGRST205")
    assert refused(caller.get("works?select=title,editions(name)")) == (400, "PGRST200")
    assert refused(caller.add("editions", {"work_id": "x", "name": "x"})) in ((403, "42501"), (404, "PGRST205"))
    assert refused(caller.call("work.list")) == (403, "42501")


def test_a_read_only_token_writes_neither_rows_nor_by_verb(site):
    choir = scene(site)
    caller = token(site, choir, read_only=True)
    assert len(caller.rows("works")) == 3
    assert len(caller.done("work.list")) == 3
    assert refused(caller.add("works", {"title": "x"})) == (403, "42501")
    assert refused(caller.send("PATCH", f"{REST}/works?id=not.is.null", {"title": "x"})) == (403, "42501")
    assert refused(caller.send("DELETE", f"{REST}/works?id=not.is.null")) == (403, "42501")
    assert refused(caller.call("work.create", title="x")) == (403, "42501")
    assert len(caller.rows("works")) == 3


def test_a_token_for_some_verbs_calls_no_other(site):
    choir = scene(site)
    caller = token(site, choir, verbs=["work.create"], tables=[])
    assert caller.call("work.create", title="x").status == 200
    assert refused(caller.call("work.list")) == (403, "42501")
    assert refused(caller.get("works")) == (404, "PGRST205")


def test_a_token_invites_nobody_for_it_is_nobody(site):
    choir = scene(site)
    answer = token(site, choir, "owner").call("invite.create", name="Anna")
    assert refused(answer) == (403, "forbidden")
    assert error_of(answer)["message"]
