"""`/query` and `/raw`: results, values and messages as clients of D1 read them."""

from pathlib import Path
from typing import Any

import pytest

from tests.handlers.d1.desk import Desk, make_desk

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, b TEXT UNIQUE NOT NULL CHECK (b <> 'no'), n INTEGER)"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


@pytest.fixture
def shop(desk: Desk) -> str:
    made = desk.create("shop")
    desk.query(made, f"{TABLE}; INSERT INTO t (b) VALUES ('x')")
    return made


def ask(desk: Desk, database: str, sql: str, *params: Any, kind: str = "query", **headers: str) -> list[Any]:
    """One result for each statement."""
    results: list[Any] = desk.done("POST", f"/{database}/{kind}", {"sql": sql, "params": list(params)}, **headers)
    return results


def says(desk: Desk, database: str, sql: str, *params: Any) -> str:
    """The message of a call that SQLite refuses."""
    return desk.refused(400, 7500, "POST", f"/{database}/query", {"sql": sql, "params": list(params)})


def rows(desk: Desk, database: str, sql: str, *params: Any, **headers: str) -> list[Any]:
    return list(ask(desk, database, sql, *params, kind="raw", **headers)[-1]["results"]["rows"])


def test_query_answers_objects_and_raw_answers_arrays(desk: Desk, shop: str) -> None:
    (asked,) = ask(desk, shop, "SELECT 1 AS a, 2 AS a, 'x' AS b")
    (raw,) = ask(desk, shop, "SELECT 1 AS a, 2 AS a, 'x' AS b", kind="raw")

    assert (asked["success"], asked["results"]) == (True, [{"a": 2, "b": "x"}])
    assert raw["results"] == {"columns": ["a", "a", "b"], "rows": [[1, 2, "x"]]}


def test_each_statement_has_a_result_and_a_meta_of_its_own(desk: Desk, shop: str) -> None:
    sql = "UPDATE t SET n = 1; UPDATE t SET n = 2 WHERE id = 99; INSERT INTO t (b) VALUES ('y'), ('z'); SELECT * FROM t"
    metas = [each["meta"] for each in ask(desk, shop, sql)]

    told = [(meta["changes"], meta["changed_db"], meta["rows_written"], meta["last_row_id"]) for meta in metas]
    assert told == [(1, True, 2, 0), (0, False, 0, 0), (2, True, 4, 3), (0, False, 0, 3)]
    assert metas[3]["rows_read"] == 3
    assert all(meta["size_after"] > 0 and meta["duration"] >= 0 for meta in metas)


def test_ddl_changes_the_database_and_no_row(desk: Desk, shop: str) -> None:
    (made,) = ask(desk, shop, "CREATE TABLE u (a)")

    assert (made["meta"]["changes"], made["meta"]["changed_db"]) == (0, True)
    assert made["meta"]["rows_written"] > 0
    assert made["results"] == []
    assert ask(desk, shop, "INSERT INTO u VALUES (1)", kind="raw")[0]["results"] == {"columns": [], "rows": []}


def test_a_failing_statement_takes_the_whole_call_back(desk: Desk, shop: str) -> None:
    says(desk, shop, "INSERT INTO t (b) VALUES ('lost'); CREATE TABLE u (a); INSERT INTO t (b) VALUES ('x')")
    batch = [{"sql": "INSERT INTO t (b) VALUES (?)", "params": ["lost"]}, {"sql": "SELECT nope"}]
    desk.refused(400, 7500, "POST", f"/{shop}/query", {"batch": batch})

    assert rows(desk, shop, "SELECT b FROM t") == [["x"]]
    assert rows(desk, shop, "SELECT name FROM sqlite_master WHERE name = 'u'") == []


def test_a_batch_binds_the_values_of_each_statement(desk: Desk, shop: str) -> None:
    batch: list[dict[str, Any]] = [
        {"sql": "INSERT INTO t (b, n) VALUES (?2, ?1)", "params": [7, "y"]},
        {"sql": "SELECT b, n FROM t WHERE n = :n", "params": [7]},
    ]
    results = desk.done("POST", f"/{shop}/query", {"batch": batch})

    assert [each["results"] for each in results] == [[], [{"b": "y", "n": 7}]]


