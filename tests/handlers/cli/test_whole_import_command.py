"""`vaultry import` of the files a choir knows: whole or not at all, each problem by line and column, safe to repeat."""

import json
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import pytest

from handlers.cli import whole_importing
from handlers.imports.row_files import read_rows

MEMBERS = """\
SELECT m.name, m.nickname, personal_open('members.email_contact', m.email_contact) AS mail, o.joined_at,
       m.email_id IS NULL AS roster_only,
       (SELECT group_concat(role, ';') FROM member_roles AS r WHERE r.member_id = m.id) AS roles,
       (SELECT group_concat(s.abbreviation || p.is_primary, ';') FROM member_sections AS p
          JOIN sections AS s ON s.id = p.section_id WHERE p.member_id = m.id) AS sections,
       (SELECT group_concat(v.abbreviation || p.is_primary, ';') FROM member_voices AS p
          JOIN voices AS v ON v.id = p.voice_id WHERE p.member_id = m.id) AS voices
  FROM members AS m JOIN member_organizations AS o ON o.member_id = m.id WHERE m.name <> 'anna@bella.example'
 ORDER BY m.name
"""
HEADER = "name,nickname,email_contact,roles,voices,sections,joined_at\n"
GOOD = (
    HEADER
    + "Eve Kask,Evi,eve@bella.example,librarian;conductor,Alto;Soprano,Alto,2019-09-01\n"
    + "Õie Tamm,,,,,,2020-01-01T12:00:00+02:00\n"
)


def names(shell) -> list[str]:
    return [row["name"] for row in shell.rows("SELECT name FROM members ORDER BY name")]


def test_members_come_with_everything_the_file_says(choir):
    said = choir.ok("import", "bella", "members", choir.file("m.csv", GOOD))
    assert said == "2 rows added to members\n"
    assert choir.rows(MEMBERS) == [
        {"name": "Eve Kask", "nickname": "Evi", "mail": "eve@bella.example", "joined_at": "2019-09-01T00:00:00.000Z",
         "roster_only": 1, "roles": "conductor;librarian", "sections": "A1", "voices": "A1;S0"},
        {"name": "Õie Tamm", "nickname": None, "mail": None, "joined_at": "2020-01-01T10:00:00.000Z",
         "roster_only": 1, "roles": None, "sections": None, "voices": None},
    ]  # fmt: skip


def test_the_same_file_again_adds_nothing_and_changes_nothing(choir):
    file = choir.file("m.csv", GOOD)
    choir.ok("import", "bella", "members", file)
    before = choir.rows(MEMBERS)
    again = choir.file("again.csv", GOOD.replace("Evi", "Other").replace("Eve Kask", "EVE KASK") + "Third,,,,,,\n")
    assert choir.ok("import", "bella", "members", again) == (
        "1 rows added to members; 2 were there already and stay as they are\n"
    )
    assert [row for row in choir.rows(MEMBERS) if row["name"] != "Third"] == before
    bookmark = choir.json("bookmark", "bella")
    choir.ok("import", "bella", "members", again)
    assert choir.json("bookmark", "bella") == bookmark


def test_works_of_one_title_are_told_apart_by_their_composer(choir):
    file = choir.file("w.csv", "title,composer\nAve Maria,Arcadelt\nAve Maria,Bruckner\nAve Maria,\n")
    choir.ok("import", "bella", "works", file)
    more = choir.file("v.csv", "title,composer,lyricist\nAVE MARIA,bruckner,X\nSalve,,\n")
    assert choir.ok("import", "bella", "works", more).startswith("1 rows added to works; 1 were there")
    assert choir.rows("SELECT count(*) AS n, count(lyricist) AS x FROM works") == [{"n": 4, "x": 0}]


BAD = (
    HEADER
    + "Good One,,,,,,\n"
    + ",,,,,,\n"
    + ",Nick,,,,,\n"
    + "Two,,two@bella,,,,\n"
    + '"Three\nLines",,,singer,,,\n'
    + "Four,,,,,Altos,\n"
    + "Five,,,,Alto I,,\n"
    + "Six,,,,,,1.9.2019\n"
    + "Seven,,,,,,2999-01-01\n"
    + "good one,,,,,,\n"
    + "Good Two,,,,,,\n"
)


def test_everything_that_is_wrong_is_told_with_line_and_column_and_nothing_is_imported(choir):
    before = choir.json("bookmark", "bella")
    refusal = choir.refused("import", "bella", "members", choir.file("m.csv", BAD))
    lines = refusal.splitlines()
    places = [line.partition(":")[0] for line in lines[:-2]]
    assert places == [
        "line 4, column name", "line 5, column email_contact", "line 6, column roles", "line 8, column sections",
        "line 9, column voices", "line 10, column joined_at", "line 11, column joined_at", "line 12",
    ]  # fmt: skip
    assert lines[1] == (
        "line 5, column email_contact: got 'two@bella', wanted an address such as anna@club.example (invalid_input)"
    )
    assert "got 'singer', wanted one of" in lines[2]
    assert "the same as line 2" in lines[7]
    assert lines[8] == "error: 8 of 10 rows of m.csv are refused; nothing was imported (rows_refused)"
    assert names(choir) == ["anna@bella.example"]
    assert choir.json("bookmark", "bella") == before


def test_a_dry_run_tells_what_would_be_and_writes_nothing(choir):
    choir.ok("import", "bella", "members", choir.file("one.csv", HEADER + "Eve Kask,,,,,,\n"))
    before = choir.json("bookmark", "bella")
    said = choir.ok("import", "bella", "members", choir.file("m.csv", GOOD), "--dry-run")
    assert said == (
        "1 rows would be added to members; 1 were there already and stay as they are; nothing was written\n"
    )
    assert "8 of 10 rows" in choir.refused("import", "bella", "members", choir.file("b.csv", BAD), "--dry-run")
    assert choir.json("bookmark", "bella") == before


