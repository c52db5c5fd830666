"""An HTTP request to one typed value: what to read or write, as the client put it.

Knows PostgREST's conventions for query, headers and body; no schema, no caller, no SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from db.errors import Invalid, MethodNotAllowed, NotAcceptable
from db.rest.body import JsonRow, parse_changes, parse_rows
from db.rest.limits import LIMITS, Limits
from db.rest.media import Media, parse_accept
from db.rest.preconditions import NO_CONDITIONS, Preconditions, parse_preconditions
from db.rest.preferences import Pairs, Preferences, check_profile, parse_preferences, parse_range, range_error
from db.rest.query import Path, Query, Restriction, parse_query
from db.rest.select import SelectItem, Star

__all__ = [
    "DeleteRequest",
    "InsertRequest",
    "PutRequest",
    "ReadRequest",
    "Request",
    "UpdateRequest",
    "WriteRequest",
    "parse_request",
    "parse_shown",
]


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """GET or HEAD. restrictions: by path, () for the table itself. head: counts are wanted, rows are not."""

    table: str
    select: tuple[SelectItem, ...] = (Star(),)
    restrictions: Mapping[Path, Restriction] = field(default_factory=dict[Path, Restriction])
    preferences: Preferences = field(default_factory=Preferences)
    media: Media = field(default_factory=Media)
    head: bool = False
    conditions: Preconditions = NO_CONDITIONS

    @property
    def singular(self) -> bool:
        """Whether one object is wanted instead of a list."""
        return self.media.singular

    @property
    def root(self) -> Restriction:
        """Which rows of the table itself."""
        return self.restrictions.get((), Restriction())


@dataclass(frozen=True, slots=True)
class InsertRequest:
    """POST. shown: how the new rows are answered. on_conflict: columns of an upsert, () for the primary key.

    as_text: whether the values are text still, as CSV and forms have them.
    """

    shown: ReadRequest
    rows: tuple[JsonRow, ...]
    on_conflict: tuple[str, ...] = ()
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class PutRequest:
    """PUT: this row is to be there, under the key that the filters name. target: those filters."""

    shown: ReadRequest
    row: JsonRow
    target: Restriction
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """PATCH. shown: how the changed rows are answered. target: which rows. as_text: as for an insert."""

    shown: ReadRequest
    changes: JsonRow
    target: Restriction
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """DELETE. shown: how the removed rows are answered. target: which rows."""

    shown: ReadRequest
    target: Restriction


WriteRequest = InsertRequest | UpdateRequest | DeleteRequest | PutRequest
Request = ReadRequest | WriteRequest


def parse_request(
    method: str, table: str, query: Pairs, headers: Pairs = (), body: bytes = b"", limits: Limits = LIMITS
) -> Request:
    """The request for one table.

    query: decoded names and values in order. headers: names in any case, repeated ones apart.
    Raises Invalid, NotAcceptable, RangeUnsatisfiable, TooLarge; MethodNotAllowed PGRST117 for another method.
    """
    parsed = parse_query(query, limits)
    shown = parse_shown(method, table, parsed, headers)
    if method in ("GET", "HEAD"):
        return shown
    if shown.media.plan:
        raise NotAcceptable(f"None of these media types are available: {shown.media.name}", code="PGRST107")
    media_type = _content_type(headers) if method != "DELETE" else ""
    as_text = media_type in ("text/csv", "application/x-www-form-urlencoded")
    match method:
        case "POST":
            return _insert(shown, parsed, body, media_type, limits, as_text=as_text)
        case "PUT":
            return PutRequest(shown, parse_changes(body, parsed.columns, media_type), _put_target(shown), as_text)
        case "PATCH":
            changes = parse_changes(body, parsed.columns, media_type)
            return UpdateRequest(_shown_after(shown), changes, _target(shown, "UPDATE"), as_text)
        case "DELETE":
            return DeleteRequest(_shown_after(shown), _target(shown, "DELETE"))
        case _:
            raise MethodNotAllowed(
                f"Unsupported HTTP method: {method}", code="PGRST117", hint="Use GET, HEAD, POST, PATCH, PUT or DELETE."
            )


def parse_shown(method: str, table: str, parsed: Query, headers: Pairs) -> ReadRequest:
    """What is to be answered, and how. Raises Invalid, NotAcceptable, RangeUnsatisfiable."""
    check_profile(headers)
    shown = ReadRequest(
        table,
        parsed.select,
        parsed.restrictions,
        parse_preferences(headers),
        parse_accept(headers),
        method == "HEAD",
        parse_preconditions(headers),
    )
    return _with_range(shown, headers) if method == "GET" else shown


def _with_range(shown: ReadRequest, headers: Sequence[tuple[str, str]]) -> ReadRequest:
    """The request with the Range header and limit/offset intersected."""
    first, count = parse_range(headers)
    if (first, count) == (0, None):
        return shown
    root = shown.root
    start = max(first, root.offset)
    ends = [first + count] if count is not None else []
    ends += [root.offset + root.limit] if root.limit is not None else []
    limit = min(ends) - start if ends else None
    if limit is not None and limit < 0:
        raise range_error("The Range header and limit or offset have no row in common.")
    narrowed = Restriction(root.filters, root.order, limit, start)
    return replace(shown, restrictions={**shown.restrictions, (): narrowed})


def _insert(
    shown: ReadRequest, parsed: Query, body: bytes, media_type: str, limits: Limits, *, as_text: bool
) -> InsertRequest:
    """The insert or upsert."""
    if shown.root.filters:
        raise Invalid("filters do not apply to POST", code="PGRST100", hint="Filter with GET, PATCH or DELETE.")
    missing_default = shown.preferences.missing_default
    rows = parse_rows(body, parsed.columns, missing_default=missing_default, media_type=media_type, limits=limits)
    return InsertRequest(shown, rows, parsed.on_conflict, as_text)


def _target(shown: ReadRequest, statement: str) -> Restriction:
    """The rows to change. Raises Invalid without a filter, or with a limit that leaves open which rows are meant."""
    target = shown.root
    if target.limit is not None and not target.order:
        raise Invalid(
            "A 'limit' was applied without an explicit 'order'",
            code="PGRST109",
            hint="Say with order= which rows come first.",
        )
    if target.offset:
        raise Invalid("Feature not implemented", code="PGRST127", details=f"an offset for {statement}")
    if not target.filters:
        raise Invalid(
            f"{statement} requires a filter",
            code="21000",
            hint="Say which rows; to mean all of them, filter with the primary key, such as id=not.is.null.",
        )
    return target


def _put_target(shown: ReadRequest) -> Restriction:
    """The key of the row to put. Raises Invalid PGRST114 for a page."""
    if shown.root.limit is not None or shown.root.offset:
        raise Invalid("limit/offset querystring parameters are not allowed for PUT", code="PGRST114")
    return shown.root


def _shown_after(shown: ReadRequest) -> ReadRequest:
    """How changed rows are answered: they may no longer match the filter that chose them."""
    return replace(shown, restrictions={**shown.restrictions, (): Restriction((), shown.root.order)})


def _content_type(headers: Pairs) -> str:
    """The media type of the body, '' when none is named."""
    given = next((value for name, value in headers if name.lower() == "content-type"), "")
    return given.partition(";")[0].strip().lower()
