"""Guessing passwords over HTTP: what it costs the guesser, and that it costs the owner next to nothing."""

from dataclasses import replace

import pytest

from handlers.auth import tokens
from tests.handlers.http.site import Caller, Site, error_of, make_choir, make_site, refused

KADRI, MARI = "kadri@x.example", "mari@x.example"
PASSWORD = "cello and oboe"


def scene(site: Site) -> None:
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Kadri", KADRI)
    site.sign_in("aurora", KADRI).auth("user", {"password": PASSWORD}, "PUT")


def door(site: Site, network: str) -> Caller:
    """The vault's door as somebody in a network reaches it."""
    return Caller(replace(site.client, address=network), "aurora")


def attempt(site: Site, password: str = "wrong password", email: str = KADRI, network: str = "203.0.113.1"):
    return door(site, network).auth("token?grant_type=password", {"email": email, "password": password})


def test_the_eleventh_attempt_within_the_quarter_of_an_hour_is_refused_with_the_time_left(site, clock):
    scene(site)
    for _ in range(10):
        assert refused(attempt(site)) == (401, "invalid_credentials")
        clock.tick(30)
    answer = attempt(site, PASSWORD)
    assert refused(answer) == (429, "rate_limited")
    assert answer.header("retry-after") == "600"
    clock.tick(600)
    assert attempt(site, PASSWORD).status == 200


def test_an_address_without_an_account_is_throttled_in_the_same_words(site):
    scene(site)
    known = [attempt(site) for _ in range(11)]
    unknown = [attempt(site, email="stranger@x.example") for _ in range(11)]
    assert [(one.status, one.body) for one in known] == [(one.status, one.body) for one in unknown]
    assert refused(unknown[-1]) == (429, "rate_limited")


def test_a_stranger_cannot_lock_the_person_out_of_a_network_it_has_signed_in_from(site):
    scene(site)
    assert attempt(site, PASSWORD, network="198.51.100.7").status == 200
    for _ in range(11):
        last = attempt(site)
    assert refused(last) == (429, "rate_limited")
    assert attempt(site, PASSWORD, network="198.51.100.7").status == 200


def test_a_code_by_mail_still_signs_in_while_passwords_are_refused(site):
    scene(site)
    for _ in range(11):
        attempt(site)
    assert site.session("aurora", KADRI)["user"]["email"] == KADRI


def test_one_network_that_tries_many_accounts_is_refused(site, monkeypatch):
    scene(site)
    monkeypatch.setattr(tokens, "verify_password", lambda *_: False)
    for number in range(60):
        assert attempt(site, email=f"{number}@x.example", network="2001:db8::1").status == 401
    assert refused(attempt(site, email="next@x.example", network="2001:db8::ffff")) == (429, "rate_limited")
    assert attempt(site, email="next@x.example", network="2001:db8:0:1::1").status == 401


def test_what_is_refused_is_not_written_and_waits_for_no_writer(site, monkeypatch):
    scene(site)
    for _ in range(10):
        attempt(site)
    before = site.services.registry.head.txid
    writes: list[object] = []
    monkeypatch.setattr(site.services, "registry_write", lambda *given: writes.append(given))
    for _ in range(20):
        assert refused(attempt(site)) == (429, "rate_limited")
    assert (site.services.registry.head.txid, writes) == (before, [])


def test_a_right_password_does_not_use_up_attempts(site):
    scene(site)
    for _ in range(12):
        assert attempt(site, PASSWORD).status == 200


def test_attempts_are_counted_in_every_vault_together(site):
    scene(site)
    make_choir(site, "harmonia")
    for _ in range(10):
        attempt(site)
    body = {"email": KADRI, "password": PASSWORD}
    assert refused(door(site, "203.0.113.1").at("harmonia").auth("token?grant_type=password", body)) == (
        429, "rate_limited",
    )  # fmt: skip


def test_guessing_leaves_one_alert(site, clock):
    scene(site)
    clock.tick(1)
    for _ in range(15):
        attempt(site)
    clock.tick(1000)
    kadri = site.sign_in("aurora", KADRI)
    kinds = [alert["kind"] for alert in kadri.auth("alerts", method="GET").json()]
    assert kinds == ["password_guessed", "password_changed"]


def test_a_last_attempt_that_is_right_leaves_no_alert(site, clock):
    scene(site)
    clock.tick(1)
    for _ in range(9):
        attempt(site)
    kadri = attempt(site, PASSWORD).json()["access_token"]
    kinds = [alert["kind"] for alert in door(site, "").with_token(kadri).auth("alerts", method="GET").json()]
    assert kinds == ["password_changed"]


def test_an_address_costs_as_many_commits_whether_it_has_an_account_or_not(site):
    """A commit takes time that a guesser can measure."""
    scene(site)
    spent: list[list[int]] = []
    for email in (KADRI, "stranger@x.example"):
        commits: list[int] = []
        for _ in range(11):
            before = site.services.registry.head.txid
            attempt(site, email=email)
            commits.append(site.services.registry.head.txid - before)
        spent.append(commits)
    assert spent == [[1] * 10 + [0]] * 2


def test_no_address_and_no_network_is_kept(site):
    scene(site)
    attempt(site)
    rows = site.services.registry_read(lambda tx: tx.rows("SELECT * FROM attempt_counters"), current=True)
    text = str([tuple(row) for row in rows])
    assert rows
    assert KADRI not in text
    assert "203.0.113" not in text


@pytest.mark.parametrize(
    ("told", "counted_together"),
    [("198.51.100.1", False), ("203.0.113.200, 198.51.100.1", False), ("198.51.100.1, 203.0.113.9", True)],
)
def test_behind_a_proxy_the_address_it_told_is_counted_and_none_that_is_made_up(
    tmp_path, clock, told, counted_together
):
    site = make_site(tmp_path, clock, proxies="1")
    scene(site)
    for number in range(60):
        guess = {"email": f"{number}@x.example", "token": "000000"}
        told_of_two = f"192.0.2.{number}, 203.0.113.9"
        assert door(site, "10.0.0.1").auth("verify", guess, x_forwarded_for=told_of_two).status == 401
    guess = {"email": "next@x.example", "token": "000000"}
    answer = door(site, "10.0.0.1").auth("verify", guess, x_forwarded_for=told)
    assert (answer.status == 429) is counted_together
    site.services.close()


def test_one_network_that_guesses_codes_is_refused(site):
    scene(site)
    guesses = [{"email": f"{number}@x.example", "token": "000000"} for number in range(61)]
    answers = [door(site, "203.0.113.1").auth("verify", guess) for guess in guesses]
    assert {refused(answer) for answer in answers[:-1]} == {(401, "code_invalid")}
    assert refused(answers[-1]) == (429, "rate_limited")
    assert error_of(answers[-1])["details"] == "retry_after_minutes: 15"


def test_one_network_that_has_mail_sent_to_many_is_refused(site):
    scene(site)
    answers = [door(site, "203.0.113.1").auth("otp", {"email": f"{number}@x.example"}) for number in range(61)]
    assert {answer.status for answer in answers[:-1]} == {200}
    assert refused(answers[-1]) == (429, "rate_limited")
