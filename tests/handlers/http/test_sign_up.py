"""Signing up over HTTP: nothing is made before the mailbox is proved, and nobody learns who has an account."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from db.registry.sign_in_settings import set_sign_in_setting
from tests.handlers.http.site import OPERATOR, Choir, Site, make_choir, refused

KADRI = "kadri@x.example"
PASSWORD, OTHER = "cello and oboe", "flute and harp"
FORM = {"content_type": "application/x-www-form-urlencoded"}


def setting(site: Site, choir: Choir, name: str, value: str) -> None:
    now = site.clock()
    site.services.registry_write(lambda tx: set_sign_in_setting(tx, choir.entry.id, name, value), OPERATOR, now)


def scene(site: Site) -> Choir:
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Kadri", KADRI)
    return choir


def sign_up(site: Site, email: str = KADRI, password: str = PASSWORD, **more):
    return site.guest("aurora").auth("signup", {"email": email, "password": password, **more})


def confirm(site: Site, email: str = KADRI, kind: str = "signup"):
    return site.guest("aurora").auth("verify", {"type": kind, "email": email, "token": site.code(email)})


def by_password(site: Site, email: str = KADRI, password: str = PASSWORD):
    return site.guest("aurora").auth("token?grant_type=password", {"email": email, "password": password})


def accounts(site: Site) -> int:
    return site.services.registry_read(lambda tx: tx.value("SELECT count(*) FROM accounts"), current=True)


def test_a_sign_up_is_complete_once_the_code_comes_back(site):
    scene(site)
    before = accounts(site)
    answer = sign_up(site, data={"name": "Kadri", "theme": "dark"})
    assert answer.status == 200
    assert "access_token" not in answer.json()
    assert accounts(site) == before
    assert refused(by_password(site)) == (401, "invalid_credentials")
    session = confirm(site).json()
    assert session["user"]["id"] == answer.json()["id"]
    assert session["user"]["user_metadata"] == {"name": "Kadri", "theme": "dark"}
    assert by_password(site).status == 200


def test_the_answer_does_not_tell_who_has_an_account(site):
    scene(site)
    new = sign_up(site).json()
    confirm(site)
    there = sign_up(site, password=OTHER).json()
    names = ("identities", "email_confirmed_at", "user_metadata", "app_metadata", "factors")
    assert [new[name] for name in names] == [there[name] for name in names]
    assert set(new) == set(there)


def test_signing_up_again_does_not_change_the_password_of_an_account(site, clock):
    scene(site)
    sign_up(site)
    confirm(site)
    clock.tick(10)
    sign_up(site, password=OTHER)
    assert confirm(site).status == 200
    assert refused(by_password(site, password=OTHER)) == (401, "invalid_credentials")
    assert by_password(site).status == 200


def test_the_password_of_a_stranger_who_signed_up_with_the_address_does_not_count(site, clock):
    scene(site)
    sign_up(site, password=OTHER)
    clock.tick(10)
    sign_up(site)
    assert confirm(site).status == 200
    assert refused(by_password(site, password=OTHER)) == (401, "invalid_credentials")
    assert refused(by_password(site)) == (401, "invalid_credentials")


def test_nor_does_it_by_the_code_of_the_strangers_own_sign_up(site, clock):
    scene(site)
    sign_up(site, password=OTHER)
    theirs = site.code(KADRI)
    clock.tick(10)
    sign_up(site)
    body = {"type": "signup", "email": KADRI, "token": theirs}
    assert site.guest("aurora").auth("verify", body).status == 200
    assert refused(by_password(site, password=OTHER)) == (401, "invalid_credentials")


def test_signing_up_twice_with_the_same_password_keeps_it(site, clock):
    scene(site)
    sign_up(site)
    clock.tick(10)
    sign_up(site)
    assert confirm(site).status == 200
    assert by_password(site).status == 200


def test_a_code_asked_for_to_sign_in_confirms_no_password(site, clock):
    scene(site)
    sign_up(site, password=OTHER)
    clock.tick(10)
    assert site.session("aurora", KADRI)["user"]["email"] == KADRI
    assert refused(by_password(site, password=OTHER)) == (401, "invalid_credentials")


def test_whom_the_vault_does_not_know_is_not_let_in(site):
    scene(site)
    assert sign_up(site, "stranger@x.example").status == 200
    assert refused(confirm(site, "stranger@x.example")) == (403, "not_registered")


def test_where_everybody_may_sign_up_a_stranger_gets_a_session_without_rights(site):
    setting(site, scene(site), "auth.signup", "open")
    sign_up(site, "stranger@x.example")
    session = confirm(site, "stranger@x.example").json()
    stranger = site.guest("aurora").with_token(session["access_token"])
    assert stranger.rows("members") == stranger.rows("works") == []
    assert stranger.add("works", {"title": "x"}).status == 403


def test_where_nobody_may_sign_up_it_is_refused(site):
    setting(site, scene(site), "auth.signup", "off")
    assert refused(sign_up(site)) == (403, "signup_disabled")
    assert site.mails(KADRI) == []
    assert site.guest("aurora").auth("settings", method="GET").json()["disable_signup"] is True


def test_a_lost_confirmation_is_mailed_again_with_the_password_chosen(site, clock):
    scene(site)
    sign_up(site)
    clock.tick(3700)
    assert refused(confirm(site)) == (401, "code_expired")
    assert site.guest("aurora").auth("resend", {"type": "signup", "email": KADRI}).body == b"{}"
    assert confirm(site).status == 200
    assert by_password(site).status == 200


def test_sending_again_answers_the_same_for_a_stranger(site):
    scene(site)
    assert site.guest("aurora").auth("resend", {"type": "signup", "email": "stranger@x.example"}).body == b"{}"
    assert refused(site.guest("aurora").auth("resend", {"type": "sms", "email": KADRI})) == (400, "invalid_input")


@pytest.mark.parametrize("body", [{"email": KADRI}, {"password": PASSWORD}, {"email": "x", "password": PASSWORD}])
def test_a_sign_up_without_address_or_password_is_refused(site, body):
    scene(site)
    assert refused(site.guest("aurora").auth("signup", body)) == (400, "invalid_input")


def test_what_is_said_of_a_person_has_a_limit(site):
    scene(site)
    assert refused(sign_up(site, data={"note": "x" * 8000})) == (400, "invalid_input")


def test_the_link_in_the_mail_says_whose_password_it_confirms_and_leads_to_the_application(site):
    setting(site, scene(site), "auth.redirects", "https://app.example/*")
    query = urlencode({"redirect_to": "https://app.example/welcome?tab=1"})
    site.guest("aurora").auth(f"signup?{query}", {"email": KADRI, "password": PASSWORD})
    page, answer = press_link(site, KADRI)
    assert "Go on only if it was you" in page.text
    assert answer.status == 303
    address = urlsplit(answer.header("location") or "")
    assert (address.netloc, address.path, address.query) == ("app.example", "/welcome", "tab=1")
    parts = {name: values[0] for name, values in parse_qs(address.fragment).items()}
    assert parts["type"] == "signup"
    kadri = site.guest("aurora").with_token(parts["access_token"])
    assert kadri.auth("user", method="GET").json()["email"] == KADRI


def press_link(site: Site, email: str, **headers: str):
    """The page of the newest link to the address, and what its button answers."""
    text = site.mails(email)[-1].get_content()
    link = re.search(r"https://choirs\.example/aurora/\S+", text)
    assert link is not None
    address = urlsplit(link[0])
    page = site.client.request("GET", f"{address.path}?{address.query}")
    body = urlencode([(name, values[0]) for name, values in parse_qs(address.query).items()]).encode()
    return page, site.guest("aurora").auth("verify", body, **{**FORM, **headers})
