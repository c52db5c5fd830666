"""Writes carried out in a transaction: which rows, the change, what the client sees. Knows no HTTP, no commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from db.errors import Invalid
from db.fields import from_text
from db.json_sql import identifier
from db.rest.answer import RestAnswer, applied_preferences, single_object
from db.rest.asking import ask
from db.rest.limits import Limits
from db.rest.media import JSON
from db.rest.plan import KeyList, ReadPlan
from db.rest.planner import Resources, plan_read, whole_row
from db.rest.preconditions import check_state, tag_of
from db.rest.query import Restriction
from db.rest.request import DeleteRequest, InsertRequest, PutRequest, ReadRequest, UpdateRequest, WriteRequest
from db.rest.shown import shown_statement
from db.rest.sql import ordered_keys, state_statement, target_condition, with_clause
from db.rest.upsert import insert_all
from db.rest.visibility import allowed_sql
from db.rest.writing import Key, Writing, key_json
from db.schema.schema import Schema
from db.transaction import Row, Statement

__all__ = ["Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """One write request on its way. plan: how the touched rows are answered."""

    writing: Writing
    resources: Resources
    schema: Schema
    request: WriteRequest
    plan: ReadPlan
    limits: Limits

    def carried_out(self) -> RestAnswer:
        """The answer, once everything is written."""
        writing, request = self.writing, self.request
        match request:
            case InsertRequest():
                rows = [self.valued(row) for row in request.rows]
                done = insert_all(writing, rows, request.shown.preferences.resolution, request.on_conflict)
                return self.answer(done.every, len(done.new))
            case PutRequest():
                from db.rest.putting import put_row  # here, because clients rarely send it

                done = put_row(writing, request.target, self.valued(request.row), self.check)
                return self.answer(done.every, len(done.new))
            case UpdateRequest():
                return self.answer(self.updated(self.valued(request.changes), request.target))
            case DeleteRequest():
                keys = [writing.key_of(row) for row in self.targets(request.target)]
                answer = self.answer(keys)
                writing.delete(keys)
                return answer

    def valued(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row's values as JSON has them; those that came as text are read by the rules of their fields."""
        if not isinstance(self.request, DeleteRequest) and self.request.as_text:
            fields = self.writing.resource.fields
            return {k: v if v is None else from_text(v, fields.get(k)) for k, v in row.items()}
        return dict(row)

    def updated(self, given: Mapping[str, Any], target: Restriction) -> list[Key]:
        """Change the rows; their keys afterwards. Without a change there is no row to touch."""
        writing = self.writing
        writing.need_open(writing.resource.update)
        changes = writing.changed_values(given)
        rows = self.targets(target) if changes else []
        keys = [writing.update(old, changes) for old in rows]
        writing.hold(writing.resource.update, keys)
        return keys

    def targets(self, target: Restriction) -> list[Row]:
        """The rows as they are: visible to the caller, matching the filter, allowed by the policies of this write."""
        writing = self.writing
        resource = writing.resource
        policies = resource.update if isinstance(self.request, UpdateRequest) else resource.delete
        writing.need_open(policies)
        plan = self.planned(target.filters)
        condition = target_condition(plan, writing.table.primary_key)
        sql = (
            f"{with_clause(plan.tables)} SELECT {writing.old_columns()} FROM main.{identifier(writing.table.name)} "
            f"WHERE {condition.sql} AND ({allowed_sql(policies, writing.principal)})"
        )
        rows = ask(writing.tx, Statement(sql, condition.parameters), self.limits)
        if target.limit is not None:
            rows = self.first(rows, target)
        self.check([writing.key_of(row) for row in rows])
        return rows

    def first(self, rows: Sequence[Row], target: Restriction) -> list[Row]:
        """The first rows of the order, as many as the limit says."""
        writing = self.writing
        by_key = {writing.key_of(row): row for row in rows}
        shown = ReadRequest(writing.table.name, (), {(): Restriction((), target.order, target.limit)})
        plan = plan_read(self.schema, self.resources, writing.principal, shown, writing.now, self.limits)
        known = KeyList(writing.table.primary_key, key_json(list(by_key)))
        found = writing.tx.query(ordered_keys(replace(plan, keys=known), writing.table.primary_key))
        return [by_key[tuple(row)] for row in found]

    def check(self, keys: Sequence[Key]) -> None:
        """Hold If-Match and If-None-Match against the rows. Raises PreconditionFailed."""
        conditions = self.request.shown.conditions
        if conditions.match is None and conditions.none_match is None:
            return
        plan = self.planned(())
        touched = KeyList(self.writing.table.primary_key, key_json(keys))
        states = self.writing.tx.query(state_statement(replace(plan, keys=touched, whole=whole_row(plan.tables[0]))))
        check_state(conditions, [row["whole"] for row in states])

    def planned(self, filters: Any) -> ReadPlan:
        """The plan for the rows of the table that pass the filters."""
        wanted = ReadRequest(self.writing.table.name, (), {(): Restriction(tuple(filters))})
        return plan_read(self.schema, self.resources, self.writing.principal, wanted, self.writing.now, self.limits)

    def answer(self, keys: Sequence[Key], inserted: int = 0) -> RestAnswer:
        """What the client gets to see of the rows with these keys: those the read policies show, if it asked."""
        wishes = self.request.shown.preferences
        affected = len(set(keys))
        if wishes.max_affected is not None and affected > wishes.max_affected:
            raise Invalid(
                "Query result exceeds max-affected preference constraint",
                code="PGRST124",
                details=f"The query affects {affected} rows",
            )
        body, returned, etag = "", affected, ""
        if wishes.returns == "representation":
            body, returned, etag = self.representation(keys)
        elif self.request.shown.singular:
            single_object("", affected)
        return RestAnswer(
            body,
            returned,
            affected if wishes.count else None,
            writes=True,
            inserted=inserted,
            applied=applied_preferences(wishes, writes=True),
            location=_location(self.writing, keys) if wishes.returns == "headers-only" and inserted == 1 else None,
            etag=etag,
            warnings=self.plan.warnings,
        )

    def representation(self, keys: Sequence[Key]) -> tuple[str, int, str]:
        """Body, rows in it and tag of the rows with these keys."""
        media = self.request.shown.media
        touched = KeyList(self.writing.table.primary_key, key_json(keys))
        plan = self.plan
        (row,) = ask(self.writing.tx, shown_statement(plan, touched), self.limits, folds=plan.root.aggregated)
        body: str = row["body"]
        if media.stripped or not (media.singular or media.name == JSON):
            from db.rest.rendering import rendered  # here, because few requests ask for these forms

            body = rendered(body, media, tuple(plan.root.outputs))
        if media.singular:
            body = single_object(body, row["returned"])
            return body, row["returned"], tag_of(body, row["whole"]) if row["whole"] else ""
        return body, row["returned"], ""


def _location(writing: Writing, keys: Sequence[Key]) -> str:
    """The filter that finds the one new row."""
    named = zip(writing.table.primary_key, keys[0], strict=True)
    return "&".join(f"{quote(name)}=eq.{quote(str(value))}" for name, value in named)
