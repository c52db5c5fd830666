"""The choir in a vault of the engine: its guard, its audit log and its REST stages let every verb through."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from db.clock import Moment
from db.errors import Conflict
from db.keyring import KeyRing
from db.principal import Principal, find_principal
from db.schema.constraints import constraints_translated
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.opening import Kind, Site, create_vault
from db.vault.vault import Vault
from domain.charter import Founding
from domain.choir.charter import CHOIR

ACTOR = Actor("test", "operator", "r-1", "test")
NOW = Moment(1_770_285_600_000)
LIIS, TOM = "liis@aurora.example", "tom@x.example"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    site = Site(DirectoryStore(tmp_path / "store"), tmp_path / "cache", KeyRing("s" * 32), clock=lambda: NOW)
    personal = {f"{resource.table}.{column}" for resource in CHOIR.resources for column in resource.personal}
    kind = Kind(tuple(load_set(name) for name in CHOIR.sets), frozenset(personal))
    with closing(create_vault(site, "aurora", kind)) as vault:
        yield vault


def found(vault: Vault, slug: str, owner: str) -> str:
    return vault.write(lambda tx: CHOIR.found(tx, Founding(slug, slug.title(), owner), NOW), ACTOR, NOW).value


def person(tx: ReadTx, org: str, email: str) -> Principal:
    known = find_principal(tx, email, tx.value("SELECT personal_lookup(:email)", email=email), org)
    return known or Principal(None, "person", org, frozenset(), email, email)


def call(vault: Vault, verb_name: str, org: str, email: str, **args: Any) -> Any:
    verb = CHOIR.verb(verb_name)
    assert verb is not None

    def run(tx: WriteTx) -> Any:
        return verb.run(tx, person(tx, org, email), args, NOW)

    return vault.write(run, ACTOR, NOW).value


def test_a_merge_passes_the_guard_and_leaves_no_address_in_the_audit_log(vault: Vault):
    aurora, meretuul = found(vault, "aurora", LIIS), found(vault, "meretuul", "m@x.example")
    welcome = call(vault, "invite.create", meretuul, "m@x.example", name="Tom")["token"]
    call(vault, "invite.accept", meretuul, TOM, token=welcome)
    thomas = call(vault, "member.add_roster", aurora, LIIS, name="Thomas", sections=["Tenor"], email_contact=TOM)["id"]
    token = call(vault, "invite.create", aurora, LIIS, roster_member_id=thomas)["token"]
    merged = call(vault, "invite.accept", aurora, TOM, token=token)
    assert merged["outcome"] == "merged"
    tom = vault.read(lambda tx: person(tx, aurora, TOM)).value
    assert (tom.id, tom.may("member")) == (merged["member_id"], True)
    assert vault.read(lambda tx: person(tx, meretuul, TOM)).value.id == tom.id
    logged = vault.read(
        lambda tx: tx.rows("SELECT coalesce(old_values, '') || coalesce(new_values, '') FROM vaultry_audit")
    ).value
    assert logged
    text = "".join(str(row[0]) for row in logged)
    assert TOM not in text
    assert "p1:" not in text


def test_deleting_an_organization_passes_the_guard(vault: Vault):
    aurora = found(vault, "aurora", LIIS)
    call(vault, "member.add_roster", aurora, LIIS, name="Anna", sections=["Alto"], roles=["librarian"])
    call(vault, "organization.delete", aurora, LIIS, subdomain="aurora")
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM member_roles")).value == 0


def test_a_refused_write_is_a_conflict_and_changes_nothing(vault: Vault):
    found(vault, "aurora", LIIS)
    with pytest.raises(Conflict) as refused, constraints_translated():
        vault.write(lambda tx: tx.execute("DELETE FROM member_roles"), ACTOR, NOW)
    assert refused.value.code == "last_owner"
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM member_roles")).value == 1
