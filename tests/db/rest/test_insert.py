"""Inserting over REST: rules of fields, policies, bodies."""

import json
from typing import Any

import pytest

from db.errors import Conflict, Forbidden, Invalid, NotAuthenticated
from db.rest.request import parse_request
from db.rest.run import insert_rows
from tests.db.rest.library import (
    GUEST,
    LIBRARIAN,
    NOW,
    READER,
    REPRESENTATION,
    WORKS,
    Library,
    personal_seal,
    write,
)


def test_insert_fills_what_the_server_supplies(library: Library) -> None:
    (row,) = write(library, "POST", "works", body={"title": " Requiem "})
    assert row["title"] == "Requiem"
    assert row["org"] == "one"
    assert len(row["id"]) == 36
    assert library.stored("SELECT count(*) FROM works") == [(1,)]


def test_insert_keeps_a_given_value_that_the_server_could_supply_unless_it_is_null(library: Library) -> None:
    rows = [{"id": "a", "title": "A", "kind": "part"}, {"id": None, "title": "B", "kind": None}]
    given, filled = write(library, "POST", "works", body=rows)
    assert (given["id"], given["kind"]) == ("a", "part")
    assert (len(filled["id"]), filled["kind"]) == (36, "score")


def test_insert_takes_many_rows_and_shows_them_as_selected(library: Library) -> None:
    body = [{"title": "A", "pages": 1}, {"title": "B", "pages": 2}]
    rows = write(library, "POST", "works", ("select", "title,editions(id)"), ("order", "title.desc"), body=body)
    assert rows == [{"title": "B", "editions": []}, {"title": "A", "editions": []}]


def test_insert_of_nothing_changes_nothing(library: Library) -> None:
    assert write(library, "POST", "works", body=[]) == []


def test_insert_seals_personal_columns(library: Library) -> None:
    (row,) = write(library, "POST", "works", body={"title": "A", "contact": "anna"})
    assert row["contact"] == "anna"
    assert library.stored("SELECT contact FROM works") == [(personal_seal("works.contact", "anna"),)]


def test_insert_stores_lists_as_json_text(library: Library) -> None:
    write(library, "POST", "works", body={"title": "A", "labels": ["õ", "b"]})
    assert library.stored("SELECT labels FROM works") == [('["õ", "b"]',)]


def test_insert_learns_a_key_that_sqlite_made(library: Library) -> None:
    answer = library.ask("POST", "tags", who=LIBRARIAN, body={"name": "mass"}, prefer="return=headers-only")
    assert (answer.body, answer.location, answer.inserted) == ("", "id=eq.1", 1)


