"""Rounds of maintenance over a registry and an open vault."""

import pytest

from db.clock import Moment
from db.registry.directory import find_vault
from db.registry.signing_keys import list_signing_keys
from db.retention import Retention
from db.transaction import Actor
from domain.charter import Founding
from handlers.maintenance import maintain
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenants import provision

DAY_MS = 86_400_000
START_MS = 1_772_000_000_000
OPERATOR = Actor("test", "operator", "test", "test")


class Clock:
    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> Moment:
        return Moment(self.ms)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def services(tmp_path, clock):
    services = Services(Settings.from_env({"VAULTRY_STORE": tmp_path.as_uri()}), clock=clock)
    yield services
    services.close()


def found(services, slug="harmonia"):
    return provision(services, "choir", Founding(slug, "Harmonia", f"owner@{slug}.example"), OPERATOR).entry


def directory_entry(services, vault_id):
    return services.registry_read(lambda tx: find_vault(tx, vault_id), current=True)


def test_a_round_tells_the_directory_where_each_open_vault_stands(services):
    entry = found(services)
    with services.vault(entry) as vault:
        maintain(services, Retention())
        known = directory_entry(services, entry.id)
        assert (known.bookmark, known.size_bytes) == (vault.bookmark, vault.local_bytes)
        assert known.schema["kernel"] >= 6


def test_a_round_without_news_makes_no_commit(services):
    found(services)
    maintain(services, Retention())
    before = services.registry.bookmark
    maintain(services, Retention())
    assert services.registry.bookmark == before


def test_signing_keys_are_succeeded_after_ninety_days(services, clock):
    assert len(services.registry_read(list_signing_keys)) == 1
    clock.ms += 90 * DAY_MS
    maintain(services, Retention())
    assert len(services.registry_read(list_signing_keys, current=True)) == 2


def test_a_job_that_fails_stops_no_other_and_leaves_no_data_in_the_log(services, monkeypatch, caplog):
    entry = found(services)
    monkeypatch.setattr("handlers.maintenance.tend", lambda *_: (_ for _ in ()).throw(ValueError("Anna Tamm")))
    with services.vault(entry):
        maintain(services, Retention())
        assert directory_entry(services, entry.id).bookmark is not None
    assert "log.tend" in caplog.text
    assert "Anna" not in caplog.text


def test_what_a_killed_writer_left_in_staging_goes_after_a_day(services, tmp_path, clock):
    maintain(services, Retention())
    left = tmp_path / "staging" / "left"
    left.write_bytes(b"half an object")
    made_ms = int(left.stat().st_ctime * 1000)
    clock.ms = made_ms + DAY_MS - 1000
    maintain(services, Retention())
    assert left.exists()
    clock.ms = made_ms + DAY_MS + 1000
    maintain(services, Retention())
    assert not left.exists()
