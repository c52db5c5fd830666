"""What people change of their accounts over HTTP: recovery, password, address; and what it costs a thief."""

import re

import pytest

from tests.handlers.http.site import Caller, Site, make_choir, refused

KADRI, NEW = "kadri@x.example", "kask@y.example"
PASSWORD, OTHER = "cello and oboe", "flute and harp"
DAY = 24 * 3600


def scene(site: Site) -> Caller:
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Kadri", KADRI)
    site.add_member(choir, "Kask", NEW)
    kadri = site.sign_in("aurora", KADRI)
    assert change(kadri, password=PASSWORD).status == 200
    return kadri


def change(person: Caller, **fields):
    return person.auth("user", fields, "PUT")


def by_password(site: Site, password: str, email: str = KADRI):
    return site.guest("aurora").auth("token?grant_type=password", {"email": email, "password": password})


def confirm(site: Site, kind: str, email: str):
    return site.guest("aurora").auth("verify", {"type": kind, "email": email, "token": site.code(email)})


def kept(site: Site, session: dict) -> Caller:
    """The session a day later, its access token refreshed."""
    fresh = site.guest("aurora").auth("token?grant_type=refresh_token", {"refresh_token": session["refresh_token"]})
    return site.guest("aurora").with_token(fresh.json()["access_token"])


def test_a_forgotten_password_is_replaced(site, clock):
    scene(site)
    clock.tick(60)
    assert site.guest("aurora").auth("recover", {"email": KADRI}).body == b"{}"
    session = confirm(site, "recovery", KADRI).json()
    person = site.guest("aurora").with_token(session["access_token"])
    assert change(person, password=OTHER).status == 200
    assert refused(by_password(site, PASSWORD)) == (401, "invalid_credentials")
    assert by_password(site, OTHER).status == 200


def test_recovery_answers_the_same_for_a_stranger(site):
    scene(site)
    door = site.guest("aurora")
    known, unknown = (door.auth("recover", {"email": email}) for email in (KADRI, "stranger@x.example"))
    assert (known.status, known.body) == (unknown.status, unknown.body)
    assert len(site.mails("stranger@x.example")) == 1


@pytest.mark.parametrize(("asked", "used"), [("otp", "recovery"), ("recover", "email"), ("recover", "email_change")])
def test_a_code_is_worth_nothing_for_what_it_was_not_asked_for(site, clock, asked, used):
    scene(site)
    clock.tick(60)
    site.guest("aurora").auth(asked, {"email": KADRI})
    assert refused(confirm(site, used, KADRI)) == (401, "code_invalid")


def test_an_old_session_changes_the_password_only_after_showing_who_it_is(site, clock):
    scene(site)
    session = by_password(site, PASSWORD).json()
    clock.tick(DAY)
    person = kept(site, session)
    assert refused(change(person, password=OTHER)) == (400, "reauthentication_needed")
    assert person.auth("reauthenticate", method="GET").status == 200
    nonce = site.code(KADRI)
    assert refused(change(person, password=OTHER, nonce="000000")) == (400, "reauthentication_not_valid")
    assert change(person, password=OTHER, nonce=nonce).status == 200
    assert by_password(site, OTHER).status == 200


def test_the_code_that_shows_who_it_is_signs_nobody_in(site, clock):
    kadri = scene(site)
    clock.tick(60)
    kadri.auth("reauthenticate", method="GET")
    assert refused(confirm(site, "email", KADRI)) == (401, "code_invalid")


def test_the_password_in_force_shows_who_it_is(site, clock):
    scene(site)
    session = by_password(site, PASSWORD).json()
    clock.tick(DAY)
    person = kept(site, session)
    wrong = change(person, password=OTHER, current_password=OTHER)
    assert refused(wrong) == (400, "reauthentication_not_valid")
    assert change(person, password=OTHER, current_password=PASSWORD).status == 200


def test_the_password_in_force_cannot_be_guessed_from_a_stolen_session(site):
    kadri = scene(site)
    guesses = [change(kadri, password=OTHER, current_password=f"guess number {number}") for number in range(6)]
    assert [refused(answer) for answer in guesses] == [
        *[(400, "reauthentication_not_valid")] * 5, (429, "rate_limited"),
    ]  # fmt: skip


def test_the_same_password_is_no_new_one(site):
    assert refused(change(scene(site), password=PASSWORD)) == (400, "same_password")


def test_a_changed_password_is_told_by_mail_and_kept_as_an_alert(site):
    kadri = scene(site)
    assert any("password" in mail["Subject"] for mail in site.mails(KADRI))
    assert [alert["kind"] for alert in kadri.auth("alerts", method="GET").json()] == ["password_changed"]


def test_a_new_address_counts_when_both_mailboxes_agreed(site, clock):
    kadri = scene(site)
    other = site.session("aurora", KADRI)
    clock.tick(60)
    shown = change(kadri, email=NEW).json()
    assert (shown["email"], shown["new_email"]) == (KADRI, NEW)
    first = confirm(site, "email_change", NEW).json()
    assert first["code"] == "200"
    assert kadri.auth("user", method="GET").json()["email"] == KADRI
    session = confirm(site, "email_change", KADRI).json()
    assert (session["user"]["email"], session["user"]["new_email"]) == (NEW, None)
    assert by_password(site, PASSWORD, NEW).status == 200
    assert refused(by_password(site, PASSWORD)) == (401, "invalid_credentials")
    refresh = {"refresh_token": other["refresh_token"]}
    assert site.guest("aurora").auth("token?grant_type=refresh_token", refresh).status == 401
    assert any("address" in mail["Subject"] and not re.match(r"\d", mail["Subject"]) for mail in site.mails(KADRI))


def test_the_new_mailbox_alone_moves_nothing(site, clock):
    kadri = scene(site)
    clock.tick(60)
    change(kadri, email=NEW)
    confirm(site, "email_change", NEW)
    assert refused(confirm(site, "email_change", NEW)) == (401, "code_used")
    assert kadri.auth("user", method="GET").json()["email"] == KADRI


def test_asking_for_an_address_that_has_an_account_tells_nothing_and_takes_nothing(site, clock):
    kadri = scene(site)
    site.sign_in("aurora", NEW)
    clock.tick(60)
    assert change(kadri, email=NEW).json()["new_email"] == NEW
    confirm(site, "email_change", KADRI)
    assert refused(confirm(site, "email_change", NEW)) == (409, "already_registered")


def test_a_new_request_for_an_address_replaces_the_one_before(site, clock):
    kadri = scene(site)
    clock.tick(60)
    change(kadri, email=NEW)
    stale = {NEW: site.code(NEW), KADRI: site.code(KADRI)}
    assert NEW in site.mails(KADRI)[-1].get_content()
    change(kadri, email="third@x.example")
    for email, token in stale.items():
        body = {"type": "email_change", "email": email, "token": token}
        assert refused(site.guest("aurora").auth("verify", body)) == (401, "code_invalid")


def test_a_stolen_refresh_token_that_is_used_leaves_an_alert(site, clock):
    scene(site)
    session = site.session("aurora", KADRI)
    refresh = {"refresh_token": session["refresh_token"]}
    site.guest("aurora").auth("token?grant_type=refresh_token", refresh)
    clock.tick(11)
    assert site.guest("aurora").auth("token?grant_type=refresh_token", refresh).status == 401
    alerts = site.sign_in("aurora", KADRI).auth("alerts", method="GET").json()
    assert (alerts[0]["kind"], alerts[0]["vault"]) == ("refresh_token_reused", "aurora")
