"""`vaultry migrate`: every vault, and one that fails never stops the rest."""

import json
import re
from functools import partial

from db.registry.directory import NewVault, create_vault_entry
from db.schema.migrate import MigrationSet, Step, load_set
from db.transaction import Actor
from db.vault.opening import Kind, create_vault
from handlers.services import Services
from handlers.tenant.provisioning import schema_numbers

ACTOR = Actor("test", "job", "", "test")


def behind(services, slug: str, *statements: str) -> None:
    """A tenant of the release before the last step, with these statements run in it."""
    kernel, choir = load_set("kernel"), load_set("choir")
    kind, now = Kind((kernel, MigrationSet(choir.name, choir.steps[:-1]))), services.clock()
    vault = create_vault(services.site, f"vault-{slug}", kind)
    if statements:
        vault.alter(lambda connection: [connection.execute(statement) for statement in statements] != [])
    vault.close()
    new = NewVault(f"vault-{slug}", "choir", slug, slug, schema=schema_numbers(kind.sets))
    services.registry_write(partial(create_vault_entry, new=new, now=now), ACTOR, now)


def states(shell, *words: str, code: int = 0) -> dict[str, str]:
    result = shell.run("migrate", *words, "--json")
    assert result.exit_code == code, result.output
    return {vault["slug"]: vault["state"] for vault in json.loads(result.stdout)}


def last_step() -> str:
    return str(load_set("choir").steps[-1])


def test_a_check_says_what_is_due_and_applies_nothing(choir, open_services):
    behind(open_services(), "canta")
    for _ in range(2):
        assert states(choir, "--check", code=1) == {"registry": "current", "bella": "current", "canta": "due"}
    assert f"canta: due: {last_step()}" in choir.run("migrate", "--check").stdout


def test_what_is_due_is_applied_and_noted_in_the_directory(choir, open_services):
    behind(open_services(), "canta")
    assert states(choir) == {"registry": "current", "bella": "current", "canta": "applied"}
    assert states(choir, "--check") == {"registry": "current", "bella": "current", "canta": "current"}
    wanted = schema_numbers((load_set("kernel"), load_set("choir")))
    assert choir.json("tenants", "show", "canta")["schema"] == wanted


def test_one_that_fails_is_named_and_never_stops_the_rest(choir, open_services):
    services = open_services()
    made = re.search(r"CREATE (?:TABLE|INDEX) (\w+)", load_set("choir").steps[-1].sql)
    assert made is not None
    behind(services, "canta", f"CREATE TABLE {made[1]} (x)")
    behind(services, "donna")
    assert states(choir, code=1) == {
        "registry": "current",
        "bella": "current",
        "canta": "failed",
        "donna": "applied",
    }
    shown = choir.run("migrate", "canta").stdout
    assert f"canta: failed: {last_step()}: there is already a table named {made[1]} (migration_failed)" in shown


def test_named_tenants_are_the_only_ones_looked_at(choir, open_services):
    behind(open_services(), "canta")
    assert states(choir, "bella") == {"registry": "current", "bella": "current"}
    assert states(choir, "--check", "canta", code=1) == {"registry": "current", "canta": "due"}


def test_a_suspended_tenant_waits(choir, open_services):
    behind(open_services(), "canta")
    choir.ok("tenants", "suspend", "canta")
    assert states(choir) == {"registry": "current", "bella": "current"}


def test_the_registry_comes_first(choir, monkeypatch):
    later = MigrationSet("later", (Step("later", 1, "add", "CREATE TABLE added (x TEXT)", "0" * 64, True),))
    kind = Kind((load_set("kernel"), load_set("registry"), later))
    monkeypatch.setattr(Services, "registry_kind", property(lambda services: kind))
    for _ in range(2):
        assert states(choir, "--check", code=1) == {"registry": "due"}
    assert states(choir) == {"registry": "applied", "bella": "current"}
    assert states(choir, "--check") == {"registry": "current", "bella": "current"}
