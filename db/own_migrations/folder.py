"""A folder of migrations as its tool reads it: which steps, in which order, with which hash. Knows files; no vault.

wrangler: `*.sql`, by the number they begin with. drizzle: `meta/_journal.json` and a file for each entry, cut at
`--> statement-breakpoint`. vaultry: `NNNN_what_it_does.sql`, from 1 without a gap.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from db.errors import Invalid
from db.fields import is_json_list, is_json_object
from db.sql.splitting import split_statements

Format = Literal["drizzle", "vaultry", "wrangler"]
FORMATS: Final[tuple[Format, ...]] = ("drizzle", "vaultry", "wrangler")
_JOURNAL: Final = Path("meta") / "_journal.json"
_BREAKPOINT: Final = "--> statement-breakpoint"
_NUMBERED = re.compile(r"(\d{4})_([A-Za-z0-9_-]+)\.sql")
_FIRST_NUMBER = re.compile(r"\s*[+-]?(\d+)")
_KEYS_OFF = re.compile(r"\A(?:\s|--[^\n]*\n)*PRAGMA\s+foreign_keys\s*=\s*(?:off|0|false|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OwnStep:
    """One step. name: of its file. number: of a vaultry step, or when a drizzle step was made, in ms; 0 for wrangler.

    sha256: of the file. keys_off: it asks SQLite not to follow foreign keys, as one does that makes a table anew.
    """

    name: str
    number: int
    statements: tuple[str, ...]
    sha256: str
    keys_off: bool


@dataclass(frozen=True, slots=True)
class OwnMigrations:
    """The steps of a folder, in order."""

    format: Format
    steps: tuple[OwnStep, ...]


def guessed_format(folder: Path) -> Format | None:
    """drizzle where there is a journal; None where only the vault can tell."""
    return "drizzle" if (folder / _JOURNAL).is_file() else None


def read_own_migrations(folder: Path, how: Format) -> OwnMigrations:
    """The folder in this format. Raises Invalid (migrations_invalid)."""
    if not folder.is_dir():
        raise _invalid(f"there is no folder {folder}")
    match how:
        case "drizzle":
            steps = _drizzle(folder)
        case "vaultry":
            steps = _numbered(folder)
        case "wrangler":
            files = sorted(folder.glob("*.sql"), key=lambda path: path.name)
            steps = [_step(path, 0) for path in sorted(files, key=_wrangler_place)]
    if not steps:
        raise _invalid(f"{folder} has no migrations as {how} keeps them")
    return OwnMigrations(how, tuple(steps))


def _numbered(folder: Path) -> list[OwnStep]:
    steps: list[OwnStep] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NUMBERED.fullmatch(path.name)
        if match is None or int(match[1]) != len(steps) + 1:
            raise _invalid(f"got {path.name}, wanted {len(steps) + 1:04d}_what_it_does.sql")
        steps.append(_step(path, len(steps) + 1))
    return steps


def _wrangler_place(path: Path) -> float:
    """Where wrangler puts a file: by the number it begins with; those without one keep their place at the end."""
    found = _FIRST_NUMBER.match(path.name.partition("_")[0])
    return int(found[1]) if found else float("inf")


def _drizzle(folder: Path) -> list[OwnStep]:
    try:
        journal: Any = json.loads((folder / _JOURNAL).read_text())
    except (OSError, ValueError) as exc:
        raise _invalid(f"cannot read {folder / _JOURNAL}: {exc}") from exc
    entries: Any = journal.get("entries") if is_json_object(journal) else None
    if not is_json_list(entries):
        raise _invalid(f"{folder / _JOURNAL} has no list `entries`")
    steps: list[OwnStep] = []
    for entry in entries:
        tag, when = (entry.get("tag"), entry.get("when")) if is_json_object(entry) else (None, None)
        if not isinstance(tag, str) or not isinstance(when, int) or Path(tag).name != tag:
            raise _invalid(f"{folder / _JOURNAL}: an entry without `tag` and `when`")
        if steps and when <= steps[-1].number:
            raise _invalid(f"{folder / _JOURNAL}: {tag} was made no later than {steps[-1].name}, and would never run")
        steps.append(_step(folder / f"{tag}.sql", when))
    return steps


def _step(path: Path, number: int) -> OwnStep:
    try:
        content = path.read_bytes()
        text = content.decode()
    except (OSError, ValueError) as exc:
        raise _invalid(f"cannot read {path}: {exc}") from exc
    pieces: Sequence[str] = text.split(_BREAKPOINT)
    statements = tuple(statement for piece in pieces for statement in split_statements(piece))
    keys_off = _KEYS_OFF.match(text) is not None
    return OwnStep(path.name, number, statements, hashlib.sha256(content).hexdigest(), keys_off)


def _invalid(message: str) -> Invalid:
    return Invalid(message, code="migrations_invalid")
