"""A temporary store, and the command line run against it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from handlers.cli import cli
from handlers.services import Services
from handlers.settings import Settings


@dataclass(frozen=True)
class Shell:
    """Runs commands in this process. folder: of the store, and where relative file names lead."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"VAULTRY_STORE": (self.folder / "data").as_uri().replace("file://", "file:")}

    def run(self, *words: str, typed: str = "") -> Result:
        return CliRunner().invoke(cli, words, input=typed, env=self.environ, catch_exceptions=False)

    def ok(self, *words: str, typed: str = "") -> str:
        """What a command that must succeed prints."""
        result = self.run(*words, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "--json"))

    def refused(self, *words: str, typed: str = "", code: int = 1) -> str:
        """What a command that must not succeed says on standard error."""
        result = self.run(*words, typed=typed)
        assert result.exit_code == code, result.output
        return result.stderr

    def choir(self, slug: str = "bella") -> str:
        """The link of a new choir owned by anna@bella.example."""
        made = self.ok(
            "tenants", "create", slug, "--charter", "choir", "--name", "Bella Voce", "--owner", "anna@bella.example"
        )
        return made.strip()

    def rows(self, sql: str, slug: str = "bella") -> Any:
        return self.json("sql", slug, sql)

    def write(self, sql: str, slug: str = "bella") -> Any:
        return self.json("sql", slug, sql, "--write")

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture
def choir(shell: Shell) -> Shell:
    shell.choir()
    return shell


@pytest.fixture
def alter(open_services) -> Callable[[str, str], None]:
    """Changes what a charter made, as no command does: `alter(slug, statement)`."""

    def one(slug: str, statement: str) -> None:
        services = open_services()
        with services.vault(services.entry(slug)) as vault:
            vault.alter(lambda writer: bool(writer.execute(statement)))

    return one


@pytest.fixture
def open_services(shell: Shell) -> Iterator[Callable[[], Services]]:
    """Services over the same store, for what no command does; closed at the end."""
    opened: list[Services] = []

    def open_one() -> Services:
        opened.append(Services(Settings.from_env(shell.environ)))
        return opened[-1]

    yield open_one
    for services in opened:
        services.close()
