"""The round of drills: everything in its turn, within its time, twice at once; and a drill on S3."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.clock import Moment, system_moment
from db.errors import StoreUnavailable
from db.registry.audit_anchors import Anchor, record_anchor
from db.registry.drills import DAY_S, PROVEN_DAYS, REGISTRY, standings, summarise
from db.transaction import Actor
from domain.charter import Founding
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import every_tenant, find_tenant, provision
from handlers.upkeep import drills
from handlers.upkeep.drills import drill_due, drill_vault
from tests.db.faulty_store import FaultyStore
from tests.moto_s3 import MotoS3, clean_environment, moto_s3

ACTOR = Actor("test", "job", "", "test")
DAY_MS = DAY_S * 1000


@pytest.fixture(autouse=True)
def _never_litestream_by_chance(monkeypatch):
    monkeypatch.setattr(drills, "LITESTREAM_EVERY", 2**64)


class Clock:
    """A clock that a test sets ahead."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> Moment:
        return Moment(system_moment().ms + self.ahead_ms)


def deadline(services: Services, minutes: float = 10) -> Moment:
    return Moment(services.clock().ms + int(minutes * 60_000))


def found(services: Services, *slugs: str) -> None:
    for slug in slugs:
        founding = Founding(slug, slug.title(), f"owner@{slug}.example", {})
        provision(services, "choir", founding, ACTOR)


def due(services: Services, minutes: float = 10) -> dict[str, int]:
    """What a round comes to, without what is zero."""
    counts = drill_due(services, services.clock(), deadline(services, minutes))
    return {name: count for name, count in counts.items() if count and name != "by_litestream"}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    environ = {"VAULTRY_STORE": f"file:{tmp_path}/data"}
    services = Services(Settings.from_env(environ), clock=Clock())
    yield services
    services.close()


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "vaultry")

    def of_kind(kind: str) -> list[dict]:
        lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "vaultry"]
        return [line for line in lines if line.get("event") == kind]

    return of_kind


def test_a_round_a_day_proves_every_vault_within_the_promise_and_opens_none_for_good(services):
    found(services, *(f"choir-{number}" for number in range(21)))
    services.pool.close_all()
    for _ in range(PROVEN_DAYS):
        due(services)
        services.clock.ahead_ms += DAY_MS
    summary = summarise(services.registry_read(standings), services.clock())
    assert (summary.proven, summary.vaults, summary.overdue) == (22, 22, [])
    assert services.pool.open_ids() == []


def test_a_round_stops_at_its_deadline_and_the_next_one_goes_on(services):
    found(services, "aurora", "bella")
    services.clock.ahead_ms = PROVEN_DAYS * DAY_MS
    assert due(services, minutes=-1) == {"left": 3}
    assert due(services) == {"passed": 3}
    assert due(services) == {}


