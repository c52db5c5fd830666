"""The rooms: imports point handlers > domain > db, the engine names no charter, and the door loads little."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYER = {"db": 0, "domain": 1, "handlers": 2}
MODULES = sorted(path.relative_to(ROOT) for room in LAYER for path in (ROOT / room).rglob("*.py"))
CHARTERS = {"choir", "band", "studio", "workspace", "department"}
DEFERRED = {"boto3", "botocore", "pydantic", "sqlite_utils", "argon2", "httpx", "httpcore", "click", "rich", "joserfc"}
DEFERRED |= {"re2", "pyotp", "segno"}


def rooms_imported(source: str, module: Path) -> set[str]:
    """The rooms a module imports from, for types alone or in a function included; relative imports are resolved."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            rooms.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            rooms.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            rooms.add(module.parts[0] if node.level < len(module.parts) else "outside")
        elif isinstance(node, ast.Call) and _is_import_call(node):
            rooms.update(_text(argument).partition(".")[0] for argument in node.args[:1])
    return rooms & {*LAYER, "outside", "tests", "benchmarks"}


def _is_import_call(node: ast.Call) -> bool:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    return name in ("import_module", "__import__")


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def words_of(source: str) -> Iterator[tuple[int, str]]:
    """Every word of names and strings with its line; prose in docstrings and comments does not count."""
    tree = ast.parse(source)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        texts: list[str] = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            texts = [node.value]
        elif isinstance(node, ast.Name):
            texts = [node.id]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
            texts = [node.name]
        elif isinstance(node, ast.Attribute):
            texts = [node.attr]
        elif isinstance(node, ast.arg | ast.keyword):
            texts = [node.arg or ""]
        for text in texts:
            yield from ((getattr(node, "lineno", 0), word) for word in re.split(r"[^a-z]+", text.lower()) if word)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_from_its_own_room_and_the_ones_below(module):
    allowed = {room for room, layer in LAYER.items() if layer <= LAYER[module.parts[0]]}
    assert rooms_imported((ROOT / module).read_text(), module) - allowed == set()


@pytest.mark.parametrize(
    ("module", "source", "rooms"),
    [
        ("db/vault/vault.py", "from handlers.app import x", {"handlers"}),
        (
            "db/vault/vault.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import domain.choir",
            {"domain"},
        ),
        ("db/vault/vault.py", "def f():\n    from domain import choir", {"domain"}),
        ("db/vault/vault.py", "import importlib\nimportlib.import_module('domain.choir')", {"domain"}),
        ("db/rest/plan.py", "from ..vault import x", {"db"}),
        ("db/rest/plan.py", "from ...domain import x", {"outside"}),
        ("db/vault/vault.py", "from tests.lambda_runtime import x", {"tests"}),
        ("db/vault/vault.py", "import sqlite3", set()),
    ],
)
def test_every_way_to_import_is_seen(module, source, rooms):
    assert rooms_imported(source, Path(module)) == rooms


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_opens_with_what_it_is_for(module):
    assert ast.get_docstring(ast.parse((ROOT / module).read_text()))


def test_no_module_is_a_drawer():
    assert [path for path in MODULES if re.search(r"util|helper|manager", path.stem)] == []


@pytest.mark.parametrize("module", [path for path in MODULES if path.parts[0] == "db"], ids=str)
def test_the_engine_names_no_charter(module):
    named = [(line, word) for line, word in words_of((ROOT / module).read_text()) if word.rstrip("s") in CHARTERS]
    assert named == []


def test_a_charter_is_seen_in_names_and_strings_but_not_in_prose():
    source = '"""For a choir."""\n# a band\ndef open_choir(band): return f"SELECT {band.studios} FROM workspaces"\n'
    assert {word for _, word in words_of(source)} & {"choir", "band", "studios", "workspaces"} == {
        "choir", "band", "studios", "workspaces",
    }  # fmt: skip
    assert "choir" not in {word for _, word in words_of('"""For a choir."""\nx = 1\n')}


def modules_after(statement: str, folder: Path) -> set[str]:
    """Top-level packages loaded by a fresh interpreter in `folder` after one statement, without this environment."""
    program = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environ = {**kept, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_check_on_loaded_packages_sees_a_package(tmp_path):
    assert "click" in modules_after("import click", tmp_path)


def test_the_door_loads_nothing_that_only_some_requests_need(tmp_path):
    assert modules_after("import handlers.api", tmp_path) & DEFERRED == set()
