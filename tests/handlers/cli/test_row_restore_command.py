"""`vaultry restore --table`: rows of one table brought back by an ordinary audited commit."""

import pytest

from tests.handlers.cli.over_http import owner_of

WORKS = "SELECT title, composer FROM works ORDER BY title"


@pytest.fixture
def library(shell, open_services):
    """Four works, and what became of them since the bookmark: one changed, one gone, one new."""
    owner = owner_of(shell, open_services)
    ids = owner.add("r1", "works", *({"title": title, "composer": "Old"} for title in ("Ave", "Locus", "Os", "Ubi")))
    owner.add("r2", "editions", {"work_id": ids[1], "name": "Urtext"})
    at = shell.ok("bookmark", "bella").strip()
    owner.change("r3", f"works?id=eq.{ids[0]}", composer="New")
    owner.change("r3b", f"works?id=eq.{ids[2]}", composer="New")
    owner.remove("r4", f"works?id=eq.{ids[1]}")
    owner.add("r5", "works", {"title": "Zion"})
    return shell, at, ids


def restore(library, *words: str) -> dict:
    shell, at, _ = library
    return shell.json("restore", "bella", "--at", at, "--table", "works", *words, "--yes")


def test_missing_rows_are_inserted_and_changed_ones_set_back_and_new_ones_stay(library):
    shell, _, ids = library
    done = restore(library)
    assert [tuple(row.values()) for row in shell.rows(WORKS)] == [
        ("Ave", "Old"), ("Locus", "Old"), ("Os", "Old"), ("Ubi", "Old"), ("Zion", None),
    ]  # fmt: skip
    assert sorted((row["change"], row["key"]["id"]) for row in done["rows"]) == sorted(
        [("changed", ids[0]), ("changed", ids[2]), ("added", ids[1])]
    )
    assert shell.rows("SELECT count(*) AS n FROM editions") == [{"n": 0}]
    (newest,) = shell.json("history", "bella", "--limit", "1")
    assert [(work["verb"], work["tables"]) for work in newest["works"]] == [
        ("restore.works", {"works": {"insert": 1, "update": 2}})
    ]
    assert restore(library)["rows"] == []


def test_rows_that_were_not_there_go_only_when_asked_for(library):
    shell, _, _ = library
    done = restore(library, "--delete")
    assert [row["title"] for row in shell.rows(WORKS)] == ["Ave", "Locus", "Os", "Ubi"]
    assert [row["old"]["title"] for row in done["rows"] if row["change"] == "removed"] == ["Zion"]


def test_a_filter_of_rest_chooses_the_rows(library):
    shell, _, ids = library
    assert [row["key"]["id"] for row in restore(library, "--where", f"id=eq.{ids[0]}")["rows"]] == [ids[0]]
    assert restore(library, "--where", "title=like.U*")["rows"] == []
    done = restore(library, "--where", "composer=eq.Old", "--where", "or=(title.eq.Locus,title.eq.Zion)", "--delete")
    assert [row["key"]["id"] for row in done["rows"]] == [ids[1]]
    assert [tuple(row.values()) for row in shell.rows(WORKS)] == [
        ("Ave", "Old"), ("Locus", "Old"), ("Os", "New"), ("Ubi", "Old"), ("Zion", None),
    ]  # fmt: skip


def test_a_filter_sees_what_a_personal_column_says(choir):
    at = choir.ok("bookmark", "bella").strip()
    choir.write("UPDATE members SET nickname = 'Annie'")
    words = ("restore", "bella", "--at", at, "--table", "members", "--yes", "--where")
    assert choir.json(*words, "email_id=eq.nobody@y.example")["rows"] == []
    assert len(choir.json(*words, "email_id=eq.anna@bella.example")["rows"]) == 1
    assert choir.rows("SELECT nickname FROM members") == [{"nickname": None}]


def test_rows_whose_parent_is_gone_are_refused_by_name(library):
    shell, at, _ = library
    before = shell.ok("bookmark", "bella")
    refusal = shell.refused("restore", "bella", "--at", at, "--table", "editions", "--yes")
    (edition,) = shell.json("diff", "bella", at, "--table", "editions")["key"].values()
    assert "(23503)" in refusal
    assert f"insert editions {edition}: the change violates a foreign key constraint" in refusal
    assert shell.ok("bookmark", "bella") == before
    restore(library)
    shell.ok("restore", "bella", "--at", at, "--table", "editions", "--yes")
    assert shell.rows("SELECT name FROM editions") == [{"name": "Urtext"}]


def test_rows_that_refer_to_each_other_come_back_in_whatever_order_works(choir):
    at = choir.ok("bookmark", "bella").strip()
    before = choir.rows("SELECT * FROM sections ORDER BY id")
    choir.write("UPDATE sections SET parent_section_id = NULL")
    choir.write("DELETE FROM sections")
    choir.ok("restore", "bella", "--at", at, "--table", "sections", "--yes")
    assert choir.rows("SELECT * FROM sections ORDER BY id") == before


def test_it_shows_what_references_and_triggers_would_do_and_asks(library, open_services):
    shell, at, ids = library
    services = open_services()
    trigger = "CREATE TRIGGER gone AFTER DELETE ON works BEGIN DELETE FROM sections WHERE name = 'Soprano I'; END"
    with services.vault(services.entry("bella")) as vault:
        vault.alter(lambda writer: bool(writer.execute(trigger)))
    before = shell.ok("bookmark", "bella")
    said = shell.refused("restore", "bella", "--at", at, "--table", "works", "--delete", typed="n\n")
    assert f'~ works id="{ids[0]}"  composer: "New" -> "Old"' in said
    assert "sections: 1 removed" in said
    assert "works: 2 changed, 1 added, 1 removed" in said
    assert shell.ok("bookmark", "bella") == before


def test_rows_that_others_change_while_one_is_asked_are_not_overwritten_unseen(library, monkeypatch):
    shell, at, ids = library

    def meanwhile(question: str, *, yes: bool) -> None:
        shell.write(f"DELETE FROM works WHERE id = '{ids[0]}'")

    monkeypatch.setattr("handlers.cli.row_restore.ask", meanwhile)
    refusal = shell.refused("restore", "bella", "--at", at, "--table", "works")
    assert "(changed_meanwhile)" in refusal
    assert [row["title"] for row in shell.rows(WORKS)] == ["Os", "Ubi", "Zion"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--table", "works", "--where", "title"), "PGRST100"),
        (("--table", "works", "--where", "limit=5"), "PGRST100"),
        (("--table", "works", "--where", "nothing=eq.1"), "42703"),
        (("--table", "nothing"), "not_found"),
        (("--table", "vaultry_audit"), "not_found"),
        (("--where", "id=eq.1"), "option_misplaced"),
        (("--delete",), "option_misplaced"),
    ],
)
def test_what_cannot_be_meant_is_refused(choir, words, code):
    at = choir.ok("bookmark", "bella").strip()
    assert f"({code})" in choir.refused("restore", "bella", "--at", at, *words, "--yes")
