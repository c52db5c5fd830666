"""Forks: a vault that begins as another one was, and owes it nothing afterwards."""

from pathlib import Path

import pytest

from db.errors import Conflict, VaultError
from db.history.points import database_at, fork, restore
from db.log.commit_log import CommitLog
from db.log.ltx import TXID
from db.outbox import due, enqueue
from db.personal import destroy_data_key
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.vault.opening import open_vault
from tests.engine.desk import ACTOR, check_log, note, noted
from tests.engine.history_desk import DESK, OPERATOR, SEAL, Desk, chain_of, opened_email


@pytest.fixture
def desk(folder: DirectoryStore, tmp_path: Path):
    made = Desk(folder, tmp_path)
    yield made
    made.vault.close()


def test_a_fork_is_what_its_parent_was_and_neither_touches_the_other(store: ObjectStore, tmp_path: Path) -> None:
    desk = Desk(store, tmp_path)
    first = desk.write("a")
    desk.write("b")
    forked, point = fork(desk.vault, desk.site, DESK, "branch", first)
    assert (forked.id, point.bookmark) == ("branch", first)
    assert noted(forked) == ["a"]
    forked.write(note("c"), ACTOR)
    desk.write("d")
    assert noted(forked) == ["a", "c"]
    assert noted(desk.vault) == ["a", "b", "d"]
    for vault in (forked, desk.vault):
        vault.close()
    assert check_log(store, "branch") == ["a", "c"]
    assert check_log(store) == ["a", "b", "d"]


def test_a_fork_of_now_is_the_newest_commit(desk: Desk, tmp_path: Path) -> None:
    other = open_vault(desk.site, "desk", DESK)
    newest = desk.write("a")
    forked, point = fork(other, desk.site, DESK, "branch")
    assert point.bookmark == newest
    assert noted(forked) == ["a"]
    other.close()
    forked.close()


def test_a_fork_outlives_its_parent(desk: Desk, folder: DirectoryStore) -> None:
    desk.write("a")
    forked, _ = fork(desk.vault, desk.site, DESK, "branch")
    forked.close()
    desk.vault.log.delete(desk.vault.log.list_all())
    assert check_log(folder, "branch") == ["a"]


def test_a_fork_under_a_taken_id_is_refused_and_changes_nothing(desk: Desk, folder: DirectoryStore) -> None:
    desk.write("a")
    forked, _ = fork(desk.vault, desk.site, DESK, "branch")
    desk.write("b")
    with pytest.raises(Conflict) as caught:
        fork(desk.vault, desk.site, DESK, "branch")
    assert caught.value.code == "vault_exists"
    assert noted(forked) == ["a"]
    forked.close()


def test_a_fork_verifies_the_audit_chain_it_inherited_and_goes_on_with_it(desk: Desk) -> None:
    desk.write("a")
    forked, _ = fork(desk.vault, desk.site, DESK, "branch")
    assert chain_of(forked) == (1, None)
    forked.write(note("b"), ACTOR)
    again, _ = fork(forked, desk.site, DESK, "twig")
    again.write(note("c"), ACTOR)
    assert chain_of(again) == (3, None)
    forked.close()
    again.close()


def test_a_fork_reads_and_writes_personal_data(desk: Desk) -> None:
    desk.vault.write(lambda tx: tx.execute(SEAL), ACTOR)
    forked, _ = fork(desk.vault, desk.site, DESK, "branch")
    assert opened_email(forked) == "mari@example.ee"
    forked.write(
        lambda tx: tx.execute("UPDATE people SET email = personal_seal('people.email', 'mall@example.ee')"), ACTOR
    )
    assert opened_email(forked) == "mall@example.ee"
    assert opened_email(desk.vault) == "mari@example.ee"
    forked.close()


def test_a_key_erased_in_the_parent_is_erased_in_a_fork_of_a_point_before(desk: Desk) -> None:
    desk.vault.write(lambda tx: tx.execute(SEAL), ACTOR)
    before = desk.write("a")
    wrapped = desk.vault.read(lambda tx: tx.value("SELECT wrapped_key FROM vaultry_personal_keys")).value
    desk.vault.write(lambda tx: destroy_data_key(tx, desk.clock()), ACTOR)
    forked, _ = fork(desk.vault, desk.site, DESK, "branch", before)
    assert opened_email(forked) is None
    assert wrapped.encode() not in database_at(CommitLog(desk.site.store, "branch"), TXID(1))
    forked.close()


def test_a_fork_leaves_its_parents_undelivered_effects_to_the_parent(desk: Desk) -> None:
    desk.vault.write(lambda tx: enqueue(tx, "mail", {"to": "a"}, desk.clock()), ACTOR)
    forked, _ = fork(desk.vault, desk.site, DESK, "branch")
    assert forked.read(lambda tx: due(tx, desk.clock(), 10)).value == []
    assert len(desk.vault.read(lambda tx: due(tx, desk.clock(), 10)).value) == 1
    forked.close()


def test_bookmarks_of_the_parent_are_worthless_in_a_fork(desk: Desk) -> None:
    first = desk.write("a")
    forked, _ = fork(desk.vault, desk.site, DESK, "branch")
    forked.write(note("b"), ACTOR)
    with pytest.raises(VaultError) as caught:
        restore(forked, desk.site, first, OPERATOR)
    assert caught.value.code == "bookmark_unknown"
    forked.close()
