"""wrangler's own command line against a running server: the whole life of a database."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.d1_desk import ACCOUNT, D1Server, d1_server
from tests.interop.node import FOLDER, node

PROGRAM = FOLDER / "node_modules" / "wrangler" / "bin" / "wrangler.js"


@dataclass(frozen=True)
class Wrangler:
    """The program in a folder of its own, told of one server and of no other."""

    server: D1Server
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
            "CI": "1",
            "NO_COLOR": "1",
            "CLOUDFLARE_API_BASE_URL": self.server.base,
            "CLOUDFLARE_API_TOKEN": self.server.token,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_SEND_ERROR_REPORTS": "false",
            # With its banner it looks for a newer release of itself.
            "WRANGLER_HIDE_BANNER": "true",
        }
        return subprocess.run(
            [node(), str(PROGRAM), "d1", *arguments], cwd=self.folder, env=environ, capture_output=True, text=True,
            input="y\n", check=False, timeout=120,
        )  # fmt: skip

    def done(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))


@pytest.fixture(scope="module")
def wrangler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wrangler]:
    node()
    if not PROGRAM.exists():
        pytest.skip("wrangler is not here: npm ci --prefix tests/interop/js")
    with d1_server(tmp_path_factory.mktemp("site")) as server:
        yield Wrangler(server, tmp_path_factory.mktemp("wrangler"))


def test_the_whole_life_of_a_database(wrangler):
    """One test: each command of the program costs more than a second."""
    assert "Successfully created DB 'shop'" in wrangler.done("create", "shop")
    assert "already exists" in wrangler.run("create", "shop").stderr
    [listed] = wrangler.json("list")
    info = wrangler.json("info", "shop")
    assert (listed["name"], info["uuid"], info["num_tables"]) == ("shop", listed["uuid"], 0)

    command = "CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT); INSERT INTO t (y) VALUES ('a'), ('b'); SELECT * FROM t"
    told = wrangler.json("execute", "shop", "--remote", "--command", command)
    assert told[-1]["results"] == [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]
    assert (
        "no such table: nope" in wrangler.run("execute", "shop", "--remote", "--command", "SELECT * FROM nope").stderr
    )

    (wrangler.folder / "more.sql").write_text("INSERT INTO t (y) VALUES ('c');\nCREATE INDEX t_y ON t (y);\n")
    told = wrangler.done("execute", "shop", "--remote", "--yes", "--file", "more.sql")
    assert "Executed 2 queries" in told
    assert "Database is currently at bookmark" in told
    (wrangler.folder / "bad.sql").write_text("INSERT INTO t (y) VALUES ('d');\nSELEC;\n")
    assert "syntax error" in wrangler.run("execute", "shop", "--remote", "--yes", "--file", "bad.sql").stderr

    wrangler.done("export", "shop", "--remote", "--output", "out.sql")
    wrangler.done("create", "copy")
    wrangler.done("execute", "copy", "--remote", "--yes", "--file", "out.sql")
    [counted] = wrangler.json("execute", "copy", "--remote", "--command", "SELECT group_concat(y) AS all_y FROM t")
    assert counted["results"] == [{"all_y": "a,b,c"}]

    migrate(wrangler, listed["uuid"])

    bookmark = wrangler.json("time-travel", "info", "shop")["bookmark"]
    wrangler.done("execute", "shop", "--remote", "--command", "DELETE FROM t")
    restored = wrangler.json("time-travel", "restore", "shop", "--bookmark", bookmark)
    assert restored["previous_bookmark"] > bookmark
    [counted] = wrangler.json("execute", "shop", "--remote", "--command", "SELECT count(*) AS n FROM t")
    assert counted["results"] == [{"n": 3}]

    assert wrangler.json("insights", "shop") == []
    assert wrangler.json("info", "shop")["rows_written_24h"] > 6
    assert "Deleted 'shop' successfully" in wrangler.done("delete", "shop", "--skip-confirmation")
    assert [known["name"] for known in wrangler.json("list")] == ["copy"]
    assert wrangler.run("info", "shop").returncode != 0


def migrate(wrangler: Wrangler, uuid: str) -> None:
    """Migrations are applied once, however often they are asked for; a trigger is among them."""
    migrations = wrangler.folder / "migrations"
    migrations.mkdir()
    check = "SELECT CASE WHEN new.x < 0 THEN RAISE(ABORT, 'no') END;"
    trigger = f"CREATE TRIGGER m_checked AFTER INSERT ON m BEGIN\n  {check}\nEND;"
    (migrations / "0001_first.sql").write_text(f"CREATE TABLE m (x);\n{trigger}\n")
    database = {"binding": "DB", "database_name": "shop", "database_id": uuid, "migrations_dir": "migrations"}
    (wrangler.folder / "wrangler.json").write_text(json.dumps({"name": "shop", "d1_databases": [database]}))
    assert "0001_first.sql" in wrangler.done("migrations", "apply", "shop", "--remote")
    assert "No migrations to apply" in wrangler.done("migrations", "apply", "shop", "--remote")
    assert "No migrations to apply" in wrangler.done("migrations", "list", "shop", "--remote")
    [applied] = wrangler.json("execute", "shop", "--remote", "--command", "SELECT name FROM d1_migrations")
    assert applied["results"] == [{"name": "0001_first.sql"}]
