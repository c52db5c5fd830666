"""A verb's result in the form a client asked for: some rows, some keys, one object, CSV, a count. Knows no verb."""

from dataclasses import replace
from typing import Any

from db.errors import Invalid
from db.fields import is_json_list, is_json_object
from db.rest.limits import Limits
from db.rest.preconditions import parse_preconditions, tag_of
from db.rest.preferences import Pairs, parse_range
from db.rest.query import parse_query
from db.rest.request import ReadRequest, parse_shown
from db.rest.result_rows import RowsOf, answer_rows
from db.transaction import ReadTx, WriteTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.rest.replies import read_reply, value_reply

# The preferences that mean something for a verb; how a row is written is its own affair.
_COUNTED_READING = ("count=", "handling=", "timezone=")
_COUNTED = (*_COUNTED_READING, "tx=", "max-affected=")


def shaped_reply(
    tx: ReadTx, call: Call, rest: Pairs, value: Any, limits: Limits, rows_of: RowsOf | None = None
) -> Reply:
    """The reply. rest: the query parameters about rows. A single object is a row of its own, a scalar is no row.

    rows_of: the table whose rows the verb returns, if it does. Raises as a read of a table does; Invalid PGRST100 when
    a scalar is asked for rows.
    """
    request = parse_shown(call.method, call.path["verb"], parse_query(rest, limits), call.headers)
    wishes = request.preferences.applied
    counted = tuple(
        wish for wish in wishes if wish.startswith(_COUNTED if isinstance(tx, WriteTx) else _COUNTED_READING)
    )
    reply = _reply(tx, call, rest, value, limits, request, rows_of)
    others = tuple(header for header in reply.headers if header[0] != "Preference-Applied")
    applied = (("Preference-Applied", ", ".join(counted)),) if counted else ()
    return replace(reply, headers=(*others, *applied))


def _reply(
    tx: ReadTx,
    call: Call,
    rest: Pairs,
    value: Any,
    limits: Limits,
    request: ReadRequest,
    rows_of: RowsOf | None,
) -> Reply:
    """The reply, before it is said which preferences counted."""
    if not rest and not _is_shaped(request, call):
        return _tagged(call, value_reply(value))
    rows = value if _is_rows(value) else [value] if is_json_object(value) else None
    if rows is None:
        if rest:
            raise Invalid(
                f"{call.path['verb']} did not return rows: select, filters, order and limit do not apply",
                code="PGRST100",
            )
        plain = value_reply(value)
        counted = request.preferences.count is not None and value is not None
        return _tagged(call, plain.with_headers(("Content-Range", "0-0/1")) if counted else plain)
    answer = answer_rows(tx, rows, request, limits, rows_of)
    reply = read_reply(answer, request, call)
    single = is_json_object(value) and not request.singular and request.media.content_type == reply.media_type
    if single and request.media.name.endswith("json") and reply.body.startswith("[") and answer.returned == 1:
        return Reply(reply.status, reply.body[1:-1], reply.media_type, reply.headers)
    return reply


def _is_shaped(request: ReadRequest, call: Call) -> bool:
    """Whether headers ask for anything but the value as it is."""
    plain = request.media.content_type.startswith("application/json")
    return not plain or request.preferences.count is not None or parse_range(call.headers) != (0, None)


def _is_rows(value: Any) -> bool:
    return is_json_list(value) and all(map(is_json_object, value))


def _tagged(call: Call, reply: Reply) -> Reply:
    """The reply with its tag, or 304 when the client has it. A write gets none."""
    if call.method == "POST" or not reply.body:
        return reply
    tag = tag_of(reply.body, None)
    if parse_preconditions(call.headers).is_unchanged(tag):
        return Reply(304, headers=(("ETag", tag),))
    return reply.with_headers(("ETag", tag))
