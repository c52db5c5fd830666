"""Ways around the rules that somebody with a token might try: names, other tenants, sealed values, what is told."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.d1.desk import DATABASES, Desk, make_desk
from tests.handlers.d1.transfers import ORIGIN, fetch, md5, run_export, run_import

OPENS = "personal_open('members.email_id', email_id)"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk(tmp_path)
    yield desk
    desk.site.services.close()


@pytest.fixture
def choir(desk: Desk) -> str:
    return desk.create("aurora--choir", x_vaultry_owner="eve@example.org")


PAST_PROTECTED_NAMES = [
    'DROP TABLE "WORKS"',
    "drop table main.[works]",
    "DROP TABLE IF EXISTS `Works`",
    "ALTER TABLE main.Works RENAME TO mine",
    'ALTER TABLE "WORKS" RENAME COLUMN title TO name',
    "ALTER TABLE works DROP COLUMN composer",
    "CREATE TRIGGER main.mine AFTER UPDATE OF title ON [WORKS] BEGIN SELECT 1; END",
    "CREATE TRIGGER mine INSTEAD OF INSERT ON Grants BEGIN SELECT 1; END",
    "DROP VIEW main.PRINCIPALS",
    "DROP TRIGGER IF EXISTS main.[Work_Is_Published_Anew]",
    "CREATE TABLE vaultry_mine (a)",
    'CREATE TABLE "VAULTRY_mine" (a)',
    "CREATE TABLE main.[Vaultry_mine] (a)",
    "CREATE TABLE `vaultry_mine` AS SELECT 1 AS a",
    "CREATE TRIGGER Vaultry_mine AFTER INSERT ON extra BEGIN DELETE FROM vaultry_audit; END",
    "CREATE VIEW main.VAULTRY_mine AS SELECT 1",
    "CREATE INDEX vaultry_mine ON extra (a)",
    "CREATE VIRTUAL TABLE vaultry USING fts5 (a)",
    "CREATE VIRTUAL TABLE mine USING fts5 (a); ALTER TABLE mine RENAME TO vaultry",
    "CREATE VIRTUAL TABLE mine USING fts5 (a); DELETE FROM MINE_content",
    "CREATE VIRTUAL TABLE mine USING fts5 (a); INSERT INTO main.[mine_data] VALUES (1, x'00')",
    "ALTER TABLE extra RENAME TO vaultry_mine",
    'ALTER TABLE extra RENAME TO "VAULTRY_MINE"',
    'PRAGMA case_sensitive_like = ON; ALTER TABLE extra RENAME TO "VAULTRY_MINE"',
    "PRAGMA legacy_alter_table = ON; ALTER TABLE extra RENAME TO vaultry_mine",
    "WITH x AS (SELECT 1) DELETE FROM main.Vaultry_Audit",
    "INSERT OR REPLACE INTO VAULTRY_settings VALUES ('a', 'b', '2026-05-01T19:00:00.000Z')",
    "REPLACE INTO [vaultry_settings] (key, value) VALUES ('a', 'b')",
    "UPDATE OR IGNORE vaultry_audit SET actor = 'x' WHERE 0",
    (
        "CREATE TRIGGER mine AFTER INSERT ON extra BEGIN UPDATE VAULTRY_settings SET value = ''; END;"
        "INSERT INTO extra VALUES (1)"
    ),
    (
        "CREATE VIEW mine AS SELECT * FROM vaultry_settings;"
        "CREATE TRIGGER through INSTEAD OF DELETE ON mine BEGIN DELETE FROM vaultry_settings; END; DELETE FROM mine"
    ),
    "CREATE TABLE child (k REFERENCES vaultry_settings (key) ON DELETE CASCADE); DELETE FROM vaultry_settings",
    "PRAGMA main.writable_schema = 1",
    "SELECT * FROM pragma_writable_schema",
    "SELECT * FROM pragma_database_list",
    "UPDATE main.sqlite_schema SET sql = 'CREATE TABLE works (a)' WHERE name = 'works'",
    "DELETE FROM sqlite_schema WHERE name = 'works'",
    "INSERT INTO \"sqlite_master\" VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (a)')",
    "UPDATE sqlite_dbpage SET data = zeroblob(4096) WHERE pgno = 1",
    "INSERT INTO temp.audit_pending DEFAULT VALUES",
    "CREATE TABLE temp.works (a)",
    "CREATE TEMPORARY VIEW works AS SELECT 1",
    "PRAGMA ignore_check_constraints = 1",
    "PRAGMA main.ignore_check_constraints(true)",
    "INSERT OR ROLLBACK INTO works (id) VALUES (NULL); BEGIN",
]


def test_no_other_spelling_gets_past_the_protected_names(desk: Desk, choir: str) -> None:
    desk.query(choir, "CREATE TABLE extra (a)")
    asked = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"
    before, log = desk.query(choir, asked), desk.query(choir, "SELECT count(*) AS n FROM vaultry_audit")
    for sql in PAST_PROTECTED_NAMES:
        answer = desk.send("POST", f"/{choir}/query", {"sql": sql})
        assert (answer.status, answer.json()["success"]) == (400, False), sql
    assert desk.query(choir, asked) == before
    assert desk.query(choir, "SELECT count(*) AS n FROM vaultry_audit") == log


OPENING = [
    f"SELECT {OPENS} FROM members",
    "SELECT Personal_Open('members.email_id', email_id) FROM members",
    "SELECT \"personal_open\"('members.email_id', email_id) FROM members",
    f"CREATE TABLE leak AS SELECT {OPENS} AS e FROM members",
    f"CREATE TABLE leak (email_id, e AS ({OPENS})); INSERT INTO leak SELECT email_id FROM members",
    f"CREATE VIEW leak AS SELECT {OPENS} AS e FROM members",
    f"CREATE INDEX leak ON members ({OPENS})",
    f"CREATE INDEX leak ON members (id) WHERE {OPENS} > ''",
    # Not run by whoever plants it, but later by an operator who inserts a row.
    (
        f"CREATE TABLE leak (e); CREATE TRIGGER later AFTER INSERT ON leak BEGIN"
        f" INSERT INTO leak SELECT {OPENS} FROM members; END"
    ),
    f"CREATE TABLE leak (a); ALTER TABLE leak ADD COLUMN e AS ({OPENS.replace('email_id)', 'a)')})",
    f"CREATE TABLE leak (a CHECK ({OPENS.replace('email_id)', 'a)')} > ''))",
    "CREATE TABLE leak (a DEFAULT (PERSONAL_OPEN('members.email_id', x'00')))",
]


def test_a_token_for_one_database_opens_no_sealed_value_by_any_way(desk: Desk, choir: str) -> None:
    writer = desk.sql_token(choir, "write")
    for sql in OPENING:
        writer.refused(400, 7500, "POST", f"/{choir}/query", {"sql": sql})
        done = run_import(writer, choir, f"{sql};".encode())
        assert done["status"] == "error", sql
    assert desk.query(choir, "SELECT name FROM sqlite_schema WHERE name IN ('leak', 'later')") == []
    # The word itself is nobody's secret.
    writer.query(choir, "CREATE TABLE words (a); INSERT INTO words VALUES ('personal_open')")


def test_an_operator_may_import_what_opens_sealed_values(desk: Desk, choir: str) -> None:
    text = f"CREATE TABLE opened AS SELECT {OPENS} AS e FROM members;".encode()
    assert run_import(desk, choir, text)["status"] == "complete"


def test_an_export_by_a_narrowed_token_opens_nothing(desk: Desk, choir: str) -> None:
    sealed = "CREATE TABLE kept AS SELECT personal_seal('members.email_id', 'hidden@example.org') AS e"
    desk.query(choir, sealed)
    assert desk.query(choir, "SELECT personal_open('members.email_id', e) AS e FROM kept") == [
        {"e": "hidden@example.org"}
    ]
    reader = desk.sql_token(choir, "read")
    for told in (run_export(reader, choir, tables=["kept"]), run_export(reader, choir, format="sqlite")):
        body = fetch(reader, told)
        assert b"kept" in body
        # The audit log has the statement that made it, as it was sent.
        assert body.count(b"hidden@example.org") == body.count(b"'hidden@example.org'")


def test_a_token_for_one_database_learns_nothing_of_another_by_any_name(desk: Desk) -> None:
    mine, theirs = desk.create("mine"), desk.create("theirs")
    desk.query("theirs", "CREATE TABLE secret (a)")
    writer = desk.sql_token(mine, "write")
    ways = (
        *("theirs", "Theirs", "THEIRS", theirs, theirs.upper(), theirs.replace("-", ""), f"{mine},{theirs}"),
        *(f"mine%2f..%2f{theirs}", f"..%2f{theirs}", f"{mine}%00{theirs}", "%74heirs", "theirs%20", "%EF%BD%94heirs"),
        *("registry", "REGISTRY", "*", "%25", "_", "null"),
    )
    for way in ways:
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"read_replication": {"mode": "auto"}}),
            ("POST", "/query", {"sql": "SELECT 1"}),
            ("POST", "/raw", {"sql": "SELECT 1"}),
            ("POST", "/export", {"output_format": "polling"}),
            ("POST", "/import", {"action": "init", "etag": "0" * 32}),
            ("GET", "/time_travel/bookmark", None),
            ("POST", "/time_travel/restore?timestamp=1", None),
        ):
            answer = writer.send(method, f"/{way}{path}", body)
            assert answer.status in (400, 404, 405), (way, path, answer.text)
            assert "secret" not in answer.text
        assert writer.send("DELETE", f"/{way}").status in (403, 404, 405)
    assert [known["uuid"] for known in writer.done("GET", "")] == [mine]
    assert writer.done("GET", "?name=theirs") == []
    assert writer.send("GET", "").json()["result_info"]["total_count"] == 1
    question = {"query": "d1AnalyticsAdaptiveGroups", "variables": {"accountTag": "vaultry"}}
    for database in (theirs, "theirs"):
        condition = {"filter": {"AND": [{"databaseId": mine}, {"databaseId": database}]}}
        asked = {**question, "variables": {**question["variables"], **condition}}  # type: ignore[dict-item]
        writer.refused(404, 7404, "POST", "/client/v4/graphql", asked)


def test_jobs_and_files_of_another_database_are_out_of_reach(desk: Desk) -> None:
    mine, theirs = desk.create("mine"), desk.create("theirs")
    desk.query("theirs", "CREATE TABLE secret (a)")
    writer = desk.sql_token(mine, "write")
    told, text = run_export(desk, "theirs"), b"CREATE TABLE t (a);"
    done = run_import(desk, "theirs", text)
    export = {"output_format": "polling", "current_bookmark": told["at_bookmark"]}
    assert writer.done("POST", "/mine/export", export)["success"] is False
    poll = {"action": "poll", "current_bookmark": done["at_bookmark"]}
    assert writer.done("POST", "/mine/import", poll)["success"] is False
    # The same file is another object in another database: it is not there before it was uploaded.
    assert "upload_url" in writer.done("POST", "/mine/import", {"action": "init", "etag": md5(text)})
    # An address is signed for its own place.
    where = told["result"]["signed_url"].removeprefix(ORIGIN)
    assert desk.site.client.request("GET", where.replace(theirs, mine)).status == 403


def test_an_account_shows_its_own_whatever_the_label_is_called(tmp_path: Path) -> None:
    desk = make_desk(tmp_path, accounts="vaultry,a=of-a,b=of-b")
    places = {name: DATABASES.replace("/vaultry/", f"/{name}/") for name in ("a", "b", "of-a", "a=of-a", "A", "%61")}
    desk.done("POST", places["a"], {"name": "mine"})
    assert [known["name"] for known in desk.done("GET", places["a"])] == ["mine"]
    assert desk.done("GET", places["b"]) == []
    desk.refused(404, 7404, "GET", f"{places['b']}/mine")
    for name in ("of-a", "a=of-a", "A"):
        desk.refused(403, 7403, "GET", places[name])
    desk.site.services.close()


def test_neither_logs_nor_errors_tell_a_secret(desk: Desk, caplog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = desk.create("mine")
    desk.query("mine", "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES ('hunter2')")
    writer = desk.sql_token(mine, "write")
    caplog.set_level(logging.DEBUG)

    def broken(*given: Any, **named: Any) -> Any:
        raise RuntimeError("hunter2")

    answers = [
        writer.send("POST", "/mine/query", {"sql": "INSERT INTO t VALUES ('hunter2')"}),
        writer.send("POST", "/mine/query", {"sql": "INSERT INTO t VALUES (?)", "params": ["hunter2"]}),
        writer.send("POST", "/mine/query", {"sql": "SELECT * FROM t WHERE a = 'hunter2'; SELEC"}),
        writer.send("POST", "/mine/query", {"sql": "ATTACH '/etc/passwd' AS hunter2"}),
        writer.with_token("vlt_hunter2" + "A" * 36).send("GET", "/mine"),
    ]
    with monkeypatch.context() as patched:
        patched.setattr("handlers.d1.query.sql_session", broken)
        answers.append(writer.send("POST", "/mine/query", {"sql": "SELECT 'hunter2'"}))
    assert answers[-1].status == 500
    assert [answer.status for answer in answers[:-1]] == [400, 400, 400, 400, 401]
    for answer in answers:
        assert "hunter2" not in answer.text
        assert "/work" not in answer.text
    for secret in ("hunter2", writer.token, desk.token):
        assert secret not in caplog.text
    assert json.loads(answers[-1].text)["errors"][0]["message"].startswith("internal error; reference")
