"""A fleet of small choirs, and releases of the code that have further migration steps."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from db.log.commit_log import COMMIT_LEVEL, CommitLog
from db.registry.directory import VaultEntry
from db.schema.migrate import load_set
from db.transaction import Actor
from db.vault.opening import Kind
from domain.charter import Founding
from handlers.cli import cli
from handlers.fleet.one_vault import open_as_is
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import find_tenant, provision
from tests.handlers.fleet.extra_steps import KIND, kind_with

ROOT = Path(__file__).parents[3]
OPERATOR = Actor("test", "operator", "test", "test")
# A step that works in every choir, and one that fails where two works have the same title.
PARKS = "CREATE TABLE parks (id INTEGER PRIMARY KEY, name TEXT) STRICT;\nINSERT INTO parks VALUES (1, 'Kadriorg');\n"
TITLES = "CREATE UNIQUE INDEX idx_works_one_title ON works (title);\n"


@dataclass
class Fleet:
    """A store with choirs. folder: of the test. release: folder of the further steps of the code that runs."""

    folder: Path
    opened: list[Services] = field(default_factory=list)

    @property
    def release(self) -> Path:
        return self.folder / "release"

    @property
    def environ(self) -> dict[str, str]:
        return {"VAULTRY_STORE": f"file:{self.folder / 'data'}"}

    def steps(self, *steps: str) -> None:
        """From now on the code has these steps after those of the box."""
        for old in self.release.iterdir():
            old.unlink()
        for number, sql in enumerate(steps, 1):
            (self.release / f"{number:04d}_further.sql").write_text(sql)
        # What a process loads once is another release here.
        load_set.cache_clear()

    def services(self) -> Services:
        """A process of this release."""
        self.opened.append(Services(Settings.from_env(self.environ)))
        return self.opened[-1]

    def choirs(self, *slugs: str) -> None:
        services = self.services()
        for slug in slugs:
            provision(services, "choir", Founding(slug, slug.capitalize(), f"owner@{slug}.example"), OPERATOR)
        services.close()

    def poison(self, *slugs: str) -> None:
        """Two works of one title: TITLES fails here."""
        for slug in slugs:
            self.write(slug, title="Locus iste")
            self.write(slug, title="Locus iste")

    def write(self, slug: str, *, title: str, services: Services | None = None) -> str:
        """Add a work; its id. Raises what the vault raises."""
        acting = services or self.services()
        entry, now = self.entry(slug), acting.clock()
        work_id = now.new_id()

        def add(tx) -> None:
            org = tx.value("SELECT id FROM organizations")
            tx.insert("works", id=work_id, org_id=org, title=title, created_at=now.text)

        with acting.vault(entry) as vault:
            vault.write(add, OPERATOR, now)
        if services is None:
            acting.close()
        return work_id

    def rows(self, slug: str, sql: str) -> list[tuple]:
        """Rows of the vault as it is: this look migrates nothing."""
        with closing(open_as_is(self.desk.site, self.entry(slug).id, Kind(()))) as vault:
            return [tuple(row) for row in vault.read(lambda tx: tx.rows(sql)).value]

    def bookmark(self, slug: str) -> str:
        with closing(open_as_is(self.desk.site, self.entry(slug).id, Kind(()))) as vault:
            return vault.bookmark

    @cached_property
    def desk(self) -> Services:
        """The process that tests look with; it opens no vault to stay."""
        return self.services()

    def entry(self, slug: str) -> VaultEntry:
        return find_tenant(self.desk, slug)

    def commits(self, slug: str) -> int:
        """Commits in the log of the vault."""
        return len(CommitLog(self.desk.site.store, self.entry(slug).id).list_level(COMMIT_LEVEL))

    def numbers(self, slug: str) -> dict[str, int]:
        """The last step of each set, as the vault itself says."""
        sql = "SELECT set_name, max(number) FROM vaultry_migrations GROUP BY set_name"
        return dict(self.rows(slug, sql))

    def run(self, *words: str, typed: str = "") -> Result:
        return CliRunner().invoke(cli, ["fleet", *words], input=typed, env=self.environ, catch_exceptions=False)

    def json(self, *words: str, code: int = 0) -> Any:
        result = self.run(*words, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def child(self, *words: str, kill: str = "") -> "subprocess.Popen[str]":
        """`vaultry` in another process of this release. kill: as in `extra_steps`."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        further = {"STEPS": str(self.release), **({"KILL": kill} if kill else {})}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.handlers.fleet.extra_steps", *words],
            env={**kept, **self.environ, **further, "PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def killed(self, *words: str, kill: str) -> None:
        """Run a child that must come to the point where it kills itself."""
        process = self.child(*words, kill=kill)
        out, err = process.communicate(timeout=60)
        assert process.returncode == -9, out + err

    def vault_folders(self) -> set[str]:
        """Every vault of which an object is in the store, but the registry."""
        vaults = self.folder / "data" / "vaults"
        return {path.relative_to(vaults).parts[0] for path in vaults.rglob("*.ltx")} - {"registry"}


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "release").mkdir()
    made = Fleet(tmp_path)
    monkeypatch.setattr(Services, "kind", kind_with(made.release))
    yield made
    for services in made.opened:
        services.close()
    assert Services.kind is not KIND