@pytest.mark.parametrize("body", [{}, {"sql": "SELECT 1", "batch": []}, {"batch": []}, {"sql": 1}, {"batch": [1]}])
def test_a_body_without_statements_is_refused(desk: Desk, shop: str, body: Any) -> None:
    desk.refused(400, 7400, "POST", f"/{shop}/query", body)


MESSAGES = [
    ("", "No SQL statements detected."),
    ("-- nothing", "SQL code did not contain a statement."),
    ("select nope", "no such column: nope at offset 7: SQLITE_ERROR"),
    ("select b, nope from t", "no such column: nope at offset 10: SQLITE_ERROR"),
    ("selec 1", 'near "selec": syntax error at offset 0: SQLITE_ERROR'),
    ("select 1; select 2 frm t", 'near "t": syntax error at offset 13: SQLITE_ERROR'),
    ("select * from nope", "no such table: nope: SQLITE_ERROR"),
    (
        "insert into t (b) values ('x')",
        "UNIQUE constraint failed: t.b: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
    ),
    (
        "insert into t (id, b) values (1, 'q')",
        "UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
    ),
    (
        "insert into t (n) values (1)",
        "NOT NULL constraint failed: t.b: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)",
    ),
    (
        "insert into t (b) values ('no')",
        "CHECK constraint failed: b <> 'no': SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_CHECK)",
    ),
    (
        "create table c (t REFERENCES t (id)); insert into c values (99)",
        "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
    ),
    (
        "create table s (a INTEGER) STRICT; insert into s values ('x')",
        "cannot store TEXT value in INTEGER column s.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_DATATYPE)",
    ),
    (
        "create trigger r before insert on t begin select raise(abort, 'not now'); end; insert into t (b) values ('q')",
        "not now: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_TRIGGER)",
    ),
    ("insert into t (id, b) values ('word', 'q')", "datatype mismatch: SQLITE_MISMATCH"),
    ("pragma user_version", "not authorized: SQLITE_AUTH"),
    ("attach 'other' as o", "not authorized: SQLITE_AUTH"),
    (
        "select ?; select 1",
        "When executing multiple SQL statements in a single call, only the last statement can have parameters.",
    ),
    ("select ?", "Wrong number of parameter bindings for SQL query."),
    ("select ?32767", "variable number must be between ?1 and ?32766 at offset 7: SQLITE_ERROR"),
    ("select" + " ?," * 32_766 + "?", "too many SQL variables at offset 98304: SQLITE_ERROR"),
    ("select length('" + "x" * 999_984 + "')", "statement too long: SQLITE_TOOBIG"),
    ("select zeroblob(10000001)", "string or blob too big: SQLITE_TOOBIG"),
    ("select 'x' like '" + "x" * 50_001 + "'", "LIKE or GLOB pattern too complex: SQLITE_ERROR"),
    ("create table w (" + ",".join(f"c{n}" for n in range(2001)) + ")", "too many columns on w: SQLITE_ERROR"),
    (" union all ".join(["select 1"] * 501), "too many terms in compound SELECT: SQLITE_ERROR"),
    ("vacuum", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
    ("vacuum into '/tmp/copy'", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
]


@pytest.mark.parametrize(("sql", "message"), MESSAGES, ids=[sql[:40] for sql, _ in MESSAGES])
def test_sqlite_is_quoted_in_the_words_clients_look_for(desk: Desk, shop: str, sql: str, message: str) -> None:
    assert says(desk, shop, sql) == message


def test_what_is_within_the_limits_passes(desk: Desk, shop: str) -> None:
    assert rows(desk, shop, "select length(zeroblob(9000000))") == [[9_000_000]]
    assert rows(desk, shop, "select 'x' like '" + "x" * 50_000 + "'") == [[0]]
    assert len(rows(desk, shop, " union all ".join(["select 1"] * 500))) == 500
    assert rows(desk, shop, f"select length('{'x' * 999_983}')") == [[999_983]]


TYPES: list[tuple[str, Any, Any]] = [
    ("typeof(?)", 7, "integer"),
    ("5 / ?", 2, 2),
    ("typeof(?)", 7.0, "real"),
    ("typeof(?)", True, "integer"),
    ("typeof(?)", None, "null"),
    ("?", [0, 255], [0, 255]),
    ("typeof(?)", [], "blob"),
    ("?", 9007199254740993, 9007199254740993),
    ("? + 0.0", 1, 1.0),
    ("1e999 + ?", 1, None),
    ("1 = ?", 1, 1),
    ("hex(?)", "a\0b", "610062"),
    ("?", "a\0b", "a\0b"),
    ("CAST(x'ff' || ? AS TEXT)", "a", "\ufffda"),
]


@pytest.mark.parametrize(("expression", "param", "value"), TYPES)
def test_values_keep_their_types(desk: Desk, shop: str, expression: str, param: Any, value: Any) -> None:
    ((got,),) = rows(desk, shop, f"SELECT {expression}", param)

    assert (type(got), got) == (type(value), value)


def test_numbers_go_through_a_double_where_asked_for(desk: Desk, shop: str) -> None:
    wish = {"x_vaultry_numbers": "d1"}

    assert rows(desk, shop, "SELECT typeof(?1), 5 / ?1, 1.0, 9007199254740993", 2, **wish) == [
        ["real", 2.5, 1, 9007199254740992]
    ]


def test_integers_that_javascript_rounds_come_as_text_where_asked_for(desk: Desk, shop: str) -> None:
    (row,) = rows(desk, shop, "SELECT 9007199254740993, 9007199254740992", x_vaultry_int64="text")

    assert row == ["9007199254740993", 9007199254740992]


def test_an_answer_over_the_limit_names_paging_and_export(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, sql_answer_bytes="2000")
    shop = desk.create("shop")

    assert rows(desk, shop, "SELECT hex(zeroblob(800))")
    message = desk.refused(413, 7500, "POST", f"/{shop}/raw", {"sql": "SELECT hex(zeroblob(1000))"})
    assert "LIMIT" in message
    assert "export" in message


def test_a_call_ends_when_its_time_is_over(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, sql_seconds="1")
    shop = desk.create("shop")
    endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
    for sql in (endless, f"CREATE TABLE u AS {endless}"):
        answer = desk.send("POST", f"/{shop}/query", {"sql": sql})
        assert (answer.status, answer.json()["errors"][0]["code"]) == (429, 7429)
        assert answer.header("x-should-retry") == "false"

    assert rows(desk, shop, "SELECT count(*) FROM sqlite_master WHERE name = 'u'") == [[0]]


def test_reading_makes_no_commit_and_writing_makes_one(desk: Desk, shop: str) -> None:
    def bookmark(sql: str) -> str | None:
        return desk.send("POST", f"/{shop}/query", {"sql": sql}).header("x-d1-bookmark")

    first = bookmark("SELECT * FROM t")
    assert bookmark("PRAGMA table_info(t); WITH x AS (SELECT 1) SELECT * FROM x") == first
    assert bookmark("UPDATE t SET n = 0 WHERE id = 99") == first
    # The text looks like a read.
    assert (bookmark("WITH x AS (SELECT 'y') INSERT INTO t (b) SELECT * FROM x") or "") > (first or "")


def test_a_bookmark_of_the_future_is_refused(desk: Desk, shop: str) -> None:
    here = desk.send("POST", f"/{shop}/query", {"sql": "SELECT 1"}).header("x-d1-bookmark") or ""
    ahead = f"{here[:9]}0000ffff{here[17:]}"

    assert desk.done("POST", f"/{shop}/query", {"sql": "SELECT 1"}, x_d1_bookmark=here)
    desk.refused(400, 7400, "POST", f"/{shop}/query", {"sql": "SELECT 1"}, x_d1_bookmark=ahead)


def test_a_repeated_key_writes_once(desk: Desk, shop: str) -> None:
    sql = {"sql": "SELECT b FROM t; DELETE FROM t WHERE b = 'x'; DROP TABLE t"}
    first = desk.send("POST", f"/{shop}/query", sql, idempotency_key="once")
    again = desk.send("POST", f"/{shop}/query", sql, idempotency_key="once")

    assert first.status == again.status == 200
    assert (again.text, again.header("idempotency-replayed")) == (first.text, "true")
    desk.refused(409, 7400, "POST", f"/{shop}/query", {"sql": "CREATE TABLE t (a)"}, idempotency_key="once")


def test_a_token_for_one_vault_reaches_no_other(desk: Desk, shop: str) -> None:
    other = desk.create("other")
    token = desk.sql_token(shop, "write")

    assert rows(token, shop, "SELECT b FROM t") == [["x"]]
    token.refused(404, 7404, "POST", f"/{other}/query", {"sql": "SELECT 1"})
    assert says(desk, other, "SELECT * FROM t") == "no such table: t: SQLITE_ERROR"
