"""Upserts over REST: merge, ignore or refuse."""

import json
from typing import Any

import pytest

from db.errors import Forbidden, Invalid
from tests.db.rest.library import LIBRARIAN, Library, write

MERGE = "return=representation,resolution=merge-duplicates"
IGNORE = "return=representation,resolution=ignore-duplicates"


def test_merge_changes_rows_that_are_there_and_inserts_the_others(library: Library) -> None:
    library.work("A", pages=1, composer="kept")
    body = [{"id": "a", "title": "A", "pages": 2}, {"id": "b", "title": "B", "pages": 3}]
    answer = library.ask(
        "POST", "works", ("select", "id,pages,composer"), ("order", "id"), who=LIBRARIAN, body=body, prefer=MERGE
    )
    assert answer.inserted == 1
    assert json.loads(answer.body) == [
        {"id": "a", "pages": 2, "composer": "kept"},
        {"id": "b", "pages": 3, "composer": None},
    ]
    assert answer.applied[0] == "resolution=merge-duplicates"


def test_ignore_leaves_rows_that_are_there(library: Library) -> None:
    library.work("A", pages=1)
    body = [{"id": "a", "title": "A", "pages": 2}, {"id": "b", "title": "B", "pages": 3}]
    rows = write(library, "POST", "works", ("select", "id,pages"), body=body, prefer=IGNORE)
    assert rows == [{"id": "b", "pages": 3}]
    assert library.stored("SELECT pages FROM works WHERE id = 'a'") == [(1,)]


def test_merge_by_another_unique_key(library: Library) -> None:
    library.work("A", pages=1)
    query = ("on_conflict", "org,title"), ("select", "id,pages")
    assert write(library, "POST", "works", *query, body={"title": "A", "pages": 5}, prefer=MERGE) == [
        {"id": "a", "pages": 5}
    ]


@pytest.mark.parametrize("columns", ["title", "pages", "contact", "secret", "nowhere"])
def test_upsert_refuses_columns_that_are_no_key(library: Library, columns: str) -> None:
    with pytest.raises(Invalid) as caught:
        write(library, "POST", "works", ("on_conflict", columns), body={"title": "A"}, prefer=MERGE)
    assert caught.value.code == "42P10"


def test_merge_refuses_to_change_a_fixed_field(library: Library) -> None:
    library.work("A")
    same = {"id": "a", "title": "A", "kind": "score", "pages": 4}
    assert len(write(library, "POST", "works", body=same, prefer=MERGE)) == 1
    with pytest.raises(Invalid) as caught:
        write(library, "POST", "works", body=same | {"kind": "part"}, prefer=MERGE)
    assert caught.value.field == "kind"


@pytest.mark.parametrize("row", [{"org": "two"}, {"pages": 5000}])
def test_merge_refuses_rows_the_caller_may_not_change(library: Library, row: dict[str, Any]) -> None:
    library.work("A", **row)
    with pytest.raises(Forbidden):
        write(library, "POST", "works", body={"id": "a", "title": "A", "pages": 1}, prefer=MERGE)


def test_merge_refuses_to_move_a_row_out_of_the_policies(library: Library) -> None:
    library.work("A")
    with pytest.raises(Forbidden):
        write(library, "POST", "works", body={"id": "a", "title": "A", "pages": 1000}, prefer=MERGE)


def test_rows_come_back_in_the_order_they_were_sent_new_or_not(library: Library) -> None:
    library.work("A")
    library.work("C")
    body = [{"id": name, "title": name.upper()} for name in ("c", "d", "a", "b")]
    rows = write(library, "POST", "works", ("select", "id"), body=body, prefer=MERGE)
    assert [row["id"] for row in rows] == ["c", "d", "a", "b"]
