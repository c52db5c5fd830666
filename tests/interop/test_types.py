"""What `vaultry types` writes, as those who import it take it: the TypeScript compiler, Python, pydantic and mypy."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from handlers.cli.main import cli
from tests.interop.node import FOLDER, node, run_node
from tests.interop.served import open_aurora

USE_TS = """
import { createClient } from "@supabase/supabase-js"
import type { Database, Insert, Json, Row } from "./database"

const db = createClient<Database>("http://127.0.0.1", "sb_publishable_none")

export async function main(): Promise<void> {
  const { data } = await db.from("works").select("title, composer, editions(name, license_type)").eq("title", "x")
  const title: string | undefined = data?.[0].title
  const composer: string | null | undefined = data?.[0].composer
  const license: "public_domain" | "licensed" | "owned" | undefined = data?.[0].editions[0].license_type
  const one = await db.from("editions").select("*, works(title)").single()
  const parent: string | undefined = one.data?.works.title
  const row: Row<"works"> = { id: "", org_id: "", title: "", composer: null, lyricist: null, created_at: "" }
  const added: Insert<"works"> = { title: "a" }
  await db.from("works").insert([added])
  await db.from("editions").update({ license_type: "owned" }).eq("id", "1")
  const made = await db.rpc("work.create", { title: "x" })
  const listed = await db.rpc("work.list").select("title, editions(name)")
  const edition: string | undefined = listed.data?.[0].editions[0].name
  const event = (await db.rpc("event.list")).data?.[0]
  const start: string | undefined = event?.starts_at
  const added_by_verb: Json | undefined = event?.shown_until
  const found = await db.rpc("work.get", { work_id: "1" })
  const composer_found: string | null | undefined = found.data?.composer
  // @ts-expect-error a column that the rows of the verb do not have
  const missing: string | undefined = listed.data?.[0].nope
  // @ts-expect-error a column that is not there
  await db.from("works").insert({ title: "a", nope: 1 })
  // @ts-expect-error a column that must be given
  await db.from("works").insert({ composer: "a" })
  // @ts-expect-error a table that clients only read
  await db.from("members").insert({ name: "x" })
  // @ts-expect-error a value that is not among the choices
  await db.from("editions").update({ license_type: "stolen" }).eq("id", "1")
  // @ts-expect-error a column that is fixed once the row is there
  await db.from("editions").update({ work_id: "1" }).eq("id", "1")
  // @ts-expect-error an argument of another name
  await db.rpc("work.create", { titel: "x" })
  // @ts-expect-error a table that is not there
  db.from("nope")
  console.log(edition, start, added_by_verb, composer_found, missing, title, composer, license, parent, row, made.data)
}
"""
USE_PYTHON = """
from typing import assert_type

from pydantic import TypeAdapter, ValidationError

from aurora_types import EditionsUpdate, EventListResult, EventsRow, MembersRow, WorkCreateArgs, WorksInsert, WorksRow

row = WorksRow.model_validate_json(
    '{"id": "1", "org_id": "2", "title": "x", "composer": null, "lyricist": null,'
    ' "created_at": "2026-05-01T19:00:00.000Z"}'
)
assert_type(row.title, str)
assert_type(row.composer, str | None)
assert row.created_at.year == 2026
given: WorksInsert = {"title": "a"}
change: EditionsUpdate = {"license_type": "owned"}
event: EventsRow = EventListResult.model_validate({
    "id": "1", "org_id": "2", "title": "x", "description": None, "location": None, "ends_at": None, "created_by": None,
    "starts_at": "2026-05-01T19:00:00.000Z", "created_at": "2026-05-01T19:00:00.000Z", "event_type": "concert",
    "shown_until": "2026-05-01T21:00:00.000Z",
})
assert event.starts_at.hour == 19
args: WorkCreateArgs = {"title": "x", "composer": None}
for wrong in ({}, {"title": 1}, {"title": None}):
    try:
        TypeAdapter(WorksInsert).validate_python(wrong)
    except ValidationError:
        continue
    raise AssertionError(wrong)
assert TypeAdapter(WorksInsert).validate_python(given) == given
assert "email_contact" in MembersRow.model_fields
"""
MISUSE_PYTHON = """
from aurora_types import EditionsUpdate, WorksInsert

missing: WorksInsert = {"composer": "a"}
unknown: WorksInsert = {"title": "a", "nope": 1}
choice: EditionsUpdate = {"license_type": "stolen"}
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes the types of a choir in a language to a file."""
    site, _ = open_aurora(tmp_path / "site")
    site.services.close()
    monkeypatch.setenv("VAULTRY_STORE", f"file:{tmp_path / 'site' / 'store'}")

    def write(lang: str, name: str) -> Path:
        folder = tmp_path / lang
        folder.mkdir()
        done = CliRunner().invoke(cli, ["types", "aurora", "--lang", lang, "--out", str(folder / name)])
        assert done.exit_code == 0, done.output
        return folder

    return write


def test_typescript_takes_them_for_supabases_database(written):
    node()
    folder = written("ts", "database.ts")
    (folder / "use.ts").write_text(USE_TS)
    (folder / "node_modules").symlink_to(FOLDER / "node_modules")
    compiler = str(FOLDER / "node_modules" / "typescript" / "bin" / "tsc")
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--lib", "es2022,dom"]
    done = run_node(compiler, *options, "--module", "esnext", "--moduleResolution", "bundler", "use.ts", folder=folder)
    assert (done.returncode, done.stdout) == (0, "")


def python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_python_imports_them_and_pydantic_checks_by_them(written):
    folder = written("python", "aurora_types.py")
    (folder / "use.py").write_text(USE_PYTHON)
    done = python(folder, "-W", "error", "use.py")
    assert done.returncode == 0, done.stderr


def test_mypy_finds_every_misuse_and_nothing_else(written):
    folder = written("python", "aurora_types.py")
    (folder / "use.py").write_text(USE_PYTHON)
    (folder / "misuse.py").write_text(MISUSE_PYTHON)
    done = python(folder, "-m", "mypy", "--strict", "--config-file=", "use.py", "aurora_types.py")
    assert done.returncode == 0, done.stdout
    done = python(folder, "-m", "mypy", "--strict", "--config-file=", "misuse.py")
    assert done.returncode == 1
    assert [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line] == ["4", "5", "6"]
