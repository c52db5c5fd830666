"""Random statements, good and bad: the audit log stays whole, and the log of commits holds what the vault shows."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.audit.trail import verify_chain
from db.registry.directory import find_vault
from db.transaction import ReadTx
from db.vault.opening import read_audit_key
from tests.handlers.d1.desk import Desk, make_desk

NAMES = st.sampled_from(["a", "b", '"c d"'])
VALUES = st.sampled_from(["NULL", "1", "-2.5", "'x'", "'it''s'", "x'00ff'", "'õ'", "9007199254740993"])
MADE = [
    "CREATE TABLE {0} (k INTEGER PRIMARY KEY, v, w TEXT)",
    "CREATE TABLE {0} (k INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE, w TEXT)",
    "CREATE TABLE {0} (k, v, w TEXT, PRIMARY KEY (k)) WITHOUT ROWID",
    "CREATE TABLE {0} (k, v, w AS (v || 'w') STORED)",
    "CREATE TABLE IF NOT EXISTS {0} AS SELECT 1 AS k, {2} AS v UNION ALL SELECT 2, {3}",
    "CREATE TABLE {0} (k INTEGER PRIMARY KEY, v REFERENCES {1} (k) ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE VIRTUAL TABLE {0} USING fts5 (k, v)",
]
CHANGED = [
    "INSERT INTO {0} (k, v) VALUES ({2}, {3})",
    "INSERT OR REPLACE INTO {0} (k, v) VALUES (1, {2}), (2, {3})",
    "INSERT OR IGNORE INTO {0} (k, v) SELECT k, v FROM {1}",
    "INSERT INTO {0} (k, v) VALUES (1, {2}) ON CONFLICT DO UPDATE SET v = {3} RETURNING *",
    "UPDATE {0} SET v = {2}",
    "UPDATE OR REPLACE {0} SET k = {2} WHERE v IS {3}",
    "UPDATE {0} SET k = NULL WHERE k = 1",
    "DELETE FROM {0} WHERE v IS {2}",
    "DELETE FROM {0}",
    "UPDATE sqlite_sequence SET seq = 70",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA ignore_check_constraints = ON",
]
ALTERED = [
    "DROP TABLE {0}",
    "ALTER TABLE {0} RENAME TO {1}",
    "ALTER TABLE {0} ADD COLUMN z DEFAULT {2}",
    "ALTER TABLE {0} RENAME COLUMN v TO u",
    "ALTER TABLE {0} DROP COLUMN w",
    "CREATE INDEX i ON {0} (v)",
    "CREATE TRIGGER g AFTER INSERT ON {0} BEGIN INSERT INTO {1} (k, v) VALUES (new.v, new.k); END",
    "CREATE TRIGGER h BEFORE DELETE ON {0} BEGIN UPDATE {1} SET v = {2}; SELECT RAISE(IGNORE) WHERE old.k = 2; END",
    "DROP TRIGGER g",
    "DROP TRIGGER h",
    "ANALYZE",
    "SELECT nope",
    "INSERT OR ROLLBACK INTO {0} (k, v) VALUES (1, {2}), (1, {3})",
]
STATEMENTS = st.builds(
    lambda text, *given: text.format(*given),
    st.sampled_from(MADE + CHANGED * 2 + ALTERED),
    NAMES,
    NAMES,
    VALUES,
    VALUES,
)
CALLS = st.lists(st.lists(STATEMENTS, min_size=1, max_size=4).map("; ".join), min_size=4, max_size=25)
OWN = (
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')"
    " AND name IN ('a', 'b', 'c d')"
)
TOLD = (
    "SELECT sum(operation = 'insert') AS inserted, sum(operation = 'delete') AS deleted FROM vaultry_audit"
    " WHERE table_name IN ('a', 'b', 'c d', 'a_content', 'b_content', 'c d_content')"
)


def content(desk: Desk) -> list[Any]:
    """The schema and every row, as another process finds them."""
    tables = [row["name"] for row in desk.query("shop", OWN)]
    schema = desk.query("shop", "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    return [schema, *(desk.query("shop", f'SELECT * FROM "{name}"') for name in tables)]


def whole(desk: Desk) -> bool:
    """Whether the chain of the audit log holds from its first row to the newest."""
    services, uuid = desk.site.services, desk.done("GET", "/shop")["uuid"]
    entry = services.registry_read(lambda tx: find_vault(tx, uuid))
    assert entry is not None

    def look(connection: Any, _: Any) -> bool:
        key = read_audit_key(connection, services.keyring)
        assert key is not None
        return verify_chain(ReadTx(connection), key)[1] is None

    with services.vault(entry) as vault:
        return vault.read_raw(look).value


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CALLS)
def test_whatever_is_sent_the_audit_log_is_whole_and_the_log_holds_it_all(calls: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = make_desk(Path(folder))
        desk.create()
        for sql in calls:
            answer = desk.send("POST", "/shop/query", {"sql": sql})
            assert answer.status in (200, 400), (sql, answer.text)
        assert whole(desk)
        other = make_desk(Path(folder), cache=f"{folder}/other").with_token(desk.token)
        assert content(other) == content(desk)
        other.site.services.close()
        # Each row that came is noted, and each that went: with the last table, as many.
        triggers = desk.query("shop", "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name IN ('g', 'h')")
        dropped = [f"DROP TRIGGER {row['name']}" for row in triggers]
        dropped += [f'DROP TABLE "{row["name"]}"' for row in desk.query("shop", OWN)]
        desk.query("shop", "; ".join(["PRAGMA defer_foreign_keys = ON", *dropped]))
        [told] = desk.query("shop", TOLD)
        assert told["inserted"] == told["deleted"]
        assert whole(desk)
        desk.site.services.close()
