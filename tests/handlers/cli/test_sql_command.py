"""`vaultry sql`: one statement, guarded and audited."""

import pytest

AUDIT = "SELECT actor, actor_kind, verb, table_name, operation FROM vaultry_audit ORDER BY seq DESC LIMIT 1"


def test_rows_come_as_objects_and_as_a_table(choir):
    assert choir.rows("SELECT 1 AS one, NULL AS none, x'00ff' AS bytes") == [{"one": 1, "none": None, "bytes": "00ff"}]
    assert choir.ok("sql", "bella", "SELECT 1 AS one, NULL AS none").split() == ["one", "none", "1", "NULL"]


def test_no_rows_are_said_to_be_none(choir):
    result = choir.run("sql", "bella", "SELECT 1 WHERE 0")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no rows\n")
    assert choir.rows("SELECT 1 WHERE 0") == []


def test_a_stored_value_cannot_steer_the_terminal(choir):
    shown = choir.ok("sql", "bella", "SELECT char(27) || '[2J[bold]loud[/bold]' AS text")
    assert "\x1b" not in shown
    assert r"\x1b[2J[bold]loud[/bold]" in shown


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DELETE FROM works", "sql_forbidden"),
        ("ATTACH 'x' AS y", "sql_forbidden"),
        ("PRAGMA journal_mode = DELETE", "sql_forbidden"),
        ("SELECT 1; SELECT 2", "sql_invalid"),
        ("", "sql_invalid"),
        ("SELECT * FROM nowhere", "sql_invalid"),
        ("SELECT :x", "sql_invalid"),
    ],
)
def test_reading_takes_one_statement_that_reads(choir, statement, code):
    assert f"({code})" in choir.refused("sql", "bella", statement)
    assert list(choir.folder.glob("x*")) == []


def test_a_write_is_audited_as_the_operators(choir):
    done = choir.write("UPDATE members SET nickname = 'Annie'")
    assert done["changed"] == 1
    assert done["bookmark"] == choir.json("bookmark", "bella")["bookmark"]
    row = choir.rows(AUDIT)[0]
    assert row == {
        "actor": "operator",
        "actor_kind": "operator",
        "verb": "sql",
        "table_name": "members",
        "operation": "update",
    }


def test_a_write_says_how_many_rows_it_changed_itself(choir):
    assert choir.write("UPDATE members SET nickname = 'x' WHERE 0")["changed"] == 0
    assert choir.write("CREATE TABLE extra (id TEXT)")["changed"] == 0
    assert choir.write("INSERT INTO extra VALUES ('a'), ('b') RETURNING id") == {
        "rows": [{"id": "a"}, {"id": "b"}],
        "changed": 2,
        "bookmark": choir.json("bookmark", "bella")["bookmark"],
    }
    assert choir.ok("sql", "bella", "DELETE FROM extra", "--write").startswith("2 rows changed; bookmark 0")


def test_a_write_keeps_the_guard_and_the_constraints(choir):
    assert "(sql_forbidden)" in choir.refused("sql", "bella", "ATTACH 'x' AS y", "--write")
    assert "(sql_forbidden)" in choir.refused("sql", "bella", "COMMIT", "--write")
    assert "(23505)" in choir.refused("sql", "bella", "INSERT INTO members SELECT * FROM members", "--write")
    assert "(sql_forbidden)" in choir.refused("sql", "bella", "DELETE FROM vaultry_audit", "--write")
