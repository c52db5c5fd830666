"""Requests carried out in a transaction: plan, run, answer. Knows the steps and their order; no HTTP, no commit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from db.clock import Moment
from db.errors import Invalid
from db.json_sql import identifier
from db.principal import Principal
from db.resources import Resource
from db.rest.answer import RestAnswer, applied_preferences, check_offset, single_object
from db.rest.plan import KeyList, ReadPlan
from db.rest.planner import Resources, find_resource, plan_read
from db.rest.query import Restriction
from db.rest.request import DeleteRequest, InsertRequest, ReadRequest, UpdateRequest
from db.rest.sql import read_statement, target_condition, with_clause
from db.rest.upsert import insert_all
from db.rest.visibility import allowed_sql
from db.rest.writing import Key, Writing, key_json
from db.schema import Schema
from db.transaction import ReadTx, Row, Statement, WriteTx

__all__ = ["RestAnswer", "WriteRequest", "insert_rows", "read", "write"]

WriteRequest = InsertRequest | UpdateRequest | DeleteRequest


def read(
    tx: ReadTx, principal: Principal, resources: Resources, schema: Schema, request: ReadRequest, now: Moment
) -> RestAnswer:
    """The rows the caller may see, in one statement.

    Raises as `plan_read`; NotAcceptable PGRST116, RangeUnsatisfiable PGRST103.
    """
    statement = read_statement(plan_read(schema, resources, principal, request, now))
    (row,) = tx.query(statement)
    offset = request.restrictions.get((), Restriction()).offset
    check_offset(row["total"], offset)
    body: str = row["body"]
    if request.singular:
        body = single_object(body, row["returned"])
    applied = applied_preferences(request.preferences, writes=False)
    return RestAnswer(body, row["returned"], row["total"], offset, applied=applied)


def write(
    tx: WriteTx, principal: Principal, resources: Resources, schema: Schema, request: WriteRequest, now: Moment
) -> RestAnswer:
    """The write, wholly or with an error after which the caller must roll back.

    Raises Invalid, NotFound, Forbidden, NotAuthenticated, Conflict; NotAcceptable PGRST116.
    """
    writing = Writing(tx, principal, *find_resource(schema, resources, request.shown.table), now)
    # Planned before anything is written, so that a bad select or filter costs nothing.
    plan = plan_read(schema, resources, principal, request.shown, now)
    match request:
        case InsertRequest():
            done = insert_all(writing, request.rows, request.shown.preferences.resolution, request.on_conflict)
            return _answer(writing, plan, request, [*done.new, *done.merged], len(done.new))
        case UpdateRequest():
            return _answer(writing, plan, request, _update(writing, resources, schema, request))
        case DeleteRequest():
            keys = [writing.key_of(row) for row in _targets(writing, resources, schema, request)]
            answer = _answer(writing, plan, request, keys)
            writing.delete(keys)
            return answer


def insert_rows(
    tx: WriteTx,
    principal: Principal,
    resource: Resource,
    schema: Schema,
    rows: Sequence[Mapping[str, Any]],
    now: Moment,
) -> int:
    """Insert rows under the rules of a POST, without its limit on their number; how many were inserted."""
    writing = Writing(tx, principal, *find_resource(schema, {resource.table: resource}, resource.table), now)
    return len(insert_all(writing, rows, None).new)


def _update(writing: Writing, resources: Resources, schema: Schema, request: UpdateRequest) -> list[Key]:
    """Change the rows; their keys afterwards. Without a change there is no row to touch."""
    writing.need_open(writing.resource.update)
    changes = writing.changed_values(request.changes)
    rows = _targets(writing, resources, schema, request) if changes else []
    keys = [writing.update(old, changes) for old in rows]
    writing.hold(writing.resource.update, keys)
    return keys


def _targets(
    writing: Writing, resources: Resources, schema: Schema, request: UpdateRequest | DeleteRequest
) -> list[Row]:
    """The rows as they are: visible to the caller, matching the filter, allowed by the policies of this write."""
    policies = writing.resource.update if isinstance(request, UpdateRequest) else writing.resource.delete
    writing.need_open(policies)
    wanted = ReadRequest(request.shown.table, (), {(): Restriction(request.target.filters)})
    plan = plan_read(schema, resources, writing.principal, wanted, writing.now)
    condition = target_condition(plan, writing.table.primary_key)
    sql = (
        f"{with_clause(plan.tables)} SELECT {writing.old_columns()} FROM main.{identifier(writing.table.name)} "
        f"WHERE {condition.sql} AND ({allowed_sql(policies, writing.principal)})"
    )
    return writing.tx.query(Statement(sql, condition.parameters))


def _answer(
    writing: Writing, plan: ReadPlan, request: WriteRequest, keys: Sequence[Key], inserted: int = 0
) -> RestAnswer:
    """What the client gets to see of the rows with these keys: those the read policies show, if it asked."""
    wishes = request.shown.preferences
    affected = len(set(keys))
    if wishes.max_affected is not None and affected > wishes.max_affected:
        raise Invalid(
            "Query result exceeds max-affected preference constraint",
            code="PGRST124",
            details=f"The query affects {affected} rows",
        )
    body, returned = "", affected
    if wishes.returns == "representation":
        touched = KeyList(writing.table.primary_key, key_json(keys))
        (row,) = writing.tx.query(read_statement(replace(plan, keys=touched)))
        body, returned = row["body"], row["returned"]
    if request.shown.singular:
        body = single_object(body, returned)
    return RestAnswer(
        body,
        returned,
        affected if wishes.count else None,
        writes=True,
        inserted=inserted,
        applied=applied_preferences(wishes, writes=True),
        location=_location(writing, keys) if wishes.returns == "headers-only" and inserted == 1 else None,
    )


def _location(writing: Writing, keys: Sequence[Key]) -> str:
    """The filter that finds the one new row."""
    named = zip(writing.table.primary_key, keys[0], strict=True)
    return "&".join(f"{quote(name)}=eq.{quote(str(value))}" for name, value in named)
