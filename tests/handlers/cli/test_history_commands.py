"""`vaultry bookmark`, `restore`, `fork`."""

import pytest


def nickname(shell, slug: str = "bella") -> str | None:
    return shell.rows("SELECT nickname FROM members", slug)[0]["nickname"]


def name_her(shell, text: str) -> str:
    """The bookmark of the commit that gave the member this nickname."""
    return shell.write(f"UPDATE members SET nickname = '{text}'")["bookmark"]


def test_a_bookmark_is_that_of_the_newest_commit(choir):
    written = name_her(choir, "Annie")
    assert choir.ok("bookmark", "bella").strip() == written


def test_a_moment_names_the_last_commit_before_it(choir):
    name_her(choir, "Annie")
    point = choir.json("bookmark", "bella")
    assert choir.json("bookmark", "bella", "--at", point["timestamp"])["bookmark"] == point["bookmark"]
    assert "(time_out_of_range)" in choir.refused("bookmark", "bella", "--at", "2020-01-01T00:00:00Z")
    assert "(invalid_input)" in choir.refused("bookmark", "bella", "--at", "yesterday")


def test_a_restore_can_be_undone_with_the_bookmark_it_prints(choir):
    first = name_her(choir, "Annie")
    second = name_her(choir, "Nan")
    done = choir.json("restore", "bella", "--at", first, "--yes")
    assert (done["restored"]["bookmark"], done["before"]) == (first, second)
    assert nickname(choir) == "Annie"
    choir.ok("restore", "bella", "--at", done["before"], "--yes")
    assert nickname(choir) == "Nan"


def test_a_restore_shows_the_point_and_asks(choir):
    first = name_her(choir, "Annie")
    second = name_her(choir, "Nan")
    said = choir.refused("restore", "bella", "--at", first, typed="n\n")
    assert f"bookmark {first}" in said
    assert f"undo with: vaultry restore bella --at {second}" in said
    assert nickname(choir) == "Nan"
    choir.ok("restore", "bella", "--at", first, typed="y\n")
    assert nickname(choir) == "Annie"


def test_a_restore_to_a_bookmark_of_another_vault_is_refused(choir):
    choir.choir("canta")
    other = choir.ok("bookmark", "canta").strip()
    before = choir.ok("bookmark", "bella")
    choir.refused("restore", "bella", "--at", other, "--yes")
    assert choir.ok("bookmark", "bella") == before


def test_a_fork_goes_its_own_way(choir):
    first = name_her(choir, "Annie")
    name_her(choir, "Nan")
    made = choir.json("fork", "bella", "canta", "--at", first)
    assert made["parent_bookmark"] == first
    assert (nickname(choir, "canta"), nickname(choir)) == ("Annie", "Nan")
    choir.ok("fork", "bella", "donna")
    name_her(choir, "Anna")
    assert nickname(choir, "donna") == "Nan"
    assert "token_hash=vll_" in choir.ok("tenants", "link", "donna", "anna@bella.example")


@pytest.mark.parametrize("name", ["bella", "www", "x"])
def test_a_fork_needs_a_name_that_is_free(choir, name):
    choir.refused("fork", "bella", name)
    assert choir.json("tenants", "list")["total"] == 1
