"""`vaultry types`: where the types go, and what is said when they cannot. What they mean is tested elsewhere."""

import json

import pytest
from click.testing import CliRunner

from db.clock import system_moment
from handlers.cli.main import cli
from tests.handlers.http.site import make_choir, make_site


@pytest.fixture
def store(tmp_path, monkeypatch):
    site = make_site(tmp_path, system_moment)
    make_choir(site, "aurora")
    site.services.close()
    monkeypatch.setenv("VAULTRY_STORE", f"file:{tmp_path / 'store'}")
    return tmp_path


def run(*arguments: str):
    return CliRunner().invoke(cli, ["types", *arguments])


@pytest.mark.parametrize(
    ("lang", "word"), [("ts", "export type Database = {"), ("python", "class WorksRow(BaseModel):")]
)
def test_without_a_file_they_are_printed(store, lang, word):
    done = run("aurora", "--lang", lang)
    assert done.exit_code == 0, done.output
    assert word in done.stdout
    assert json.loads(run("aurora", "--lang", lang, "--json").stdout) == {"lang": lang, "types": done.stdout}


def test_a_file_is_replaced_and_told_of(store):
    file = store / "database.ts"
    file.write_text("old")
    told = json.loads(run("aurora", "--lang", "ts", "--out", str(file), "--json").stdout)
    assert file.read_text() == run("aurora", "--lang", "ts").stdout
    assert (told["file"], told["lang"]) == (str(file), "ts")
    assert told["tables"] == file.read_text().count("Row: {")
    assert file.stat().st_mode & 0o777 == 0o644
    assert "tables" in run("aurora", "--lang", "ts", "--out", str(file)).stdout


def test_the_types_are_the_same_every_time_and_hold_no_hidden_column(store):
    first = run("aurora", "--lang", "python").stdout
    assert run("aurora", "--lang", "python").stdout == first
    assert "email_id_lookup" not in first
    assert "email_contact: str | None" in first


def test_a_tenant_or_a_folder_that_is_not_there_is_an_error(store):
    missing = run("harmonia", "--lang", "ts")
    assert (missing.exit_code, "harmonia" in missing.stderr) == (1, True)
    nowhere = run("aurora", "--lang", "ts", "--out", str(store / "no" / "x.ts"))
    assert (nowhere.exit_code, "cannot write" in nowhere.stderr) == (1, True)
    assert run("aurora", "--lang", "cobol").exit_code == 2
