"""What audit entries hold: no change without an entry, none without a change, no secret, and values as they are."""

import hashlib
from pathlib import Path

import pytest

from db.forgetting.sealing import REDACTED
from db.history.points import current_database
from db.stores.directory import DirectoryStore
from db.transaction import SqlValue, WriteTx
from db.vault.vault import Vault
from tests.db.faulty_store import FaultyStore
from tests.engine.audit_entries import BOOKS, SHELVES, Work, length, run, verdict, written_by
from tests.engine.desk import ACTOR, START_MS, Clock, new_desk, note, open_desk
from tests.engine.held_put import HeldPut, Writers


@pytest.fixture
def vault(folder: DirectoryStore, tmp_path: Path):
    opened = new_desk(folder, tmp_path / "cache", Clock(START_MS))
    yield opened
    opened.close()


# What leaves none


def test_an_update_without_a_change_is_not_noted(vault: Vault) -> None:
    vault.write(run(SHELVES, BOOKS), ACTOR)
    assert written_by(vault, run("UPDATE books SET title = title, price = price, cover = cover")) == []
    assert written_by(vault, run("UPDATE books SET title = 'x' WHERE id = 404")) == []


@pytest.mark.parametrize(
    "work",
    [
        run("INSERT INTO requests (id) VALUES ('a')", "INSERT INTO requests (id) VALUES ('a')"),
        run("INSERT INTO requests (id) VALUES ('a')", "INSERT INTO pledges (book_id) VALUES (404)"),
        run(
            "INSERT INTO requests (id) VALUES ('a')",
            "INSERT OR ROLLBACK INTO counters (id, value) VALUES ('visits', 1)",
        ),
        run("INSERT INTO requests (id) VALUES ('a')", "INSERT INTO no_such_table VALUES (1)"),
    ],
)
def test_a_work_that_is_rolled_back_leaves_no_entry_and_its_tables_are_audited_afterwards(
    vault: Vault, work: Work
) -> None:
    """It was the first to touch the table: the triggers made inside it were rolled back as well."""
    before = length(vault)
    for _ in range(2):
        with pytest.raises(Exception, match=r"UNIQUE|FOREIGN|no such table"):
            vault.write(work, ACTOR)
    assert length(vault) == before
    assert [entry.key for entry in written_by(vault, note("a"))] == [["a"]]
    assert [entry.operation for entry in written_by(vault, run("DELETE FROM requests"))] == ["delete"]


