"""Operators' calls over HTTP: accounts, links and invitations, and that nobody else makes them."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from db.clock import Moment
from db.passwords import hash_password
from tests.handlers.http.site import Caller, Choir, Site, make_choir, refused
from tests.handlers.http.test_second_factors import protected
from tests.handlers.http.test_sign_up import setting

KADRI, NEW = "kadri@x.example", "new@x.example"
PASSWORD = "cello and oboe"


def scene(site: Site) -> tuple[Choir, Caller]:
    """A choir that knows two addresses, and the operator at its door."""
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Kadri", KADRI)
    site.add_member(choir, "New", NEW)
    return choir, site.guest("aurora").with_token(site.api_token(None))


def create(operator: Caller, **attributes):
    return operator.auth("admin/users", {"email": NEW, **attributes})


def by_password(site: Site, email: str = NEW, password: str = PASSWORD):
    return site.guest("aurora").auth("token?grant_type=password", {"email": email, "password": password})


def link(operator: Caller, kind: str, email: str = NEW, **more):
    return operator.auth("admin/generate_link", {"type": kind, "email": email, **more})


def verify(site: Site, **body: str):
    return site.guest("aurora").auth("verify", body)


ADMIN_CALLS = [
    ("GET", "admin/users", None),
    ("POST", "admin/users", {"email": "x@x.example"}),
    ("GET", "admin/users/x", None),
    ("PUT", "admin/users/x", {"password": PASSWORD}),
    ("DELETE", "admin/users/x", None),
    ("GET", "admin/users/x/factors", None),
    ("DELETE", "admin/users/x/factors/y", None),
    ("POST", "admin/generate_link", {"type": "magiclink", "email": KADRI}),
    ("POST", "invite", {"email": KADRI}),
]


@pytest.mark.parametrize(("method", "path", "body"), ADMIN_CALLS)
def test_only_an_operators_token_may_call(site, method, path, body):
    choir, _ = scene(site)
    guest = site.guest("aurora")
    assert refused(guest.auth(path, body, method)) == (401, "no_authorization")
    for token in (site.sign_in("aurora", choir.owner).token, site.api_token(choir, "owner")):
        assert refused(guest.with_token(token).auth(path, body, method)) == (403, "not_admin")
    reader = guest.with_token(site.api_token(None, read_only=True))
    if method != "GET":
        assert refused(reader.auth(path, body, method)) == (403, "not_admin")


def test_an_account_is_made_read_changed_and_removed(site):
    _, operator = scene(site)
    made = create(operator, password=PASSWORD, email_confirm=True, user_metadata={"name": "N", "a": 1}).json()
    assert (made["email"], made["user_metadata"]) == (NEW, {"name": "N", "a": 1})
    assert made["email_confirmed_at"] is not None
    assert by_password(site).status == 200
    path = f"admin/users/{made['id']}"
    changed = operator.auth(path, {"app_metadata": {"plan": "x"}, "user_metadata": {"a": None}}, "PUT").json()
    assert (changed["app_metadata"]["plan"], changed["user_metadata"]) == ("x", {"name": "N"})
    assert operator.auth(path, method="GET").json()["id"] == made["id"]
    assert operator.auth(path, {}, "DELETE").body == b"{}"
    assert refused(operator.auth(path, method="GET")) == (404, "user_not_found")
    assert refused(by_password(site)) == (401, "invalid_credentials")


def test_an_address_that_has_an_account_makes_no_second_one(site):
    _, operator = scene(site)
    create(operator)
    assert refused(create(operator)) == (409, "email_exists")


def test_the_people_of_this_vault_are_listed_in_pages(site):
    choir, operator = scene(site)
    make_choir(site, "harmonia")
    site.sign_in("harmonia", "owner@harmonia.example")
    site.sign_in("aurora", choir.owner)
    create(operator)
    first = operator.auth("admin/users?per_page=1&page=1", method="GET")
    second = operator.auth("admin/users?per_page=1&page=2", method="GET")
    assert first.header("x-total-count") == "2"
    assert {first.json()["users"][0]["email"], second.json()["users"][0]["email"]} == {choir.owner, NEW}
    assert operator.auth("admin/users?page=3&per_page=1", method="GET").json()["users"] == []
    assert refused(operator.auth("admin/users?page=0", method="GET")) == (400, "invalid_input")


def test_the_people_of_another_vault_are_not_found_here(site):
    _, operator = scene(site)
    made = create(operator).json()
    make_choir(site, "harmonia")
    elsewhere = operator.at("harmonia")
    for method, body in (("GET", None), ("PUT", {"password": PASSWORD}), ("DELETE", {})):
        answer = elsewhere.auth(f"admin/users/{made['id']}", body, method)
        assert refused(answer) == (404, "user_not_found")


def test_a_ban_refuses_and_ends_by_itself(site, clock):
    _, operator = scene(site)
    made = create(operator, password=PASSWORD, email_confirm=True).json()
    session = by_password(site).json()
    path = f"admin/users/{made['id']}"
    operator.auth(path, {"ban_duration": "1h30m"}, "PUT")
    assert refused(by_password(site)) == (403, "account_disabled")
    refresh = {"refresh_token": session["refresh_token"]}
    assert site.guest("aurora").auth("token?grant_type=refresh_token", refresh).status in (401, 403)
    clock.tick(5400)
    assert by_password(site).status == 200
    operator.auth(path, {"ban_duration": "24h"}, "PUT")
    operator.auth(path, {"ban_duration": "none"}, "PUT")
    assert by_password(site).status == 200
    assert refused(operator.auth(path, {"ban_duration": "for ever"}, "PUT")) == (400, "invalid_input")


def test_a_soft_deletion_keeps_the_account_and_refuses_it(site):
    _, operator = scene(site)
    made = create(operator, password=PASSWORD).json()
    operator.auth(f"admin/users/{made['id']}", {"should_soft_delete": True}, "DELETE")
    assert refused(by_password(site)) == (403, "account_disabled")


def test_a_hash_of_another_kind_is_refused_and_one_of_ours_signs_in(site):
    _, operator = scene(site)
    assert refused(create(operator, password_hash="$2y$10$abc")) == (400, "invalid_input")
    assert refused(create(operator, password_hash="$argon2id$x")) == (400, "invalid_input")
    create(operator, password_hash=hash_password(PASSWORD, Moment(0)))
    assert by_password(site).status == 200


def test_nobody_is_given_a_role_of_the_database(site):
    _, operator = scene(site)
    assert refused(create(operator, role="service_role")) == (403, "forbidden")


@pytest.mark.parametrize(
    ("kind", "used_as"), [("magiclink", "magiclink"), ("invite", "invite"), ("magiclink", "email")]
)
def test_a_generated_link_and_its_code_sign_in_once_between_them(site, kind, used_as):
    _, operator = scene(site)
    made = link(operator, kind).json()
    assert made["verification_type"] == kind
    assert parse_qs(urlsplit(made["action_link"]).query)["token_hash"] == [made["hashed_token"]]
    assert site.mails(NEW) == []
    session = verify(site, type=used_as, token_hash=made["hashed_token"])
    assert session.json()["user"]["id"] == made["id"]
    assert refused(verify(site, type=used_as, token_hash=made["hashed_token"])) == (401, "code_used")
    assert refused(verify(site, type=used_as, email=NEW, token=made["email_otp"])) == (401, "code_used")


def test_a_generated_sign_up_sets_the_password(site):
    _, operator = scene(site)
    made = link(operator, "signup", password=PASSWORD, data={"a": 1}).json()
    assert verify(site, type="signup", email=NEW, token=made["email_otp"]).json()["user"]["id"] == made["id"]
    assert by_password(site).status == 200
    assert refused(link(operator, "signup", password=PASSWORD)) == (409, "email_exists")
    assert refused(link(operator, "signup", "other@x.example")) == (400, "invalid_input")


def test_a_generated_recovery_wants_an_account_and_its_own_type(site):
    _, operator = scene(site)
    assert refused(link(operator, "recovery")) == (404, "user_not_found")
    create(operator)
    token = link(operator, "recovery").json()["hashed_token"]
    assert refused(verify(site, type="email", token_hash=token)) == (401, "code_invalid")
    assert verify(site, type="recovery", token_hash=token).status == 200


def test_a_generated_change_of_address_wants_both_mailboxes(site):
    _, operator = scene(site)
    create(operator, email_confirm=True)
    tokens = [
        link(operator, f"email_change_{which}", new_email=KADRI).json()["hashed_token"] for which in ("current", "new")
    ]
    assert verify(site, type="email_change", token_hash=tokens[0]).json()["code"] == "200"
    assert verify(site, type="email_change", token_hash=tokens[1]).json()["user"]["email"] == KADRI


def test_a_link_of_one_vault_is_worth_nothing_at_another(site):
    _, operator = scene(site)
    make_choir(site, "harmonia")
    token = link(operator, "magiclink").json()["hashed_token"]
    answer = site.guest("harmonia").auth("verify", {"type": "magiclink", "token_hash": token})
    assert refused(answer) == (401, "code_invalid")


def test_an_invitation_goes_out_by_mail_and_leads_where_it_may(site):
    choir, operator = scene(site)
    setting(site, choir, "auth.redirects", "https://app.example/*")
    query = urlencode({"redirect_to": "https://app.example/hello"})
    invited = operator.auth(f"invite?{query}", {"email": NEW, "data": {"team": "alto"}}).json()
    assert invited["user_metadata"] == {"team": "alto"}
    text = site.mails(NEW)[-1].get_content()
    assert re.search(r"type=invite\S*redirect_to=https%3A%2F%2Fapp.example%2Fhello", text)
    assert verify(site, type="invite", email=NEW, token=site.code(NEW)).json()["user"]["id"] == invited["id"]


def test_an_operator_removes_the_factor_of_somebody_who_lost_it(site, clock):
    _, operator = scene(site)
    kadri = site.sign_in("aurora", KADRI)
    factor, _ = protected(site, kadri)
    path = f"admin/users/{kadri.auth('user', method='GET').json()['id']}/factors"
    assert [known["status"] for known in operator.auth(path, method="GET").json()] == ["verified"]
    assert operator.auth(f"{path}/{factor['id']}", method="DELETE").json()["id"] == factor["id"]
    assert site.sign_in("aurora", KADRI).get("members").status == 200
    assert refused(operator.auth(f"{path}/{factor['id']}", method="DELETE")) == (404, "mfa_factor_not_found")
