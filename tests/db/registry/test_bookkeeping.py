"""The registry's bookkeeping leaves no rows in its audit log; everything else does."""

import json

import pytest

from db.registry.audit_anchors import Anchor, record_anchor
from db.registry.directory import record_vault_state, suspend_vault
from db.registry.maintenance_runs import record_success
from db.registry.refusal import REDACTED_COLUMNS, UNAUDITED
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import Actor
from db.vault.opening import Kind, Site, create_vault
from tests.db.registry.registry_rows import RING, at, make_vault

ACTOR = Actor("test", "job", "", "test")
NOON = at("12:00:00")


@pytest.fixture
def registry(tmp_path):
    site = Site(DirectoryStore(tmp_path / "store"), tmp_path / "cache", RING)
    kind = Kind((load_set("kernel"), load_set("registry")), REDACTED_COLUMNS, UNAUDITED)
    registry = create_vault(site, "registry", kind)
    yield registry
    registry.close()


def audited(registry, work) -> list[str]:
    """What the audit log says of a work: tables and new values."""
    before = registry.read(lambda tx: tx.value("SELECT count(*) FROM vaultry_audit")).value
    registry.write(work, ACTOR)
    rows = registry.read(lambda tx: tx.rows("SELECT * FROM vaultry_audit WHERE seq > :before", before=before)).value
    return [f"{row['table_name']} {row['new_values']}" for row in rows]


def test_runs_and_anchors_and_where_a_vault_stands_are_not_audited(registry):
    vault = registry.write(make_vault, ACTOR).value
    assert audited(registry, lambda tx: record_success(tx, vault.id, "log", {}, 60, None, NOON)) == []
    assert audited(registry, lambda tx: record_anchor(tx, vault.id, Anchor(1, "a" * 64), NOON)) == []
    assert audited(registry, lambda tx: record_vault_state(tx, vault.id, bookmark="b1", size_bytes=5)) == []


def test_a_change_of_more_than_bookkeeping_is_audited_whole(registry):
    vault = registry.write(make_vault, ACTOR).value
    renamed = "UPDATE vaults SET name = 'Borealis', bookmark = 'b1'"
    (row,) = audited(registry, lambda tx: tx.execute(renamed))
    assert json.loads(row.removeprefix("vaults ")) == {"name": "Borealis", "bookmark": "b1"}
    assert len(audited(registry, lambda tx: suspend_vault(tx, vault.id, NOON))) == 1
