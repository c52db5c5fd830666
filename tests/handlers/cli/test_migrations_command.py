"""`vaultry migrations`: folders of wrangler, drizzle and our own, applied step by step, once."""

import json
from pathlib import Path
from typing import Any

import pytest

from db.registry.labels import change_labels
from handlers.tenant.provisioning import find_tenant
from tests.handlers.cli.test_processes import command
from tests.handlers.http.site import OPERATOR

MADE = "CREATE TABLE t (n INTEGER PRIMARY KEY, step TEXT);\nINSERT INTO t (step) VALUES ('one');\n"
CHECK = "SELECT CASE WHEN new.n < 0 THEN RAISE(ABORT, 'no') END;"
TRIGGER = f"CREATE TRIGGER t_checked AFTER INSERT ON t BEGIN\n  {CHECK}\nEND;\n"
SECOND = f"{TRIGGER}INSERT INTO t (step) VALUES ('two');"
STEPS = "SELECT group_concat(step) AS steps FROM t"


@pytest.fixture
def blank(shell):
    make(shell, "shop")
    return shell


def make(shell, slug: str) -> None:
    shell.ok("tenants", "create", slug, "--charter", "blank", "--name", slug, "--owner", "anna@shop.example")


def numbered(shell, *texts: str, folder: str = "migrations") -> str:
    made: Path = shell.folder / folder
    made.mkdir(exist_ok=True)
    for number, text in enumerate(texts, 1):
        (made / f"{number:04d}_step.sql").write_text(text)
    return str(made)


def drizzle(shell, *texts: str) -> str:
    made: Path = shell.folder / "drizzle"
    (made / "meta").mkdir(parents=True, exist_ok=True)
    entries = [
        {"idx": n, "version": "6", "when": 1_700_000_000_000 + n, "tag": f"{n:04d}_step", "breakpoints": True}
        for n in range(len(texts))
    ]
    (made / "meta" / "_journal.json").write_text(json.dumps({"version": "7", "dialect": "sqlite", "entries": entries}))
    for entry, text in zip(entries, texts, strict=True):
        (made / f"{entry['tag']}.sql").write_text(text)
    return str(made)


def folder_of(shell, how: str, *texts: str) -> str:
    return drizzle(shell, *texts) if how == "drizzle" else numbered(shell, *texts)


def apply(shell, *words: str) -> Any:
    [outcome] = shell.json("migrations", "apply", *words)
    return outcome


@pytest.mark.parametrize("how", ["wrangler", "drizzle", "vaultry"])
def test_each_step_is_applied_once(blank, how):
    folder = folder_of(blank, how, MADE)
    assert blank.run("migrations", "apply", "shop", folder, "--format", how, "--dry-run").exit_code == 1
    assert apply(blank, "shop", folder, "--format", how)["state"] == "applied"
    folder_of(blank, how, MADE, SECOND)
    listed = blank.ok("migrations", "list", "shop", folder).splitlines()
    assert [line.split()[0] for line in listed] == ["applied", "due"]
    assert len(apply(blank, "shop", folder)["applied"]) == 1
    assert apply(blank, "shop", folder)["state"] == "current"
    assert blank.rows(STEPS, "shop") == [{"steps": "one,two"}]
    assert blank.json("migrations", "list", "shop", folder)["format"] == how


@pytest.mark.parametrize("how", ["wrangler", "drizzle", "vaultry"])
def test_a_step_that_fails_leaves_nothing_and_stops_there(blank, how):
    folder = folder_of(blank, how, MADE, "INSERT INTO t (step) VALUES ('half');\nSELEC;", SECOND)
    said = blank.refused("migrations", "apply", "shop", folder, "--format", how)
    assert "step.sql: statement 2: " in said
    assert "syntax error" in said
    assert blank.rows(STEPS, "shop") == [{"steps": "one"}]
    folder_of(blank, how, MADE, "INSERT INTO t (step) VALUES ('half');", SECOND)
    assert len(apply(blank, "shop", folder, "--format", how)["applied"]) == 2
    assert blank.rows(STEPS, "shop") == [{"steps": "one,half,two"}]


@pytest.mark.parametrize("how", ["drizzle", "vaultry"])
def test_an_edited_file_is_refused(blank, how):
    folder = folder_of(blank, how, MADE)
    apply(blank, "shop", folder, "--format", how)
    folder_of(blank, how, MADE + "-- edited", SECOND)
    assert "(migration_edited)" in blank.refused("migrations", "apply", "shop", folder, "--format", how)
    assert blank.run("migrations", "list", "shop", folder, "--format", how).exit_code == 1
    assert blank.rows(STEPS, "shop") == [{"steps": "one"}]


def test_the_tables_are_those_of_the_tools(blank):
    apply(blank, "shop", numbered(blank, MADE))
    apply(blank, "shop", drizzle(blank, "CREATE TABLE d (x);--> statement-breakpoint\nCREATE INDEX d_x ON d (x);\n"))
    [noted] = blank.rows("SELECT id, name FROM d1_migrations", "shop")
    assert noted == {"id": 1, "name": "0001_step.sql"}
    [noted] = blank.rows(
        "SELECT id, length(hash) AS n, created_at, typeof(created_at) AS kind FROM __drizzle_migrations", "shop"
    )
    assert noted == {"id": None, "n": 64, "created_at": 1_700_000_000_000, "kind": "integer"}


