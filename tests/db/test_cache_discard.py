"""Letting go of local copies: closed ones go, open ones stay, and the vault opens again from its log."""

import pytest

from db.keyring import KeyRing
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.vault.cache_discard import discard_copies, has_copy
from db.vault.opening import Kind, Site, create_vault, open_vault

KIND = Kind((load_set("kernel"),))


@pytest.fixture
def site(tmp_path):
    return Site(DirectoryStore(tmp_path / "store"), tmp_path / "cache", KeyRing("s" * 32))


def test_a_closed_vault_leaves_nothing_and_opens_again(site):
    create_vault(site, "one", KIND).close()
    assert has_copy(site.cache, "one")
    discard_copies(site.cache, "one")
    assert not has_copy(site.cache, "one")
    vault = open_vault(site, "one", KIND)
    assert vault.head.txid == 1
    vault.close()


def test_a_copy_that_is_open_stays(site):
    vault = create_vault(site, "one", KIND)
    discard_copies(site.cache, "one")
    assert has_copy(site.cache, "one")
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM vaultry_settings")).value == 1
    vault.close()


def test_a_vault_that_was_never_here_has_no_copy(site):
    assert not has_copy(site.cache, "two")
    discard_copies(site.cache, "two")
