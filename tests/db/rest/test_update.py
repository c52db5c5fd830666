"""Updating and deleting over REST: which rows, under which policies."""

from typing import Any

import pytest

from db.errors import Conflict, Forbidden, Invalid
from db.principal import Principal
from tests.db.rest.library import LIBRARIAN, NOW, Library, personal_seal, write


def test_update_changes_the_matching_rows_and_stamps_them(library: Library) -> None:
    library.work("A", pages=1)
    library.work("B", pages=2)
    rows = write(library, "PATCH", "works", ("pages", "eq.1"), ("select", "title,pages,updated_at"), body={"pages": 7})
    assert rows == [{"title": "A", "pages": 7, "updated_at": NOW.text}]
    assert library.stored("SELECT pages FROM works ORDER BY id") == [(7,), (2,)]


def test_update_reads_back_rows_that_left_the_filter(library: Library) -> None:
    library.work("A", pages=1)
    assert write(library, "PATCH", "works", ("pages", "eq.1"), ("select", "pages"), body={"pages": 2}) == [{"pages": 2}]


def test_update_seals_personal_columns_and_clears_them(library: Library) -> None:
    library.work("A")
    write(library, "PATCH", "works", ("id", "eq.a"), body={"contact": "anna"})
    assert library.stored("SELECT contact FROM works") == [(personal_seal("works.contact", "anna"),)]
    write(library, "PATCH", "works", ("id", "eq.a"), body={"contact": None})
    assert library.stored("SELECT contact FROM works") == [(None,)]


def test_update_hands_the_opened_old_row_to_the_check(library: Library) -> None:
    library.work("A", contact=personal_seal("works.contact", "frozen"))
    with pytest.raises(Conflict) as caught:
        write(library, "PATCH", "works", ("id", "eq.a"), body={"pages": 1})
    assert caught.value.code == "contact_frozen"


@pytest.mark.parametrize(
    ("body", "field"), [({"kind": "part"}, "kind"), ({"title": None}, "title"), ({"org": "two"}, "org")]
)
def test_update_names_the_field_that_breaks_its_rule(library: Library, body: Any, field: str) -> None:
    library.work("A")
    with pytest.raises(Invalid) as caught:
        write(library, "PATCH", "works", ("id", "eq.a"), body=body)
    assert caught.value.field == field


def test_update_leaves_rows_the_caller_may_not_change(library: Library) -> None:
    library.work("A", pages=5000)
    library.work("B", pages=1)
    rows = write(library, "PATCH", "works", ("pages", "gt.0"), ("select", "title"), body={"composer": "x"})
    assert rows == [{"title": "B"}]


def test_update_refuses_to_move_a_row_out_of_the_policies(library: Library) -> None:
    library.work("A", pages=1)
    with pytest.raises(Forbidden) as caught:
        write(library, "PATCH", "works", ("id", "eq.a"), body={"pages": 1000})
    assert caught.value.code == "42501"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_rows_of_another_scope_cannot_be_written(library: Library, method: str) -> None:
    library.add("works", {"id": "theirs", "org": "two", "title": "Theirs"})
    assert write(library, method, "works", ("id", "eq.theirs"), body={"title": "Ours"}) == []
    assert write(library, method, "works", ("or", "(id.eq.theirs,org.eq.two)"), body={"title": "Ours"}) == []
    assert library.stored("SELECT title FROM works") == [("Theirs",)]


def test_update_without_a_change_touches_nothing(library: Library) -> None:
    library.work("A")
    assert write(library, "PATCH", "works", ("id", "eq.a"), body={}) == []
    assert library.stored("SELECT updated_at FROM works") == [(None,)]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_write_without_a_filter_is_refused(library: Library, method: str) -> None:
    with pytest.raises(Invalid) as caught:
        write(library, method, "works", ("select", "*"), body={"pages": 1})
    assert caught.value.code == "21000"
    assert "id=not.is.null" in str(caught.value.hint)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(("page", "code"), [(("limit", "1"), "PGRST109"), (("offset", "1"), "PGRST127")])
def test_a_write_with_a_page_that_leaves_open_which_rows_is_refused(
    library: Library, method: str, page: tuple[str, str], code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        write(library, method, "works", ("id", "not.is.null"), page, body={"pages": 1})
    assert caught.value.code == code


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_write_with_an_order_and_a_limit_touches_the_first_rows(library: Library, method: str) -> None:
    for title, pages in (("A", 1), ("B", 3), ("C", 2), ("D", 5000)):
        library.work(title, pages=pages)
    query = ("id", "not.is.null"), ("order", "pages.desc"), ("limit", "2")
    library.ask(method, "works", *query, who=LIBRARIAN, body={"composer": "x"})
    touched = "composer = 'x'" if method == "PATCH" else "0"
    rows = library.stored(f"SELECT id FROM works WHERE NOT coalesce({touched}, 0) ORDER BY id")
    # D is the librarian's to delete, not to change: the limit counts rows that may be touched.
    assert rows == ([("a",), ("d",)] if method == "PATCH" else [("a",), ("c",)])


@pytest.mark.parametrize("column", ["secret", "nowhere", "editions"])
def test_a_write_cannot_be_filtered_by_what_does_not_exist(library: Library, column: str) -> None:
    with pytest.raises(Invalid) as caught:
        write(library, "DELETE", "works", (column, "not.is.null"))
    assert caught.value.code == "42703"


def test_a_write_cannot_be_filtered_by_a_masked_value(library: Library) -> None:
    library.work("A", note="torn")
    deleter = Principal("d", "person", "one", frozenset({"works:read", "works:delete"}), "d")
    assert library.ask("DELETE", "works", ("note", "eq.torn"), who=deleter).returned == 0
    assert library.ask("DELETE", "works", ("note", "eq.torn"), who=LIBRARIAN).returned == 1


def test_delete_shows_the_rows_it_removed(library: Library) -> None:
    library.work("A")
    library.edition("a", "x")
    rows = write(library, "DELETE", "works", ("id", "eq.a"), ("select", "id,editions(name)"))
    assert rows == [{"id": "a", "editions": [{"name": "x"}]}]
    assert library.stored("SELECT count(*) FROM works") == [(0,)]


def test_delete_needs_the_right_to_see(library: Library) -> None:
    library.work("A")
    blind = Principal("d", "person", "one", frozenset({"works:delete"}), "d")
    assert library.ask("DELETE", "works", ("id", "eq.a"), who=blind).returned == 0