def test_a_table_is_made_anew_without_losing_the_rows_that_refer_to_it(blank):
    first = """
    CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT);
    CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER NOT NULL REFERENCES a (id) ON DELETE CASCADE);
    INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (7, 1);
    """
    anew = """PRAGMA foreign_keys=OFF;--> statement-breakpoint
    CREATE TABLE __new_a (id INTEGER PRIMARY KEY, x TEXT NOT NULL);--> statement-breakpoint
    INSERT INTO __new_a SELECT id, x FROM a;--> statement-breakpoint
    DROP TABLE a;--> statement-breakpoint
    ALTER TABLE __new_a RENAME TO a;--> statement-breakpoint
    PRAGMA foreign_keys=ON;"""
    folder = drizzle(blank, first, anew)
    assert len(apply(blank, "shop", folder)["applied"]) == 2
    assert blank.rows("SELECT a.x, b.id FROM a JOIN b ON b.a_id = a.id", "shop") == [{"x": "x", "id": 7}]
    noted = blank.rows(
        "SELECT new_values FROM vaultry_audit WHERE operation = 'note' ORDER BY seq DESC LIMIT 1", "shop"
    )
    assert "0001_step.sql" in noted[0]["new_values"]
    assert blank.json("verify", "shop")
    folder = drizzle(blank, first, anew, "PRAGMA foreign_keys=OFF; DELETE FROM a;")
    assert "refer to rows of a" in blank.refused("migrations", "apply", "shop", folder)
    folder = drizzle(blank, first, anew, "PRAGMA foreign_keys=OFF; DELETE FROM vaultry_audit;")
    assert "not authorized" in blank.refused("migrations", "apply", "shop", folder)
    assert blank.rows("SELECT count(*) AS n FROM a", "shop") == [{"n": 1}]
    assert blank.write("INSERT INTO a VALUES (2, 'y')", "shop")["changed"] == 1


def test_the_rules_of_raw_sql_hold(blank):
    for number, forbidden in enumerate(
        ["ATTACH 'x.db' AS x", "BEGIN", "PRAGMA writable_schema = 1", "DROP TABLE vaultry_settings"]
    ):
        folder = numbered(blank, forbidden, folder=f"m{number}")
        blank.refused("migrations", "apply", "shop", folder)


def test_many_vaults_are_brought_along_and_one_that_fails_stops_none(blank, open_services):
    for slug in ("shop-two", "shop-three"):
        make(blank, slug)
    blank.choir()
    blank.write("CREATE TABLE t (other)", "shop-two")
    folder = numbered(blank, MADE)
    result = blank.run("migrations", "apply", "--all", folder, "--json")
    outcomes = {told["slug"]: told["state"] for told in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert outcomes == {"shop": "applied", "shop-two": "failed", "shop-three": "applied"}
    blank.write("DROP TABLE t", "shop-two")
    services = open_services()
    entry, now = find_tenant(services, "shop-two"), services.clock()
    services.registry_write(lambda tx: change_labels(tx, entry.id, ["pilot"], [], now), OPERATOR, now)
    assert [told["state"] for told in blank.json("migrations", "apply", "--label", "pilot", folder)] == ["applied"]
    outcomes = {told["slug"]: told["state"] for told in blank.json("migrations", "apply", "--all", folder)}
    assert outcomes == {"shop": "current", "shop-two": "current", "shop-three": "current"}


def test_killed_half_way_it_goes_on_where_it_stopped(blank):
    many = 30
    texts = [MADE, *(f"INSERT INTO t (step) SELECT 'step {n}';" for n in range(2, many + 1))]
    folder = numbered(blank, *texts)
    with command(blank, "migrations", "apply", "shop", folder) as process:
        while not blank.rows("SELECT name FROM sqlite_schema WHERE name = 'd1_migrations'", "shop"):
            assert process.poll() is None
        process.kill()
        process.wait()
    [stopped] = blank.rows("SELECT (SELECT count(*) FROM t) AS rows, count(*) AS noted FROM d1_migrations", "shop")
    assert stopped["rows"] == stopped["noted"]
    outcome = apply(blank, "shop", folder)
    assert len(outcome["applied"]) == many - stopped["noted"]
    assert blank.rows("SELECT count(*) AS n, count(DISTINCT step) AS d FROM t", "shop") == [{"n": many, "d": many}]


def test_a_choir_takes_tables_beside_its_own_and_keeps_its_own(choir):
    apply(choir, "bella", numbered(choir, MADE))
    assert choir.rows(STEPS) == [{"steps": "one"}]
    choir.refused("migrations", "apply", "bella", numbered(choir, MADE, "DROP TABLE works"))
    folder = numbered(choir, MADE, folder="own")
    assert "charter_declares" in choir.refused("migrations", "apply", "bella", folder, "--format", "vaultry")


def test_a_folder_that_is_none_is_refused(blank):
    (blank.folder / "empty").mkdir()
    assert "no migrations" in blank.refused("migrations", "apply", "shop", str(blank.folder / "empty"))
    folder = numbered(blank, MADE)
    (Path(folder) / "0003_gap.sql").write_text(MADE)
    assert "wanted 0002" in blank.refused("migrations", "apply", "shop", folder, "--format", "vaultry")
    blank.refused("migrations", "apply", folder, code=2)
    blank.refused("migrations", "apply", "shop", folder, "--all", code=2)
