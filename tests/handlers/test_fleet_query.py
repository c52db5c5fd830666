"""Asking the fleet: what a terminal does not show."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.errors import Forbidden, MigrationFailed
from db.single_statement import run_reading
from db.transaction import Actor
from domain.charter import Founding
from handlers import fleet_query
from handlers.fleet_query import Budgets, VaultAnswer, ask_fleet, choose_vaults
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import provision
from tests.db.faulty_store import FaultyStore

ACTOR = Actor("operator", "operator", "request-1", "fleet.query")
SLUGS = ("aurora", "bella", "corda", "duo")
OPENS = "SELECT personal_open('members.email_id', email_id) AS e FROM members"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = Services(Settings.from_env({"VAULTRY_STORE": f"file:{tmp_path}/data"}))
    for slug in SLUGS:
        provision(services, "choir", Founding(slug, slug, f"owner@{slug}.example", {}), ACTOR)
    yield services
    services.close()


def ask(services: Services, sql: str = "SELECT 1 AS one", **budgets: float) -> list[VaultAnswer]:
    return list(ask_fleet(services, choose_vaults(services), sql, Budgets(**budgets), ACTOR))


def notes(services: Services, slug: str) -> int:
    with services.vault(services.entry(slug)) as vault:
        return vault.read(lambda tx: tx.value("SELECT count(*) FROM vaultry_audit WHERE operation = 'note'")).value


def test_rows_whose_audit_commit_failed_do_not_leave(services):
    store = FaultyStore(services.site.store)
    object.__setattr__(services.site, "store", store)
    services.pool.close_all()
    store.arm("error_before", "commit:put", nth=2)
    answers = ask(services, vaults_at_once=1)
    assert [answer.line.status for answer in answers] == ["answered", "failed", "answered", "answered"]
    assert (answers[1].rows, answers[1].line.audited) == ((), "")
    assert "store_unavailable" in answers[1].line.reason
    assert [notes(services, slug) for slug in SLUGS] == [1, 0, 1, 1]


def test_no_more_vaults_are_at_work_than_allowed_and_the_order_is_that_of_the_directory(services, monkeypatch):
    lock, running, most = threading.Lock(), 0, 0
    opened = fleet_query.opened

    @contextmanager
    def counted(*arguments):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            with opened(*arguments) as vault:
                yield vault
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(fleet_query, "opened", counted)
    assert [answer.line.tenant for answer in ask(services, vaults_at_once=2)] == list(SLUGS)
    assert most <= 2


def test_who_stops_listening_stops_the_asking(services):
    answers = ask_fleet(services, choose_vaults(services), "SELECT 1 AS one", Budgets(vaults_at_once=1), ACTOR)
    next(answers)
    answers.close()
    assert sum(notes(services, slug) for slug in SLUGS) == 1


def test_a_tenant_suspended_meanwhile_is_not_asked(services):
    entries = choose_vaults(services)
    now = services.clock()
    suspend = "UPDATE vaults SET status = 'suspended', suspended_at = :now WHERE id = :id"
    services.registry_write(lambda tx: tx.execute(suspend, id=entries[1].id, now=now.text), ACTOR, now)
    lines = [answer.line for answer in ask_fleet(services, entries, "SELECT 1 AS one", Budgets(), ACTOR)]
    assert [line.status for line in lines] == ["answered", "not_asked", "answered", "answered"]
    assert lines[1].reason == "the tenant is suspended"


def test_what_was_compiled_for_others_on_the_same_connection_opens_nothing_here(services):
    entry = services.entry("aurora")
    with services.vault(entry) as vault:
        opened = vault.read(lambda tx: run_reading(tx, OPENS)).value.rows[0]
        assert opened == {"e": "owner@aurora.example"}
        with pytest.raises(Forbidden):
            ask(services, OPENS)
        # And the other way round: what this refused is nobody else's loss.
        assert vault.read(lambda tx: run_reading(tx, OPENS)).value.rows[0] == opened


def test_a_vault_that_takes_no_writes_cannot_audit_and_gives_no_rows(services):
    with services.vault(services.entry("bella")) as vault:
        vault.refusal = MigrationFailed("choir/0099: it failed")
        answers = ask(services)
    assert [answer.line.status for answer in answers] == ["answered", "failed", "answered", "answered"]
    assert (answers[1].rows, answers[1].line.reason) == ((), "choir/0099: it failed (migration_failed)")
