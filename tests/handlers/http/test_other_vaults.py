"""One account, many vaults: from a session of one to a session of another, and no further than the person may go."""

from db.registry.sessions import revoke_all_sessions
from handlers.auth import sessions, vaults
from tests.handlers.http.site import OPERATOR, Caller, Site, make_choir, refused
from tests.handlers.http.test_second_factors import claims, protected

KADRI = "kadri@x.example"


def scene(site: Site) -> Caller:
    for slug in ("aurora", "harmonia", "nocturne"):
        choir = make_choir(site, slug)
        if slug != "nocturne":
            site.add_member(choir, "Kadri", KADRI)
    return site.sign_in("aurora", KADRI)


def enter(person: Caller, slug: str):
    return person.auth(f"vaults/{slug}/token", {})


def refresh(site: Site, slug: str, session: dict):
    return site.guest(slug).auth("token?grant_type=refresh_token", {"refresh_token": session["refresh_token"]})


def test_the_person_enters_another_vault_without_signing_in_again(site):
    kadri = scene(site)
    assert refused(kadri.at("harmonia").get("members")) == (403, "wrong_audience")
    session = enter(kadri, "harmonia").json()
    there = kadri.at("harmonia").with_token(session["access_token"])
    assert there.get("members").status == 200
    assert refused(there.at("aurora").get("members")) == (403, "wrong_audience")
    assert refresh(site, "harmonia", session).status == 200


def test_the_vaults_that_admitted_the_person_are_listed(site):
    kadri = scene(site)
    enter(kadri, "harmonia")
    listed = kadri.auth("vaults", method="GET").json()
    assert [(known["slug"], known["name"], known["current"]) for known in listed] == [
        ("aurora", "Aurora", True), ("harmonia", "Harmonia", False),
    ]  # fmt: skip


def test_a_vault_that_does_not_know_the_person_stays_closed(site):
    kadri = scene(site)
    assert refused(enter(kadri, "nocturne")) == (403, "not_registered")
    assert enter(kadri, "no-such-vault").status == 404


def test_a_session_that_was_signed_out_leads_nowhere(site):
    kadri = scene(site)
    kadri.auth("logout?scope=local")
    assert refused(enter(kadri, "harmonia")) == (401, "session_ended")


def test_a_session_that_is_signed_out_meanwhile_leads_nowhere_either(site, monkeypatch):
    kadri = scene(site)
    account_id, now = kadri.auth("user", method="GET").json()["id"], site.clock()

    begin = sessions.enter

    def late(*given, **named):
        ended = site.services.registry_write(
            lambda tx: revoke_all_sessions(tx, account_id, "signed_out", now), OPERATOR, now
        )
        assert ended == 1
        return begin(*given, **named)

    monkeypatch.setattr(vaults, "enter", late)
    assert refused(enter(kadri, "harmonia")) == (401, "session_ended")


def test_signing_out_here_ends_what_was_made_from_it_there(site):
    kadri = scene(site)
    own = site.session("harmonia", KADRI)
    made = enter(kadri, "harmonia").json()
    kadri.auth("logout?scope=local")
    assert refused(refresh(site, "harmonia", made)) == (401, "token_invalid")
    assert refresh(site, "harmonia", own).status == 200


def test_a_reused_refresh_token_ends_what_was_made_from_its_session(site, clock):
    scene(site)
    session = site.session("aurora", KADRI)
    made = enter(site.guest("aurora").with_token(session["access_token"]), "harmonia").json()
    refresh(site, "aurora", session)
    clock.tick(11)
    refresh(site, "aurora", session)
    assert refused(refresh(site, "harmonia", made)) == (401, "token_invalid")


def test_what_was_made_from_a_session_lives_no_longer_than_it(site, clock):
    scene(site)
    session = site.session("aurora", KADRI)
    for _ in range(3):
        clock.tick(29 * 86400)
        session = refresh(site, "aurora", session).json()
    made = enter(site.guest("aurora").with_token(session["access_token"]), "harmonia").json()
    clock.tick(3 * 86400 - 1)
    made = refresh(site, "harmonia", made).json()
    clock.tick(1)
    assert refresh(site, "harmonia", made).status == 401


def test_a_second_factor_shown_here_counts_there_and_one_not_shown_is_asked_for(site, clock):
    kadri = scene(site)
    _, opened = protected(site, kadri)
    there = enter(opened, "harmonia").json()
    assert claims(there["access_token"])["aal"] == "aal2"
    clock.tick(30)
    again = site.sign_in("aurora", KADRI)
    closed = enter(again, "harmonia").json()
    assert refused(again.at("harmonia").with_token(closed["access_token"]).get("members")) == (
        403, "insufficient_aal",
    )  # fmt: skip


def test_neither_a_guest_nor_an_api_token_enters(site):
    scene(site)
    for caller in (site.guest("aurora"), site.guest("aurora").with_token(site.api_token(None))):
        assert refused(enter(caller, "harmonia")) == (401, "not_authenticated")
        assert refused(caller.auth("vaults", method="GET")) == (401, "not_authenticated")


def test_from_a_vault_entered_the_person_goes_on_and_all_ends_with_the_first(site):
    kadri = scene(site)
    there = enter(kadri, "harmonia").json()
    back = enter(kadri.at("harmonia").with_token(there["access_token"]), "aurora").json()
    kadri.auth("logout?scope=local")
    assert refresh(site, "aurora", back).status == 401
    assert refresh(site, "harmonia", there).status == 401
