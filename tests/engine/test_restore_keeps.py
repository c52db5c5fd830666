"""What a restore leaves alone: the audit log, erasures, the outbox, and what others write meanwhile."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from db.clock import Moment
from db.history.points import current_database, database_at, find_point, restore
from db.log.bookmark import parse_bookmark
from db.log.retention import DAY_MS
from db.outbox import claim, due, enqueue, mark_delivered
from db.personal import destroy_data_key
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.opening import open_vault
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, check_log, in_memory, note, noted, site
from tests.engine.history_desk import DESK, OPERATOR, SEAL, Desk, audit, chain_of, opened_email


@pytest.fixture
def desk(folder: DirectoryStore, tmp_path: Path):
    made = Desk(folder, tmp_path)
    yield made
    made.vault.close()


def test_the_audit_log_never_shrinks_and_says_who_restored_what(desk: Desk) -> None:
    first = desk.write("a")
    desk.write("b")
    before = audit(desk.vault)
    desk.restore(first)
    assert audit(desk.vault) == [*before, ("person-9", "note", "[]")]
    row = desk.vault.read(lambda tx: tx.row("SELECT * FROM vaultry_audit ORDER BY seq DESC LIMIT 1")).value
    assert row is not None
    point = find_point(desk.vault.log, first)
    assert row["at"] == Moment(desk.clock.ms).text
    assert (row["actor_kind"], row["request_id"], row["table_name"]) == ("operator", "request-9", "vault.restore")
    assert row["new_values"] == f'{{"bookmark":"{first}","timestamp":"{point.timestamp}"}}'


def test_the_audit_chain_holds_through_restores_and_later_writes(desk: Desk, folder: DirectoryStore) -> None:
    first = desk.write("a")
    before = desk.restore(first)
    desk.write("b")
    desk.restore(before)
    desk.write("c")
    assert chain_of(desk.vault) == (len(audit(desk.vault)), None)
    assert check_log(folder) == ["a", "c"]


def test_the_protection_of_the_audit_log_survives_a_restore(desk: Desk) -> None:
    desk.restore(desk.write("a"))
    with closing(in_memory(current_database(desk.vault)[0])) as connection:
        for sql in ("DELETE FROM vaultry_audit", "UPDATE vaultry_audit SET actor = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="audit_append_only"):
                connection.execute(sql)


def test_an_erased_key_stays_erased_after_a_restore(desk: Desk) -> None:
    desk.vault.write(lambda tx: tx.execute(SEAL), ACTOR)
    before = desk.write("a")
    wrapped = desk.vault.read(lambda tx: tx.value("SELECT wrapped_key FROM vaultry_personal_keys")).value
    desk.vault.write(lambda tx: destroy_data_key(tx, desk.clock()), ACTOR)
    desk.restore(before)
    assert desk.vault.read(lambda tx: tx.value("SELECT count(*) FROM people")).value == 1
    assert opened_email(desk.vault) is None
    assert wrapped.encode() in database_at(desk.vault.log, parse_bookmark(before).txid)
    assert wrapped.encode() not in current_database(desk.vault)[0], "not even in free space"


def test_an_erased_key_opens_nothing_from_the_next_read_on(desk: Desk) -> None:
    other = open_vault(desk.site, "desk", DESK)
    desk.vault.write(lambda tx: tx.execute(SEAL), ACTOR)
    assert [opened_email(vault) for vault in (desk.vault, other)] == ["mari@example.ee"] * 2
    desk.vault.write(lambda tx: destroy_data_key(tx, desk.clock()), ACTOR)
    opened = [opened_email(vault) for vault in (desk.vault, other)]
    other.close()
    assert opened == [None, None]


def test_nothing_personal_can_be_sealed_after_an_erasure_and_a_restore(desk: Desk) -> None:
    before = desk.write("a")
    desk.vault.write(lambda tx: destroy_data_key(tx, desk.clock()), ACTOR)
    desk.restore(before)
    with pytest.raises(sqlite3.OperationalError, match="user-defined function"):
        desk.vault.write(lambda tx: tx.execute(SEAL), ACTOR)


def test_what_the_outbox_delivered_is_not_sent_again_after_a_restore(desk: Desk) -> None:
    desk.vault.write(lambda tx: enqueue(tx, "mail", {"to": "a"}, desk.clock()), ACTOR)
    before = desk.write("a")

    def deliver(tx: WriteTx) -> None:
        for row in claim(tx, desk.clock(), 10):
            mark_delivered(tx, row.id, desk.clock())

    desk.vault.write(deliver, ACTOR)
    desk.restore(before)
    desk.clock.ms += DAY_MS
    assert desk.vault.read(lambda tx: due(tx, desk.clock(), 10)).value == []


def test_what_the_outbox_has_yet_to_send_is_sent_after_a_restore(desk: Desk) -> None:
    before = desk.write("a")
    effect = desk.vault.write(lambda tx: enqueue(tx, "mail", {"to": "a"}, desk.clock()), ACTOR).value
    desk.restore(before)
    rows = desk.vault.read(lambda tx: due(tx, desk.clock(), 10)).value
    assert [row.id for row in rows] == [effect]


# Restoring while others write


def test_a_write_acknowledged_during_a_restore_stays_in_history_and_audit_log(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    """The rival commits between the moment the restore was made up and its put."""
    desk = Desk(folder, tmp_path)
    first = desk.write("a")
    desk.vault.close()
    faulty = FaultyStore(folder)
    vault = open_vault(site(faulty, tmp_path / "mine", desk.clock), "desk", DESK)
    rival = open_vault(desk.site, "desk", DESK)
    acknowledged: list[str] = []

    def overtake(op: str) -> None:
        if op == "commit:put" and len(acknowledged) < 3:
            acknowledged.append(rival.write(note(f"rival {len(acknowledged)}"), ACTOR).bookmark)

    faulty.before_call = overtake
    restore(vault, desk.site, first, OPERATOR)
    assert noted(vault) == noted(rival) == ["a"]
    keys = [row_key for _, _, row_key in audit(vault)]
    assert keys == ['["a"]', '["rival 0"]', '["rival 1"]', '["rival 2"]', "[]"]
    restore(rival, desk.site, acknowledged[-1], OPERATOR)
    assert noted(vault) == ["a", "rival 0", "rival 1", "rival 2"]
    vault.close()
    rival.close()
    assert check_log(folder) == ["a", "rival 0", "rival 1", "rival 2"]


def test_a_write_that_loses_to_a_restore_runs_again_on_what_was_restored(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    desk = Desk(folder, tmp_path)
    first = desk.write("a")
    desk.write("b")
    faulty = FaultyStore(folder)
    writer = open_vault(site(faulty, tmp_path / "writer", desk.clock), "desk", DESK)
    restored: list[str] = []

    def overtake(op: str) -> None:
        if op == "commit:put" and not restored:
            restored.append(desk.restore(first))

    faulty.before_call = overtake
    seen = writer.write(lambda tx: (tx.value("SELECT count(*) FROM requests"), note("c")(tx)), ACTOR).value
    assert seen == (1, "c")
    assert noted(desk.vault) == ["a", "c"]
    writer.close()
    desk.vault.close()
    assert check_log(folder) == ["a", "c"]
