"""Sign-in codes over HTTP: how many mails, how long they live, what a wrong guess costs."""

import pytest

from tests.handlers.http.site import Site, error_of, make_choir, make_sister, refused

KADRI = "kadri@x.example"


def ask(site: Site, email: str = KADRI, slug: str = "aurora"):
    return site.guest(slug).auth("otp", {"email": email})


def verify(site: Site, code: str, email: str = KADRI, slug: str = "aurora"):
    return site.guest(slug).auth("verify", {"type": "email", "email": email, "token": code})


def scene(site: Site) -> None:
    site.add_member(make_choir(site, "aurora"), "Kadri", KADRI)


def test_a_code_signs_in_once(site, clock):
    scene(site)
    assert ask(site).body == b"{}"
    code = site.code(KADRI)
    session = verify(site, code)
    assert session.status == 200
    assert session.json()["user"]["email"] == KADRI
    assert session.json()["expires_in"] == 900
    assert refused(verify(site, code)) == (401, "code_used")


def test_a_code_is_good_until_its_last_second_and_no_longer(site, clock):
    scene(site)
    ask(site)
    code = site.code(KADRI)
    clock.tick(4 * 60 + 59)
    assert verify(site, code).status == 200
    ask(site)
    code = site.code(KADRI)
    clock.tick(5 * 60)
    assert refused(verify(site, code)) == (401, "code_expired")


def test_the_sixth_mail_within_the_hour_is_refused_with_the_time_left(site, clock):
    scene(site)
    for minute in (0, 5, 10, 15, 20):
        clock.at(f"2026-02-05T10:{minute:02d}:00Z")
        assert ask(site).status == 200
    clock.at("2026-02-05T10:30:00Z")
    sixth = ask(site)
    assert refused(sixth) == (429, "rate_limited")
    assert sixth.header("retry-after") == "1800"
    assert error_of(sixth)["details"] == "retry_after_minutes: 30"
    clock.at("2026-02-05T10:30:30Z")
    assert error_of(ask(site))["details"] == "retry_after_minutes: 30"
    assert len(site.mails(KADRI)) == 5
    clock.at("2026-02-05T11:00:00Z")
    assert ask(site).status == 200


def test_the_throttle_counts_an_address_in_every_spelling_and_every_vault(site, clock):
    scene(site)
    make_choir(site, "harmonia")
    for email in (KADRI, " KADRI@x.example", "Kadri@X.example "):
        assert ask(site, email).status == 200
    assert ask(site, slug="harmonia").status == ask(site, slug="harmonia").status == 200
    assert refused(ask(site)) == (429, "rate_limited")
    assert ask(site, "mari@x.example").status == 200


def test_the_answer_does_not_tell_who_is_a_member(site):
    scene(site)
    known, unknown = ask(site), ask(site, "stranger@x.example")
    assert (known.status, known.body) == (unknown.status, unknown.body)
    assert len(site.mails("stranger@x.example")) == 1


def test_five_wrong_guesses_end_every_live_code_of_the_address(site):
    scene(site)
    ask(site)
    first = site.code(KADRI)
    ask(site)
    second = site.code(KADRI)
    wrong = next(code for code in ("000000", "000001", "000002") if code not in (first, second))
    for _ in range(4):
        assert refused(verify(site, wrong)) == (401, "code_invalid")
    assert refused(verify(site, wrong)) == (401, "code_invalid")
    assert refused(verify(site, first)) == refused(verify(site, second)) == (401, "code_invalid")


def test_four_wrong_guesses_leave_the_code_alive(site):
    scene(site)
    ask(site)
    code = site.code(KADRI)
    wrong = "000000" if code != "000000" else "000001"
    for _ in range(4):
        verify(site, wrong)
    assert verify(site, code).status == 200


def test_an_earlier_code_stays_valid_beside_a_newer_one(site):
    scene(site)
    ask(site)
    first = site.code(KADRI)
    ask(site)
    assert verify(site, first).status == 200


def test_a_code_of_one_vault_or_address_is_worth_nothing_at_another(site):
    scene(site)
    site.add_member(make_choir(site, "harmonia"), "Kadri", KADRI)
    ask(site)
    code = site.code(KADRI)
    assert refused(verify(site, code, slug="harmonia")) == (401, "code_invalid")
    assert refused(verify(site, code, "mari@x.example")) == (401, "code_invalid")


def test_a_stranger_with_a_good_code_is_not_registered(site):
    scene(site)
    ask(site, "stranger@x.example")
    answer = verify(site, site.code("stranger@x.example"), "stranger@x.example")
    assert refused(answer) == (403, "not_registered")


def test_a_member_of_a_sister_choir_in_the_same_vault_is_not_registered_here(site):
    union = make_choir(site, "union", type="umbrella")
    make_sister(site, union, "meretuul", "mer@x.example")
    assert site.sign_in("meretuul", "mer@x.example").rows("organizations?select=subdomain") == [
        {"subdomain": "meretuul"}
    ]
    ask(site, "mer@x.example", "union")
    answer = verify(site, site.code("mer@x.example"), "mer@x.example", "union")
    assert refused(answer) == (403, "not_registered")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "kadri"}, "email"),
        ({"email": "anna@tamm"}, "email"),
        ({"email": ["kadri@x.example"]}, "email"),
        ({"email": f"{'a' * 250}@x.example"}, "email"),
        ({}, "email"),
        ({"email": None}, "email"),
    ],
)
def test_an_address_that_is_none_gets_no_mail(site, body, field):
    scene(site)
    answer = site.guest("aurora").auth("otp", body)
    assert refused(answer) == (400, "invalid_input")
    assert error_of(answer)["details"] == field


@pytest.mark.parametrize("body", [{}, {"email": KADRI}, {"token": "123456"}, {"type": "email", "token_hash": ""}])
def test_verifying_nothing_is_refused(site, body):
    scene(site)
    assert refused(site.guest("aurora").auth("verify", body)) == (400, "invalid_input")
