"""The parts that every path of the OpenAPI document refers to: errors, headers, parameters. Data only."""

from collections.abc import Mapping, Sequence
from typing import Any

from db.description.json_schema import Shape

JSON = "application/json"
SINGULAR = "application/vnd.pgrst.object+json"
STRIPPED = "application/vnd.pgrst.array+json;nulls=stripped"
CSV = "text/csv"

READ_ERRORS = (300, 400, 401, 403, 404, 406, 410, 413, 416, 503)
WRITE_ERRORS = (300, 400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 416, 500, 503)
CALL_ERRORS = (400, 401, 403, 404, 406, 409, 410, 413, 416, 503)

_MEANINGS: Mapping[int, str] = {
    300: "An embed that has several readings",
    400: "A request that cannot be read, or breaks a rule of shape, type or range",
    401: "Nobody is signed in, or the token is not good",
    403: "The right is missing",
    404: "There is no such thing, or it is not the caller's to see",
    405: "Another method is needed",
    406: "The answer cannot take the form asked for",
    409: "A valid request in the wrong state; or an Idempotency-Key that came with another request",
    410: "It existed, and is gone",
    412: "If-Match or If-None-Match does not hold",
    413: "A limit is exceeded; the message names it",
    416: "There is no such page",
    429: "Too often; Retry-After says when to come back",
    500: "`commit_unknown`: the store did not say whether the write happened. Repeat it with the same Idempotency-Key",
    503: "Nothing was changed; Retry-After says when to come back",
}


def ref(kind: str, name: str) -> Shape:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def errors(statuses: Sequence[int]) -> Shape:
    """Responses for statuses of errors."""
    return {str(status): ref("responses", f"Error{status}") for status in statuses}


def content(shape: Shape, *media_types: str) -> Shape:
    """The content of a body in one or several forms."""
    return {media_type: {"schema": shape} for media_type in media_types or (JSON,)}


def answer(note: str, body: Shape | None = None, *headers: str) -> Shape:
    """A response. body: its content. headers: components."""
    named = {name: ref("headers", name) for name in headers}
    return {
        "description": note,
        **({"content": body} if body else {}),
        **({"headers": named} if named else {}),
    }


def parameter(place: str, name: str, note: str, shape: Shape, *, required: bool = False) -> Shape:
    """A parameter in `query`, `path` or `header`."""
    needed = {"required": True} if required else {}
    return {"name": name, "in": place, "description": note, **needed, "schema": shape}


_TEXT: Shape = {"type": "string"}
_COUNT: Shape = {"type": "integer", "minimum": 0}

PARAMETERS: Mapping[str, Shape] = {
    "Select": parameter("query", "select", "Columns, embeds and aggregates, such as `title,editions(name)`", _TEXT),
    "Order": parameter("query", "order", "Columns with `.asc` or `.desc`, `.nullsfirst` or `.nullslast`", _TEXT),
    "Limit": parameter("query", "limit", "At most so many rows", _COUNT),
    "Offset": parameter("query", "offset", "Leave out so many rows first", _COUNT),
    "And": parameter("query", "and", "Conditions that all hold: `(a.eq.1,b.lt.2)`", _TEXT),
    "Or": parameter("query", "or", "Conditions of which one holds: `(a.eq.1,b.lt.2)`", _TEXT),
    "Columns": parameter("query", "columns", "The keys of the body that count", _TEXT),
    "OnConflict": parameter("query", "on_conflict", "The unique columns by which an upsert finds the row", _TEXT),
    "Prefer": parameter(
        "header", "Prefer", "Wishes by comma: `return=representation`, `count=exact`, `handling=strict`", _TEXT
    ),
    "Range": parameter("header", "Range", "Rows from and to, from 0: `0-14`", _TEXT),
    "Bookmark": parameter(
        "header",
        "x-d1-bookmark",
        "How current the answer must be: a bookmark, `first-primary` or `first-unconstrained`",
        _TEXT,
    ),
    "IdempotencyKey": parameter(
        "header",
        "Idempotency-Key",
        "A repeat with the same key gets the first answer again and has no second effect, for a week",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "IfMatch": parameter("header", "If-Match", "Only while the row has this ETag", _TEXT),
    "IfNoneMatch": parameter("header", "If-None-Match", "Only if the answer has another ETag than these", _TEXT),
}

HEADERS: Mapping[str, Shape] = {
    "x-d1-bookmark": {"description": "The commit that the answer belongs to", "schema": _TEXT},
    "ETag": {"description": "What If-None-Match and If-Match take", "schema": _TEXT},
    "Content-Range": {"description": "First and last row, and the total or `*`", "schema": _TEXT},
    "Location": {"description": "The query that finds the new row", "schema": _TEXT},
    "Idempotency-Replayed": {"description": "`true` on an answer given before", "schema": {"const": "true"}},
    "Retry-After": {"description": "Seconds", "schema": {"type": "integer"}},
}

SCHEMAS: Mapping[str, Shape] = {
    "Error": {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "Stable; switch on this one"},
            "message": {"type": "string"},
            "details": {
                "type": ["string", "array", "null"],
                "items": {"type": "object"},
                "description": "The field, or what is wrong with it; for PGRST201 the ways there are",
            },
            "hint": {"type": ["string", "null"]},
        },
        "required": ["code", "message", "details", "hint"],
    },
    "ShapedRow": {"type": "object", "description": "A row as `select` asks for it."},
}

SECURITY_SCHEMES: Mapping[str, Shape] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token from `/auth/v1`, or an API token (`vlt_…`). Without one the caller is a guest.",
    },
    "apikey": {"type": "apiKey", "in": "header", "name": "apikey", "description": "The same tokens"},
}


def components(schemas: Mapping[str, Shape]) -> dict[str, Any]:
    """The components of a document. schemas: those of its own."""
    bodies = content(ref("schemas", "Error"))
    retry = {503, 429}
    responses = {
        f"Error{status}": answer(note, bodies, *(["Retry-After"] if status in retry else []))
        for status, note in _MEANINGS.items()
    }
    return {
        "schemas": {**SCHEMAS, **schemas},
        "responses": {**responses, "Error": answer("An error", bodies)},
        "parameters": dict(PARAMETERS),
        "headers": dict(HEADERS),
        "securitySchemes": dict(SECURITY_SCHEMES),
    }
