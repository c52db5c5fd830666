"""PUT: one row under its key."""

import json
from typing import Any

import pytest

from db.errors import Forbidden, Invalid, PreconditionFailed, VaultError
from tests.db.rest.library import LIBRARIAN, READER, REPRESENTATION, SINGULAR, Library


def put(library: Library, *query: tuple[str, str], body: Any, table: str = "works", **headers: str) -> Any:
    return library.ask("PUT", table, *query, who=LIBRARIAN, body=body, **(REPRESENTATION | headers))


def test_put_makes_the_row_and_puts_it_again(library: Library) -> None:
    query = ("id", "eq.a"), ("select", "id,title,pages")
    made = put(library, *query, body={"id": "a", "title": "A", "pages": 1})
    assert (made.inserted, json.loads(made.body)) == (1, [{"id": "a", "title": "A", "pages": 1}])
    again = put(library, *query, body=[{"id": "a", "title": "A", "pages": 2}])
    assert (again.inserted, json.loads(again.body)) == (0, [{"id": "a", "title": "A", "pages": 2}])
    assert library.stored("SELECT id, pages FROM works") == [("a", 2)]


def test_put_knows_a_key_that_is_a_number_or_has_two_columns(library: Library) -> None:
    assert put(library, ("id", "eq.7"), body={"id": 7, "name": "mass"}, table="tags").inserted == 1
    assert put(library, ("id", "eq.7"), body={"id": 7, "name": "missa"}, table="tags").inserted == 0
    library.work("Requiem")
    key = ("work_id", "eq.requiem"), ("tag_id", "eq.7")
    assert put(library, *key, body={"work_id": "requiem", "tag_id": 7}, table="work_tags").inserted == 1


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        ((), {"id": "a", "title": "A"}, "PGRST105"),
        ((("id", "neq.a"),), {"id": "a", "title": "A"}, "PGRST105"),
        ((("id", "not.eq.a"),), {"id": "a", "title": "A"}, "PGRST105"),
        ((("id", "in.(a)"),), {"id": "a", "title": "A"}, "PGRST105"),
        ((("id", "eq(any).{a}"),), {"id": "a", "title": "A"}, "PGRST105"),
        ((("id->>x", "eq.a"),), {"id": "a", "title": "A"}, "PGRST105"),
        ((("or", "(id.eq.a)"),), {"id": "a", "title": "A"}, "PGRST105"),
        ((("title", "eq.A"),), {"id": "a", "title": "A"}, "PGRST105"),
        ((("id", "eq.a"), ("title", "eq.A")), {"id": "a", "title": "A"}, "PGRST105"),
        ((("id", "eq.a"), ("limit", "1")), {"id": "a", "title": "A"}, "PGRST114"),
        ((("id", "eq.a"), ("offset", "1")), {"id": "a", "title": "A"}, "PGRST114"),
        ((("id", "eq.a"),), {"id": "b", "title": "A"}, "PGRST115"),
        ((("id", "eq.a"),), {"title": "A"}, "PGRST115"),
        ((("id", "eq.a"),), [{"id": "a", "title": "A"}, {"id": "a", "title": "A"}], "PGRST102"),
    ],
)
def test_put_wants_the_whole_key_in_url_and_body(library: Library, query: Any, body: Any, code: str) -> None:
    with pytest.raises(VaultError) as caught:
        put(library, *query, body=body)
    assert caught.value.code == code
    assert library.stored("SELECT id FROM works") == []


def test_put_keeps_the_rules_of_fields_and_policies(library: Library) -> None:
    library.work("A")
    with pytest.raises(Invalid) as caught:
        put(library, ("id", "eq.a"), body={"id": "a", "title": "A", "kind": "part"})
    assert caught.value.field == "kind"
    with pytest.raises(Forbidden):
        put(library, ("id", "eq.a"), body={"id": "a", "title": "A", "pages": 1000})
    library.add("works", {"id": "theirs", "org": "two", "title": "Theirs"})
    with pytest.raises(Forbidden):
        put(library, ("id", "eq.theirs"), body={"id": "theirs", "title": "Ours"})
    with pytest.raises(Forbidden):
        library.ask("PUT", "works", ("id", "eq.n"), who=READER, body={"id": "n", "title": "N"})


def test_put_can_be_kept_from_overwriting_and_from_making(library: Library) -> None:
    body = {"id": "a", "title": "A", "pages": 1}
    with pytest.raises(PreconditionFailed):
        put(library, ("id", "eq.a"), body=body, if_match="*")
    assert put(library, ("id", "eq.a"), body=body, if_none_match="*").inserted == 1
    with pytest.raises(PreconditionFailed):
        put(library, ("id", "eq.a"), body=body, if_none_match="*")
    tag = library.ask("GET", "works", ("id", "eq.a"), accept=SINGULAR, who=LIBRARIAN).etag
    assert put(library, ("id", "eq.a"), body=body | {"pages": 2}, if_match=tag).returned == 1
    with pytest.raises(PreconditionFailed):
        put(library, ("id", "eq.a"), body=body | {"pages": 3}, if_match=tag)
