"""`vaultry fleet query`: many vaults asked once, within budgets, audited in each, and never written to."""

import csv
import hashlib
import io
import json

import pytest

from db.transaction import Actor

ACTOR = Actor("test", "job", "", "test")
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"
NOTES = "SELECT actor, actor_kind, verb, new_values FROM vaultry_audit WHERE operation = 'note'"


@pytest.fixture
def fleet(shell):
    """Three choirs, the oldest first: aurora, bella, corda."""
    for slug in ("aurora", "bella", "corda"):
        shell.choir(slug)
    return shell


def ask(shell, sql: str, *words: str, code: int = 0) -> list[dict]:
    result = shell.run("fleet", "query", sql, *words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def manifest(shell, sql: str, *words: str) -> tuple[list[dict], list[dict]]:
    """The rows, and the lines of the manifest."""
    path = shell.folder / "manifest.json"
    result = shell.run("fleet", "query", sql, *words, "--json", "--manifest", str(path))
    content = json.loads(path.read_text())
    assert content["statement_sha256"] == hashlib.sha256(sql.encode()).hexdigest()
    answered = all(line["status"] == "answered" for line in content["vaults"])
    assert result.exit_code == (0 if answered else 1), result.output
    return json.loads(result.stdout), content["vaults"]


def notes(shell, slug: str) -> list[dict]:
    return shell.rows(NOTES, slug)


def test_every_vault_answers_under_its_name_and_the_manifest_says_at_which_bookmark(fleet):
    bookmarks = {slug: fleet.ok("bookmark", slug).strip() for slug in ("aurora", "bella", "corda")}
    rows, lines = manifest(fleet, "SELECT count(*) AS people FROM members")
    assert rows == [{"tenant": slug, "people": 1} for slug in ("aurora", "bella", "corda")]
    assert {line["tenant"]: line["bookmark"] for line in lines} == bookmarks
    assert {(line["status"], line["rows"]) for line in lines} == {("answered", 1)}
    assert {line["tenant"]: line["audited"] for line in lines} == {
        slug: fleet.ok("bookmark", slug).strip() for slug in bookmarks
    }


def test_the_request_id_joins_the_manifest_with_the_audit_logs(fleet):
    manifest(fleet, "SELECT 1 AS one")
    request_id = json.loads((fleet.folder / "manifest.json").read_text())["request_id"]
    found = "SELECT count(*) AS n FROM vaultry_audit WHERE request_id = '" + request_id + "'"
    assert [fleet.rows(found, slug)[0]["n"] for slug in ("aurora", "bella", "corda")] == [1, 1, 1]


def test_the_audit_log_of_each_vault_says_who_asked_with_the_digest_of_the_statement(fleet):
    sql = "SELECT count(*) AS n FROM works WHERE title <> 'somebody''s name'"
    ask(fleet, sql)
    for slug in ("aurora", "bella", "corda"):
        (note,) = notes(fleet, slug)
        assert (note["actor"], note["actor_kind"], note["verb"]) == ("operator", "operator", "fleet.query")
        assert json.loads(note["new_values"])["statement_sha256"] == hashlib.sha256(sql.encode()).hexdigest()
        assert "somebody" not in note["new_values"]
    assert fleet.ok("verify", "--all").count(": sound: ") == 4


def test_the_vaults_are_chosen_by_label_and_charter(fleet):
    fleet.ok("tenants", "label", "aurora", "pilot")
    fleet.ok("tenants", "label", "corda", "pilot", "north")
    asked = ask(fleet, "SELECT 1 AS one", "--label", "pilot", "--charter", "choir")
    assert [row["tenant"] for row in asked] == ["aurora", "corda"]
    assert ask(fleet, "SELECT 1 AS one", "--label", "absent") == []
    assert notes(fleet, "bella") == []
    assert "(invalid_input)" in fleet.refused("fleet", "query", "SELECT 1", "--label", "NO SUCH FORM")
    fleet.refused("fleet", "query", "SELECT 1", "--charter", "absent", code=2)


def test_a_suspended_or_deleted_tenant_is_not_asked(fleet):
    fleet.ok("tenants", "suspend", "aurora")
    fleet.ok("tenants", "delete", "bella", "--yes")
    assert [row["tenant"] for row in ask(fleet, "SELECT 1 AS one")] == ["corda"]
    fleet.ok("tenants", "resume", "aurora")
    fleet.ok("tenants", "undelete", "bella")
    assert notes(fleet, "aurora") == notes(fleet, "bella") == []


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DELETE FROM members", "sql_forbidden"),
        ("UPDATE works SET title = 'x' RETURNING title", "sql_forbidden"),
        ("WITH w AS (SELECT 1) INSERT INTO works (id) SELECT * FROM w", "sql_forbidden"),
        ("CREATE TABLE t (a)", "sql_forbidden"),
        ("CREATE TEMP TABLE t (a)", "sql_forbidden"),
        ("ATTACH ':memory:' AS other", "sql_forbidden"),
        ("PRAGMA journal_mode = DELETE", "sql_forbidden"),
        ("BEGIN", "sql_forbidden"),
        ("COMMIT", "sql_forbidden"),
        ("ROLLBACK", "sql_forbidden"),
        ("SELECT 1; SELECT 2", "sql_invalid"),
        ("", "sql_invalid"),
        ("SELECT 1 AS tenant", "sql_invalid"),
        ("SELECT 1 AS a, 2 AS a", "sql_invalid"),
        ("SELECT personal_open('members.email_id', email_id) AS e FROM members", "sealed"),
    ],
)
def test_a_statement_that_no_vault_may_run_is_refused(fleet, sql, code):
    before = {slug: fleet.ok("bookmark", slug) for slug in ("aurora", "bella", "corda")}
    assert f"({code})" in fleet.refused("fleet", "query", sql, "--concurrency", "1")
    assert {slug: fleet.ok("bookmark", slug) for slug in before} == before


