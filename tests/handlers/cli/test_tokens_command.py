"""`vaultry tokens` and `vaultry keys`."""

import pytest

from db.registry.api_tokens import find_api_token


def test_a_token_is_shown_once_and_works(choir, open_services):
    plain = choir.ok("tokens", "create", "backup", "--operator").strip()
    services = open_services()
    found = services.registry_read(lambda tx: find_api_token(tx, plain, services.clock()), current=True)
    assert (found.name, found.kind) == ("backup", "operator")
    listed = choir.ok("tokens", "list", "--json")
    assert plain not in listed
    assert found.id in listed


def test_a_vault_token_is_narrowed_to_what_is_named(choir):
    made = choir.json(
        "tokens", "create", "site", "--vault", "bella", "--role", "member", "--table", "works", "--read-only"
    )
    assert (made["role"], made["tables"], made["verbs"], made["read_only"]) == ("member", ["works"], [], True)
    assert "works, read only" in choir.ok("tokens", "list", "--vault", "bella")
    assert choir.json("tokens", "list") == []


def test_a_vault_token_that_names_nothing_reaches_all_of_its_role(choir):
    made = choir.json("tokens", "create", "site", "--vault", "bella", "--role", "member")
    assert (made["tables"], made["verbs"]) == (None, None)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--role", "king"), "role: got 'king', wanted one of: owner"),
        (("--role", "member", "--table", "wroks"), "table: got 'wroks'"),
        (("--role", "member", "--verb", "member.fly"), "verb: got 'member.fly'"),
        (("--role", "member", "--expires", "2020-01-01T00:00:00Z"), "expires_at: got 2020"),
    ],
)
def test_a_token_for_what_is_not_there_is_refused(choir, words, named):
    assert named in choir.refused("tokens", "create", "site", "--vault", "bella", *words)
    assert choir.json("tokens", "list", "--vault", "bella") == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--operator", "--vault", "bella", "--role", "member"),
        ("--vault", "bella"),
        ("--operator", "--role", "member"),
        ("--operator", "--table", "works"),
    ],
)
def test_a_token_that_is_neither_one_nor_the_other_is_a_usage_error(choir, words):
    choir.refused("tokens", "create", "x", *words, code=2)


def test_a_revoked_token_stays_in_the_list(choir):
    made = choir.json("tokens", "create", "site", "--vault", "bella", "--role", "member")
    assert "(not_found)" in choir.refused("tokens", "revoke", made["id"])
    choir.ok("tokens", "revoke", made["id"], "--vault", "bella")
    assert [token["state"] for token in choir.json("tokens", "list", "--vault", "bella")] == ["revoked"]


def test_a_signing_key_is_made_activated_and_revoked(choir):
    old = choir.json("keys", "list")[0]["key_id"]
    new = choir.json("keys", "create")["key_id"]
    assert "(key_too_young)" in choir.refused("keys", "activate", new)
    assert choir.json("keys", "activate", new, "--at-once")["state"] == "activated"
    choir.refused("keys", "revoke", old, typed="n\n")
    assert choir.json("keys", "revoke", old, "--yes")["state"] == "revoked"
    assert [(key["key_id"], key["state"]) for key in choir.json("keys", "list")] == [
        (new, "activated"),
        (old, "revoked"),
    ]