def test_insert_works_with_a_key_of_two_columns(library: Library) -> None:
    library.work("Requiem")
    library.add("tags", {"id": 1, "name": "mass"}, {"id": 2, "name": "latin"})
    body = [{"work_id": "requiem", "tag_id": 1}, {"work_id": "requiem", "tag_id": 2}]
    assert len(write(library, "POST", "work_tags", body=body)) == 2
    condition = ("work_id", "eq.requiem"), ("tag_id", "eq.2")
    assert write(library, "DELETE", "work_tags", *condition) == [{"work_id": "requiem", "tag_id": 2, "org": "one"}]
    assert library.stored("SELECT tag_id FROM work_tags") == [(1,)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": None}, "title"),
        ({"title": 5}, "title"),
        ({"title": "A", "org": "two"}, "org"),
        ({"title": "A", "updated_at": "yesterday"}, "updated_at"),
        ({"title": "A", "nowhere": 1}, "nowhere"),
        ({"title": "A", "pages": -1}, "pages"),
    ],
)
def test_insert_names_the_field_that_breaks_its_rule(library: Library, body: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        write(library, "POST", "works", body=body)
    assert caught.value.field == field


def test_insert_refuses_a_new_row_outside_the_policies(library: Library) -> None:
    with pytest.raises(Forbidden, match=r"^new row violates the row policy of works$") as caught:
        write(library, "POST", "works", body=[{"title": "A", "pages": 999}, {"title": "B", "pages": 1000}])
    assert caught.value.code == "42501"


@pytest.mark.parametrize(("who", "error"), [(READER, Forbidden), (GUEST, NotAuthenticated)])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_write_is_refused_without_an_open_policy(library: Library, method: str, who: Any, error: type) -> None:
    library.work("A", public=1)
    query = [] if method == "POST" else [("id", "eq.a")]
    with pytest.raises(error) as caught:
        library.ask(method, "works", *query, who=who, body={"title": "B"})
    assert caught.value.code == "42501"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_write_is_refused_where_no_policy_is_declared(library: Library, method: str) -> None:
    with pytest.raises(Forbidden):
        write(
            library, method, "members", ("select", "id"), *([("id", "eq.a")] * (method != "POST")), body={"name": "x"}
        )


def test_insert_runs_the_check_of_the_resource(library: Library) -> None:
    with pytest.raises(Conflict) as caught:
        write(library, "POST", "works", body={"title": "Cursed"})
    assert caught.value.code == "cursed_title"


def test_insert_shows_only_what_the_caller_may_read(library: Library) -> None:
    answer = library.ask("POST", "works", who=LIBRARIAN, body={"title": "A", "secret": "s"}, **REPRESENTATION)
    assert "secret" not in json.loads(answer.body)[0]
    assert library.stored("SELECT secret FROM works") == [("s",)]


def test_minimal_is_the_default_and_answers_no_body(library: Library) -> None:
    answer = library.ask("POST", "works", who=LIBRARIAN, body={"title": "A"}, prefer="count=exact")
    assert (answer.body, answer.returned, answer.total, answer.content_range) == ("", 1, 1, "*/1")


def test_rows_with_different_keys_need_columns(library: Library) -> None:
    body = [{"title": "A"}, {"title": "B", "pages": 1}]
    with pytest.raises(Invalid, match=r"^All object keys must match$") as caught:
        write(library, "POST", "works", body=body)
    assert caught.value.code == "PGRST102"
    rows = write(library, "POST", "works", ("columns", '"title","pages"'), ("select", "pages"), body=body)
    assert sorted(row["pages"] or 0 for row in rows) == [0, 1]


def test_columns_leaves_other_keys_out(library: Library) -> None:
    body = {"title": "A", "org": "two", "nonsense": 1}
    assert write(library, "POST", "works", ("columns", "title"), ("select", "org"), body=body) == [{"org": "one"}]


def test_missing_default_leaves_the_column_to_the_server(library: Library) -> None:
    query = ("columns", "title,id"), ("select", "title")
    headers = {"prefer": "return=representation,missing=default"}
    answer = library.ask("POST", "works", *query, who=LIBRARIAN, body=[{"title": "A"}], **headers)
    assert answer.applied == ("missing=default", "return=representation")
    assert json.loads(answer.body) == [{"title": "A"}]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"null", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 99999])
def test_bodies_that_are_not_rows_are_refused(library: Library, body: bytes) -> None:
    for method, query in (("POST", []), ("PATCH", [("id", "eq.a")])):
        with pytest.raises(Invalid) as caught:
            parse_request(method, "works", query, (), body)
        assert caught.value.code == "PGRST102"


def test_bodies_of_another_type_are_refused(library: Library) -> None:
    with pytest.raises(Invalid) as caught:
        write(library, "POST", "works", body={"title": "A"}, content_type="text/html")
    assert caught.value.code == "PGRST102"


def test_insert_rows_keeps_the_rules_of_a_post(library: Library) -> None:
    rows = [{"title": f"W{number}"} for number in range(3)]
    assert insert_rows(library.tx, LIBRARIAN, WORKS, library.schema, rows, NOW) == 3
    with pytest.raises(Invalid):
        insert_rows(library.tx, LIBRARIAN, WORKS, library.schema, [{"title": ""}], NOW)
    with pytest.raises(Forbidden):
        insert_rows(library.tx, READER, WORKS, library.schema, rows, NOW)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("column", ["nowhere", "password"])
def test_columns_that_do_not_exist_cannot_be_written(library: Library, method: str, column: str) -> None:
    query = [] if method == "POST" else [("id", "eq.a")]
    with pytest.raises(Invalid) as caught:
        write(library, method, "works", *query, body={"title": "A", column: "x"})
    assert (caught.value.code, caught.value.field) == ("PGRST204", column)


def test_new_rows_are_answered_in_the_order_they_were_sent(library: Library) -> None:
    body = [{"title": title, "pages": 99 - place} for place, title in enumerate("QAZWSX")]
    rows = write(library, "POST", "works", ("select", "title"), body=body)
    assert "".join(row["title"] for row in rows) == "QAZWSX"
    merged = write(
        library, "POST", "works", ("select", "title"), ("on_conflict", "org,title"), body=[{"title": t} for t in "ZAZ"],
        prefer="return=representation,resolution=merge-duplicates",
    )  # fmt: skip
    assert [row["title"] for row in merged] == ["Z", "A"]
