"""`vaultry import`: the same rules as over HTTP, and what stands when it stops."""

import json

import pytest

COUNT = "SELECT count(*) AS n FROM works"
ACTOR = "SELECT DISTINCT actor_kind, verb FROM vaultry_audit WHERE table_name = 'works'"


NEW_MEMBER = """
INSERT INTO members (id, name, email_id, email_id_lookup)
VALUES ('eve', 'Eve', personal_seal('members.email_id', 'eve@bella.example'), personal_lookup('eve@bella.example'))
"""


def works(count: int, bad: int | None = None) -> str:
    """A CSV of works; row `bad` has no title."""
    lines = [f"{'' if number == bad else f'Work {number}'},Anon" for number in range(1, count + 1)]
    return "\n".join(["title,composer", *lines]) + "\n"


def count(shell) -> int:
    return shell.rows(COUNT)[0]["n"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("works.csv", "title,composer\nAlma,Anon\nSalve,\n"),
        ("works.csv", "\ufefftitle,composer\nAlma,Anon\nSalve,\n"),
        ("works.tsv", "title\tcomposer\nAlma\tAnon\nSalve\t\n"),
        ("works.json", '[{"title": "Alma", "composer": "Anon"}, {"title": "Salve"}]'),
        ("works.ndjson", '{"title": "Alma", "composer": "Anon"}\n\n{"title": "Salve"}\n'),
    ],
)
def test_every_format_gives_the_same_rows(choir, name, text):
    choir.ok("import", "bella", "works", choir.file(name, text))
    assert choir.rows("SELECT title, composer FROM works ORDER BY title") == [
        {"title": "Alma", "composer": "Anon"},
        {"title": "Salve", "composer": None},
    ]


def test_rows_may_name_what_they_refer_to(choir):
    choir.ok("import", "bella", "works", choir.file("w.csv", "title\nAlma\n"))
    choir.ok("import", "bella", "editions", choir.file("e.csv", "work_id.title,name\nAlma,Score\n"))
    found = choir.rows("SELECT w.title, e.name FROM editions AS e JOIN works AS w ON w.id = e.work_id")
    assert found == [{"title": "Alma", "name": "Score"}]


def test_a_row_may_be_the_arguments_of_a_verb(choir):
    choir.ok("import", "bella", "member.add_roster", choir.file("m.csv", "name\nEve\nAda\n"))
    assert choir.rows("SELECT count(*) AS n FROM members")[0]["n"] == 3


def test_an_import_is_the_operators_or_a_members(choir):
    choir.ok("import", "bella", "works", choir.file("w.csv", "title\nAlma\n"))
    choir.ok("import", "bella", "works", choir.file("v.csv", "title\nSalve\n"), "--as", "anna@bella.example")
    assert sorted(row["actor_kind"] for row in choir.rows(ACTOR)) == ["operator", "person"]
    assert {row["verb"] for row in choir.rows(ACTOR)} == {"import.works"}


def test_a_member_imports_with_no_more_rights_than_she_has(choir):
    choir.write(NEW_MEMBER)
    choir.write("INSERT INTO member_organizations (member_id, org_id) SELECT 'eve', id FROM organizations")
    works_file, members_file = choir.file("w.csv", "title\nAlma\n"), choir.file("m.csv", "name\nEve\n")
    editions_file = choir.file("e.csv", "work_id,name\nx,Score\n")
    assert "row 1" in choir.refused("import", "bella", "editions", editions_file, "--as", "eve@bella.example")
    assert "(forbidden)" in choir.refused("import", "bella", "works", works_file, "--as", "eve@bella.example")
    refusal = choir.refused("import", "bella", "member.add_roster", members_file, "--as", "eve@bella.example")
    assert "(forbidden)" in refusal
    assert count(choir) == 0


def test_a_bad_row_is_named_with_what_is_durable_and_how_to_go_on(choir):
    file = choir.file("w.csv", works(120, bad=73))
    refusal = choir.refused("import", "bella", "work.create", file)
    assert "error: row 73: title" in refusal
    assert (
        f"50 rows are durable; mend row 73 and go on with: vaultry import bella work.create {file} --skip 50" in refusal
    )
    assert count(choir) == 50
    choir.file("w.csv", works(120))
    choir.ok("import", "bella", "work.create", file, "--skip", "50")
    assert count(choir) == 120
    assert choir.rows("SELECT count(DISTINCT title) AS n FROM works")[0]["n"] == 120


def test_a_constraint_that_fails_names_its_row(choir):
    choir.write("CREATE UNIQUE INDEX one_title ON works (title)")
    refusal = choir.refused("import", "bella", "work.create", choir.file("w.csv", "title\nAlma\nAlma\n"))
    assert "error: row 2: duplicate key value" in refusal
    assert "(23505)" in refusal


def test_machines_are_told_of_every_commit(choir):
    lines = choir.ok("import", "bella", "work.create", choir.file("w.csv", works(120)), "--json").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"event": "progress", "durable": 50, "rows": 120},
        {"event": "progress", "durable": 100, "rows": 120},
        {"event": "progress", "durable": 120, "rows": 120},
        {"event": "done", "durable": 120, "rows": 120},
    ]
    stopped = choir.run("import", "bella", "work.create", choir.file("b.csv", works(60, bad=51)), "--json")
    assert json.loads(stopped.stdout.splitlines()[-1]) == {"event": "stopped", "durable": 50, "rows": 60}


def test_skipping_everything_imports_nothing(choir):
    file = choir.file("w.csv", works(3))
    assert choir.ok("import", "bella", "work.create", file, "--skip", "9") == "0 rows imported into work.create\n"
    assert count(choir) == 0


@pytest.mark.parametrize(
    ("target", "name", "text", "code"),
    [
        ("nowhere", "w.csv", "title\nAlma\n", "not_found"),
        ("organization.get", "w.csv", "title\nAlma\n", "invalid_input"),
        ("organization.register", "w.csv", "name\nX\n", "invalid_input"),
        ("works", "w.xlsx", "title\nAlma\n", "file_invalid"),
        ("works", "w.json", "[1]", "file_invalid"),
        ("works", "w.json", "{", "file_invalid"),
        ("works", "w.ndjson", '{"title": "a"}\nnonsense\n', "file_invalid"),
        ("works", "w.csv", "title\nAlma,too,much\n", "file_invalid"),
        ("works", "w.csv", "id\n1\n", "invalid_input"),
    ],
)
def test_what_cannot_be_imported_is_refused_before_anything_is_written(choir, target, name, text, code):
    before = choir.json("bookmark", "bella")
    assert f"({code})" in choir.refused("import", "bella", target, choir.file(name, text))
    assert choir.json("bookmark", "bella") == before


def test_a_file_that_is_not_there_is_a_usage_error(choir):
    choir.refused("import", "bella", "work.create", "nowhere.csv", code=2)
