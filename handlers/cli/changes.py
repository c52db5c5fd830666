"""Changed rows on paper: one line or one JSON object for each. Knows what may be shown; not where the rows are from."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from db.audit.redaction import Redaction
from db.history.difference import RowChange
from db.transaction import SqlValue
from handlers.cli.output import note, printable

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_SHOWN = 20


def change_json(change: RowChange, redaction: Redaction) -> dict[str, Any]:
    """A change as JSON: table, change, key, old, new; bytes as `\\x` and hex digits."""
    sides = {"key": change.key, "old": change.old, "new": change.new}
    shown = {name: None if side is None else redaction.shown(change.table, side) for name, side in sides.items()}
    return {
        "table": change.table,
        "change": change.change,
        **{name: None if side is None else _plain(side) for name, side in shown.items()},
    }


def change_line(change: RowChange, redaction: Redaction) -> str:
    """A change as one line: `+` for a row that came, `-` for one that went, `~` for one with other values."""
    told = change_json(change, redaction)
    key = ", ".join(f"{name}={_word(value)}" for name, value in told["key"].items())
    if change.change == "changed":
        values = ", ".join(f"{name}: {_word(old)} -> {_word(told['new'][name])}" for name, old in told["old"].items())
    else:
        side: Mapping[str, Any] = told["new"] or told["old"] or {}
        values = ", ".join(f"{name}: {_word(value)}" for name, value in side.items() if name not in told["key"])
    return printable(f"{_SIGNS[change.change]} {change.table} {key}" + (f"  {values}" if values else ""))


def note_changes(changes: Sequence[RowChange], redaction: Redaction) -> None:
    """The first changes, and how many there are by table, for somebody who is about to be asked."""
    for change in changes[:_SHOWN]:
        note(change_line(change, redaction))
    if len(changes) > _SHOWN:
        note(f"and {len(changes) - _SHOWN} more")
    for line in counts(changes):
        note(line)


def counts(changes: Iterable[RowChange]) -> list[str]:
    """How many rows of each table came, went and changed, in words."""
    by_table: dict[str, Counter[str]] = {}
    for change in changes:
        by_table.setdefault(change.table, Counter())[change.change] += 1
    return [f"{table}: {', '.join(f'{found} {word}' for word, found in by.items())}" for table, by in by_table.items()]


def ask(question: str, *, yes: bool) -> None:
    """Go on only when somebody says so. Ends the command otherwise."""
    if not yes:
        click.confirm(question, abort=True, err=True)


def _plain(values: Mapping[str, SqlValue]) -> dict[str, Any]:
    return {name: f"\\x{value.hex()}" if isinstance(value, bytes) else value for name, value in values.items()}


def _word(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
