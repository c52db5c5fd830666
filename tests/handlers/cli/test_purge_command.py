"""`vaultry tenants purge` and `vaultry certificates`."""

import json

import pytest


@pytest.fixture
def deleted(choir):
    choir.ok("tenants", "delete", "bella", "--yes")
    return choir


def test_it_waits_for_the_30_days_unless_told_not_to(deleted):
    assert "(vault_kept)" in deleted.refused("tenants", "purge", "bella", "--yes")
    told = deleted.json("tenants", "purge", "bella", "--yes", "--force-before-30-days")
    assert told["signature"].startswith("valid, key ")
    assert "(not_found)" in deleted.refused("tenants", "undelete", "bella")
    assert deleted.json("tenants", "list", "--status", "deleted")["total"] == 0


def test_it_asks_for_the_slug_again(deleted):
    words = ("tenants", "purge", "bella", "--force-before-30-days")
    assert "(not_confirmed)" in deleted.refused(*words, typed="bela\n")
    deleted.ok("tenants", "undelete", "bella")
    deleted.ok("tenants", "delete", "bella", "--yes")
    deleted.ok(*words, typed="bella\n")


def test_a_living_tenant_is_kept(choir):
    said = choir.refused("tenants", "purge", "bella", "--yes", "--force-before-30-days")
    assert "delete it first" in said
    assert choir.rows("SELECT count(*) AS n FROM members") == [{"n": 1}]


def test_without_a_slug_it_erases_what_is_due(deleted):
    assert deleted.json("tenants", "purge") == {"purged": 0, "swept": 0, "left": 0}
    deleted.refused("tenants", "purge", "--force-before-30-days", code=2)


def test_a_certificate_is_found_by_slug_vault_and_its_own_id(deleted):
    vault_id = deleted.json("tenants", "show", "bella")["id"]
    made = deleted.ok("tenants", "purge", "bella", "--yes", "--force-before-30-days").strip()
    for name in ("bella", vault_id, made):
        (found,) = deleted.json("certificates", name)
        assert (found["certificate"], found["vault"]) == (made, vault_id)
    assert "(not_found)" in deleted.refused("certificates", "canta")
    assert made in deleted.ok("certificates")


def test_a_forged_certificate_does_not_pass(deleted, open_services):
    deleted.ok("tenants", "purge", "bella", "--yes", "--force-before-30-days")
    (told,) = deleted.json("certificates", "bella")
    head, body, mark = told["document"].split(".")
    services = open_services()
    swapped = "A" if body[40] != "A" else "B"
    forged = f"{head}.{body[:40]}{swapped}{body[41:]}.{mark}"
    services.registry.alter(
        lambda writer: bool(
            writer.execute("DROP TRIGGER erasures_only_move_forward")
            and writer.execute("UPDATE erasures SET document = ?", (forged,))
        )
    )
    (found,) = deleted.json("certificates", "bella")
    assert found["signature"].startswith("the signature does not hold")
    assert json.dumps(found).count("valid, key") == 0
