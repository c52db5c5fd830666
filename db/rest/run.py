"""Requests carried out in a transaction: plan, run, answer. Knows the steps and their order; no HTTP, no commit."""

from collections.abc import Mapping, Sequence
from typing import Any

from db.clock import Moment
from db.errors import NotAcceptable
from db.principal import Principal
from db.resources import Resource
from db.rest.answer import RestAnswer, applied_preferences, check_offset, single_object
from db.rest.asking import ask
from db.rest.limits import LIMITS, Limits
from db.rest.media import JSON
from db.rest.plan import ReadPlan
from db.rest.planner import Resources, find_resource, plan_read
from db.rest.preconditions import tag_of
from db.rest.request import ReadRequest, WriteRequest
from db.rest.sql import read_statement
from db.rest.upsert import insert_all
from db.rest.visibility import keeps_time_out
from db.rest.writing import Writing
from db.schema.schema import Schema
from db.transaction import ReadTx, Row, WriteTx

__all__ = ["RestAnswer", "WriteRequest", "answer_of", "answer_read", "insert_rows", "is_timeless", "read", "write"]


def read(
    tx: ReadTx,
    principal: Principal,
    resources: Resources,
    schema: Schema,
    request: ReadRequest,
    now: Moment,
    limits: Limits = LIMITS,
) -> RestAnswer:
    """The rows the caller may see, in one statement.

    Raises as `plan_read`; NotAcceptable PGRST107, PGRST116, RangeUnsatisfiable PGRST103, TooLarge 57014.
    """
    plan = plan_read(schema, resources, principal, request, now, limits)
    if request.media.plan:
        if not limits.plans or principal.kind == "guest":
            raise NotAcceptable(f"None of these media types are available: {request.media.name}", code="PGRST107")
        from db.rest.explaining import explained  # here, because few requests ask for it

        return RestAnswer(explained(tx, plan, request.media.name), 0, None)
    return answer_read(tx, plan, request, limits, timeless=is_timeless(schema, resources, plan))


def is_timeless(schema: Schema, resources: Resources, plan: ReadPlan) -> bool:
    """Whether the same rows give this read the same answer at any time."""
    return schema.timeless and all(keeps_time_out(resources[table.name]) for table in plan.tables)


def answer_read(
    tx: ReadTx, plan: ReadPlan, request: ReadRequest, limits: Limits, *, timeless: bool = False
) -> RestAnswer:
    """The answer to a planned read. timeless: as in `RestAnswer`.

    Raises NotAcceptable PGRST116, RangeUnsatisfiable PGRST103, TooLarge 57014.
    """

    def run(wanted: ReadPlan) -> Row:
        (row,) = ask(tx, read_statement(wanted), limits, folds=wanted.root.aggregated)
        return row

    if plan.count in (None, "exact"):
        row = run(plan)
        return answer_of(row, row["total"], plan, request, timeless=timeless)
    from db.rest.counting import counted  # as above

    row, total = counted(tx, plan, limits.answer_rows, run)
    return answer_of(row, total, plan, request, timeless=timeless)


def answer_of(row: Row, total: int | None, plan: ReadPlan, request: ReadRequest, *, timeless: bool) -> RestAnswer:
    """The answer made of the one row of a read's statement. total: of all rows, if it was wanted.

    Raises NotAcceptable PGRST116, RangeUnsatisfiable PGRST103 for a page behind the last row of an exact total.
    """
    if plan.count == "exact":
        check_offset(total, plan.root.offset)
    body: str = row["body"]
    media = request.media
    if not request.head and (media.stripped or not (media.singular or media.name == JSON)):
        from db.rest.rendering import rendered  # as above

        body = rendered(body, media, tuple(plan.root.outputs))
    if media.singular:
        body = single_object(body, row["returned"])
    return RestAnswer(
        body,
        row["returned"],
        total,
        plan.root.offset,
        applied=applied_preferences(request.preferences, writes=False),
        etag="" if request.head else tag_of(body, row["whole"]),
        warnings=plan.warnings,
        timeless=timeless,
    )


def write(
    tx: WriteTx,
    principal: Principal,
    resources: Resources,
    schema: Schema,
    request: WriteRequest,
    now: Moment,
    limits: Limits = LIMITS,
) -> RestAnswer:
    """The write, wholly or with an error after which the caller must roll back.

    Raises Invalid, NotFound, Forbidden, NotAuthenticated, Conflict, PreconditionFailed; NotAcceptable PGRST116.
    """
    from db.rest.changing import Change  # here, because most requests read
    from db.rest.shown import plan_shown

    writing = Writing(tx, principal, *find_resource(schema, resources, request.shown.table), now)
    # Planned before anything is written, so that a bad select or filter costs nothing.
    plan = plan_shown(schema, resources, principal, request.shown, now, limits)
    return Change(writing, resources, schema, request, plan, limits).carried_out()


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
