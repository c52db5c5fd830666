"""Sessions over HTTP: passwords, refresh tokens, signing out, the signed-in user."""

import pytest

from db.registry.account_changes import disable_account
from tests.handlers.http.site import OPERATOR, Caller, Site, error_of, make_choir, make_sister, refused

KADRI = "kadri@x.example"
PASSWORD = "cello and oboe"


def scene(site: Site) -> None:
    site.add_member(make_choir(site, "aurora"), "Kadri", KADRI)


def token(site: Site, grant: str, slug: str = "aurora", **body: str):
    return site.guest(slug).auth(f"token?grant_type={grant}", body)


def refresh(site: Site, refresh_token: str, slug: str = "aurora"):
    return token(site, "refresh_token", slug, refresh_token=refresh_token)


def set_password(person: Caller, password: str = PASSWORD):
    return person.auth("user", {"password": password}, "PUT")


def test_a_password_is_set_by_the_person_and_then_signs_in(site):
    scene(site)
    assert set_password(site.sign_in("aurora", KADRI)).status == 200
    assert token(site, "password", email="Kadri@X.example", password=PASSWORD).json()["user"]["email"] == KADRI


def test_a_wrong_password_an_unknown_address_and_an_account_without_one_are_told_apart_by_nobody(site):
    scene(site)
    without = token(site, "password", email=KADRI, password=PASSWORD)
    set_password(site.sign_in("aurora", KADRI))
    wrong = token(site, "password", email=KADRI, password=PASSWORD + "!")
    unknown = token(site, "password", email="stranger@x.example", password=PASSWORD)
    assert without.body == wrong.body == unknown.body
    assert refused(wrong) == (401, "invalid_credentials")


def test_a_password_keeps_its_blanks(site):
    scene(site)
    set_password(site.sign_in("aurora", KADRI), f" {PASSWORD} ")
    assert refused(token(site, "password", email=KADRI, password=PASSWORD)) == (401, "invalid_credentials")
    assert token(site, "password", email=KADRI, password=f" {PASSWORD} ").status == 200


@pytest.mark.parametrize("password", ["", "short", "x" * 1025, 12345678, "half a pair \ud800"])
def test_a_password_outside_its_limits_is_refused(site, password):
    scene(site)
    answer = set_password(site.sign_in("aurora", KADRI), password)
    assert (answer.status, error_of(answer)["details"]) == (400, "password")


def test_a_password_opens_no_vault_whose_member_the_person_is_not(site):
    scene(site)
    make_choir(site, "harmonia")
    set_password(site.sign_in("aurora", KADRI))
    answer = token(site, "password", "harmonia", email=KADRI, password=PASSWORD)
    assert refused(answer) == (403, "not_registered")


def test_a_new_password_ends_the_other_sessions(site):
    scene(site)
    other, own = site.session("aurora", KADRI), site.session("aurora", KADRI)
    set_password(site.guest("aurora").with_token(own["access_token"]))
    assert refused(refresh(site, other["refresh_token"])) == (401, "token_invalid")
    assert refresh(site, own["refresh_token"]).status == 200


@pytest.mark.parametrize("grant", ["", "implicit", "client_credentials"])
def test_an_unknown_grant_is_refused(site, grant):
    scene(site)
    assert refused(token(site, grant, email=KADRI)) == (400, "invalid_input")


