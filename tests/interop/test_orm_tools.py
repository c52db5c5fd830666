"""drizzle-kit and Prisma, which have Cloudflare's host built in, against a running server through the shim."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from db.own_migrations.folder import read_own_migrations
from handlers.tenant.own_migrations import bring, look_at
from handlers.tenant.provisioning import find_tenant
from tests.handlers.http.site import OPERATOR
from tests.interop.d1_desk import ACCOUNT, D1Server, d1_server
from tests.interop.node import FOLDER, node

SHIM = Path(__file__).parents[2] / "contrib" / "cloudflare-host.cjs"
TOOLS = FOLDER / "tools"


@dataclass(frozen=True)
class Project:
    """A developer's folder that finds the packages, and a server it is to talk to."""

    server: D1Server
    folder: Path

    def run(self, program: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        shim = {"NODE_OPTIONS": f"--require={SHIM}", "CLOUDFLARE_API_BASE_URL": self.server.base}
        return subprocess.run(
            [node(), program, *arguments], cwd=self.folder, env={**kept, "HOME": str(self.folder), **shim, **environ},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def drizzle(self, *words: str) -> str:
        ended = self.run("node_modules/drizzle-kit/bin.cjs", *words, "--config", "drizzle.config.json")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def create(self, name: str) -> str:
        made: str = self.call("", {"name": name})["uuid"]
        return made

    def query(self, database: str, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call(f"/{database}/query", {"sql": sql})[-1]["results"]
        return rows

    def call(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.server.base}/accounts/{ACCOUNT}/d1/database{path}",
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.server.token}"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["result"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    node()
    for package in ("drizzle-kit", "prisma", "@prisma/adapter-d1"):
        if not (FOLDER / "node_modules" / package).is_dir():
            pytest.skip(f"the package {package} is not here: npm ci --prefix tests/interop/js")
    folder = tmp_path_factory.mktemp("project")
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    (folder / "package.json").write_text("{}")
    with d1_server(tmp_path_factory.mktemp("site")) as server:
        yield Project(server, folder)


def configure(project: Project, database: str, out: str) -> None:
    credentials = {"accountId": ACCOUNT, "databaseId": database, "token": project.server.token}
    told = {"dialect": "sqlite", "driver": "d1-http", "schema": "./schema.ts", "out": out, "dbCredentials": credentials}
    (project.folder / "drizzle.config.json").write_text(json.dumps(told))
    (project.folder / "schema.ts").write_text((TOOLS / "schema.ts").read_text())


def change_schema(project: Project, old: str, new: str) -> None:
    text = (project.folder / "schema.ts").read_text()
    assert old in text
    (project.folder / "schema.ts").write_text(text.replace(old, new))


def test_drizzle_pushes_a_schema_and_pulls_it_again(project):
    configure(project, project.create("pushed"), "./pulled")
    assert "Changes applied" in project.drizzle("push", "--force")
    assert "No changes detected" in project.drizzle("push", "--force")
    project.query("pushed", "INSERT INTO users (email) VALUES ('a'); INSERT INTO posts (id, user_id) VALUES ('p', 1)")
    change_schema(project, 'raw: blob("raw"),', 'raw: blob("raw"), more: text("more"),')
    assert "Changes applied" in project.drizzle("push", "--force")
    assert project.query("pushed", "SELECT * FROM posts") == [
        {"id": "p", "user_id": 1, "body": "x", "raw": None, "more": None}
    ]
    assert "2 tables fetched" in project.drizzle("pull")
    pulled = (project.folder / "pulled" / "schema.ts").read_text()
    assert 'references(() => users.id, { onDelete: "cascade" } )' in pulled
    assert 'uniqueIndex("users_email").on(table.email)' in pulled
    assert "vaultry" not in pulled


def test_drizzle_and_vaultry_apply_the_same_migrations(project):
    services = project.server.site.services
    configure(project, project.create("migrated"), "./drizzle")
    entry, folder = find_tenant(services, "migrated"), project.folder / "drizzle"
    project.drizzle("generate")
    assert look_at(services, entry, folder, None).state == "due"
    project.drizzle("migrate")
    assert look_at(services, entry, folder, None).state == "current"
    change_schema(project, 'raw: blob("raw"),', 'raw: blob("raw"), more: text("more"),')
    project.drizzle("generate")
    assert len(bring(services, entry, folder, None, OPERATOR, lambda done, total: None).applied) == 1
    project.drizzle("migrate")
    noted = project.query("migrated", "SELECT hash FROM __drizzle_migrations ORDER BY created_at")
    assert [row["hash"] for row in noted] == [step.sha256 for step in read_own_migrations(folder, "drizzle").steps]
    assert len(project.query("migrated", "SELECT name FROM pragma_table_info('posts')")) == 5


def test_prismas_client_queries(project):
    project.create("prisma")
    project.query("prisma", (TOOLS / "tables.sql").read_text())
    (project.folder / "schema.prisma").write_text((TOOLS / "schema.prisma").read_text())
    # It would fetch a program that only its own migrations need.
    alone = {"PRISMA_SCHEMA_ENGINE_BINARY": "/bin/true", "CHECKPOINT_DISABLE": "1", "PRISMA_HIDE_UPDATE_MESSAGE": "1"}
    made = project.run("node_modules/prisma/build/index.js", "generate", "--schema", "schema.prisma", **alone)
    assert made.returncode == 0, made.stdout + made.stderr
    ended = project.run(str(TOOLS / "queries.cjs"), ACCOUNT, "prisma", project.server.token)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["first"] == ["first", 1.5, True, "2026-05-01T19:00:00.000Z", [0, 255], "5000000000"]
    assert (told["counted"], told["updated"], told["upserted"], told["pages"]) == (2, 2, "b@shop.example", [2])
    assert told["grouped"] == [{"userId": 1, "_count": 1}, {"userId": 2, "_count": 1}]
    assert (told["sums"], told["both"], told["executed"], told["left"]) == (1.5, "3,2", 2, 1)
    assert told["raw"] == [{"email": "ann@shop.example"}]
    # The adapter's own code for what the database refused; the kind is in its message.
    assert (told["duplicate"], told["missing"], told["dangling"]) == ("P2039", "P2025", "P2039")


@pytest.mark.parametrize("address", ["http://api.example.org/client/v4", "http://192.0.2.7:8000"])
def test_the_shim_sends_no_token_over_a_network_in_the_open(project, address):
    ended = project.run("-e", "0", CLOUDFLARE_API_BASE_URL=address)
    assert ended.returncode != 0
    assert "wanted https" in ended.stderr


def test_the_shim_moves_one_host_only(project):
    script = """
    const https = require("node:https");
    const told = {};
    const at = "https://api.cloudflare.com/client/v4/user/tokens/verify";
    const headers = { authorization: `Bearer ${process.argv[1]}` };
    const got = (options, extra) =>
      new Promise((done) => https.get(options, extra, (a) => { a.resume(); done(a.statusCode); }));
    (async () => {
      told.url = await got(at, { headers });
      told.object = await got(new URL(at), { headers, agent: new https.Agent() });
      told.options = await new Promise((done) => https.request(
        { hostname: "api.cloudflare.com", path: "/client/v4/user/tokens/verify", headers },
        (a) => { a.resume(); done(a.statusCode); }).end());
      told.fetch = (await fetch(at, { headers })).status;
      told.request = (await fetch(new Request(at, { headers }))).status;
      told.other = await fetch("https://other.invalid/").catch((error) => error.cause.code);
      console.log(JSON.stringify(told));
    })();
    """
    ended = project.run("-e", script, project.server.token)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told.pop("other") in ("ENOTFOUND", "EAI_AGAIN")
    assert set(told.values()) == {200}
