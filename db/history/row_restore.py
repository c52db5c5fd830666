"""Rows of one table brought back from an earlier state, as an ordinary transaction. Knows filters and rows; no door."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.history.difference import same_value
from db.history.row_effects import Effect
from db.history.row_writes import Key, RowWrite, carry_out, read_row, writable
from db.history.running_changes import effects_so_far
from db.json_sql import identifier
from db.principal import Principal
from db.resources import Policy, Resource
from db.rest.planner import plan_read
from db.rest.query import Restriction, parse_query
from db.rest.request import ReadRequest
from db.rest.sql import target_condition, with_clause
from db.schema.schema import Schema, Table, read_schema
from db.transaction import ReadTx, SqlValue, Statement, WriteTx

_ENGINE = "vaultry_"
_OPERATOR = Principal(None, "operator", "", frozenset(), "operator")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows to bring back. filters: as `name=filter` in the words of REST, all of which must hold.

    delete: also remove the rows that match now and were not there. personal: columns that hold sealed text; filters
    compare what they say.
    """

    table: str
    filters: tuple[str, ...] = ()
    delete: bool = False
    personal: frozenset[str] = frozenset()


def restore_rows(tx: WriteTx, past: sqlite3.Connection, wish: Wish, now: Moment) -> list[Effect]:
    """Bring rows back from `past`, which has the schema of today; what that changed, cascades and triggers included.

    Raises NotFound for no such table, Invalid for a filter or a table without a primary key, Conflict naming the rows
    that cannot be written.
    """
    schema = read_schema(tx)
    table = _table(schema, wish.table)
    carry_out(tx, _writes(tx, past, table, wish, now))
    if wish.delete:
        carry_out(tx, _deletions(tx, past, table, wish, now))
    return effects_so_far(tx, schema)


def parse_filters(filters: Sequence[str]) -> Restriction:
    """The filters of a wish. Raises Invalid PGRST100, also for a parameter that is no filter."""
    pairs: list[tuple[str, str]] = []
    for text in filters:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(f"got filter {text!r}, wanted one such as id=eq.5", code="PGRST100", field="where")
        pairs.append((name, value))
    query = parse_query(pairs)
    restriction = query.restrictions.get((), Restriction())
    named = {name for name, _ in pairs} & {"select", "columns", "on_conflict", "order", "limit", "offset"}
    if named or any(path for path in query.restrictions):
        raise Invalid(
            f"got {', '.join(sorted(named)) or 'an embed'}, wanted filters only", code="PGRST100", field="where"
        )
    return restriction


def _table(schema: Schema, name: str) -> Table:
    table = schema.tables.get(name)
    if table is None or name.startswith(_ENGINE):
        raise NotFound(f"no table {name!r} whose rows could be brought back")
    if not table.primary_key:
        raise Invalid(f"{name} has no primary key: its rows of then and now cannot be told apart", field="table")
    return table


def _writes(tx: WriteTx, past: sqlite3.Connection, table: Table, wish: Wish, now: Moment) -> Iterator[RowWrite]:
    """What the rows of then are missing now."""
    kept = sorted(writable(table))
    for row in _matching(past, table, wish, kept, now):
        key: Key = tuple(row[name] for name in table.primary_key)
        present = read_row(tx, table, key)
        if present is None:
            yield RowWrite("insert", table, None, dict(row))
            continue
        values: dict[str, SqlValue] = {name: row[name] for name in kept if not same_value(row[name], present[name])}
        if values:
            yield RowWrite("update", table, key, values)


def _deletions(tx: WriteTx, past: sqlite3.Connection, table: Table, wish: Wish, now: Moment) -> Iterator[RowWrite]:
    """The rows that match now and were not there."""
    then = ReadTx(past)
    for row in tx.query(_select(tx, table, wish, table.primary_key, now)):
        key: Key = tuple(row)
        if read_row(then, table, key) is None:
            yield RowWrite("delete", table, key, {})


def _matching(
    past: sqlite3.Connection, table: Table, wish: Wish, columns: Sequence[str], now: Moment
) -> Iterator[sqlite3.Row]:
    """The rows of then that match, one after another: there may be more than fit in memory."""
    tx = ReadTx(past)
    statement = _select(tx, table, wish, columns, now)
    yield from past.execute(statement.sql, statement.parameters)


def _select(tx: ReadTx, table: Table, wish: Wish, columns: Sequence[str], now: Moment) -> Statement:
    """The columns of the rows that match, as they are stored. Raises Invalid for a filter on what is not there."""
    named = ", ".join(map(identifier, columns))
    source = f"SELECT {named} FROM main.{identifier(table.name)}"
    if not wish.filters:
        return Statement(source)
    open_table = Resource(table.name, read=(Policy(None, "1"),), personal=wish.personal)
    request = ReadRequest(table.name, (), {(): parse_filters(wish.filters)})
    plan = plan_read(read_schema(tx), {table.name: open_table}, _OPERATOR, request, now)
    condition = target_condition(plan, table.primary_key)
    return Statement(f"{with_clause(plan.tables)} {source} WHERE {condition.sql}", condition.parameters)
