"""An HTTP request to one typed value: what to read or write, as the client put it.

Knows PostgREST's conventions for query, headers and body; no schema, no caller, no SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from db.errors import Invalid, MethodNotAllowed
from db.rest.body import JsonRow, parse_changes, parse_rows
from db.rest.preferences import (
    Pairs,
    Preferences,
    check_profile,
    parse_accept,
    parse_preferences,
    parse_range,
    range_error,
)
from db.rest.query import Path, Query, Restriction, parse_query
from db.rest.select import SelectItem, Star

__all__ = ["DeleteRequest", "InsertRequest", "ReadRequest", "Request", "UpdateRequest", "parse_request"]


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """GET or HEAD. restrictions: by path, () for the table itself. head: counts are wanted, rows are not."""

    table: str
    select: tuple[SelectItem, ...] = (Star(),)
    restrictions: Mapping[Path, Restriction] = field(default_factory=dict[Path, Restriction])
    preferences: Preferences = field(default_factory=Preferences)
    singular: bool = False
    head: bool = False


@dataclass(frozen=True, slots=True)
class InsertRequest:
    """POST. shown: how the new rows are answered. on_conflict: columns of an upsert, () for the primary key."""

    shown: ReadRequest
    rows: tuple[JsonRow, ...]
    on_conflict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """PATCH. shown: how the changed rows are answered. target: which rows."""

    shown: ReadRequest
    changes: JsonRow
    target: Restriction


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """DELETE. shown: how the removed rows are answered. target: which rows."""

    shown: ReadRequest
    target: Restriction


Request = ReadRequest | InsertRequest | UpdateRequest | DeleteRequest


def parse_request(method: str, table: str, query: Pairs, headers: Pairs = (), body: bytes = b"") -> Request:
    """The request for one table.

    query: decoded names and values in order. headers: names in any case, repeated ones apart.
    Raises Invalid, NotAcceptable, RangeUnsatisfiable, TooLarge; MethodNotAllowed PGRST117 for another method.
    """
    check_profile(headers)
    parsed = parse_query(query)
    shown = ReadRequest(
        table,
        parsed.select,
        parsed.restrictions,
        parse_preferences(headers),
        parse_accept(headers),
        method == "HEAD",
    )
    match method:
        case "GET":
            return _with_range(shown, headers)
        case "HEAD":
            return shown
        case "POST":
            return _insert(shown, parsed, headers, body)
        case "PATCH":
            _check_content_type(headers)
            return UpdateRequest(_shown_after(shown), parse_changes(body, parsed.columns), _target(shown, "UPDATE"))
        case "DELETE":
            return DeleteRequest(_shown_after(shown), _target(shown, "DELETE"))
        case _:
            raise MethodNotAllowed(
                f"Unsupported HTTP method: {method}", code="PGRST117", hint="Use GET, HEAD, POST, PATCH or DELETE."
            )


def _with_range(shown: ReadRequest, headers: Sequence[tuple[str, str]]) -> ReadRequest:
    """The request with the Range header and limit/offset intersected."""
    first, count = parse_range(headers)
    if (first, count) == (0, None):
        return shown
    root = shown.restrictions.get((), Restriction())
    start = max(first, root.offset)
    ends = [first + count] if count is not None else []
    ends += [root.offset + root.limit] if root.limit is not None else []
    limit = min(ends) - start if ends else None
    if limit is not None and limit < 0:
        raise range_error("The Range header and limit or offset have no row in common.")
    narrowed = Restriction(root.filters, root.order, limit, start)
    return ReadRequest(
        shown.table, shown.select, {**shown.restrictions, (): narrowed}, shown.preferences, shown.singular, shown.head
    )


def _insert(shown: ReadRequest, parsed: Query, headers: Pairs, body: bytes) -> InsertRequest:
    """The insert or upsert."""
    _check_content_type(headers)
    if shown.restrictions.get((), Restriction()).filters:
        raise Invalid("filters do not apply to POST", code="PGRST100", hint="Filter with GET, PATCH or DELETE.")
    wishes = shown.preferences
    rows = parse_rows(body, parsed.columns, missing_default=wishes.missing_default)
    return InsertRequest(shown, rows, parsed.on_conflict)


def _target(shown: ReadRequest, statement: str) -> Restriction:
    """The rows to change. Raises Invalid without a filter, or with a limit."""
    target = shown.restrictions.get((), Restriction())
    if target.limit is not None or target.offset:
        raise Invalid(
            "limit and offset cannot restrict an update or a delete", code="PGRST127", hint="Filter by primary key."
        )
    if not target.filters:
        raise Invalid(
            f"{statement} requires a filter",
            code="21000",
            hint="Say which rows; to mean all of them, filter with the primary key, such as id=not.is.null.",
        )
    return target


def _shown_after(shown: ReadRequest) -> ReadRequest:
    """How changed rows are answered: they may no longer match the filter that chose them."""
    root = shown.restrictions.get((), Restriction())
    restrictions = {**shown.restrictions, (): Restriction((), root.order)}
    return ReadRequest(shown.table, shown.select, restrictions, shown.preferences, shown.singular)


def _check_content_type(headers: Pairs) -> None:
    """Refuse a body that says it is not JSON. Raises Invalid PGRST102."""
    for name, value in headers:
        media_type = value.partition(";")[0].strip().lower()
        if name.lower() == "content-type" and media_type not in ("", "application/json"):
            raise Invalid(f"Content-Type not acceptable: {media_type}", code="PGRST102", hint="Send application/json.")
