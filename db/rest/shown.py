"""What a write answers with, planned once for all writes alike: most ask for the whole rows they touch, or for nothing.

To plan that and put it in SQL takes as long as all else that an insert does besides SQLite. What is remembered holds
for one schema, one declaration and one set of permissions. Knows plans and SQL; of many threads.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from db.clock import Moment
from db.principal import Principal
from db.resources import Resource
from db.rest.limits import Limits
from db.rest.plan import KeyList, Node, ReadPlan
from db.rest.planner import Resources, plan_read
from db.rest.request import ReadRequest
from db.rest.select import Star
from db.rest.sql import read_statement
from db.rest.visibility import policy_values
from db.schema.schema import Schema
from db.transaction import SqlValue, Statement

__all__ = ["plan_shown", "shown_statement"]

_WHOLE = (Star(),)
_REMEMBERED = 200
# Stands for the keys while the statement is written.
_STAND_IN = secrets.token_hex(16)


class _Planned(NamedTuple):
    """A plan without values, with what it was made from; both kept, so that no other object gets their ids."""

    schema: Schema
    resource: Resource | None
    plan: ReadPlan


class _Written(NamedTuple):
    """The statement of a plan with this root. constants: parameters that stay. keys: those that hold the keys."""

    root: Node
    sql: str
    constants: Mapping[str, SqlValue]
    keys: tuple[str, ...]


_PLANNED: dict[tuple[int, int, frozenset[str], str | None, bool], _Planned] = {}
_WRITTEN: dict[int, _Written] = {}


def plan_shown(
    schema: Schema, resources: Resources, principal: Principal, shown: ReadRequest, now: Moment, limits: Limits
) -> ReadPlan:
    """As `plan_read`, for how a write is answered. Raises as it does."""
    if shown.select != _WHOLE or shown.restrictions:
        return plan_read(schema, resources, principal, shown, now, limits)
    resource = resources.get(shown.table)
    asked = (id(schema), id(resource), principal.permissions, shown.preferences.count, shown.singular)
    known = _PLANNED.get(asked)
    if known is None:
        plan = replace(plan_read(schema, resources, principal, shown, now, limits), values={})
        known = _Planned(schema, resource, plan)
        if len(_PLANNED) >= _REMEMBERED:
            _PLANNED.clear()
            _WRITTEN.clear()
        _PLANNED[asked] = known
        _WRITTEN[id(plan.root)] = _written(plan)
    return replace(known.plan, values=policy_values(principal, now))


def shown_statement(plan: ReadPlan, keys: KeyList) -> Statement:
    """`read_statement` of the rows of the plan that have these keys, which are the primary key's."""
    known = _WRITTEN.get(id(plan.root))
    if known is None or known.root is not plan.root:
        return read_statement(replace(plan, keys=keys))
    return Statement(known.sql, {**plan.values, **known.constants, **dict.fromkeys(known.keys, keys.json)})


def _written(plan: ReadPlan) -> _Written:
    table = next(table for table in plan.tables if table.name == plan.root.table)
    statement = read_statement(replace(plan, keys=KeyList(table.key, _STAND_IN)))
    keys = tuple(name for name, value in statement.parameters.items() if value == _STAND_IN)
    constants = {name: value for name, value in statement.parameters.items() if name not in keys}
    return _Written(plan.root, statement.sql, constants, keys)
