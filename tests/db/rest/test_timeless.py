"""Whether an answer may change by the time of day alone: what policies, masks and views say of it."""

from dataclasses import replace

import pytest

from db.resources import Policy, Resource
from db.rest.request import ReadRequest, parse_request
from db.rest.run import read
from db.schema.schema import read_schema
from tests.db.rest.library import LIBRARIAN, NOW, RESOURCES, WORKS, Library

SOON = Policy("works:read", "org = :scope AND updated_at < :now")


def timeless(library: Library, works: Resource, *query: tuple[str, str]) -> bool:
    request = parse_request("GET", "works", query)
    assert isinstance(request, ReadRequest)
    schema = read_schema(library.connection)
    return read(library.tx, LIBRARIAN, {**RESOURCES, "works": works}, schema, request, NOW).timeless


def test_rows_that_only_a_commit_can_change_are_timeless(library: Library) -> None:
    assert timeless(library, WORKS)
    assert timeless(library, WORKS, ("select", "title,editions(name)"))


@pytest.mark.parametrize(
    "works",
    [
        replace(WORKS, read=(SOON,)),
        replace(WORKS, read=(*WORKS.read, SOON)),
        replace(WORKS, masks={"note": (SOON,)}),
        replace(WORKS, read=(Policy(None, "updated_at < strftime('%Y', 'now')"),)),
    ],
)
def test_a_policy_that_asks_for_the_time_is_not(library: Library, works: Resource) -> None:
    assert not timeless(library, works)


def test_the_policy_of_an_embed_counts_and_of_a_table_not_asked_for_does_not(library: Library) -> None:
    editions = replace(RESOURCES["editions"], read=(Policy(None, "year < :now"),))
    request = parse_request("GET", "works", [("select", "title,editions(name)")])
    alone = parse_request("GET", "works", [("select", "title")])
    assert isinstance(request, ReadRequest)
    assert isinstance(alone, ReadRequest)
    schema, resources = read_schema(library.connection), {**RESOURCES, "editions": editions}
    assert not read(library.tx, LIBRARIAN, resources, schema, request, NOW).timeless
    assert read(library.tx, LIBRARIAN, resources, schema, alone, NOW).timeless


def test_a_view_that_asks_for_the_time_counts_for_every_table(library: Library) -> None:
    library.connection.execute("CREATE VIEW late AS SELECT id FROM works WHERE updated_at < datetime('now')")
    assert not timeless(library, WORKS)
