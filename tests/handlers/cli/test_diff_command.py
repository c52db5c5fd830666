"""`vaultry diff`: which rows came, went and changed between two states."""

import json

from tests.handlers.cli.over_http import owner_of


def bookmark(shell) -> str:
    return shell.ok("bookmark", "bella").strip()


def rows(shell, *words: str) -> list[dict]:
    return [json.loads(line) for line in shell.ok("diff", "bella", *words, "--json").splitlines()]


def test_rows_of_a_table_are_told_with_the_columns_that_differ(shell, open_services):
    owner = owner_of(shell, open_services)
    ave, locus = owner.add("r1", "works", {"title": "Ave"}, {"title": "Locus", "composer": "Bruckner"})
    first = bookmark(shell)
    owner.change("r2", f"works?id=eq.{ave}", composer="Mozart")
    owner.remove("r3", f"works?id=eq.{locus}")
    (new,) = owner.add("r4", "works", {"title": "Os"})
    found = {row["key"]["id"]: row for row in rows(shell, first, "--table", "works")}
    assert found[ave] == {
        "table": "works", "change": "changed", "key": {"id": ave}, "old": {"composer": None},
        "new": {"composer": "Mozart"},
    }  # fmt: skip
    assert (found[locus]["change"], found[locus]["old"]["composer"], found[locus]["new"]) == (
        "removed", "Bruckner", None,
    )  # fmt: skip
    assert (found[new]["change"], found[new]["new"]["title"], found[new]["old"]) == ("added", "Os", None)
    assert len(found) == 3
    backwards = {row["key"]["id"]: row["change"] for row in rows(shell, bookmark(shell), first, "--table", "works")}
    assert backwards == {ave: "changed", locus: "added", new: "removed"}


def test_without_a_table_rows_are_counted_and_the_engines_own_left_out(shell, open_services):
    owner = owner_of(shell, open_services)
    first = bookmark(shell)
    owner.add("r1", "works", {"title": "Ave"}, {"title": "Locus"})
    told = shell.json("diff", "bella", first)
    assert told["tables"] == [{"table": "works", "added": 2, "removed": 0, "changed": 0}]
    assert (told["from"]["bookmark"], told["to"]["bookmark"]) == (first, bookmark(shell))
    assert told["schema"] == []
    assert shell.ok("diff", "bella", first).splitlines()[1].split() == ["works", "2", "0", "0"]
    assert shell.run("diff", "bella", first, first).stderr == "no difference\n"


def test_personal_columns_are_opened_only_when_asked_for(choir):
    first = bookmark(choir)
    choir.write("UPDATE members SET email_contact = personal_seal('members.email_contact', 'x@y.example')")
    (hidden,) = rows(choir, first, "--table", "members")
    assert hidden["new"] == {"email_contact": "[redacted]"}
    (opened,) = rows(choir, first, "--table", "members", "--personal")
    assert opened["new"] == {"email_contact": "x@y.example"}
    assert "anna@bella.example" not in choir.ok("diff", "bella", first, "--table", "members")


def test_the_look_up_hash_beside_a_personal_column_stays_hidden(choir):
    first = bookmark(choir)
    choir.write(
        "UPDATE members SET (email_id, email_id_lookup) = (SELECT personal_seal('members.email_id', 'n@y.example'),"
        " personal_lookup('n@y.example'))"
    )
    (opened,) = rows(choir, first, "--table", "members", "--personal")
    assert opened["old"] == {"email_id": "anna@bella.example", "email_id_lookup": "[redacted]"}


def test_a_schema_that_changed_in_between_is_named(choir, open_services):
    first = bookmark(choir)
    services = open_services()
    with services.vault(services.entry("bella")) as vault:
        vault.alter(lambda writer: bool(writer.execute("ALTER TABLE works ADD COLUMN opus TEXT")))
        vault.alter(lambda writer: bool(writer.execute("CREATE TABLE extra (id INTEGER PRIMARY KEY)")))
    assert choir.json("diff", "bella", first)["schema"] == [
        {"kind": "table", "name": "extra", "change": "added", "details": ""},
        {"kind": "table", "name": "works", "change": "changed", "details": "columns added: opus"},
    ]


def test_a_table_that_neither_state_has_is_named(choir):
    assert "(not_found)" in choir.refused("diff", "bella", bookmark(choir), "--table", "nothing")
