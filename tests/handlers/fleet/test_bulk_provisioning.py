"""Many tenants out of one file: a line for each, and nothing left of those that did not come through."""

import csv
import json

import pytest
from click.testing import CliRunner

from handlers.cli import cli

BULK = "handlers.tenant.bulk_provisioning"
COLUMNS = ("slug", "charter", "name", "owner", "owner_name")


@pytest.fixture
def create(fleet):
    """Makes tenants of lines, at a status; what became of each line."""

    def run(*lines, code=0, columns=COLUMNS):
        path = fleet.folder / "tenants.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *lines])
        words = ["tenants", "create", "--from", str(path), "--json"]
        result = CliRunner().invoke(cli, words, env=fleet.environ, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    return run


def choir(slug, owner_name=""):
    return (slug, "choir", slug.capitalize(), f"owner@{slug}.example", owner_name)


def listed(fleet):
    return {row["slug"] for row in fleet.desk.registry_read(lambda tx: tx.rows("SELECT slug FROM slugs"), current=True)}


def test_each_line_becomes_a_tenant_whose_owner_can_sign_in(fleet, create):
    found = create(choir("anna", "Anna Tamm"), choir("bella"))
    made = [(entry["line"], entry["slug"], entry["state"]) for entry in found]
    assert made == [(2, "anna", "made"), (3, "bella", "made")]
    assert "/anna/auth/v1/verify?type=magiclink&token_hash=vll_" in found[0]["link"]
    assert fleet.rows("anna", "SELECT name FROM members") == [("Anna Tamm",)]
    assert fleet.rows("bella", "SELECT name FROM members") == [("owner@bella.example",)]
    assert [line["drift"] for line in fleet.json("plan")] == [False]


def test_a_bad_line_is_named_and_stops_no_other(fleet, create):
    create(choir("taken"))
    found = create(
        choir("anna"),
        ("x", "choir", "X", "x@x.example", ""),
        ("opera", "opera", "Opera", "o@opera.example", ""),
        ("empty", "choir", "", "o@empty.example", ""),
        ("taken", "choir", "Another", "o@taken.example", ""),
        ("admin", "choir", "Admin", "o@admin.example", ""),
        choir("anna"),
        ("nomail", "choir", "No Mail", "nobody", ""),
        choir("bella"),
        code=1,
    )
    assert [entry["state"] for entry in found] == ["made", *["refused"] * 7, "made"]
    errors = [entry["error"]["code"] for entry in found if entry["error"]]
    assert errors == [*["invalid_input"] * 3, *["duplicate"] * 3, "invalid_input"]
    assert listed(fleet) == {"taken", "anna", "bella"}
    assert len(fleet.vault_folders()) == 3


def test_a_file_without_the_columns_is_refused_before_anything_is_made(fleet, create):
    assert create(choir("anna"), code=1, columns=("slug", "kind", "name", "owner", "x")) == []


def test_a_second_time_skips_what_is_there(fleet, create):
    create(choir("anna"))
    found = create(choir("anna"), choir("bella"))
    assert [(entry["state"], entry["link"] is None) for entry in found] == [("there", True), ("made", False)]


@pytest.mark.parametrize(
    "kill", [f"{BULK}:expected_digest:2", f"{BULK}:strike_scratch:1", f"{BULK}:create_vault_entry:2"]
)
def test_a_killed_run_leaves_nothing_that_the_next_does_not_remove_or_finish(fleet, create, kill):
    path = fleet.folder / "tenants.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, choir("anna"), choir("bella"), choir("canta")])
    fleet.killed("tenants", "create", "--from", str(path), kill=kill)
    assert len(fleet.vault_folders()) >= 1
    assert listed(fleet) == set()
    found = create(choir("anna"), choir("bella"), choir("canta"))
    assert [entry["state"] for entry in found] == ["made"] * 3
    assert fleet.vault_folders() == {fleet.entry(slug).id for slug in ("anna", "bella", "canta")}


def test_two_who_make_the_same_file_at_once_make_each_tenant_once(fleet, create):
    path = fleet.folder / "tenants.csv"
    slugs = [f"choir-{number}" for number in range(30)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *map(choir, slugs)])
    processes = [fleet.child("tenants", "create", "--from", str(path), "--json") for _ in range(2)]
    states = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        states.append([json.loads(line)["state"] for line in out.splitlines()])
    assert all(sorted(pair) == ["made", "there"] for pair in zip(*states, strict=True))
    assert fleet.vault_folders() == {fleet.entry(slug).id for slug in slugs}


def test_a_file_goes_alone(fleet):
    path = fleet.folder / "tenants.csv"
    path.write_text("slug\n")
    for words in (["anna", "--from", str(path)], ["anna"], []):
        assert CliRunner().invoke(cli, ["tenants", "create", *words], env=fleet.environ).exit_code == 2
