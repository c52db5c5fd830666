"""`vaultry tenants`: from nothing to a tenant, and its states."""

import pytest

from domain.charters import CHARTERS


def test_create_prints_the_one_time_link_alone(shell):
    link = shell.choir()
    assert link.startswith("http://127.0.0.1:8000/bella/auth/v1/verify?type=magiclink&token_hash=vll_")


def test_create_refuses_a_slug_that_is_taken(choir):
    refusal = choir.refused(
        "tenants", "create", "bella", "--charter", "choir", "--name", "B", "--owner", "b@bella.example"
    )
    assert "(duplicate)" in refusal


def test_create_names_the_charters_there_are(shell):
    refusal = shell.refused("tenants", "create", "bella", "--charter", "opera", "--name", "B", "--owner", "b@b.example")
    assert f"got charter 'opera', wanted one of: {', '.join(CHARTERS)}" in refusal


def test_create_passes_options_to_the_charter(shell):
    owner = ("--charter", "choir", "--name", "B", "--owner", "b@b.example")
    shell.ok("tenants", "create", "bella", *owner, "--option", "owner_name=Anna Bell")
    assert shell.rows("SELECT name FROM members") == [{"name": "Anna Bell"}]
    shell.refused("tenants", "create", "other", *owner, "--option", "owner_name", code=2)


def test_list_filters_and_counts(shell):
    shell.choir("bella")
    shell.choir("canta")
    shell.ok("tenants", "suspend", "canta")
    assert [entry["slug"] for entry in shell.json("tenants", "list")["tenants"]] == ["bella", "canta"]
    assert [entry["slug"] for entry in shell.json("tenants", "list", "--status", "suspended")["tenants"]] == ["canta"]
    assert shell.json("tenants", "list", "--search", "ell")["total"] == 2  # the name of both is Bella Voce
    assert shell.json("tenants", "list", "--page", "2") == {"page": 2, "total": 2, "tenants": []}
    assert "bella" in shell.ok("tenants", "list").splitlines()[1]


def test_show_finds_a_tenant_by_slug_and_by_id(choir):
    entry = choir.json("tenants", "show", "bella")
    assert choir.json("tenants", "show", entry["id"]) == entry
    assert "charter      choir" in choir.ok("tenants", "show", "bella")
    assert "(not_found)" in choir.refused("tenants", "show", "nobody")


def test_delete_asks_for_the_slug_again(choir):
    assert "(not_confirmed)" in choir.refused("tenants", "delete", "bella", typed="bellla\n")
    assert choir.json("tenants", "show", "bella")["status"] == "active"
    choir.ok("tenants", "delete", "bella", typed="bella\n")
    assert choir.json("tenants", "show", "bella")["status"] == "deleted"


def test_delete_without_anybody_to_ask_deletes_nothing(choir):
    choir.refused("tenants", "delete", "bella")
    assert choir.json("tenants", "show", "bella")["status"] == "active"


def test_an_undeleted_tenant_is_as_suspended_as_it_was(choir):
    assert choir.json("tenants", "suspend", "bella")["status"] == "suspended"
    choir.ok("tenants", "delete", "bella", "--yes")
    assert choir.json("tenants", "undelete", "bella")["status"] == "suspended"
    assert choir.json("tenants", "resume", "bella")["status"] == "active"


@pytest.mark.parametrize(
    "words", [("sql", "bella", "SELECT 1"), ("bookmark", "bella"), ("fork", "bella", "other"), ("export", "bella", "f")]
)
def test_a_deleted_tenant_is_left_alone(choir, words):
    choir.ok("tenants", "delete", "bella", "--yes")
    refusal = choir.refused(*words)
    assert "(vault_deleted)" in refusal
    assert "hint: vaultry tenants undelete bella" in refusal


def test_a_new_link_is_for_people_of_the_tenant_only(choir):
    assert "token_hash=vll_" in choir.ok("tenants", "link", "bella", "Anna@Bella.example")
    assert "(not_found)" in choir.refused("tenants", "link", "bella", "eve@bella.example")


def test_a_link_into_a_suspended_tenant_is_refused(choir):
    choir.ok("tenants", "suspend", "bella")
    assert "(vault_suspended)" in choir.refused("tenants", "link", "bella", "anna@bella.example")


def test_a_command_in_the_wrong_folder_leaves_nothing_behind(shell):
    for words in (("tenants", "list"), ("sql", "bella", "SELECT 1"), ("verify", "--all"), ("migrate",)):
        assert "(store_not_found)" in shell.refused(*words)
    shell.ok("settings")
    shell.ok("outbox")
    assert list(shell.folder.iterdir()) == []


def test_what_the_operator_does_is_in_the_audit_log(choir):
    choir.ok("tenants", "suspend", "bella")
    choir.ok("tenants", "resume", "bella")
    found = choir.json("verify", "registry")
    assert (found[0]["findings"], found[0]["audit_rows"] > 2) == ([], True)
