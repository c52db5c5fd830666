"""Erasing a vault from each kind of store: all of it goes, and a vault whose id begins alike stays."""

import fcntl
import os

from db.archive.erasure import count_objects, data_keys, destroy_key, remove_copies, remove_objects
from db.log.retention import make_snapshot
from db.transaction import Actor
from tests.engine.desk import open_desk
from tests.engine.history_desk import SEAL, Desk, opened_email

JOB = Actor("purge", "job", "", "data_key.destroy")


def test_every_object_of_the_vault_goes_and_of_no_other(store, tmp_path):
    desk, alike = Desk(store, tmp_path), Desk(store, tmp_path, "desk-2")
    for made in (desk, alike):
        made.write("first")
        make_snapshot(made.vault)
        store.put(f"vaults/{made.vault.id}/files/a", b"abc", timestamp_ms=1, op="test")
    counts = count_objects(desk.site, "desk")
    assert counts["store"]["commits"]["objects"] == counts["store"]["snapshots"]["objects"] + 1 == 2
    assert counts["store"]["other"] == {"objects": 1, "bytes": 3}
    assert counts["last_bookmark"] == desk.vault.bookmark
    others = store.list("vaults/desk-2/", op="test")
    assert remove_objects(desk.site, "desk") == 4
    assert store.list("vaults/desk/", op="test") == []
    assert store.list("vaults/desk-2/", op="test") == others
    assert remove_objects(desk.site, "desk") == 0


def test_the_data_key_is_destroyed_for_whoever_has_the_vault_open(store, tmp_path):
    desk = Desk(store, tmp_path)
    desk.vault.write(lambda tx: tx.execute(SEAL), Actor("mari", "person", "r", "desk.add"))
    assert opened_email(desk.vault) == "mari@example.ee"
    (key,) = data_keys(desk.site, "desk")
    assert (len(key["id_sha256"]), key["state"]) == (64, "destroyed")
    assert destroy_key(desk.site, "desk", JOB, desk.clock())
    assert opened_email(desk.vault) is None
    assert data_keys(desk.site, "desk")[0]["state"] == "destroyed before"
    noted = "SELECT old_values FROM vaultry_audit WHERE table_name = 'vaultry_personal_keys'"
    assert "w1:" not in desk.vault.read(lambda tx: tx.value(noted)).value
    remove_objects(desk.site, "desk")
    assert not destroy_key(desk.site, "desk", JOB, desk.clock())


def test_copies_of_this_machine_go_unless_a_process_has_them_open(folder, tmp_path):
    desk = Desk(folder, tmp_path)
    desk.write("first")
    open_desk(folder, tmp_path / "cache", desk.clock).close()
    copies = remove_copies(tmp_path / "cache", "desk")
    assert (copies.removed, copies.in_use) == (1, 1)
    desk.vault.close()
    kept = tmp_path / "cache" / "desk" / "0" / "kept"
    kept.mkdir()
    kept.joinpath("edit.sqlite").write_bytes(b"somebody's edit")
    assert remove_copies(tmp_path / "cache", "desk").removed == 1
    assert {path.name for path in (tmp_path / "cache" / "desk").rglob("*") if path.is_file()} == {"lock"}
    descriptor = os.open(tmp_path / "cache" / "desk" / "0" / "lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
