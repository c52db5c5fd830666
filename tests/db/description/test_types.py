"""Types for programs: names that no language takes as they are, kinds of columns, what may be null or left out."""

import ast
import re
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from db.description.json_schema import fields_shape, row_shape, rule_shape
from db.description.notes import Notes
from db.description.openapi2 import openapi2
from db.description.python_types import python_types
from db.description.tables import DescribedTable, Facts, describe_tables
from db.description.typescript import typescript
from db.description.verbs import DescribedVerb, Result, result_of
from db.errors import Invalid
from db.fields import Choice, Day, Email, Field, Flag, Instant, Integer, JsonObject, ListOf, Text, Url, parse_fields
from db.principal import guest
from db.schema.schema import read_schema
from tests.db.rest.library import LIBRARIAN, READER, RESOURCES, WORKS, Library

ODD = DescribedVerb("class.import", True, "Odd", {"from": Text(required=True), "a-b": Integer()}, Result("nothing"))


def tables(library: Library, who: Any = LIBRARIAN, **more: Any) -> dict[str, DescribedTable]:
    notes = Notes({"works": "Music. The secret is hidden.", "tags": "Words"}, {("tags", "name"): "as people say it"})
    facts = Facts(read_schema(library.connection), {}, notes)
    return {table.name: table for table in describe_tables(facts, RESOURCES, who, **more)}


def test_a_table_is_described_as_the_caller_may_use_it(library: Library) -> None:
    works = tables(library)["works"]
    assert (works.inserts, works.updates, works.deletes, works.key) == (True, True, True, ("id",))
    assert "secret" not in {column.name for column in works.columns}
    assert {"id", "kind"}.isdisjoint(works.changed)
    assert {"id", "kind"} <= set(works.given)
    reader = tables(library, READER)["works"]
    assert (reader.inserts, reader.updates, reader.deletes, reader.given) == (False, False, False, {})
    assert not tables(library, read_only=True)["works"].inserts
    assert "papers" not in tables(library, guest("one"))


def test_a_note_about_what_clients_do_not_see_is_left_out(library: Library) -> None:
    found = tables(library)
    assert (found["works"].note, found["tags"].note) == ("", "Words")
    name = found["tags"].column("name")
    assert name is not None
    assert name.note == "as people say it"


def test_columns_have_the_kind_they_are_answered_as(library: Library) -> None:
    works = row_shape(tables(library)["works"])["properties"]
    assert works["labels"] == {"type": ["array", "null"], "items": {"type": "string", "maxLength": 200}}
    assert works["weight"] == {"type": ["number", "null"], "format": "double"}
    assert works["public"] == {"type": "integer", "format": "int64"}
    assert works["contact"] == {"type": ["string", "null"]}
    assert works["updated_at"] == {"type": ["string", "null"], "format": "date-time"}
    assert row_shape(tables(library)["covers"])["properties"]["image"]["type"] == ["string", "null"]


def test_a_key_of_a_strict_table_is_never_null(library: Library) -> None:
    tags = row_shape(tables(library)["tags"])
    assert tags["properties"]["id"]["type"] == "integer"
    assert tags["required"] == ["id", "name"]


def test_references_lead_to_tables_that_are_described_too(library: Library) -> None:
    assert [known.table for known in tables(library)["editions"].references] == ["works"]
    covers = tables(library)["covers"].references[0]
    assert (covers.name, covers.to_one_back) == ("covers_work_id_fkey", True)
    hidden = replace(RESOURCES["editions"], hidden=frozenset({"work_id"}))
    facts = Facts(read_schema(library.connection), {}, Notes({}, {}))
    shown = describe_tables(facts, {"works": WORKS, "editions": hidden}, LIBRARIAN)
    assert [known.references for known in shown] == [(), ()]


RULES: list[tuple[Field, list[Any], list[Any]]] = [
    (Text(required=True), ["a"], ["", None, 1]),
    (Text(max_characters=2), ["ab", None, ""], ["abc"]),
    (Email(), ["a@b.example", None], [1]),
    (Url(required=True), ["https://x.example"], ["ftp://x"]),
    (Choice(("a", "b")), ["a", None], ["c"]),
    (Integer(minimum=1, maximum=3), [1, 3, None], [0, 4, "1", 1.5]),
    (Flag(required=True), [True, False, 0, 1], [2, "true", None]),
    (Day(required=True), ["2026-05-01"], [1]),
    (Instant(), ["2026-05-01T19:00:00Z"], [1]),
    (ListOf(Integer(), maximum=2), [[], [1, 2], None], [[1, 2, 3], ["a"], [None], {}]),
    (JsonObject(), [{}, {"a": [1]}, None], [[], "a"]),
]


