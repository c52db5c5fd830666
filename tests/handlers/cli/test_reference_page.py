"""The commands as a whole: their help, the page of the reference, what they load, and schema.sql."""

from pathlib import Path

import click
import pytest

from db.schema.migrate import MigrationSet, Step
from db.schema.sql_file import Section, schema_text
from handlers import schema_page
from handlers.cli import cli
from handlers.cli.reference import examples, page, walk
from handlers.schema_page import SCHEMA_FILE
from tests.test_layers import modules_after

ROOT = Path(__file__).parents[3]
COMMANDS = [(" ".join(names), command) for names, command in walk(cli, ("vaultry",))]
LEAVES = [(name, command) for name, command in COMMANDS if not isinstance(command, click.Group)]


def test_the_page_of_the_reference_is_what_the_commands_say():
    assert (ROOT / "docs" / "reference" / "cli.md").read_text() == page(cli)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_an_example_of_itself(name, command):
    assert any(name in line for line in examples(command))


@pytest.mark.parametrize(("name", "command"), LEAVES, ids=[name for name, _ in LEAVES])
def test_every_command_says_what_an_interruption_leaves_and_speaks_json(name, command):
    assert "Interrupted" in (command.help or "")
    assert any("--json" in parameter.opts for parameter in command.params)


def test_help_loads_nothing_that_only_some_commands_need(tmp_path):
    statement = "import sys; from handlers.cli import cli; cli(['--help'], standalone_mode=False)"
    loaded = modules_after(statement, tmp_path)
    assert loaded & {"boto3", "botocore", "sqlite_utils", "uvicorn", "argon2", "starlette", "rich", "httpx"} == set()


def test_the_version_is_printed(shell):
    assert shell.ok("--version").startswith("vaultry, version ")


def test_schema_sql_is_what_the_migrations_make(shell):
    assert "up to date" in shell.ok("schema", "--check")


def test_a_stale_schema_sql_is_refused_with_the_difference_and_written_anew(shell, tmp_path, monkeypatch):
    stale = tmp_path / "schema.sql"
    monkeypatch.setattr("handlers.cli.schema.SCHEMA_FILE", stale)
    stale.write_text(SCHEMA_FILE.read_text().replace("CREATE TABLE accounts (", "CREATE TABLE account ("))
    refusal = shell.refused("schema", "--check")
    assert "(schema_stale)" in refusal
    assert "-CREATE TABLE account (" in refusal
    shell.ok("schema")
    assert stale.read_text() == schema_page.schema_page() == SCHEMA_FILE.read_text()


def steps(set_name: str, *scripts: str) -> MigrationSet:
    made = [Step(set_name, number, "step", sql, "0" * 64, True) for number, sql in enumerate(scripts, 1)]
    return MigrationSet(set_name, tuple(made))


LEDGER = """
CREATE TABLE vaultry_migrations (set_name TEXT, number INTEGER, name TEXT, sha256 TEXT, applied_at TEXT);
"""


def test_a_section_shows_each_table_with_its_indexes_and_leaves_out_what_another_section_shows():
    base = steps("base", LEDGER)
    more = steps(
        "more",
        "-- About the file.\n\n-- About a.\nCREATE TABLE a (x TEXT);\n"
        "CREATE TABLE b (y TEXT);\nCREATE VIEW v AS SELECT 1;",
        "CREATE INDEX by_x ON a (x);\nALTER TABLE b ADD COLUMN z TEXT;",
    )
    text = schema_text("Hello.", [Section("Base", (base,)), Section("More", (base, more), (base,))])
    head, _, below = text.partition("-- More: more/0001_step to more/0002_step\n")
    assert head.startswith("-- Hello.\n")
    assert head.count("vaultry_migrations") == 1
    assert below.partition("\n\n")[2] == (
        "-- About a.\nCREATE TABLE a (x TEXT);\nCREATE INDEX by_x ON a (x);\n\n"
        "CREATE TABLE b (y TEXT, z TEXT);\n\nCREATE VIEW v AS SELECT 1;\n"
    )
