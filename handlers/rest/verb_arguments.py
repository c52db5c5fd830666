"""A verb's arguments out of query and body, and what is left of the query. Knows parameters; runs nothing."""

import json
from collections.abc import Mapping
from typing import Any

from db.errors import Invalid
from db.fields import Field, JsonObject, ListOf, Text, from_text, is_json_object
from db.rest.array_text import parse_array
from db.rest.filters import parse_condition
from db.rest.preferences import Pairs
from domain.charter import Verb
from handlers.http.call import Call

_ROW_NAMES = ("select", "order", "limit", "offset", "and", "or", "not.and", "not.or")
_TEXT_TYPES = ("text/plain", "text/xml")


def arguments_and_rest(call: Call, verb: Verb) -> tuple[Mapping[str, Any], Pairs]:
    """The arguments as JSON values, and the query parameters about the rows of the result.

    By GET a parameter of the verb is an argument and anything else that reads as a filter is one; what reads as neither
    is left among the arguments, for its error. Raises Invalid.
    """
    if call.method == "POST":
        about_rows = [(name, value) for name, value in call.query if name != "columns"]
        return _restricted(_posted(call, verb), call.parameter("columns")), about_rows
    given: dict[str, list[str]] = {}
    rest: list[tuple[str, str]] = []
    for name, value in call.query:
        if name not in verb.params and (name in _ROW_NAMES or _is_filter(value)):
            rest.append((name, value))
        else:
            given.setdefault(name, []).append(value)
    return {name: _from_query(values, verb.params.get(name)) for name, values in given.items()}, rest


def arguments_named(call: Call) -> list[str]:
    """The names of the arguments of a call whose verb is not known."""
    if call.method == "POST":
        try:
            return list(call.json_object())
        except Invalid:
            return []
    return [name for name, value in call.query if name not in _ROW_NAMES and not _is_filter(value)]


def _posted(call: Call, verb: Verb) -> Mapping[str, Any]:
    """The arguments in a body. A verb with one parameter that is a list or an object also takes it as the body."""
    media_type = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        return {name: _from_query([value], verb.params.get(name)) for name, value in (call.form() or {}).items()}
    only = next(iter(verb.params.items())) if len(verb.params) == 1 else None
    if only and isinstance(only[1], Text) and media_type in _TEXT_TYPES:
        return {only[0]: _decoded(call.body)}
    if only and isinstance(only[1], ListOf | JsonObject):
        whole = _parsed(call.body)
        if not (is_json_object(whole) and (not whole or set(whole) == {only[0]})):
            return {only[0]: whole}
    return call.json_object()


def _restricted(given: Mapping[str, Any], columns: str | None) -> Mapping[str, Any]:
    """The arguments that `columns` names."""
    if not columns:
        return given
    from db.rest.select import parse_names

    names = parse_names(columns, "columns parameter")
    return {name: given[name] for name in names if name in given}


def _from_query(values: list[str], rule: Field | None) -> Any:
    """One argument. A list comes as `{a,b}`, as JSON, or by repeating the parameter."""
    if isinstance(rule, ListOf):
        if len(values) > 1:
            return [from_text(value, rule.item) for value in values]
        items = parse_array(values[0])
        if items is not None:
            return [None if item is None else from_text(item, rule.item) for item in items]
    return from_text(values[-1], rule)


def _is_filter(value: str) -> bool:
    """Whether the text is an operator and a value."""
    try:
        parse_condition("", value)
    except Invalid as error:
        return error.code != "PGRST100"
    return True


def _parsed(body: bytes) -> Any:
    """The body as JSON; no body is an empty object. Raises Invalid (invalid_json)."""
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as exc:
        raise Invalid(f"the body is not JSON: {exc}", code="invalid_json") from exc


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as exc:
        raise Invalid("the body is not UTF-8", code="invalid_json") from exc
