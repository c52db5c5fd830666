"""Reads planned once for all requests of one shape: the statement is kept, only the values in it change.

A shape is a request without the values of its plain filters `column=eq.value`, for one set of permissions over one
schema. Knows requests, plans and SQL; no HTTP, and not for how long a preparation holds.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from db.clock import Moment
from db.principal import Principal
from db.rest.answer import RestAnswer
from db.rest.conditions import DEADLINE
from db.rest.limits import Limits
from db.rest.media import JSON
from db.rest.plan import ReadPlan
from db.rest.planner import Resources, plan_read
from db.rest.preferences import Pairs
from db.rest.request import ReadRequest, parse_request
from db.rest.run import answer_of, is_timeless
from db.rest.sql import read_statement
from db.rest.values import typed_value
from db.rest.visibility import policy_values
from db.schema.schema import Schema
from db.transaction import ReadTx, SqlValue, Statement

__all__ = ["PreparedRead", "Shape", "prepare_read", "run_prepared", "shape_of"]

Shape = tuple[tuple[str, str | None], ...]
"""Names and values of a query string, None for a value that may differ."""

_EQUALS = "eq."
_AT = ":now"
_COLUMN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
# Parameters whose text is something else than a filter, whatever stands before their dot.
_NO_FILTERS = frozenset(("select", "columns", "on_conflict", "order", "limit", "offset", "and", "or"))
# A preparation is planned with these in place of values: text and whole numbers at once, and nobody can guess them.
_STAND_INS = tuple(str(10**17 + secrets.randbelow(9 * 10**17)) for _ in range(8))


@dataclass(frozen=True, slots=True)
class PreparedRead:
    """A planned read. constants: parameters that stay. open: those that take a value: its place, and its affinity.

    at: whether the moment is among the parameters, which takes as long to write as a row to find.
    """

    request: ReadRequest
    plan: ReadPlan
    sql: str
    constants: dict[str, SqlValue]
    open: tuple[tuple[str, int, str], ...]
    timeless: bool
    at: bool


def shape_of(query: Pairs) -> tuple[Shape, Sequence[str]]:
    """The shape of a query string, and the values that were taken out of it, in order."""
    shape: list[tuple[str, str | None]] = []
    values: list[str] = []
    for name, value in query:
        # Ordinary text only: what a request may not hold is refused where requests are parsed.
        if (
            value.startswith(_EQUALS)
            and value.isascii()
            and "\x00" not in value
            and _COLUMN.fullmatch(name)
            and name.rpartition(".")[2] not in _NO_FILTERS
        ):
            shape.append((name, None))
            values.append(value[len(_EQUALS) :])
        else:
            shape.append((name, value))
    return tuple(shape), values


def prepare_read(
    schema: Schema,
    resources: Resources,
    principal: Principal,
    table: str,
    shape: Shape,
    headers: Pairs,
    limits: Limits,
    paged: Callable[[ReadRequest], ReadRequest],
) -> PreparedRead | None:
    """The read of every GET of this shape by a caller with these permissions; None where each must be planned alone.

    paged: cuts the request to the rows an answer may have. Raises as `parse_request` and `plan_read`.
    """
    if sum(value is None for _, value in shape) > len(_STAND_INS):
        return None
    stand_ins = iter(_STAND_INS)
    query = [(name, f"{_EQUALS}{next(stand_ins)}" if value is None else value) for name, value in shape]
    parsed = parse_request("GET", table, query, headers, b"", limits)
    assert isinstance(parsed, ReadRequest)
    request = paged(parsed)
    media, count = request.media, request.preferences.count
    if media.plan or media.stripped or not (media.singular or media.name == JSON) or count not in (None, "exact"):
        return None
    # The moment is a value of the policies, and those are bound anew each time.
    plan = replace(plan_read(schema, resources, principal, request, Moment(0), limits), values={})
    statement = read_statement(plan)
    if DEADLINE in statement.parameters or plan.root.aggregated:
        return None
    found = _open_parameters(statement)
    if sorted(place for _, place, _ in found) != list(range(len(shape) - sum(v is not None for _, v in shape))):
        return None
    constants = {name: value for name, value in statement.parameters.items() if name not in {n for n, *_ in found}}
    return PreparedRead(
        request, plan, statement.sql, constants, found, is_timeless(schema, resources, plan), _AT in statement.sql
    )


def run_prepared(
    tx: ReadTx, prepared: PreparedRead, principal: Principal, values: Sequence[str], now: Moment
) -> RestAnswer:
    """The answer with these values. Raises Invalid for one that is not of its column's type, and as `answer_of`."""
    policies = (
        policy_values(principal, now) if prepared.at else {"scope": principal.scope, "principal_id": principal.id}
    )
    parameters = {**prepared.constants, **policies}
    for name, place, affinity in prepared.open:
        parameters[name] = typed_value(values[place], affinity)
    (row,) = tx.query(Statement(prepared.sql, parameters))
    return answer_of(row, row["total"], prepared.plan, prepared.request, timeless=prepared.timeless)


def _open_parameters(statement: Statement) -> tuple[tuple[str, int, str], ...]:
    """The parameters that hold a stand-in, with its place and how values of their columns are typed.

    One that was made a number with a fraction is none any more, and such a read is not prepared.
    """
    texts = {text: (place, "TEXT") for place, text in enumerate(_STAND_INS)}
    numbers = {int(text): (place, "INTEGER") for place, text in enumerate(_STAND_INS)}
    return tuple(
        (name, *known)
        for name, value in statement.parameters.items()
        if (known := texts.get(value) if isinstance(value, str) else numbers.get(value) if type(value) is int else None)
    )
