"""Looking into a vault with somebody's SQL: sealed, in time, and noted in the audit log without a changed row."""

import time

import pytest

from db.audit.trail import verify_chain
from db.bounded import OutOfTime
from db.errors import Forbidden
from db.single_statement import run_partly, run_reading
from db.stores.directory import DirectoryStore
from db.transaction import Statement
from db.vault.opening import audit_key
from tests.engine.desk import ACTOR, KEYS, new_desk, note

OPENS = "SELECT personal_open('people.email', personal_seal('people.email', 'a@x.example')) AS email"
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
NOTES = "SELECT actor, table_name, row_key, old_values, new_values FROM vaultry_audit WHERE operation = 'note'"


@pytest.fixture
def desk(tmp_path):
    vault = new_desk(DirectoryStore(tmp_path / "store"), tmp_path / "cache")
    yield vault
    vault.close()


def never() -> bool:
    return False


def at_once() -> bool:
    return True


def test_personal_values_stay_sealed_whatever_the_connection_ran_before_and_after(desk):
    for _ in range(2):
        assert desk.read(lambda tx: run_reading(tx, OPENS)).value.rows[0]["email"] == "a@x.example"
        with pytest.raises(Forbidden, match="stay sealed"):
            desk.inspect(lambda tx: run_partly(tx, OPENS, 10), never)


def test_a_view_opens_nothing_either(desk):
    desk.alter(lambda writer: bool(writer.execute(f"CREATE VIEW opened AS {OPENS}")))
    with pytest.raises(Forbidden, match="stay sealed"):
        desk.inspect(lambda tx: run_partly(tx, "SELECT * FROM opened", 10), never)
    assert desk.inspect(lambda tx: run_partly(tx, "SELECT 1", 10), never).value.rows == [(1,)]


@pytest.mark.parametrize("sql", ["COMMIT", "BEGIN", "BEGIN IMMEDIATE", "ROLLBACK", "SAVEPOINT work", "RELEASE work"])
def test_the_engines_own_statements_are_nobody_elses(desk, sql):
    desk.write(note("one"), ACTOR)
    with pytest.raises(Forbidden):
        desk.inspect(lambda tx: run_partly(tx, sql, 10), never)
    assert desk.read(lambda tx: tx.value("SELECT count(*) FROM requests")).value == 1


def test_a_statement_ends_when_its_time_is_over_and_the_connection_goes_on(desk):
    with pytest.raises(OutOfTime):
        desk.inspect(lambda tx: run_partly(tx, ENDLESS, 10), at_once)
    many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT count(*) FROM n"
    assert desk.read(lambda tx: tx.query(Statement(many))[0][0]).value == 100_000


def test_rows_after_the_last_that_is_wanted_are_never_computed(desk):
    started = time.monotonic()
    unending = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    ran = desk.inspect(lambda tx: run_partly(tx, unending, 3), lambda: time.monotonic() - started > 60).value
    assert (ran.columns, ran.rows, ran.more) == (["i"], [(1,), (2,), (3,)], True)


@pytest.mark.parametrize(("most", "more"), [(1, True), (2, False), (3, False)])
def test_whether_there_are_more_rows_is_told_at_the_edge(desk, most, more):
    ran = desk.inspect(lambda tx: run_partly(tx, "VALUES (1), (2)", most), never).value
    assert (len(ran.rows), ran.more) == (min(most, 2), more)


def test_a_note_is_a_row_of_the_chain_and_a_commit_of_its_own(desk):
    before = desk.head.txid
    desk.write(lambda tx: tx.note("desk.look", {"rows": 3}), ACTOR)
    assert desk.head.txid == before + 1
    (row,) = desk.read(lambda tx: tx.rows(NOTES)).value
    assert tuple(row) == ("person-1", "desk.look", "[]", None, '{"rows":3}')
    assert desk.read(lambda tx: verify_chain(tx, audit_key(KEYS, "desk"))).value[1] is None


def test_a_note_of_a_work_that_fails_is_not_kept(desk):
    def fails(tx) -> None:
        tx.note("desk.look", {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk.write(fails, ACTOR)
    assert desk.read(lambda tx: tx.rows(NOTES)).value == []
