"""`vaultry undo`: one request over HTTP taken back, and nothing else."""

from tests.handlers.cli.over_http import owner_of

WORKS = "SELECT title, composer FROM works ORDER BY title"


def test_a_request_is_undone_by_the_id_of_its_answer_and_others_stay(shell, open_services):
    owner = owner_of(shell, open_services)
    ave, locus = owner.add("r-add", "works", {"title": "Ave"}, {"title": "Locus", "composer": "Bruckner"})
    owner.change("r-change", f"works?id=in.({ave},{locus})", composer="Mozart")
    owner.add("r-other", "works", {"title": "Os"})
    done = shell.json("undo", "bella", "r-change", "--yes")
    assert shell.rows(WORKS) == [
        {"title": "Ave", "composer": None}, {"title": "Locus", "composer": "Bruckner"},
        {"title": "Os", "composer": None},
    ]  # fmt: skip
    assert {(row["key"]["id"], row["change"], row["new"]["composer"]) for row in done["rows"]} == {
        (ave, "changed", None), (locus, "changed", "Bruckner"),
    }  # fmt: skip
    (newest,) = shell.json("history", "bella", "--limit", "1")
    assert [(work["verb"], work["request_id"]) for work in newest["works"]] == [("undo.r-change", done["request_id"])]
    assert shell.run("verify", "bella").exit_code == 0


def test_an_undo_can_be_undone(shell, open_services):
    owner = owner_of(shell, open_services)
    owner.add("r-add", "works", {"title": "Ave"})
    done = shell.json("undo", "bella", "r-add", "--yes")
    assert shell.rows(WORKS) == []
    shell.ok("undo", "bella", done["request_id"], "--yes")
    assert shell.rows(WORKS) == [{"title": "Ave", "composer": None}]


def test_it_shows_what_would_change_and_asks(shell, open_services):
    owner = owner_of(shell, open_services)
    (ave,) = owner.add("r-add", "works", {"title": "Ave"})
    before = shell.ok("bookmark", "bella")
    said = shell.refused("undo", "bella", "r-add", typed="n\n")
    assert f'- works id="{ave}"' in said
    assert "works: 1 removed" in said
    assert shell.ok("bookmark", "bella") == before
    shell.ok("undo", "bella", "r-add", typed="y\n")
    assert shell.rows(WORKS) == []


def test_a_row_that_changed_since_is_named_and_force_goes_on(shell, open_services):
    owner = owner_of(shell, open_services)
    (ave,) = owner.add("r-add", "works", {"title": "Ave"})
    owner.change("r-first", f"works?id=eq.{ave}", title="Ave verum")
    owner.change("r-second", f"works?id=eq.{ave}", composer="Mozart")
    refusal = shell.refused("undo", "bella", "r-first", "--yes")
    assert "(row_changed_since)" in refusal
    assert f"works {ave} (request r-second)" in refusal
    shell.ok("undo", "bella", "r-first", "--yes", "--force")
    assert shell.rows(WORKS) == [{"title": "Ave", "composer": "Mozart"}]


def test_a_personal_column_comes_back_though_the_audit_log_redacts_it(choir):
    seal = "UPDATE members SET email_contact = personal_seal('members.email_contact', '{}')"
    choir.write(seal.format("first@y.example"))
    choir.write(seal.format("second@y.example"))
    request = choir.json("history", "bella", "--limit", "1")[0]["works"][0]["request_id"]
    done = choir.json("undo", "bella", request, "--yes")
    assert done["rows"][0]["new"] == {"email_contact": "[redacted]"}
    opened = "SELECT personal_open('members.email_contact', email_contact) AS email FROM members"
    assert choir.rows(opened) == [{"email": "first@y.example"}]


def test_an_unknown_request_is_not_found(choir):
    assert "(not_found)" in choir.refused("undo", "bella", "nobody", "--yes")