@pytest.mark.parametrize(("rule", "good", "bad"), RULES, ids=lambda value: type(value).__name__)
def test_the_shape_of_a_rule_takes_what_the_rule_takes(rule: Field, good: list[Any], bad: list[Any]) -> None:
    validator = Draft202012Validator(fields_shape({"x": rule}))
    for value in (*good, *bad):
        try:
            parse_fields({"x": value}, {"x": rule})
            taken = True
        except Invalid:
            taken = False
        assert (value, validator.is_valid({"x": value})) == (value, value in good)
        assert (value, taken) == (value, value in good)
    assert validator.is_valid({}) is not rule.required
    assert not validator.is_valid({"x": good[0], "y": 1})


def test_a_column_that_takes_no_null_is_not_given_one(library: Library) -> None:
    works = tables(library)["works"]
    shape = fields_shape(works.given, works)["properties"]
    assert shape["kind"] == {"type": "string", "enum": ["score", "part"]}
    assert rule_shape(Choice(("score", "part")))["enum"] == ["score", "part", None]


def test_names_that_python_does_not_take_have_others(library: Library) -> None:
    library.connection.execute(
        'CREATE TABLE "class" ("from" TEXT PRIMARY KEY, "1st" TEXT, schema TEXT, "_x" TEXT) STRICT'
    )
    odd = replace(RESOURCES["tags"], table="class", fields={"from": Text(required=True), "1st": Text()})
    facts = Facts(read_schema(library.connection), {}, Notes({}, {}))
    described = describe_tables(facts, {"class": odd}, LIBRARIAN)
    text = python_types('Say """ hello', described, [ODD])
    space: dict[str, Any] = {}
    exec(compile(ast.parse(text), "types.py", "exec"), space)
    row = space["ClassRow"].model_validate({"from": "a", "1st": None, "schema": None, "_x": "b"})
    assert (row.from_, row.field_1st, row.schema_, row.x) == ("a", None, None, "b")
    assert row.model_dump(by_alias=True) == {"from": "a", "1st": None, "schema": None, "_x": "b"}
    assert space["ClassInsert"].__required_keys__ == {"from"}
    assert space["ClassImportArgs"].__optional_keys__ == {"a-b"}
    script = typescript("Say */ hello", described, [ODD])
    for name in ('"1st"', "from:", '"a-b"?: number | null', '"class.import": {', "Returns: null"):
        assert name in script


def test_a_title_stays_in_its_line(library: Library) -> None:
    first = typescript("one\ntwo", tuple(tables(library).values()), []).splitlines()[0]
    assert first == "// one two"


def test_postgrests_document_has_no_word_of_its_successor(library: Library) -> None:
    verb = DescribedVerb(
        "work.tag", True, "Tag", {"tags": ListOf(Text(), required=True), "loud": Flag()}, Result("rows")
    )
    found = openapi2({"title": "t", "version": "1"}, "/x/rest/v1", tuple(tables(library).values()), [verb])
    args = found["paths"]["/rpc/work.tag"]["post"]["parameters"][0]["schema"]
    assert args["properties"]["tags"]["items"]["type"] == "string"
    assert args["properties"]["loud"]["type"] == "boolean"
    assert not re.search(r'"type": \[|anyOf|"null"', str(found).replace("'", '"'))
    assert found["definitions"]["tags"]["properties"]["name"] == {
        "type": "string", "format": "text", "description": "as people say it",
    }  # fmt: skip


def as_row() -> dict[str, Any]:
    return {}


def as_rows() -> list[dict[str, Any]]:
    return []


def as_texts() -> list[str]:
    return []


def maybe() -> dict[str, Any] | None:
    return None


def either() -> str | int:
    return ""


def nothing() -> None:
    pass


def number() -> int:
    return 1


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (as_row, Result("object")),
        (as_rows, Result("rows")),
        (as_texts, Result("list")),
        (maybe, Result("object", optional=True)),
        (either, Result("any")),
        (nothing, Result("nothing")),
        (number, Result("integer")),
        (lambda: 1, Result("any")),
    ],
)
def test_what_a_verb_returns_is_what_its_function_says(function: Any, result: Result) -> None:
    assert result_of(function) == result
