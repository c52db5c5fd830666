"""The SQL of a plan: indexes serve it, values are bound, wide rows and many filters stay within SQLite's limits."""

import pytest

from db.rest.planner import plan_read
from db.rest.request import ReadRequest, parse_request
from db.rest.sql import read_statement
from db.transaction import Statement
from tests.db.rest.library import GUEST, LIBRARIAN, NOW, READER, RESOURCES, Library


def statement(library: Library, table: str, *query: tuple[str, str], who=READER) -> Statement:
    request = parse_request("GET", table, query)
    assert isinstance(request, ReadRequest)
    return read_statement(plan_read(library.schema, RESOURCES, who, request, NOW))


def explained(library: Library, planned: Statement) -> list[str]:
    return [row[3] for row in library.connection.execute(f"EXPLAIN QUERY PLAN {planned.sql}", planned.parameters)]


@pytest.mark.parametrize("who", [READER, LIBRARIAN, GUEST])
@pytest.mark.parametrize(
    ("query", "step"),
    [
        ((("id", "eq.a"),), "SEARCH main.works USING INDEX sqlite_autoindex_works_1 (id=?)"),
        ((("id", "in.(a,b)"),), "SEARCH main.works USING INDEX sqlite_autoindex_works_1 (id=?)"),
        ((("pages", "eq.5"),), "SEARCH main.works USING INDEX works_by_org_and_pages (org=? AND pages=?)"),
        ((("pages", "gt.5"),), "SEARCH main.works USING INDEX works_by_org_and_pages (org=? AND pages>?)"),
        ((("select", "id,editions(name)"),), "SEARCH main.editions USING INDEX editions_by_work (work_id=?)"),
    ],
)
def test_indexes_serve_filters_and_embeds_through_the_cte(library: Library, who, query, step: str) -> None:
    steps = explained(library, statement(library, "works", *query, who=who))
    assert step in steps
    assert not [line for line in steps if line.startswith(("SCAN main.", "MATERIALIZE"))]


def test_values_never_stand_in_the_text(library: Library) -> None:
    planned = statement(library, "works", ("title", "eq.Requ'iem"), ("or", "(note.like.Requ'iem,pages.in.(77,78))"))
    assert "Requ" not in planned.sql
    assert "77" not in planned.sql
    assert {"Requ'iem", 77, 78} <= set(planned.parameters.values())


@pytest.mark.parametrize("alias", ["it's", 'a"b', "); DROP TABLE works; --", "õ"])
def test_aliases_are_quoted(library: Library, alias: str) -> None:
    library.work("A")
    escaped = alias.replace('"', '\\"')
    assert library.get("works", ("select", f'"{escaped}":title')) == [{alias: "A"}]


def test_the_longest_list_of_values_runs(library: Library) -> None:
    library.work("7")
    values = ",".join("7" for _ in range(8000))
    assert len(library.get("works", ("title", f"in.({values})"))) == 1


def test_two_hundred_filters_run(library: Library) -> None:
    library.work("A", pages=1)
    tree = ",".join(["pages.eq.1"] * 100)
    assert len(library.get("works", ("or", f"({tree})"), ("and", f"({tree})"))) == 1


def test_the_list_keeps_its_order_at_any_size(library: Library) -> None:
    for number in range(300):
        library.work(f"W{number:03}", pages=number * 7919 % 300)
    found = [row["pages"] for row in library.get("works", ("select", "pages"), ("order", "pages.desc"))]
    assert found == sorted(found, reverse=True)


def test_the_statement_answers_one_row_whatever_is_embedded(library: Library) -> None:
    planned = statement(library, "works", ("select", "id,editions(works(editions(name)))"))
    (row,) = library.connection.execute(planned.sql, planned.parameters)
    assert tuple(row) == ("[]", 0, None, None)
