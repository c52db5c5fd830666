"""The registry as what it is, a vault: its steps run by the ledger, refusals committed, secrets kept out of the log."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from db.errors import NotAuthenticated
from db.personal import destroy_data_key
from db.registry.code_proofs import verify_code
from db.registry.email_codes import request_code
from db.registry.one_time_links import create_link_token, use_link_token
from db.registry.refresh_tokens import rotate_refresh_token
from db.registry.refusal import REDACTED_COLUMNS, accepted
from db.registry.sessions import session_is_live, start_session
from db.registry.signing_keys import rotate_signing_keys
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import Actor
from db.vault.opening import Kind, Site, create_vault
from db.vault.vault import Vault
from tests.db.registry.registry_rows import RING, after, at, make_account, make_vault

NOW = at("10:00:00")
SYSTEM = Actor("test", "operator", "r-1", "test")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Vault]:
    site = Site(DirectoryStore(tmp_path / "store"), tmp_path / "cache", RING, clock=lambda: NOW)
    kind = Kind((load_set("kernel"), load_set("registry")), REDACTED_COLUMNS)
    with closing(create_vault(site, "registry", kind)) as vault:
        yield vault


def write(registry, work, now=NOW):
    return registry.write(work, SYSTEM, now).value


def rows(registry, sql) -> list[tuple]:
    return [tuple(row) for row in registry.read(lambda tx: tx.rows(sql)).value]


def test_a_stolen_family_stays_revoked_after_the_refusal_is_raised(registry):
    write(registry, lambda tx: make_vault(tx, "aurora"))
    account = write(registry, lambda tx: make_account(tx))
    session = write(registry, lambda tx: start_session(tx, account.id, "v-aurora", NOW))
    write(registry, lambda tx: rotate_refresh_token(tx, RING, session.refresh_token, "v-aurora", NOW))
    late = after(NOW, seconds=60)
    outcome = write(registry, lambda tx: rotate_refresh_token(tx, RING, session.refresh_token, "v-aurora", late))
    with pytest.raises(NotAuthenticated):
        accepted(outcome)
    assert not registry.read(lambda tx: session_is_live(tx, session.session_id, late)).value


def test_a_wrong_guess_stays_counted_after_the_refusal_is_raised(registry):
    write(registry, lambda tx: make_vault(tx, "aurora"))
    write(registry, lambda tx: request_code(tx, RING, "kadri@x.example", "v-aurora", NOW, vault_name="Aurora"))
    outcome = write(registry, lambda tx: verify_code(tx, RING, "kadri@x.example", "nonsense", "v-aurora", NOW))
    with pytest.raises(NotAuthenticated):
        accepted(outcome)
    assert rows(registry, "SELECT attempts FROM email_codes") == [(1,)]


def test_the_audit_log_of_the_registry_names_neither_people_nor_secrets(registry):
    write(registry, lambda tx: make_vault(tx, "aurora"))
    token = write(registry, lambda tx: create_link_token(tx, "kadri@x.example", "v-aurora", NOW))
    write(registry, lambda tx: use_link_token(tx, token, NOW))
    write(registry, lambda tx: request_code(tx, RING, "kadri@x.example", "v-aurora", NOW, vault_name="Aurora"))
    write(registry, lambda tx: rotate_signing_keys(tx, RING, NOW))
    audited = str(rows(registry, "SELECT table_name, old_values, new_values FROM vaultry_audit"))
    secrets = rows(registry, "SELECT token_hash FROM one_time_links UNION SELECT code_hash FROM email_codes"
                             " UNION SELECT private_key FROM signing_keys")  # fmt: skip
    assert len(secrets) == 3
    assert "signing_keys" in audited
    assert [text for (text,) in [*secrets, ("kadri@x.example",)] if text in audited] == []


def test_a_destroyed_personal_key_is_not_in_the_audit_log(registry):
    [(wrapped,)] = rows(registry, "SELECT wrapped_key FROM vaultry_personal_keys")
    write(registry, lambda tx: destroy_data_key(tx, NOW))
    assert wrapped not in str(rows(registry, "SELECT * FROM vaultry_audit"))
