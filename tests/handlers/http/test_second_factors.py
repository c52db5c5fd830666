"""Second factors over HTTP: what they open, what stays closed without them, and what a guess costs."""

import base64
import json

import pyotp
import pytest

from tests.handlers.http.site import Caller, Choir, Site, error_of, make_choir, refused
from tests.handlers.http.test_sign_up import setting

KADRI = "kadri@x.example"


def scene(site: Site) -> tuple[Choir, Caller]:
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Kadri", KADRI)
    return choir, site.sign_in("aurora", KADRI)


def enrol(person: Caller, **more: str):
    return person.auth("factors", {"factor_type": "totp", **more})


def code_of(site: Site, factor: dict) -> str:
    return pyotp.TOTP(factor["totp"]["secret"]).at(site.clock().ms // 1000)


def show(site: Site, person: Caller, factor: dict, code: str | None = None):
    asked = person.auth(f"factors/{factor['id']}/challenge", {})
    assert asked.status == 200, asked.text
    body = {"challenge_id": asked.json()["id"], "code": code or code_of(site, factor)}
    return person.auth(f"factors/{factor['id']}/verify", body)


def protected(site: Site, person: Caller) -> tuple[dict, Caller]:
    """A verified factor, and the session that showed it."""
    factor = enrol(person).json()
    session = show(site, person, factor)
    assert session.status == 200, session.text
    return factor, person.with_token(session.json()["access_token"])


def claims(token: str) -> dict:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_a_factor_is_enrolled_shown_and_then_stands_in_the_token(site):
    _, kadri = scene(site)
    made = enrol(kadri, friendly_name="Phone").json()
    assert (made["type"], made["friendly_name"]) == ("totp", "Phone")
    assert made["totp"]["qr_code"].startswith("<svg")
    assert made["totp"]["uri"].startswith("otpauth://totp/Aurora:")
    session = show(site, kadri, made).json()
    said = claims(session["access_token"])
    assert (said["aal"], [proof["method"] for proof in said["amr"]]) == ("aal2", ["totp", "otp"])
    assert [(known["friendly_name"], known["status"]) for known in session["user"]["factors"]] == [
        ("Phone", "verified")
    ]
    assert "secret" not in json.dumps(session["user"])


def test_whoever_has_a_factor_must_show_it_before_the_vault_opens(site, clock):
    _, kadri = scene(site)
    factor, _ = protected(site, kadri)
    clock.tick(30)
    again = site.sign_in("aurora", KADRI)
    assert refused(again.get("members")) == (403, "insufficient_aal")
    assert refused(again.call("member.list")) == (403, "insufficient_aal")
    opened = show(site, again, factor).json()
    assert again.with_token(opened["access_token"]).get("members").status == 200
    refreshed = site.guest("aurora").auth("token?grant_type=refresh_token", {"refresh_token": opened["refresh_token"]})
    assert claims(refreshed.json()["access_token"])["aal"] == "aal2"


def test_a_vault_may_leave_it_to_its_application(site, clock):
    choir, kadri = scene(site)
    setting(site, choir, "auth.mfa", "optional")
    protected(site, kadri)
    clock.tick(30)
    again = site.sign_in("aurora", KADRI)
    assert again.get("members").status == 200
    assert claims(again.token)["aal"] == "aal1"


def test_a_vault_may_ask_everybody_for_a_factor(site, clock):
    choir, _ = scene(site)
    setting(site, choir, "auth.mfa", "required")
    kadri = site.sign_in("aurora", KADRI)
    assert refused(kadri.get("members")) == (403, "insufficient_aal")
    _, opened = protected(site, kadri)
    assert opened.get("members").status == 200


def test_the_first_factor_ends_the_sessions_that_did_not_show_it(site):
    _, kadri = scene(site)
    other = site.session("aurora", KADRI)
    protected(site, kadri)
    refresh = {"refresh_token": other["refresh_token"]}
    assert site.guest("aurora").auth("token?grant_type=refresh_token", refresh).status == 401


def test_a_code_signs_in_once_even_within_its_time(site):
    _, kadri = scene(site)
    factor, opened = protected(site, kadri)
    assert refused(show(site, opened, factor)) == (400, "mfa_verification_failed")


def test_the_sixth_wrong_code_is_refused_unseen_and_an_alert_is_left(site, clock):
    _, kadri = scene(site)
    factor, opened = protected(site, kadri)
    clock.tick(30)
    thief = site.sign_in("aurora", KADRI)
    wrong = "000000" if code_of(site, factor) != "000000" else "000001"
    answers = [refused(show(site, thief, factor, wrong)) for _ in range(5)]
    assert set(answers) == {(400, "mfa_verification_failed")}
    assert refused(show(site, thief, factor)) == (429, "rate_limited")
    assert opened.auth("alerts", method="GET").json()[0]["kind"] == "factor_guessed"
    clock.tick(15 * 60)
    assert show(site, thief.with_token(site.session("aurora", KADRI)["access_token"]), factor).status == 200


def test_a_stolen_password_neither_adds_a_factor_nor_removes_one_nor_changes_the_password(site, clock):
    _, kadri = scene(site)
    factor, _ = protected(site, kadri)
    clock.tick(30)
    thief = site.sign_in("aurora", KADRI)
    assert refused(enrol(thief)) == (403, "insufficient_aal")
    assert refused(thief.auth(f"factors/{factor['id']}", method="DELETE")) == (403, "insufficient_aal")
    assert refused(thief.auth("user", {"password": "a new password"}, "PUT")) == (403, "insufficient_aal")
    assert refused(thief.auth("user", {"email": "thief@x.example"}, "PUT")) == (403, "insufficient_aal")
    assert thief.auth("user", method="GET").status == 200


def test_a_factor_enrolled_before_another_was_shown_does_not_get_around_it(site, clock):
    _, kadri = scene(site)
    waiting = enrol(kadri).json()
    protected(site, kadri)
    clock.tick(30)
    thief = site.sign_in("aurora", KADRI)
    assert refused(show(site, thief, waiting)) == (403, "insufficient_aal")


def test_without_its_last_factor_a_session_is_what_it_was_before(site):
    _, kadri = scene(site)
    factor, opened = protected(site, kadri)
    gone = opened.auth(f"factors/{factor['id']}", method="DELETE")
    assert gone.json() == {"id": factor["id"]}
    assert site.sign_in("aurora", KADRI).get("members").status == 200
    assert [alert["kind"] for alert in opened.auth("alerts", method="GET").json()][0:2] in (
        ["factor_removed", "factor_added"], ["factor_added", "factor_removed"],
    )  # fmt: skip
    assert {mail["Subject"].partition(": ")[2] for mail in site.mails(KADRI)} >= {
        "A second factor was added to your account",
        "A second factor was removed from your account",
    }


def test_nobody_reaches_somebody_elses_factor(site):
    choir, kadri = scene(site)
    factor, _ = protected(site, kadri)
    owner = site.sign_in("aurora", choir.owner)
    for method, path in (("POST", "/challenge"), ("POST", "/verify"), ("DELETE", "")):
        answer = owner.auth(f"factors/{factor['id']}{path}", {"challenge_id": "x", "code": "000000"}, method)
        assert refused(answer) == (404, "mfa_factor_not_found")


def test_only_the_codes_of_an_authenticator_are_offered(site):
    _, kadri = scene(site)
    answer = kadri.auth("factors", {"factor_type": "phone", "phone": "+3725551234"})
    assert refused(answer) == (400, "mfa_phone_enroll_not_enabled")
    assert error_of(answer)["details"] == "factor_type"
    security_key = kadri.auth("factors", {"factor_type": "webauthn", "friendly_name": "Key"})
    assert refused(security_key) == (400, "mfa_webauthn_enroll_not_enabled")


@pytest.mark.parametrize("body", [{}, {"challenge_id": "x"}, {"code": "000000"}, {"challenge_id": 1, "code": "1"}])
def test_an_answer_without_its_parts_is_refused(site, body):
    _, kadri = scene(site)
    made = enrol(kadri).json()
    assert refused(kadri.auth(f"factors/{made['id']}/verify", body)) == (400, "invalid_input")


def test_a_tab_that_still_has_the_old_refresh_token_does_not_end_the_session(site, clock):
    _, kadri = scene(site)
    session = site.session("aurora", KADRI)
    person = kadri.with_token(session["access_token"])
    factor = enrol(person).json()
    opened = show(site, person, factor).json()
    old = {"refresh_token": session["refresh_token"]}
    assert refused(site.guest("aurora").auth("token?grant_type=refresh_token", old)) == (401, "token_invalid")
    new = {"refresh_token": opened["refresh_token"]}
    assert site.guest("aurora").auth("token?grant_type=refresh_token", new).status == 200
