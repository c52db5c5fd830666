"""The secret of a vault's webhooks: one for each vault, kept sealed, changed over without a gap."""

import pytest

from db.clock import Moment
from db.errors import VaultError
from db.keyring import KeyRing
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import Actor
from db.vault.opening import Kind, Site, create_vault
from db.webhook_secrets import OVERLAP_SECONDS, ensure_webhook_secret, rotate_webhook_secret, shown, webhook_secrets

ACTOR = Actor("test", "job", "", "test")
RING = KeyRing("s" * 32)
NOW = Moment(1_777_662_000_000)


@pytest.fixture
def new_vault(tmp_path):
    opened = []

    def make(name: str = "one"):
        site = Site(DirectoryStore(tmp_path / "store"), tmp_path / "cache", RING)
        opened.append(create_vault(site, name, Kind((load_set("kernel"),))))
        return opened[-1]

    yield make
    for vault in opened:
        vault.close()


def later(seconds: int) -> Moment:
    return Moment(NOW.ms + seconds * 1000)


def in_force(vault, now: Moment) -> list[bytes]:
    return vault.read(lambda tx: webhook_secrets(tx, RING, now)).value


def test_a_secret_is_made_once_and_differs_between_vaults(new_vault):
    one, two = new_vault("one"), new_vault("two")
    assert in_force(one, NOW) == []
    first = one.write(lambda tx: ensure_webhook_secret(tx, RING, NOW), ACTOR).value
    assert one.write(lambda tx: ensure_webhook_secret(tx, RING, NOW), ACTOR).value == first
    assert in_force(one, NOW) == [first]
    assert two.write(lambda tx: ensure_webhook_secret(tx, RING, NOW), ACTOR).value != first


def test_the_file_does_not_hold_the_secret(new_vault):
    vault = new_vault()
    secret = vault.write(lambda tx: ensure_webhook_secret(tx, RING, NOW), ACTOR).value
    content = vault.read_raw(lambda connection, _: connection.serialize()).value
    assert secret not in content
    assert shown(secret).encode() not in content


def test_a_rotated_secret_signs_beside_the_new_one_for_a_day(new_vault):
    vault = new_vault()
    first = vault.write(lambda tx: ensure_webhook_secret(tx, RING, NOW), ACTOR).value
    second = vault.write(lambda tx: rotate_webhook_secret(tx, RING, NOW), ACTOR).value
    assert in_force(vault, later(OVERLAP_SECONDS - 1)) == [second, first]
    assert in_force(vault, later(OVERLAP_SECONDS)) == [second]
    third = vault.write(lambda tx: rotate_webhook_secret(tx, RING, NOW), ACTOR).value
    assert in_force(vault, later(1)) == [third, second]


def test_a_secret_copied_into_another_vault_does_not_open_there(new_vault):
    one, two = new_vault("one"), new_vault("two")
    one.write(lambda tx: ensure_webhook_secret(tx, RING, NOW), ACTOR)
    sealed = one.read(lambda tx: tx.value("SELECT value FROM vaultry_settings WHERE key = 'webhook_secret'")).value
    two.write(lambda tx: tx.insert("vaultry_settings", key="webhook_secret", value=sealed, updated_at=NOW.text), ACTOR)
    with pytest.raises(VaultError, match="cannot be unwrapped"):
        in_force(two, NOW)
