"""`vaultry fleet query`: one statement asked of many vaults. Prints rows as they come, and says who answered."""

import csv
import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from db.archive.export import write_whole
from db.transaction import SqlValue
from domain.charters import CHARTERS
from handlers.cli.output import json_option, note, print_table, printable
from handlers.cli.progress import progress
from handlers.cli.session import operator, session
from handlers.fleet_query import (
    TENANT,
    Budgets,
    ManifestLine,
    VaultAnswer,
    ask_fleet,
    choose_vaults,
    statement_digest,
)

_STANDARD = Budgets()
Row = tuple[SqlValue, ...]


@click.command()
@click.argument("statement", metavar="SQL")
@click.option("--charter", help="Only tenants that run it.")
@click.option("--label", metavar="LABEL", help="Only tenants that have it; see `vaultry tenants label`.")
@click.option(
    "--limit-rows", default=_STANDARD.rows, show_default=True, type=click.IntRange(1), help="Most rows in total."
)
@click.option(
    "--vault-rows", default=_STANDARD.vault_rows, show_default=True, type=click.IntRange(1), help="Most of one vault."
)
@click.option(
    "--timeout",
    metavar="S",
    default=_STANDARD.seconds,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Most seconds in total.",
)
@click.option(
    "--vault-timeout",
    metavar="S",
    default=_STANDARD.vault_seconds,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Most seconds for one vault.",
)
@click.option(
    "--concurrency",
    metavar="N",
    default=_STANDARD.vaults_at_once,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Vaults asked at once.",
)
@click.option(
    "--manifest",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write which vault answered at which bookmark there, as JSON; default: as lines to standard error.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, as rows come.")
@json_option
def query(
    statement: str,
    *,
    charter: str | None,
    label: str | None,
    limit_rows: int,
    vault_rows: int,
    timeout: float,
    vault_timeout: float,
    concurrency: int,
    manifest: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Ask many vaults one question, for reading only.

    Every active tenant is asked, or those of --charter and --label. The tenant is the first column of each row.
    Personal columns stay ciphertext. Each vault's audit log says who asked, with the SHA-256 of the statement: one
    commit in each.

    Status 1 when a vault failed, was cut short or was not asked; the manifest says which and why.

    Interrupted: what was printed was audited; the JSON array may lack its end.

    \b
    Example:
      vaultry fleet query "SELECT count(*) AS works FROM works" --charter choir
      vaultry fleet query "SELECT title FROM works WHERE composer IS NULL" --label pilot --csv --manifest asked.json
    """
    if as_csv and as_json:
        raise click.UsageError("wanted --csv or --json, not both")
    budgets = Budgets(limit_rows, vault_rows, timeout, vault_timeout, concurrency)
    lines: list[ManifestLine] = []
    writer = _print_csv if as_csv else _print_json if as_json else _print_at_end
    with session() as services:
        if charter is not None and charter not in CHARTERS:
            raise click.BadParameter(f"got {charter!r}, wanted one of: {', '.join(CHARTERS)}", param_hint="--charter")
        actor = operator(services, "fleet.query")
        entries = choose_vaults(services, charter=charter, label=label)
        answers = ask_fleet(services, entries, statement, budgets, actor)
        with _manifest(manifest, statement, actor.request_id, lines), progress() as report, writer() as write:
            for done, answer in enumerate(answers, 1):
                report("vaults", done, len(entries))
                lines.append(answer.line)
                if answer.line.audited:
                    write(answer)
    if any(line.status != "answered" for line in lines):
        raise click.exceptions.Exit(1)


Write = Callable[[VaultAnswer], None]


@contextmanager
def _print_csv() -> Generator[Write]:
    """RFC 4180, header first; NULL is an empty field, bytes are hex digits."""
    writer = csv.writer(sys.stdout)
    begun = False

    def write(answer: VaultAnswer) -> None:
        nonlocal begun
        if not begun:
            writer.writerow([TENANT, *answer.columns])
            begun = True
        for row in answer.rows:
            writer.writerow([answer.line.tenant, *("" if value is None else _plain(value) for value in row)])
        sys.stdout.flush()

    yield write


@contextmanager
def _print_json() -> Generator[Write]:
    """One array with an object on each line, so that both a parser and a reader of lines can follow."""
    separator = "["

    def write(answer: VaultAnswer) -> None:
        nonlocal separator
        for row in answer.rows:
            values = dict(zip(answer.columns, map(_plain, row), strict=True))
            click.echo(
                f"{separator}\n{json.dumps({TENANT: answer.line.tenant, **values}, ensure_ascii=False)}", nl=False
            )
            separator = ","

    yield write
    click.echo("[]" if separator == "[" else "\n]")


@contextmanager
def _print_at_end() -> Generator[Write]:
    """A table for people, whose columns are as wide as their widest value: it waits for all rows."""
    columns: list[Sequence[str]] = []
    rows: list[Sequence[Any]] = []

    def write(answer: VaultAnswer) -> None:
        columns.append(answer.columns)
        rows.extend((answer.line.tenant, *row) for row in answer.rows)

    yield write
    if rows:
        print_table([TENANT, *columns[0]], rows, null="NULL")


@contextmanager
def _manifest(path: Path | None, statement: str, request_id: str, lines: list[ManifestLine]) -> Generator[None]:
    """Tell who answered when the block ends, however it ends."""
    try:
        yield
    finally:
        digest = statement_digest(statement)
        if path is not None and lines:
            vaults = [asdict(line) for line in lines]
            content = {"request_id": request_id, "statement_sha256": digest, "vaults": vaults}
            write_whole(path, json.dumps(content, ensure_ascii=False, indent=1).encode(), replace=True)
        elif path is None:
            for line in lines:
                note(printable(_words(line)))
        if lines:
            counts = {status: sum(1 for line in lines if line.status == status) for status in _STATUSES}
            said = ", ".join(f"{count} {words}" for status, words in _STATUSES.items() if (count := counts[status]))
            note(f"vaults: {said}; rows: {sum(line.rows for line in lines)}; statement {digest}")


_STATUSES = {"answered": "answered", "cut": "cut short", "failed": "failed", "not_asked": "not asked"}


def _words(line: ManifestLine) -> str:
    at = f" at {line.bookmark}" if line.bookmark else ""
    why = f": {line.reason}" if line.reason else ""
    return f"{_STATUSES[line.status]}: {line.tenant}, {line.rows} rows{at}{why}"


def _plain(value: SqlValue) -> Any:
    return value.hex() if isinstance(value, bytes) else value
