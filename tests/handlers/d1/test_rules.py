"""What raw SQL may do to a vault, what it leaves on a connection, and what of it the audit log shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from db.audit.trail import verify_chain
from db.vault.opening import read_audit_key
from tests.handlers.d1.desk import Desk, make_desk

REFUSED = [
    "PRAGMA user_version",
    "PRAGMA user_version = 7",
    "PRAGMA application_id",
    "PRAGMA schema_version",
    "PRAGMA journal_mode",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA page_count",
    "PRAGMA cache_size = 1",
    "PRAGMA database_list",
    "PRAGMA function_list",
    "PRAGMA module_list",
    "PRAGMA pragma_list",
    "PRAGMA compile_options",
    "PRAGMA encoding",
    "PRAGMA busy_timeout = 1",
    "PRAGMA max_page_count = 1",
    "PRAGMA writable_schema = ON",
    "PRAGMA trusted_schema = ON",
    "PRAGMA secure_delete = OFF",
    "PRAGMA auto_vacuum = 1",
    "PRAGMA wal_checkpoint",
    "PRAGMA query_only = OFF",
    "PRAGMA temp_store = FILE",
    "PRAGMA locking_mode = EXCLUSIVE",
    "ATTACH ':memory:' AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'copy.sqlite'",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT mine",
    "RELEASE work",
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')",
    "SELECT edit('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT sqlite_log(1, 'x')",
    "CREATE TEMP TABLE mine (a)",
    "CREATE TABLE temp.mine (a)",
    "CREATE TEMP VIEW mine AS SELECT 1",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON t BEGIN SELECT 1; END",
    "SELECT * FROM temp.audit_pending",
    "SELECT sql FROM sqlite_stmt",
    "SELECT * FROM dbstat",
    "CREATE VIRTUAL TABLE mine USING rtree (id, a, b)",
    "CREATE VIRTUAL TABLE mine USING fts4 (a)",
    "CREATE VIRTUAL TABLE mine USING dbstat",
    "CREATE TABLE vaultry_mine (a)",
    "CREATE VIEW Vaultry_mine AS SELECT 1",
    "ALTER TABLE t RENAME TO vaultry_mine",
    "CREATE INDEX mine ON vaultry_settings (value)",
    "CREATE TRIGGER mine AFTER INSERT ON vaultry_audit BEGIN SELECT 1; END",
    "INSERT INTO vaultry_settings VALUES ('a', 'b', '2026-05-01T19:00:00.000Z')",
    "UPDATE vaultry_settings SET value = 'x'",
    "DELETE FROM vaultry_idempotency",
    "DELETE FROM vaultry_audit",
    "DROP TABLE vaultry_audit",
    "DROP TRIGGER vaultry_audit_is_append_only_delete",
    "ALTER TABLE vaultry_audit ADD COLUMN x",
    "CREATE TRIGGER mine AFTER INSERT ON t BEGIN DELETE FROM vaultry_outbox; END; INSERT INTO t (b) VALUES ('q')",
    "UPDATE sqlite_master SET sql = ''",
    "CREATE VIRTUAL TABLE mine USING fts5 (a); DELETE FROM mine_data",
    "CREATE VIRTUAL TABLE mine USING fts5 (a); DROP TABLE mine_config",
]
ALLOWED = [
    *(
        f"PRAGMA {name}"
        for name in ("foreign_keys", "defer_foreign_keys", "ignore_check_constraints", "legacy_alter_table")
    ),
    *(f"PRAGMA {name}" for name in ("recursive_triggers", "reverse_unordered_selects", "table_list", "quick_check")),
    *(
        f"PRAGMA {name}(t)"
        for name in ("table_info", "table_xinfo", "index_list", "foreign_key_list", "foreign_key_check")
    ),
    "PRAGMA index_info(sqlite_autoindex_t_1)",
    "PRAGMA index_xinfo(sqlite_autoindex_t_1)",
    "PRAGMA case_sensitive_like = ON",
    "PRAGMA data_version",
    "PRAGMA optimize",
    "ANALYZE",
    "REINDEX",
    "EXPLAIN SELECT * FROM t",
    "EXPLAIN QUERY PLAN SELECT * FROM t",
    "SELECT count(*) FROM vaultry_audit",
    "CREATE TABLE u (a INTEGER PRIMARY KEY, b TEXT AS (a || 'x') STORED) STRICT",
    "CREATE TABLE u (a TEXT PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO u VALUES ('a', 1) RETURNING b",
    "CREATE VIEW v AS SELECT * FROM t; SELECT * FROM v; DROP VIEW v",
    "CREATE TABLE u (a); CREATE TRIGGER g AFTER INSERT ON u BEGIN DELETE FROM t; END; INSERT INTO u VALUES (1)",
    "ALTER TABLE t ADD COLUMN c; ALTER TABLE t RENAME COLUMN c TO d; ALTER TABLE t DROP COLUMN d",
    "ALTER TABLE t RENAME TO u",
    "SELECT json_extract('{\"a\": 1}', '$.a'), sqrt(4), upper('x')",
    "SELECT m.name, p.name FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS p",
    "SELECT * FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name)",
    "SELECT i.name, x.name FROM sqlite_master AS m, pragma_index_list(m.name) AS i, pragma_index_info(i.name) AS x",
]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


@pytest.fixture
def shop(desk: Desk) -> str:
    made = desk.create("shop")
    desk.query(
        made, "CREATE TABLE t (id INTEGER PRIMARY KEY, b TEXT UNIQUE CHECK (b <> 'no')); INSERT INTO t (b) VALUES ('x')"
    )
    return made


def test_what_reaches_past_the_callers_own_tables_is_refused(desk: Desk, shop: str) -> None:
    before = desk.query(shop, "SELECT * FROM sqlite_master")
    for sql in REFUSED:
        answer = desk.send("POST", f"/{shop}/query", {"sql": sql})
        assert answer.status == 400, sql
        message = answer.json()["errors"][0]["message"]
        assert ": SQLITE_" in message or message.startswith("To execute several statements as one transaction"), sql

    assert desk.query(shop, "SELECT * FROM sqlite_master") == before


def test_what_d1_allows_is_allowed(desk: Desk, shop: str) -> None:
    for number, sql in enumerate(ALLOWED):
        fresh = desk.create(f"fresh-{number}") if "CREATE" in sql or "ALTER" in sql else shop
        if fresh != shop:
            desk.query(fresh, "CREATE TABLE t (id INTEGER PRIMARY KEY, b TEXT UNIQUE)")
        answer = desk.send("POST", f"/{fresh}/query", {"sql": sql})
        assert answer.status == 200, (sql, answer.text)


def test_a_reading_token_writes_nothing_whatever_the_text_looks_like(desk: Desk, shop: str) -> None:
    token = desk.sql_token(shop, "read")
    for sql in (
        "INSERT INTO t (b) VALUES ('y')",
        "WITH x AS (SELECT 'y') INSERT INTO t (b) SELECT * FROM x",
        "SELECT 1; /* SELECT */ DELETE FROM t",
        "CREATE TABLE u (a)",
        "PRAGMA optimize",
        "ANALYZE",
    ):
        token.refused(403, 7403, "POST", f"/{shop}/query", {"sql": sql})

    assert token.query(shop, "SELECT b FROM t") == [{"b": "x"}]


@pytest.mark.parametrize(
    "sql", ["INSERT INTO t (b) VALUES ('y')", "DELETE FROM t", "CREATE TABLE u (a)", "DROP TABLE t"]
)
@pytest.mark.parametrize("how", ["EXPLAIN", "-- why\n/* ; */ Explain Query Plan"])
def test_what_a_statement_would_do_may_be_asked_by_who_may_only_read(desk: Desk, shop: str, how: str, sql: str) -> None:
    token, before = desk.sql_token(shop, "read"), desk.query(shop, "SELECT * FROM sqlite_master")
    token.query(shop, f"{how} {sql}")
    token.refused(403, 7403, "POST", f"/{shop}/query", {"sql": f"EXPLAIN SELECT 1; {sql}"})
    token.refused(400, 7500, "POST", f"/{shop}/query", {"sql": "EXPLAIN ATTACH 'x' AS y"})

    assert desk.query(shop, "SELECT * FROM sqlite_master") == before
    assert desk.query(shop, "SELECT b FROM t") == [{"b": "x"}]


SETTINGS = [
    ("ignore_check_constraints", 0),
    ("legacy_alter_table", 0),
    ("reverse_unordered_selects", 0),
    ("defer_foreign_keys", 0),
    ("recursive_triggers", 1),
    ("foreign_keys", 1),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS)
@pytest.mark.parametrize(
    "write", ["", "; UPDATE t SET b = 'y'", "; SELECT nope", "; UPDATE t SET b = 'y'; SELECT nope"]
)
def test_a_pragma_lasts_until_the_call_ends(desk: Desk, shop: str, name: str, value: int, write: str) -> None:
    desk.send("POST", f"/{shop}/query", {"sql": f"PRAGMA {name} = {1 - value}{write}"})

    asked = f"PRAGMA {name}"
    assert desk.query(shop, asked) == [{name: value}]
    told = desk.done("POST", f"/{shop}/query", {"sql": f"UPDATE t SET id = id; {asked}"})
    assert told[1]["results"] == [{name: value}]


@pytest.mark.parametrize("write", ["", "; UPDATE t SET b = 'y'"])
def test_like_compares_without_case_for_the_next_caller(desk: Desk, shop: str, write: str) -> None:
    desk.query(shop, f"PRAGMA case_sensitive_like = ON{write}")

    assert desk.query(shop, "SELECT 'A' LIKE 'a' AS same") == [{"same": 1}]
    results = desk.done("POST", f"/{shop}/query", {"sql": "UPDATE t SET id = id; SELECT 'A' LIKE 'a' AS same"})
    assert results[1]["results"] == [{"same": 1}]


def test_keys_that_were_put_off_hold_at_the_end_of_the_call(desk: Desk, shop: str) -> None:
    desk.query(shop, "CREATE TABLE c (t REFERENCES t (id))")
    off = "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (9);"

    desk.query(shop, f"{off} INSERT INTO t (id) VALUES (9)")
    for end in ("", "PRAGMA defer_foreign_keys = OFF"):
        message = desk.refused(400, 7500, "POST", f"/{shop}/query", {"sql": f"{off.replace('9', '8')} {end}"})
        assert message == "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
    assert desk.query(shop, "SELECT t FROM c") == [{"t": 9}]


def test_a_check_is_passed_over_only_within_the_call_that_asks_for_it(desk: Desk, shop: str) -> None:
    desk.query(shop, "PRAGMA ignore_check_constraints = ON; INSERT INTO t (b) VALUES ('no')")

    desk.refused(400, 7500, "POST", f"/{shop}/query", {"sql": "INSERT INTO t (b) VALUES ('no')"})


def audited(desk: Desk, database: str) -> list[tuple[str, str, Any]]:
    """Operation, table and new values of each audit row; the chain must hold."""
    services = desk.site.services
    entry = services.registry_read(lambda tx: next(iter(_entries(tx, database))))
    with services.vault(entry) as vault:

        def look(connection: Any, _: Any) -> list[tuple[str, str, Any]]:
            from db.transaction import ReadTx

            key = read_audit_key(connection, services.keyring)
            assert key is not None
            assert verify_chain(ReadTx(connection), key)[1] is None
            found = connection.execute(
                "SELECT operation, table_name, coalesce(new_values, old_values) FROM vaultry_audit ORDER BY seq"
            )
            return [(row[0], row[1], json.loads(row[2])) for row in found]

        return vault.read_raw(look).value


def _entries(tx: Any, database: str) -> Any:
    from db.registry.database_names import find_database

    yield find_database(tx, database)


def test_every_row_that_comes_or_goes_with_a_table_is_audited(desk: Desk, shop: str) -> None:
    before = len(audited(desk, shop))
    making, dropping = "CREATE TABLE u AS SELECT * FROM t", "DROP TABLE u"
    desk.query(shop, making)
    desk.query(shop, "CREATE TABLE IF NOT EXISTS u (a)")
    desk.query(shop, dropping)

    row = {"id": 1, "b": "x"}
    assert audited(desk, shop)[before:] == [
        ("insert", "u", row),
        ("note", "u", {"sql": making}),
        ("delete", "u", row),
        ("note", "u", {"sql": dropping}),
    ]


def test_changes_of_the_schema_are_audited_and_do_not_hide_what_follows(desk: Desk, shop: str) -> None:
    before = len(audited(desk, shop))
    statements = [
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE u ADD COLUMN c TEXT",
        "CREATE INDEX i ON u (c)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER g AFTER DELETE ON u BEGIN SELECT 1; END",
    ]
    desk.query(shop, "UPDATE t SET b = 'y'")
    for sql in statements:
        desk.query(shop, sql)
    desk.query(shop, "UPDATE u SET c = 'z'; DROP TRIGGER g; DROP TABLE u; CREATE TABLE u (a); INSERT INTO u VALUES (7)")

    told = audited(desk, shop)[before:]
    assert [text["sql"] for kind, _, text in told if kind == "note"][:5] == statements
    assert ("update", "t", {"b": "y"}) in told
    assert ("update", "u", {"c": "z"}) in told
    assert ("delete", "u", {"id": 1, "b": "y", "c": "z"}) in told
    assert ("insert", "u", {"a": 7}) in told


def test_full_text_tables_are_audited_by_their_content(desk: Desk, shop: str) -> None:
    before = len(audited(desk, shop))
    desk.query(shop, "CREATE VIRTUAL TABLE d USING fts5 (body); INSERT INTO d VALUES ('hello world')")
    assert desk.query(shop, "SELECT highlight(d, 0, '[', ']') AS h FROM d WHERE d MATCH 'hello'") == [
        {"h": "[hello] world"}
    ]
    desk.query(shop, "ALTER TABLE d RENAME TO e")
    desk.query(shop, "UPDATE e SET body = 'bye'; DROP TABLE e")

    contents = [(kind, values["c0"]) for kind, _, values in audited(desk, shop)[before:] if "c0" in values]
    assert contents[0] == ("insert", "hello world")
    assert ("update", "bye") in contents or ("insert", "bye") in contents
    assert contents[-1] == ("delete", "bye")


def test_text_that_is_no_utf_8_is_stored_and_noted_as_far_as_it_can_be_read(desk: Desk, shop: str) -> None:
    desk.query(shop, "CREATE TABLE u (a TEXT); INSERT INTO u VALUES (CAST(x'61ff' AS TEXT)); UPDATE u SET a = a || 'b'")

    told = [row for row in audited(desk, shop) if row[1] == "u" and row[0] != "note"]
    assert told == [("insert", "u", {"a": "a\ufffd"}), ("update", "u", {"a": "a\ufffdb"})]
    assert desk.query(shop, "SELECT hex(a) AS a FROM u") == [{"a": "61FF62"}]


def test_counters_set_by_hand_leave_a_note(desk: Desk, shop: str) -> None:
    desk.query(shop, "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO a DEFAULT VALUES")
    desk.query(shop, "UPDATE sqlite_sequence SET seq = 41 WHERE name = 'a'; INSERT INTO a DEFAULT VALUES")

    told = audited(desk, shop)
    assert ("note", "sqlite_sequence", {"sql": "UPDATE sqlite_sequence SET seq = 41 WHERE name = 'a';"}) in told
    assert told[-2] == ("insert", "a", {"id": 42})


def test_a_refused_call_leaves_no_audit_row(desk: Desk, shop: str) -> None:
    before = audited(desk, shop)
    desk.refused(400, 7500, "POST", f"/{shop}/query", {"sql": "UPDATE t SET b = 'y'; DROP TABLE t; SELECT nope"})

    assert audited(desk, shop) == before
    desk.query(shop, "UPDATE t SET b = 'z'")
    assert audited(desk, shop)[-1] == ("update", "t", {"b": "z"})


def test_the_shape_of_a_charters_own_tables_stays_and_their_rows_are_audited(desk: Desk) -> None:
    choir = desk.create("aurora--choir", x_vaultry_owner="eve@example.org")
    for sql in (
        "DROP TABLE works",
        "ALTER TABLE works ADD COLUMN mine TEXT",
        "CREATE TRIGGER mine AFTER INSERT ON works BEGIN SELECT 1; END",
        "DROP TRIGGER work_is_published_anew",
        "DROP VIEW grants",
        "PRAGMA ignore_check_constraints = ON",
    ):
        message = desk.refused(400, 7500, "POST", f"/{choir}/query", {"sql": sql})
        assert message == "not authorized: SQLITE_AUTH", sql

    desk.query(choir, "CREATE INDEX mine ON works (title); DROP INDEX mine; CREATE TABLE extra (a)")
    desk.query(choir, "UPDATE organizations SET name = 'Aurora II'")
    assert any(kind == "update" and table == "organizations" for kind, table, _ in audited(desk, choir))


def test_personal_values_open_for_an_operator_only(desk: Desk) -> None:
    choir = desk.create("aurora--choir", x_vaultry_owner="eve@example.org")
    opening = "SELECT personal_open('members.email_id', personal_seal('members.email_id', 'a')) AS told"

    unended = f"{opening} /* no end"
    assert desk.query(choir, opening) == desk.query(choir, unended) == [{"told": "a"}]
    for token in (desk.sql_token(choir, "read"), desk.sql_token(choir, "write")):
        assert token.query(choir, "SELECT 1 AS one") == [{"one": 1}]
        token.refused(400, 7500, "POST", f"/{choir}/query", {"sql": opening})
        token.refused(400, 7500, "POST", f"/{choir}/query", {"sql": unended})
    token.refused(400, 7500, "POST", f"/{choir}/query", {"sql": f"CREATE TABLE opened AS {opening}"})