def test_two_rounds_at_once_harm_nobody(services, tmp_path):
    found(services, *(f"choir-{number}" for number in range(6)))
    services.clock.ahead_ms = PROVEN_DAYS * DAY_MS
    other = Services(services.settings, clock=services.clock)
    rounds: list[dict[str, int]] = []
    threads = [threading.Thread(target=lambda one=one: rounds.append(due(one))) for one in (services, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert {name for counts in rounds for name in counts} == {"passed"}
    summary = summarise(services.registry_read(standings, current=True), services.clock())
    assert (summary.proven, summary.failing) == (7, [])


def test_what_another_round_has_drilled_meanwhile_is_not_drilled_again(services, monkeypatch):
    found(services, "aurora", "bella")
    services.clock.ahead_ms = PROVEN_DAYS * DAY_MS
    due_today = drills.due_today

    def overtaken(*arguments):
        chosen = due_today(*arguments)
        monkeypatch.setattr(drills, "due_today", due_today)
        assert due(services) == {"passed": 3}
        return chosen

    monkeypatch.setattr(drills, "due_today", overtaken)
    assert due(services) == {}


def test_a_vault_that_cannot_be_drilled_now_stops_no_other_and_stays_due(services, events):
    found(services, "aurora", "bella")
    services.clock.ahead_ms = PROVEN_DAYS * DAY_MS
    store = FaultyStore(services.site.store)
    object.__setattr__(services.site, "store", store)
    store.arm("error_before", "drill:put")
    assert due(services) == {"passed": 2, "not_done": 1}
    (event,) = events("DrillNotDone")
    assert event["error"] == "StoreUnavailable"
    assert due(services) == {"passed": 1}


@pytest.mark.parametrize("fault", ["error_after", "timeout_lost"])
def test_a_report_whose_fate_the_store_does_not_tell_is_stored_under_another_name(services, fault):
    found(services, "aurora")
    store = FaultyStore(services.site.store)
    object.__setattr__(services.site, "store", store)
    store.arm(fault, "drill:put")
    report = drill_vault(services, find_tenant(services, "aurora"), services.clock())
    assert report.passed
    names = [stored.key for stored in store.list("drills/", op="list:drills")]
    assert any(report.drill_id in name for name in names)


def test_a_store_that_does_not_answer_is_no_failed_drill(services, events):
    found(services, "aurora")
    store = FaultyStore(services.site.store)
    object.__setattr__(services.site, "store", store)
    for step in ("list:9", "list:0", "log:get"):
        store.arm("error_before", step)
        with pytest.raises(StoreUnavailable):
            drill_vault(services, find_tenant(services, "aurora"), services.clock())
        assert store.fired, step
    assert events("DrillFailed") == []
    assert [path for path in (services.site.cache / ".drills").iterdir() if path.is_dir()] == []


def test_writers_that_go_on_meanwhile_change_nothing(services, monkeypatch):
    found(services, "aurora")
    entry = find_tenant(services, "aurora")
    write_database = drills.write_database

    def write_then_restore(log, path, *, upto):
        with services.vault(entry) as vault:
            vault.write(lambda tx: tx.execute("UPDATE members SET nickname = 'new'"), ACTOR, services.clock())
        return write_database(log, path, upto=upto)

    monkeypatch.setattr(drills, "write_database", write_then_restore)
    report = drill_vault(services, entry, services.clock())
    assert report.passed
    with services.vault(entry) as vault:
        assert vault.bookmark > report.bookmark


def test_a_failed_drill_is_an_event_that_names_tables_and_no_values(services, events):
    found(services, "aurora")
    entry = find_tenant(services, "aurora")
    with services.vault(entry) as vault:
        vault.write(lambda tx: tx.execute("UPDATE members SET nickname = 'secretly'"), ACTOR, services.clock())
    commits = services.site.cache.parent / "vaults" / entry.id / "ltx" / "0"
    newest = max(commits.glob("*.ltx"))
    newest.write_bytes(b"x" * newest.stat().st_size)
    assert not drill_vault(services, entry, services.clock()).passed
    (event,) = events("DrillFailed")
    assert event["vault"] == entry.id
    assert newest.name in event["findings"][0]
    assert "secretly" not in json.dumps(event)


def test_a_chain_without_what_was_anchored_fails_the_drill(services):
    found(services, "aurora")
    entry = find_tenant(services, "aurora")
    for seq, wrong in ((2, "is another"), (10_000, "is gone")):
        anchor = Anchor(seq, "0" * 64)
        services.registry_write(lambda tx, anchor=anchor: record_anchor(tx, entry.id, anchor, services.clock()),
                                ACTOR, services.clock())  # fmt: skip
        (finding,) = drill_vault(services, entry, services.clock()).findings
        assert (finding.check, finding.message) == ("audit", f"audit row {seq}, which was anchored, {wrong}")


def test_the_rounds_leave_no_rows_in_the_audit_log_of_the_registry(services):
    found(services, "aurora")
    count = "SELECT count(*) FROM vaultry_audit"
    before = services.registry_read(lambda tx: tx.value(count), current=True)
    assert due(services) == {"passed": 1}
    assert services.registry_read(lambda tx: tx.value(count), current=True) == before


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as server:
        yield server


def test_a_vault_on_s3_is_proven_by_our_code_and_by_litestream(s3, tmp_path, monkeypatch):
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    environ = {
        "VAULTRY_STORE": s3.url("proven/by"),
        "VAULTRY_SECRET": "a secret of the tests, long enough to be one",
        "VAULTRY_CACHE": str(tmp_path / "cache"),
        "VAULTRY_MAIL": f"folder:{tmp_path}/outbox",
    }
    services = Services(Settings.from_env(environ))
    try:
        found(services, "aurora")
        (entry,) = every_tenant(services)
        for with_litestream in (False, True):
            for vault in (entry, None):
                report = drill_vault(services, vault, services.clock(), with_litestream=with_litestream)
                assert report.findings == []
                assert report.restored_with.startswith("litestream") is with_litestream
        kept = [stored.key for stored in s3.store("proven/by").list("drills/", op="list:drills")]
    finally:
        services.close()
    assert len(kept) == 4
    assert {key.split("/")[2].partition(".")[0] for key in kept} == {entry.id, REGISTRY}
