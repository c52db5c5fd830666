"""Vaults of charters that are not in the box: a process that was not told of one says so, and serves the others."""

from domain import charters
from tests.handlers.http.site import make_choir, refused


def test_a_vault_whose_charter_this_process_does_not_have_says_what_is_missing(site, monkeypatch):
    make_choir(site, "aurora")
    known = {name: place for name, place in charters.IN_THE_BOX.items() if name != "choir"}
    monkeypatch.setattr(charters, "_declared", known)
    answer = site.guest("aurora").get("works")
    assert refused(answer) == (500, "misconfigured")
    assert "VAULTRY_CHARTERS" in answer.json()["hint"]


def test_a_refusal_names_the_roles_that_would_be_let_in(site):
    choir = make_choir(site, "aurora")
    answer = site.sign_in("aurora", choir.owner).call("event.create_many", events=[{}])
    assert refused(answer) == (403, "forbidden")
    assert answer.json()["hint"] == "roles that have it: conductor"
