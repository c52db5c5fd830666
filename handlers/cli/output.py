"""What a command prints: JSON for machines, tables for people. Knows rich and terminals; not what the values mean."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])
_WIDE = 10_000


def json_option(command: F) -> F:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(command)


def print_json(value: Any) -> None:
    """One value as one line of JSON; bytes as hex digits."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, null: str = "") -> None:
    """Rows under column names, as wide as they need when nobody's terminal limits it. null: shown for None."""
    from rich.console import Console  # here and below: --json and --help do without
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(printable(column)), overflow="fold")
    for row in rows:
        # Text and not str: what a tenant wrote is no markup.
        table.add_row(*(Text(null if value is None else printable(_text(value))) for value in row))
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(highlight=False, width=_WIDE)
    with wide.capture() as captured:
        wide.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def print_record(record: Mapping[str, Any]) -> None:
    """One line per field, names aligned; fields without a value are left out."""
    kept = {name: value for name, value in record.items() if value not in (None, "")}
    width = max(map(len, kept), default=0)
    for name, value in kept.items():
        click.echo(f"{name.ljust(width)}  {printable(_text(value))}")


def printable(text: str) -> str:
    """The text with control characters spelled out, so that no stored value can steer the terminal."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in text
    )


def note(text: str) -> None:
    """A line for people, on standard error, where it is in nobody's way."""
    click.echo(printable(text), err=True)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return str(value)


def _plain(value: Any) -> Any:
    """What JSON can hold in place of what it cannot."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(cast("frozenset[str]", value))
    return str(value)