def test_a_refresh_token_is_replaced_each_time(site, clock):
    scene(site)
    first = site.session("aurora", KADRI)
    clock.tick(600)
    second = refresh(site, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["expires_at"] == first["expires_at"] + 600
    clock.tick(600)
    assert refresh(site, second["refresh_token"]).status == 200


def test_a_repeat_within_ten_seconds_gets_the_same_successor(site, clock):
    scene(site)
    first = site.session("aurora", KADRI)
    second = refresh(site, first["refresh_token"]).json()
    clock.tick(9.9)
    assert refresh(site, first["refresh_token"]).json()["refresh_token"] == second["refresh_token"]


def test_a_refresh_token_used_again_later_ends_the_session_for_both(site, clock):
    scene(site)
    first = site.session("aurora", KADRI)
    second = refresh(site, first["refresh_token"]).json()
    clock.tick(10)
    assert refused(refresh(site, first["refresh_token"])) == (401, "token_invalid")
    assert refused(refresh(site, second["refresh_token"])) == (401, "token_invalid")
    thief = site.guest("aurora").with_token(second["access_token"])
    assert refused(thief.auth("user", method="GET")) == (401, "session_ended")


def test_a_refresh_token_left_alone_for_thirty_days_has_expired(site, clock):
    scene(site)
    kept, left = site.session("aurora", KADRI), site.session("aurora", KADRI)
    clock.tick(30 * 86400 - 1)
    assert refresh(site, kept["refresh_token"]).status == 200
    clock.tick(1)
    assert refused(refresh(site, left["refresh_token"])) == (401, "token_expired")


def test_a_refresh_token_of_another_vault_is_refused_and_stays_good(site):
    scene(site)
    site.add_member(make_choir(site, "harmonia"), "Kadri", KADRI)
    session = site.session("aurora", KADRI)
    assert refused(refresh(site, session["refresh_token"], "harmonia")) == (403, "wrong_audience")
    assert refresh(site, session["refresh_token"]).status == 200


def test_somebody_who_was_removed_gets_no_new_access_token(site):
    choir = make_choir(site, "aurora")
    member_id = site.add_member(choir, "Kadri", KADRI)
    session = site.session("aurora", KADRI)
    site.sign_in("aurora", choir.owner).done("member.remove", member_id=member_id)
    assert refused(refresh(site, session["refresh_token"])) == (403, "not_registered")
    removed = site.guest("aurora").with_token(session["access_token"])
    assert removed.rows("members") == removed.rows("works") == []


@pytest.mark.parametrize("value", ["", "vlr_nothing", "x" * 5000, None, 7])
def test_a_refresh_token_that_is_none_is_refused(site, value):
    scene(site)
    assert refresh(site, value).status in (400, 401)
    assert error_of(refresh(site, value))


@pytest.mark.parametrize(
    ("scope", "alive"), [("local", [False, True]), ("others", [True, False]), ("global", [False, False])]
)
def test_signing_out_ends_the_sessions_of_its_scope(site, scope, alive):
    scene(site)
    sessions = [site.session("aurora", KADRI), site.session("aurora", KADRI)]
    own = site.guest("aurora").with_token(sessions[0]["access_token"])
    answer = own.auth(f"logout?scope={scope}")
    assert (answer.status, answer.body) == (204, b"")
    assert [refresh(site, session["refresh_token"]).status == 200 for session in sessions] == alive


def test_signing_out_means_everywhere_in_this_vault_and_nowhere_else(site):
    scene(site)
    site.add_member(make_choir(site, "harmonia"), "Kadri", KADRI)
    here, elsewhere = site.session("aurora", KADRI), site.session("harmonia", KADRI)
    own = site.guest("aurora").with_token(here["access_token"])
    assert refused(own.auth("logout?scope=everything")) == (400, "invalid_input")
    assert own.auth("logout").status == 204
    assert refused(own.auth("user", method="GET")) == (401, "session_ended")
    assert refresh(site, elsewhere["refresh_token"], "harmonia").status == 200


def test_the_user_is_shown_and_renames_the_account(site):
    scene(site)
    kadri = site.sign_in("aurora", KADRI)
    shown = kadri.auth("user", method="GET").json()
    assert (shown["email"], shown["role"], shown["user_metadata"]) == (KADRI, "authenticated", {})
    changed = kadri.auth("user", {"data": {"name": "Kadri Kask"}}, "PUT").json()
    assert changed["user_metadata"] == {"name": "Kadri Kask"}
    assert kadri.auth("user", method="GET").json() == changed


def test_a_blank_account_name_clears_it_and_null_clears_the_rest(site):
    scene(site)
    kadri = site.sign_in("aurora", KADRI)
    kadri.auth("user", {"data": {"name": "Kadri", "theme": "dark"}}, "PUT")
    assert kadri.auth("user", {"data": {"name": " "}}, "PUT").json()["user_metadata"] == {"theme": "dark"}
    assert kadri.auth("user", {"data": {"theme": None}}, "PUT").json()["user_metadata"] == {}


@pytest.mark.parametrize("name", ["x" * 201, "half \ud800", "a\x00b", 7, ["Kadri"]])
def test_an_account_name_outside_its_limits_is_refused(site, name):
    scene(site)
    answer = site.sign_in("aurora", KADRI).auth("user", {"data": {"name": name}}, "PUT")
    assert (answer.status, error_of(answer)["details"]) == (400, "name")


def test_a_disabled_account_is_refused_at_once_and_by_every_way_in(site, clock):
    scene(site)
    session = site.session("aurora", KADRI)
    kadri = site.guest("aurora").with_token(session["access_token"])
    set_password(kadri)
    account_id = session["user"]["id"]
    site.services.registry_write(lambda tx: disable_account(tx, account_id, clock()), OPERATOR, clock())
    assert kadri.auth("user", method="GET").status == 401
    assert refresh(site, session["refresh_token"]).status == 401
    assert refused(token(site, "password", email=KADRI, password=PASSWORD)) == (403, "account_disabled")
    site.guest("aurora").auth("otp", {"email": KADRI})
    by_code = site.guest("aurora").auth("verify", {"type": "email", "email": KADRI, "token": site.code(KADRI)})
    assert refused(by_code) == (403, "account_disabled")


@pytest.mark.parametrize(("method", "path"), [("GET", "user"), ("PUT", "user"), ("POST", "logout")])
def test_what_is_a_persons_own_is_not_for_guests_or_api_tokens(site, method, path):
    choir = make_choir(site, "aurora")
    guest = site.guest("aurora")
    assert refused(guest.auth(path, {}, method)) == (401, "not_authenticated")
    assert refused(guest.with_token(site.api_token(choir, "owner")).auth(path, {}, method)) == (
        401, "not_authenticated",
    )  # fmt: skip


def removed(site: Site, slug: str = "aurora") -> Caller:
    """The owner, who has just removed Kadri from one organization."""
    owner = site.sign_in(slug, f"owner@{slug}.example")
    kadri = next(row["id"] for row in owner.done("member.list") if row["email_id"] == KADRI)
    owner.done("member.remove", member_id=kadri)
    return owner


def test_who_is_a_member_nowhere_any_more_is_signed_out(site):
    scene(site)
    session = site.session("aurora", KADRI)
    removed(site)
    assert refused(refresh(site, session["refresh_token"])) == (403, "not_registered")
    live = "SELECT count(*) FROM sessions AS s JOIN accounts AS a ON a.id = s.account_id WHERE a.email = :email"
    count = site.services.registry_read(lambda tx: tx.value(f"{live} AND revoked_at IS NULL", email=KADRI))
    assert count == 0


def test_who_comes_back_signs_in_anew(site):
    scene(site)
    session = site.session("aurora", KADRI)
    invited = removed(site).done("invite.create", name="Kadri")["token"]
    again = site.session("aurora", KADRI, invite_token=invited)
    assert site.guest("aurora").with_token(again["access_token"]).rows("works") == []
    assert refresh(site, session["refresh_token"]).status == 401
    assert refresh(site, again["refresh_token"]).status == 200


def test_who_is_still_a_member_of_another_choir_of_the_association_stays_signed_in(site):
    union = make_choir(site, "union", type="umbrella")
    make_sister(site, union, "aurora", "owner@aurora.example")
    make_sister(site, union, "meretuul", KADRI)
    owner = site.sign_in("aurora", "owner@aurora.example")
    site.session("aurora", KADRI, invite_token=owner.done("invite.create", name="Kadri")["token"])
    session = site.session("meretuul", KADRI)
    removed(site)
    assert refresh(site, session["refresh_token"], "meretuul").status == 200