def test_personal_columns_stay_ciphertext(fleet):
    rows = ask(fleet, "SELECT email_id AS email FROM members")
    assert {row["email"][:3] for row in rows} == {"p1:"}


def test_a_statement_that_fails_in_some_vaults_is_a_line_of_the_manifest(fleet, alter):
    alter("bella", "ALTER TABLE works ADD COLUMN extra TEXT")
    rows, lines = manifest(fleet, "SELECT count(extra) AS n FROM works")
    assert rows == [{"tenant": "bella", "n": 0}]
    assert [line["status"] for line in lines] == ["failed", "answered", "failed"]
    assert lines[0]["reason"] == "SQLite says: no such column: extra (sql_invalid)"
    assert notes(fleet, "aurora") == []


def test_other_columns_than_those_of_the_first_answer_are_refused(fleet, alter):
    alter("bella", "ALTER TABLE works ADD COLUMN extra TEXT")
    _, lines = manifest(fleet, "SELECT * FROM works LIMIT 1")
    assert [line["status"] for line in lines] == ["answered", "failed", "answered"]
    assert "extra" in lines[1]["reason"]


def test_the_rows_of_one_vault_and_of_all_are_limited_and_the_cut_is_said(fleet):
    sql = "SELECT seq FROM vaultry_audit ORDER BY seq"
    rows, lines = manifest(fleet, sql, "--vault-rows", "2")
    assert [(row["tenant"], row["seq"]) for row in rows] == [
        (slug, seq) for slug in ("aurora", "bella", "corda") for seq in (1, 2)
    ]
    assert {(line["status"], line["reason"]) for line in lines} == {("cut", "it has more than 2 rows")}
    rows, lines = manifest(fleet, sql, "--vault-rows", "2", "--limit-rows", "3", "--concurrency", "1")
    assert len(rows) == 3
    assert [(line["status"], line["rows"]) for line in lines] == [("cut", 2), ("cut", 1), ("not_asked", 0)]
    assert lines[2]["reason"] == "3 rows in total were reached"
    assert len(ask(fleet, f"{sql} LIMIT 2", "--vault-rows", "2", "--limit-rows", "6")) == 6


def test_vaults_that_are_asked_at_the_same_time_share_the_limit(fleet):
    sql = "SELECT seq FROM vaultry_audit ORDER BY seq"
    rows, lines = manifest(fleet, sql, "--vault-rows", "2", "--limit-rows", "3", "--concurrency", "3")
    assert [(row["tenant"], row["seq"]) for row in rows] == [("aurora", 1), ("aurora", 2), ("bella", 1)]
    assert [line["rows"] for line in lines] == [2, 1, 0]


def test_the_time_of_one_vault_and_of_all_is_limited_and_the_cut_is_said(fleet):
    rows, lines = manifest(fleet, ENDLESS, "--vault-timeout", "0.05")
    assert rows == []
    assert {(line["status"], line["reason"]) for line in lines} == {("failed", "0.05 s for one vault were over")}
    _, lines = manifest(fleet, ENDLESS, "--timeout", "0.05", "--concurrency", "1")
    assert [line["status"] for line in lines] == ["failed", "not_asked", "not_asked"]
    assert {line["reason"] for line in lines} == {"0.05 s in total were over"}
    assert [notes(fleet, slug) for slug in ("aurora", "bella", "corda")] == [[], [], []]


def test_csv_and_the_table_for_people(fleet):
    sql = "SELECT 'a,\"b\"' AS text, NULL AS absent, x'00ff' AS bytes, 0.5 AS half"
    text = fleet.ok("fleet", "query", sql, "--csv")
    assert list(csv.reader(io.StringIO(text)))[:2] == [
        ["tenant", "text", "absent", "bytes", "half"],
        ["aurora", 'a,"b"', "", "00ff", "0.5"],
    ]
    assert fleet.ok("fleet", "query", sql).splitlines()[1].split() == ["aurora", 'a,"b"', "NULL", "00ff", "0.5"]
    assert "not both" in fleet.refused("fleet", "query", sql, "--csv", "--json", code=2)


def test_without_a_file_the_manifest_goes_to_standard_error(fleet):
    fleet.ok("tenants", "label", "aurora", "pilot")
    result = fleet.run("fleet", "query", "SELECT 1 AS one", "--label", "pilot", "--json")
    first, summary = result.stderr.splitlines()
    assert first.startswith("answered: aurora, 1 rows at 00000000-")
    assert summary.startswith("vaults: 1 answered; rows: 1; statement ")