def test_machines_get_one_line_with_every_problem(choir):
    done = json.loads(choir.ok("import", "bella", "members", choir.file("m.csv", GOOD), "--json"))
    assert done == {"event": "done", "rows": 2, "added": 2, "there": 0, "refused": 0, "problems": []}
    answer = choir.run("import", "bella", "members", choir.file("b.csv", BAD), "--json")
    told = json.loads(answer.stdout)
    assert (told["event"], told["added"], told["refused"], answer.exit_code) == ("refused", 0, 8, 1)
    assert told["problems"][0] == {
        "line": 4, "column": "name", "code": "invalid_input", "message": "required"
    }  # fmt: skip


def test_a_hundred_problems_are_told_and_the_rest_is_counted(choir):
    refusal = choir.refused("import", "bella", "works", choir.file("w.csv", "title,composer\n" + ",Anon\n" * 130))
    assert "\n... and 30 more\n" in refusal
    assert "130 of 130 rows" in refusal


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.csv", "", "the file is empty"),
        ("m.csv", "\n\n", "the file is empty"),
        ("m.csv", "nickname\nEvi\n", "got no column 'name'"),
        ("m.csv", "name,e-mail\nEve,e@x.example\n", "got the column 'e-mail', wanted columns out of: name, nickname"),
        ("m.csv", "name,name\nEve,Eve\n", "got the column 'name' twice"),
        ("m.csv", "name,\nEve,\n", "a column without a name"),
        ("m.csv", "name,nickname\nEve,Evi\nAda,A,B\n", "line 3: got 3 cells, wanted at most the 2"),
        ("m.csv", 'name\n"Eve\n', "line 2: "),
        ("m.ndjson", '{"name": "Eve"}\n{"name": \n', "line 2: not JSON"),
        ("m.ndjson", '{"name": "Eve"}\n7\n', "line 2: wanted a JSON object"),
        ("m.json", "{}", "wanted a JSON list"),
        ("m.json", "[1]", "entry 1 is no JSON object"),
        ("m.txt", "name\nEve\n", "wanted a name that ends with one of"),
    ],
)
def test_a_file_that_is_broken_is_refused_with_its_place(choir, name, text, message):
    assert message in choir.refused("import", "bella", "members", choir.file(name, text))
    assert names(choir) == ["anna@bella.example"]


def test_a_file_that_is_not_utf8_says_so(choir):
    path = choir.file("m.csv", "")
    Path(path).write_bytes("name\nÕie\n".encode("latin-1"))
    assert "not UTF-8" in choir.refused("import", "bella", "members", path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", '\ufeffname;sections\r\nEve;"Alto;Soprano"\r\n'),
        ("m.tsv", "name\tsections\nEve\tAlto;Soprano\n"),
        ("m.json", '[{"name": "Eve", "sections": ["Alto", "Soprano"], "nickname": null}]'),
        ("m.jsonl", '\n{"name": "Eve", "sections": ["Alto", "Soprano"]}\n'),
    ],
)
def test_every_format_gives_the_same_members(choir, name, text):
    choir.ok("import", "bella", "members", choir.file(name, text))
    assert [row["sections"] for row in choir.rows(MEMBERS)] == ["A1;S0"]


def test_only_an_owner_imports_owners_and_only_the_desk_imports_members(choir):
    file = choir.file("m.csv", HEADER + "Eve,,eve@bella.example,owner,,,\n")
    choir.ok("import", "bella", "members", choir.file("a.csv", HEADER + "Ada,,ada@bella.example,admin,,,\n"))
    choir.write("UPDATE members SET email_id = personal_seal('members.email_id', 'ada@bella.example'),"
                " email_id_lookup = personal_lookup('ada@bella.example') WHERE name = 'Ada'")  # fmt: skip
    refusal = choir.refused("import", "bella", "members", file, "--as", "ada@bella.example")
    assert refusal.startswith("line 2")
    assert "(forbidden)" in refusal
    choir.ok("import", "bella", "members", file, "--as", "anna@bella.example")
    actors = choir.rows("SELECT DISTINCT actor_kind, verb FROM vaultry_audit WHERE verb = 'import.members'")
    assert {row["actor_kind"] for row in actors} == {"operator", "person"}


def test_skip_and_dry_run_go_with_one_kind_of_import_each(choir):
    choir.refused("import", "bella", "members", choir.file("m.csv", GOOD), "--skip", "1", code=2)
    choir.refused("import", "bella", "editions", choir.file("e.csv", "name\nX\n"), "--dry-run", code=2)


def test_an_import_that_is_interrupted_leaves_nothing(choir, monkeypatch):
    looked: list[int] = []

    @contextmanager
    def asked_after_two_rows():
        class Stop:
            @property
            def asked(self) -> bool:
                looked.append(1)
                return len(looked) == 2

        yield Stop()

    monkeypatch.setattr(whole_importing, "interruption", asked_after_two_rows)
    before = choir.json("bookmark", "bella")
    said = choir.refused("import", "bella", "members", choir.file("m.csv", GOOD), code=130)
    assert said == "interrupted: nothing was imported\n"
    assert len(looked) == 2
    assert choir.json("bookmark", "bella") == before


def test_a_long_file_is_read_in_little_memory(tmp_path):
    file = tmp_path / "w.csv"
    with file.open("w") as text:
        text.write("title,composer\n")
        text.writelines(f"Work {number},{'x' * 500}\n" for number in range(20_000))
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_rows(file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 1 << 20 < file.stat().st_size
