"""A file of a kind that the charter declares, brought in whole or not at all, in one commit. Knows rows; no format.

Every row is tried before anything is kept, so that one run names all that is wrong. A process that is killed leaves
nothing, or everything; repeated, it adds what is not there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid, VaultError
from db.fields import parse_fields
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.schema.constraints import constraints_translated
from db.transaction import Actor, WriteTx
from domain.charter import RowImport
from handlers.imports.row_files import FileRow
from handlers.services import Services

# So many problems are told in full; the rest is counted.
PROBLEMS_TOLD = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was refused. column: '' when it is the whole row."""

    line: int
    column: str
    code: str
    message: str


@dataclass(slots=True)
class Imported:
    """What became of the rows: added, there before, refused. problems: the first hundred of the refused."""

    added: int = 0
    there: int = 0
    refused: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])

    @property
    def rows(self) -> int:
        """All of them."""
        return self.added + self.there + self.refused


@dataclass(frozen=True, slots=True)
class WholeImport:
    """Rows on their way in. rows: opens the file anew, for a lost race reads it again."""

    services: Services
    entry: VaultEntry
    known: RowImport
    principal: Principal
    actor: Actor
    rows: Callable[[], Iterable[FileRow]]


class _TakenBack(Exception):
    """Carries the outcome out of a transaction that is to leave no trace."""

    def __init__(self, outcome: Imported) -> None:
        super().__init__()
        self.outcome = outcome


def import_whole(wanted: WholeImport, *, dry_run: bool, progress: Callable[[int], None]) -> Imported:
    """What became of the rows. With a refused row, or for a dry run, nothing is written.

    progress: told how many rows were looked at; what it raises stops the import, and nothing is written.
    Raises Forbidden, Invalid for a broken file or its columns, and what the vault raises.
    """
    known = wanted.known
    if not wanted.principal.may(*known.allow):
        raise Forbidden(f"importing {known.name} needs one of: {', '.join(known.allow)}")
    now = wanted.services.clock()

    def work(tx: WriteTx) -> Imported:
        outcome = _bring_in(tx, wanted, now, progress)
        if outcome.refused or dry_run:
            raise _TakenBack(outcome)
        return outcome

    with wanted.services.vault(wanted.entry) as vault:
        try:
            return vault.write(work, wanted.actor, now).value
        except _TakenBack as taken_back:
            return taken_back.outcome


def _bring_in(tx: WriteTx, wanted: WholeImport, now: Moment, progress: Callable[[int], None]) -> Imported:
    known, outcome = wanted.known, Imported()
    bring_in = known.begin(tx, wanted.principal, now)
    lines: dict[str, int] = {}
    for row in wanted.rows():
        if not outcome.rows:
            _check_columns(known, row.values)
        try:
            with constraints_translated():
                added = bring_in(_parsed(known, row, lines))
        except VaultError as exc:
            outcome.refused += 1
            if len(outcome.problems) < PROBLEMS_TOLD:
                column = exc.field or ""
                outcome.problems.append(Problem(row.line, column, exc.code, exc.message.removeprefix(f"{column}: ")))
        else:
            outcome.added += int(added)
            outcome.there += int(not added)
        progress(outcome.rows)
    return outcome


def _check_columns(known: RowImport, values: Mapping[str, Any]) -> None:
    """Refuse a file with a column that nothing is known of, or without one that every row needs."""
    unknown = [name for name in values if name not in known.columns]
    missing = [name for name, rule in known.columns.items() if rule.required and name not in values]
    if unknown or missing:
        got = f"the column {unknown[0]!r}" if unknown else f"no column {missing[0]!r}"
        wanted = ", ".join(known.columns)
        raise Invalid(f"got {got}, wanted columns out of: {wanted}", field=(unknown or missing)[0])


def _parsed(known: RowImport, row: FileRow, lines: dict[str, int]) -> Mapping[str, Any]:
    """The row by its rules, without empty cells. Raises Invalid, also for a row that an earlier line has."""
    given = {
        name: value
        for name, value in row.values.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }
    fields = parse_fields(given, known.columns)
    key = known.key(fields)
    first = lines.setdefault(key, row.line)
    if first != row.line:
        raise Invalid(f"the same as line {first}: it would be there twice", code="duplicate")
    return fields
