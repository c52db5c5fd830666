"""Reading over REST: select, singular answers, headers."""

import pytest

from db.errors import Invalid, NotAcceptable, NotFound
from tests.db.rest.library import LIBRARIAN, SINGULAR, Library, code_of, personal_seal


def test_read_returns_every_visible_column_by_default(library: Library) -> None:
    library.work("Requiem", pages=12, weight=0.5, secret="x")
    (row,) = library.get("works")
    assert row["pages"] == 12
    assert row["weight"] == 0.5
    assert "secret" not in row
    assert row["composer"] is None


def test_read_renames_columns_and_keeps_their_order(library: Library) -> None:
    library.work("Requiem", pages=12)
    assert library.ask("GET", "works", ("select", "n:pages,name:title")).body == '[{"n":12,"name":"Requiem"}]'


def test_read_of_nothing_is_an_empty_list(library: Library) -> None:
    assert library.ask("GET", "works").body == "[]"


def test_bytes_are_answered_as_hex(library: Library) -> None:
    library.work("Requiem")
    library.add("covers", {"work_id": "requiem", "image": b"\x00\xff"})
    assert library.get("covers", ("select", "image")) == [{"image": "\\x00ff"}]
    assert library.get("covers", ("image", "eq.\\x00FF"), ("select", "work_id")) == [{"work_id": "requiem"}]


def test_personal_columns_are_opened_and_can_be_filtered(library: Library) -> None:
    library.work("Requiem", contact=personal_seal("works.contact", "anna"))
    library.work("Gloria", contact=None)
    assert library.get("works", ("select", "contact"), ("contact", "eq.anna")) == [{"contact": "anna"}]


def test_masked_columns_read_as_null_without_the_right(library: Library) -> None:
    library.work("Requiem", note="torn")
    assert library.get("works", ("select", "note")) == [{"note": None}]
    assert library.get("works", ("select", "note"), who=LIBRARIAN) == [{"note": "torn"}]


def test_masked_values_cannot_be_found_by_filtering(library: Library) -> None:
    library.work("Requiem", note="torn")
    assert library.get("works", ("note", "eq.torn")) == []
    assert len(library.get("works", ("note", "eq.torn"), who=LIBRARIAN)) == 1


@pytest.mark.parametrize(
    "query", [("select", "secret"), ("secret", "eq.x"), ("order", "secret"), ("or", "(secret.eq.x,id.eq.y)")]
)
def test_hidden_columns_do_not_exist(library: Library, query: tuple[str, str]) -> None:
    assert code_of(library, query) == "42703"


@pytest.mark.parametrize("table", ["accounts", "sqlite_schema", "nothing", 'works"'])
def test_tables_that_are_no_resource_do_not_exist(library: Library, table: str) -> None:
    with pytest.raises(NotFound) as caught:
        library.get(table)
    assert caught.value.code == "PGRST205"


def test_singular_answers_the_object_itself(library: Library) -> None:
    library.work("Requiem")
    assert library.ask("GET", "works", ("select", "id"), accept=SINGULAR).body == '{"id":"requiem"}'


@pytest.mark.parametrize("count", [0, 2])
def test_singular_refuses_another_number_of_rows(library: Library, count: int) -> None:
    for number in range(count):
        library.work(f"W{number}")
    with pytest.raises(NotAcceptable) as caught:
        library.get("works", accept=SINGULAR)
    assert (caught.value.code, caught.value.details) == ("PGRST116", f"The result contains {count} rows")


def test_unknown_media_type_and_schema_are_refused(library: Library) -> None:
    with pytest.raises(NotAcceptable) as caught:
        library.get("works", accept="image/png")
    assert caught.value.code == "PGRST107"
    with pytest.raises(NotAcceptable) as caught:
        library.get("works", accept_profile="private")
    assert caught.value.code == "PGRST106"
    assert library.get("works", accept="text/html, */*;q=0.8", accept_profile="public") == []


def test_strict_handling_refuses_unknown_preferences(library: Library) -> None:
    with pytest.raises(Invalid) as caught:
        library.get("works", prefer="handling=strict, foo, bar=1")
    assert (caught.value.code, caught.value.details) == ("PGRST122", "Invalid preferences: foo, bar=1")
    assert library.get("works", prefer="foo") == []


@pytest.mark.parametrize("value", [0.1, 1 / 3, 16.666666666666668, 1e300, 5e-324, -0.1, 3.0, 2.0**53 + 2])
def test_a_number_is_answered_with_every_digit_it_needs(library: Library, value: float) -> None:
    library.work("Requiem", weight=value)
    assert library.get("works", ("select", "weight")) == [{"weight": value}]
    assert library.get("works", ("select", "weight.sum()")) == [{"sum": value}]