def test_a_work_that_fails_beside_others_takes_no_trigger_of_theirs_with_it(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    faulty = FaultyStore(folder)
    vault = new_desk(faulty, tmp_path / "cache")
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", run(SHELVES))
    held.wait()

    def fail(tx: WriteTx) -> None:
        run("INSERT INTO people (id) VALUES (1)", "INSERT INTO requests (id) VALUES ('half')")(tx)
        raise ValueError("not this one")

    writers.queue("failing", fail)
    writers.queue("people", run("INSERT INTO people (id) VALUES (2)"))
    writers.queue("failing again", fail)
    writers.queue("requests", note("a"))
    held.release()
    writers.join()
    vault.write(run("INSERT INTO people (id) VALUES (3)", "INSERT INTO requests (id) VALUES ('b')"), ACTOR)
    rows = vault.read(lambda tx: tx.rows("SELECT table_name, row_key FROM vaultry_audit WHERE seq > 3 ORDER BY seq"))
    assert [tuple(row) for row in rows.value] == [
        ("people", "[2]"),
        ("requests", '["a"]'),
        ("people", "[3]"),
        ("requests", '["b"]'),
    ]
    vault.close()


def test_a_work_that_loses_its_race_is_noted_once(folder: DirectoryStore, tmp_path: Path) -> None:
    new_desk(folder, tmp_path / "maker").close()
    faulty = FaultyStore(folder)
    vault, rival = open_desk(faulty, tmp_path / "cache"), open_desk(folder, tmp_path / "rival")
    taken: list[str] = []

    def overtake(op: str) -> None:
        if op == "commit:put" and not taken:
            taken.append(rival.write(note("rival"), ACTOR).value)

    faulty.before_call = overtake
    vault.write(note("own"), ACTOR)
    keys = vault.read(lambda tx: tx.rows("SELECT row_key FROM vaultry_audit ORDER BY seq")).value
    assert [row[0] for row in keys] == ['["visits"]', '["rival"]', '["own"]']
    vault.close()
    rival.close()


# Values


def test_a_personal_column_and_its_look_up_are_redacted(vault: Vault) -> None:
    (entry,) = written_by(
        vault,
        run(
            "INSERT INTO people (id, email, email_lookup, name) VALUES (1, personal_seal('people.email', :email),"
            " personal_lookup(:email), 'Mari')",
            email="mari@example.ee",
        ),
    )
    assert entry.new == {"id": 1, "email": REDACTED, "email_lookup": REDACTED, "name": "Mari"}


def test_a_personal_value_is_seen_to_come_and_go_but_not_what_it_is(vault: Vault) -> None:
    vault.write(run("INSERT INTO people (id, name) VALUES (1, 'Mari')"), ACTOR)
    entries = written_by(
        vault,
        run(
            "UPDATE people SET email = 'p1:first', email_lookup = 'h1:first'",
            "UPDATE people SET email = 'p1:second'",
            "UPDATE people SET email = NULL, name = 'Mall'",
            "DELETE FROM people",
        ),
    )
    hidden = {"email": REDACTED, "email_lookup": REDACTED}
    assert [(entry.old, entry.new) for entry in entries] == [
        ({"email": None, "email_lookup": None}, hidden),
        ({"email": REDACTED}, {"email": REDACTED}),
        ({"email": REDACTED, "name": "Mari"}, {"email": None, "name": "Mall"}),
        ({"id": 1, "email": None, "email_lookup": REDACTED, "name": "Mall"}, None),
    ]


def test_no_personal_value_is_in_the_file_outside_its_own_row(vault: Vault) -> None:
    vault.write(
        run("INSERT INTO people (id, email, email_lookup) VALUES (1, 'p1:unmistakable', 'h1:unmistakable')"), ACTOR
    )
    vault.write(run("DELETE FROM people"), ACTOR)
    rows = vault.read(lambda tx: tx.rows("SELECT * FROM vaultry_audit")).value
    assert "unmistakable" not in repr([tuple(row) for row in rows])


def test_bytes_appear_by_length_and_digest(vault: Vault) -> None:
    vault.write(run(SHELVES, BOOKS), ACTOR)
    cover, extra = b"\x00\xffcover", b""
    entries = written_by(
        vault,
        run(
            "UPDATE books SET cover = :cover, extra = :extra WHERE id = 10",
            "UPDATE books SET cover = NULL",
            cover=cover,
            extra=extra,
        ),
    )
    digest = f"7 bytes, sha256 {hashlib.sha256(cover).hexdigest()}"
    empty = f"0 bytes, sha256 {hashlib.sha256(extra).hexdigest()}"
    assert [(entry.old, entry.new) for entry in entries] == [
        ({"cover": None, "extra": None}, {"cover": digest, "extra": empty}),
        ({"cover": digest}, {"cover": None}),
    ]


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        2**63 - 1,
        -(2**63),
        0.1,
        -2.5e-300,
        1e300,
        "",
        "õäöü 🎵",
        'quote " \\ back',
        "null\0inside",
        "\x01\x1f\u2028",
        "[1]",
    ],
)
def test_a_value_of_any_kind_is_noted_as_it_is(vault: Vault, value: SqlValue) -> None:
    vault.write(run(SHELVES, BOOKS), ACTOR)
    (entry,) = written_by(vault, run("UPDATE books SET extra = :value WHERE id = 10", value=value))
    assert entry.new is not None
    assert (entry.new["extra"], type(entry.new["extra"])) == (value, type(value))
    assert verdict(current_database(vault)[0])[1] is None


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_an_infinity_can_be_stored_and_is_noted(vault: Vault, value: float) -> None:
    vault.write(run(SHELVES, BOOKS), ACTOR)
    assert len(written_by(vault, run("UPDATE books SET price = :value WHERE id = 10", value=value))) == 1


def test_a_change_in_the_last_digits_of_a_real_is_noted(vault: Vault) -> None:
    vault.write(run(SHELVES, BOOKS, "UPDATE books SET price = 0.1"), ACTOR)
    assert len(written_by(vault, run("UPDATE books SET price = 0.1 + 0.00000000000000002 WHERE id = 10"))) == 1


def test_a_change_of_type_alone_is_noted(vault: Vault) -> None:
    vault.write(run(SHELVES, BOOKS, "UPDATE books SET extra = 1"), ACTOR)
    assert len(written_by(vault, run("UPDATE books SET extra = 1.0 WHERE id = 10"))) == 1


def test_text_and_number_that_look_alike_are_told_apart(vault: Vault) -> None:
    vault.write(run(SHELVES, BOOKS, "UPDATE books SET extra = 1"), ACTOR)
    (entry,) = written_by(vault, run("UPDATE books SET extra = '1' WHERE id = 10"))
    assert (entry.old, entry.new) == ({"extra": 1}, {"extra": "1"})
