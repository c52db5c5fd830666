"""Places in JSON: selected, filtered, ordered by, cast."""

import pytest

from db.errors import TooLarge
from db.rest.limits import LIMITS
from tests.db.rest.library import LIBRARIAN, Library, code_of


def people(library: Library) -> Library:
    library.paper(1, data={"name": "Õ", "age": 20, "phones": [{"number": "7", "home": True}], "score": 1.5})
    library.paper(2, data={"name": "Berta", "age": 9, "phones": [], "nick": None})
    library.paper(3, data={"name": "Carl", "age": "20", "a b": {"x.y": 1}})
    library.paper(4, data=None)
    library.paper(5, data="no json", body='{"k": 1}')
    return library


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("data->name", {"name": "Õ"}),
        ("data->>name", {"name": "Õ"}),
        ("data->age", {"age": 20}),
        ("data->>age", {"age": "20"}),
        ("data->>score", {"score": "1.5"}),
        ("data->phones->0->>number", {"number": "7"}),
        ("data->phones->-1->home", {"home": True}),
        ("data->phones->0->>home", {"home": "true"}),
        ("data->phones->0", {"phones": {"number": "7", "home": True}}),
        ("data->phones->>0", {"phones": '{"number":"7","home":true}'}),
        ("data->phones->5", {"phones": None}),
        ("data->missing->deeper", {"deeper": None}),
        ("years:data->age", {"years": 20}),
        ("data->>age::int", {"age": 20}),
        ("data->age::text", {"age": "20"}),
        ("data->phones->0->>home::bool", {"home": True}),
        ('data->"name"', {"name": "Õ"}),
        ("data->0", {"data": None}),
    ],
)
def test_a_place_in_json_is_selected(library: Library, select: str, expected: dict[str, object]) -> None:
    assert people(library).get("papers", ("select", select), ("id", "eq.1")) == [expected]


def test_a_column_of_json_is_answered_as_json(library: Library) -> None:
    people(library)
    assert library.get("papers", ("select", "data"), ("id", "gte.2"), ("order", "id")) == [
        {"data": {"name": "Berta", "age": 9, "phones": [], "nick": None}},
        {"data": {"name": "Carl", "age": "20", "a b": {"x.y": 1}}},
        {"data": None},
        {"data": "no json"},
    ]


def test_keys_with_signs_stand_in_quotes(library: Library) -> None:
    assert people(library).get("papers", ("select", 'data->a b->"x.y"'), ("id", "eq.3")) == [{"x.y": 1}]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("data->>name", "eq.Berta", [2]),
        ("data->>age", "eq.20", [1, 3]),
        ("data->age", "eq.20", [1]),
        ("data->age", 'eq."20"', [3]),
        ("data->age", "gt.9", [1]),
        ("data->age", "gte.9", [1, 2]),
        ("data->age", "neq.20", [2, 3]),
        ("data->age", 'in.(9,"\\"20\\"")', [2, 3]),
        ("data->age", "isdistinct.20", [2, 3, 4, 5]),
        ("data->phones", "eq.[]", [2]),
        ("data->a b", 'eq.{"x.y":1.0}', [3]),
        ("data->>name", "like.*r*", [2, 3]),
        ("data->>name", "ilike.õ", [1]),
        ("data->>name", "match.^[A-C]", [2, 3]),
        ("data->>name", "in.(Carl,x)", [3]),
        ("data->>nick", "is.null", [1, 2, 3, 4, 5]),
        ("data->nick", "is.null", [1, 3, 4, 5]),
        ("data->phones->0->>number", "eq.7", [1]),
        ("data->phones->0->home", "eq.true", [1]),
        ("data->score", "lt.2", [1]),
        ("not.or", "(data->>name.eq.Carl,data->age.gt.10)", [2]),
        ("or", '(data->>name.eq.Carl,data->"phones"->0->>number.eq.7)', [1, 3]),
    ],
)
def test_a_place_in_json_is_filtered_by(library: Library, name: str, text: str, expected: list[int]) -> None:
    assert people(library).found((name, text)) == expected


def test_a_place_in_json_orders_as_in_postgres(library: Library) -> None:
    people(library)
    ids = [row["id"] for row in library.get("papers", ("select", "id"), ("order", "data->age.desc.nullslast,id"))]
    # A number is more than text there, and text of numbers is compared as text.
    assert ids == [1, 2, 3, 4, 5]
    as_text = library.get("papers", ("select", "id"), ("order", "data->>age,id.desc"), ("data->>age", "not.is.null"))
    assert [row["id"] for row in as_text] == [3, 1, 2]


def test_json_is_read_through_the_mask_of_its_column(library: Library) -> None:
    people(library)
    query = ("select", "body->k"), ("id", "eq.5")
    assert library.get("papers", *query) == [{"k": None}]
    assert library.get("papers", *query, who=LIBRARIAN) == [{"k": 1}]
    assert library.found(("body->>k", "eq.1")) == []


@pytest.mark.parametrize(
    ("cast", "stored", "expected"),
    [
        ("text", {"size": 5}, "5"),
        ("varchar", {"size": None}, None),
        ("int", {"price": 2.5}, 3),
        ("int", {"price": -2.5}, -3),
        ("int4", {"title": "12"}, 12),
        ("int8", {"title": "9007199254740993"}, 9007199254740993),
        ("int", {"title": "12x"}, None),
        ("float8", {"size": 2}, 2.0),
        ("numeric", {"title": "2.50"}, 2.5),
        ("numeric", {"size": 2}, 2),
        ("bool", {"size": 1}, True),
        ("boolean", {"title": "No"}, False),
        ("boolean", {"title": "perhaps"}, None),
        ("json", {"title": '{"a":1}'}, {"a": 1}),
        ("jsonb", {"title": "plain"}, None),
        ("date", {"title": "2026-05-01T19:00:00.000Z"}, "2026-05-01"),
        ("timestamptz", {"title": "2026-05-01T19:00:00.000Z"}, "2026-05-01T19:00:00.000Z"),
    ],
)
def test_a_cast_gives_another_type_or_null(
    library: Library, cast: str, stored: dict[str, object], expected: object
) -> None:
    library.paper(1, **stored)
    (name,) = stored
    assert library.get("papers", ("select", f"x:{name}::{cast}")) == [{"x": expected}]


def test_a_cast_keeps_the_columns_name(library: Library) -> None:
    library.paper(1, size=5)
    assert library.get("papers", ("select", "size::text,id")) == [{"size": "5", "id": 1}]
    assert library.get("papers", ("select", "size::TEXT")) == [{"size": "5"}]


def test_bytes_cast_to_text_are_hex(library: Library) -> None:
    library.work("Requiem")
    library.add("covers", {"work_id": "requiem", "image": b"\x01"})
    assert library.get("covers", ("select", "image::text")) == [{"image": "\\x01"}]


@pytest.mark.parametrize("over", [0, 1])
def test_a_path_has_a_length(library: Library, over: int) -> None:
    library.paper(1, data={})
    query = ("select", "data" + "->a" * (LIMITS.json_steps + over))
    if not over:
        assert library.get("papers", query) == [{"a": None}]
        return
    with pytest.raises(TooLarge, match=f"the limit is {LIMITS.json_steps}$"):
        library.get("papers", query)


def test_a_place_in_a_hidden_column_does_not_exist(library: Library) -> None:
    assert code_of(library, ("select", "secret->a")) == "42703"
    assert code_of(library, ("secret->>a", "eq.1")) == "42703"
    assert code_of(library, ("order", "secret->a")) == "42703"
