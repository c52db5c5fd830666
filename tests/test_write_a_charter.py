"""The how-to that builds a charter: its files are written and its commands run as it says, answers compared."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page_examples import Names, expected, fault, fences

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "write-a-charter.md"
SERVED = "http://127.0.0.1:8000"
_FILE = re.compile(r"#### `([\w./]+)`")
_END = "--end of the block--"


class Terminal:
    """A shell in the reader's folder that keeps its variables, and the server in the other terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.server: subprocess.Popen[bytes] | None = None
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        environ = {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.shell = subprocess.Popen(
            ["bash"], cwd=folder, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        # The reader has it installed; here it is this checkout.
        self.run(f'vaultry() {{ PYTHONPATH="{ROOT}:$PYTHONPATH" python -m handlers.cli "$@"; }}')

    def run(self, block: str) -> str:
        """What the block prints. A command that fails shows in what follows."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        if self.address:
            block = block.replace(SERVED, self.address)
        self.shell.stdin.write(f"{block}\necho; echo '{_END}'\n")
        self.shell.stdin.flush()
        printed = iter(self.shell.stdout.readline, "")
        return "".join(line for line in iter(lambda: next(printed), f"{_END}\n"))

    def serve(self) -> None:
        """Start the server, or start it again. It listens before it says where."""
        self.stop()
        environ = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}",
            "VAULTRY_CHARTERS": self.run("echo -n $VAULTRY_CHARTERS").strip(),
        }
        # Any free port at first, and the same one after that: tokens name the address they are for.
        command = [sys.executable, "-m", "handlers.cli", "serve", "--port", self.address.rpartition(":")[2] or "0"]
        self.server = subprocess.Popen(command, cwd=self.folder, env=environ, stdout=subprocess.PIPE)
        assert self.server.stdout is not None
        announced = re.search(rb"http://127\.0\.0\.1:\d+", self.server.stdout.readline())
        assert announced
        self.address = announced[0].decode()

    def stop(self) -> None:
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            self.server.communicate(timeout=30)

    def close(self) -> None:
        self.stop()
        self.shell.communicate(timeout=30)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file of the page."""
    folder = tmp_path_factory.mktemp("shed")
    for fence in fences(PAGE):
        if named := _FILE.fullmatch(fence.before):
            write(folder / named[1], fence.text)
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="needs bash and curl")
def test_the_page_builds_a_charter_that_works(terminal: Terminal):
    names: Names = {}
    printed, served = "", 0
    for fence in fences(PAGE):
        if named := _FILE.fullmatch(fence.before):
            write(terminal.folder / named[1], fence.text)
        elif fence.language == "json":
            assert fault(expected(fence.text), expected(printed), names) is None, f"{fence}: {printed}"
        elif fence.language == "text":
            assert fence.text in printed, f"{fence}: {printed}"
        elif fence.text == "vaultry serve\n":
            terminal.serve()
            served += 1
        else:
            assert fence.language == "sh", fence
            printed = terminal.run(fence.text)
    assert served == 2
    assert {"trimmer", "ben", "loan"} <= set(names)


def test_the_code_shown_is_typed_and_tidy(written: Path):
    config, environ = str(ROOT / "pyproject.toml"), {**os.environ, "MYPYPATH": str(ROOT)}
    for command in (
        ["ruff", "check", "--config", config, "toolshed"],
        ["ruff", "format", "--check", "--config", config, "toolshed"],
        ["mypy", "--config-file", config, "--follow-imports", "silent", "--cache-dir", str(ROOT / ".mypy_cache"),
         "-p", "toolshed"],
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=written, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_roles_shown_are_the_grants_shown(written: Path):
    program = (
        "import json, sqlite3; from toolshed.people import ROLES; d = sqlite3.connect(':memory:')\n"
        "for p in sorted(__import__('pathlib').Path('toolshed/migrations/toolshed').glob('*.sql')):\n"
        "    d.executescript(p.read_text())\n"
        "for r in ROLES: d.execute('INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)', (r, r, r, r, r, 24 * 'x'))\n"
        "held = {r: {p for i, p, s in d.execute('SELECT * FROM grants') if i == r} for r in ROLES}\n"
        "assert held == dict(ROLES), held"
    )
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{written}"}
    subprocess.run([sys.executable, "-c", program], cwd=written, env=environ, check=True)
