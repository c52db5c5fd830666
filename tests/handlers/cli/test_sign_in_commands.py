"""`vaultry sign-in`, `vaultry providers` and `vaultry alerts`."""

import pytest

from db.registry.accounts import create_account
from db.registry.identity_providers import find_provider
from db.registry.security_alerts import record_alert
from db.transaction import Actor

OPERATOR = Actor("operator", "operator", "test", "test.stage")
SECRET = "a secret of the client"


def test_a_vault_begins_with_the_defaults_and_keeps_what_is_set(choir):
    assert choir.json("sign-in", "show", "bella") == {
        "auth.mfa": "enrolled", "auth.redirects": "", "auth.signup": "invited",
    }  # fmt: skip
    choir.ok("sign-in", "set", "bella", "auth.signup", "open")
    choir.ok("sign-in", "set", "bella", "auth.redirects", "https://a.example/*, https://b.example/x")
    shown = choir.json("sign-in", "show", "bella")
    assert (shown["auth.signup"], shown["auth.redirects"]) == ("open", "https://a.example/*,https://b.example/x")
    choir.ok("sign-in", "set", "bella", "auth.signup", "")
    assert choir.json("sign-in", "show", "bella")["auth.signup"] == "invited"
    assert "Who may sign up" in choir.ok("sign-in", "show", "bella")


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("auth.signup", "all", "auth.signup: got 'all', wanted one of off, invited, open"),
        ("auth.mfa", "always", "auth.mfa: got 'always'"),
        ("auth.redirects", "*", "got '*', wanted an address"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused(choir, name, value, named):
    assert named in choir.refused("sign-in", "set", "bella", name, value)


def test_a_provider_is_added_listed_without_its_secret_and_removed(choir, open_services):
    printed = choir.ok("providers", "add", "google", "--client-id", "123", "--client-secret", SECRET)
    assert printed == "http://127.0.0.1:8000/auth/v1/callback\n"
    listed = choir.ok("providers", "list", "--json")
    assert SECRET not in listed
    [known] = choir.json("providers", "list")
    assert (known["kind"], known["issuer"]) == ("google", "https://accounts.google.com")
    services = open_services()
    ring = services.keyring
    assert services.registry_read(lambda tx: find_provider(tx, ring, "google"), current=True).secret == SECRET
    assert "https://accounts.google.com" in choir.ok("providers", "list")
    choir.ok("providers", "remove", "google")
    assert choir.json("providers", "list") == []
    assert "no provider 'google'" in choir.refused("providers", "remove", "google")


def test_the_secret_is_asked_for_and_a_public_client_has_none(choir, open_services):
    choir.ok("providers", "add", "acme", "--issuer", "https://x.example/", "--client-id", "1", typed=f"{SECRET}\n")
    choir.ok("providers", "add", "open", "--issuer", "https://y.example", "--client-id", "1", "--public")
    services = open_services()
    ring = services.keyring
    found = [services.registry_read(lambda tx, name=name: find_provider(tx, ring, name)) for name in ("acme", "open")]
    assert [known.secret for known in found] == [SECRET, ""]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("email", "--issuer", "https://x.example"), "name: got 'email'"),
        (("acme",), "issuer: got '', wanted an https address"),
        (("acme", "--issuer", "http://x.example"), "issuer: got 'http://x.example'"),
        (("Acme", "--issuer", "https://x.example"), "name: got 'Acme'"),
    ],
)
def test_a_provider_that_cannot_work_is_refused(choir, words, named):
    assert named in choir.refused("providers", "add", *words, "--client-id", "1", "--public")


def test_alerts_are_listed_by_vault_account_and_time(choir, open_services):
    services = open_services()
    now, entry = services.clock(), services.entry("bella")

    def stage(tx) -> None:
        for number, email in enumerate(("kadri@x.example", "mari@x.example")):
            account = create_account(tx, email, now)
            record_alert(tx, "password_changed", account.id, entry.id if number == 0 else None, now)

    services.registry_write(stage, OPERATOR, now)
    assert len(choir.json("alerts")) == 2
    assert [known["email"] for known in choir.json("alerts", "--vault", "bella")] == ["kadri@x.example"]
    assert [known["email"] for known in choir.json("alerts", "--account", "Mari@x.example")] == ["mari@x.example"]
    assert choir.json("alerts", "--since", "2999-01-01T00:00:00Z") == []
    assert "password_changed" in choir.ok("alerts")
    assert "no account" in choir.refused("alerts", "--account", "nobody@x.example")
