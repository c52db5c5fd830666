"""Verbs as paths of the OpenAPI document. Knows how they are called; not what they do."""

from typing import Any

from db.description.json_schema import Shape, fields_shape, result_shape
from db.description.verbs import DescribedVerb
from db.fields import ListOf
from handlers.description.vocabulary import (
    CALL_ERRORS,
    CSV,
    SINGULAR,
    STRIPPED,
    WRITE_ERRORS,
    answer,
    content,
    errors,
    parameter,
    ref,
)

_ABOUT_ROWS = ("Select", "Order", "Limit", "Offset", "And", "Or")
_BOOKMARK = "x-d1-bookmark"


def verb_path(verb: DescribedVerb) -> dict[str, Any]:
    """POST, and GET for a verb that only reads."""
    path = {"post": _posted(verb)}
    if not verb.writes:
        path["get"] = _asked(verb)
    return path


def _posted(verb: DescribedVerb) -> Shape:
    writing = ("IdempotencyKey",) if verb.writes else ("Bookmark",)
    shared = [ref("parameters", name) for name in (*_about_rows(verb), "Prefer", *writing)]
    needed = any(rule.required for rule in verb.params.values())
    return {
        "operationId": verb.name,
        "tags": [_tag(verb)],
        "summary": verb.summary,
        "parameters": shared,
        "requestBody": {"required": needed, "content": content(fields_shape(verb.params))},
        "responses": _answers(verb) | errors(WRITE_ERRORS if verb.writes else CALL_ERRORS),
    }


def _asked(verb: DescribedVerb) -> Shape:
    given = [
        parameter("query", name, _note(rule), {"type": "string"}, required=rule.required)
        for name, rule in verb.params.items()
    ]
    named = frozenset(verb.params)
    shared = [ref("parameters", name) for name in _about_rows(verb) if name.lower() not in named]
    headers = [ref("parameters", name) for name in ("Prefer", "Bookmark", "IfNoneMatch")]
    unchanged = {"304": answer("The caller has it, by If-None-Match", None, _BOOKMARK, "ETag")}
    return {
        "operationId": f"{verb.name}.get",
        "tags": [_tag(verb)],
        "summary": verb.summary,
        "parameters": [*given, *shared, *headers],
        "responses": _answers(verb) | unchanged | errors(CALL_ERRORS),
    }


def _answers(verb: DescribedVerb) -> Shape:
    """What success looks like."""
    kind, nothing = verb.result.kind, {"204": answer("Nothing", None, _BOOKMARK)}
    if kind == "nothing":
        return nothing
    bodies = content(result_shape(verb))
    if kind in ("rows", "object"):
        # Rows take the forms of a table's: several, or the one there is.
        one: Shape = {"type": "object"}
        if verb.rows:
            one = {"anyOf": [ref("schemas", f"{verb.rows}.returned"), ref("schemas", "ShapedRow")]}
        several: Shape = {"type": "array", "items": one}
        bodies = {
            **content(several if kind == "rows" else {"anyOf": [one, several]}),
            **content(one, SINGULAR),
            **content(several, STRIPPED),
            **content({"type": "string"}, CSV),
        }
    part = {"206": answer("A part of a known total", bodies, _BOOKMARK)} if kind == "rows" else {}
    return {"200": answer("The result", bodies, _BOOKMARK), **part, **(nothing if verb.result.optional else {})}


def _about_rows(verb: DescribedVerb) -> tuple[str, ...]:
    return _ABOUT_ROWS if verb.result.kind == "rows" else ()


def _note(rule: object) -> str:
    return "`{a,b}`, JSON, or the parameter repeated" if isinstance(rule, ListOf) else ""


def _tag(verb: DescribedVerb) -> str:
    """Verbs stand beside the others of their subject."""
    return f"{verb.name.partition('.')[0]}: verbs"
