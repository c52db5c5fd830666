"""Optimistic locking: tags of rows, If-Match, If-None-Match, and a filter on a version."""

import pytest

from db.errors import PreconditionFailed
from db.rest.preconditions import parse_preconditions
from tests.db.rest.library import LIBRARIAN, READER, REPRESENTATION, SINGULAR, Library, titles, write


def tag(library: Library, *query: tuple[str, str], who=LIBRARIAN, **headers: str) -> str:
    return library.ask("GET", "works", ("id", "eq.a"), *query, who=who, **({"accept": SINGULAR} | headers)).etag


def test_a_row_keeps_its_tag_until_it_or_what_is_shown_changes(library: Library) -> None:
    library.work("A", pages=1)
    first = tag(library)
    assert tag(library) == first
    narrow = tag(library, ("select", "title,editions(name)"))
    assert narrow != first
    assert narrow.partition(".")[0] == first.partition(".")[0]
    library.edition("a", "x")
    with_edition = tag(library, ("select", "title,editions(name)"))
    assert with_edition != narrow
    assert with_edition.partition(".")[0] == first.partition(".")[0]
    write(library, "PATCH", "works", ("id", "eq.a"), body={"pages": 2})
    assert tag(library).partition(".")[0] != first.partition(".")[0]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_goes_through_while_the_tag_is_current(library: Library, method: str) -> None:
    library.work("A", pages=1)
    given = tag(library, ("select", "id"))
    assert library.ask(method, "works", ("id", "eq.a"), who=LIBRARIAN, body={"pages": 2}, if_match=given).returned == 1


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_is_refused_once_somebody_else_was_faster(library: Library, method: str) -> None:
    library.work("A", pages=1)
    given = tag(library)
    library.connection.execute("UPDATE works SET pages = 7")
    with pytest.raises(PreconditionFailed):
        library.ask(method, "works", ("id", "eq.a"), who=LIBRARIAN, body={"pages": 2}, if_match=given)
    assert library.stored("SELECT pages FROM works") == [(7,)]


def test_if_match_wants_a_row_and_takes_several_tags_or_a_star(library: Library) -> None:
    library.work("A", pages=1)
    given = tag(library)

    def change(condition: str, row: str = "a") -> int:
        return library.ask(
            "PATCH", "works", ("id", f"eq.{row}"), who=LIBRARIAN, body={"composer": "x"}, if_match=condition
        ).returned

    assert change("*") == 1
    assert change(f'"none", {tag(library)}') == 1
    for condition, row in (("*", "nowhere"), (given, "nowhere"), ('"none"', "a")):
        with pytest.raises(PreconditionFailed):
            change(condition, row)


def test_if_match_holds_for_every_row_that_is_touched(library: Library) -> None:
    library.work("A")
    library.work("B")
    with pytest.raises(PreconditionFailed):
        library.ask("DELETE", "works", ("id", "not.is.null"), who=LIBRARIAN, if_match=tag(library))
    assert len(library.stored("SELECT id FROM works")) == 2


def test_the_answer_to_a_write_has_the_new_tag(library: Library) -> None:
    made = library.ask(
        "POST", "works", who=LIBRARIAN, body={"id": "a", "title": "A"}, accept=SINGULAR, **REPRESENTATION
    )
    assert made.etag == tag(library)
    changed = library.ask(
        "PATCH", "works", ("id", "eq.a"), who=LIBRARIAN, body={"pages": 2}, accept=SINGULAR, if_match=made.etag,
        **REPRESENTATION,
    )  # fmt: skip
    assert changed.etag == tag(library) != made.etag


def test_what_a_caller_cannot_see_does_not_show_in_the_tag(library: Library) -> None:
    library.work("A", note="torn", secret="x")
    seen, masked = tag(library), tag(library, who=READER)
    library.connection.execute("UPDATE works SET secret = 'y'")
    assert (tag(library), tag(library, who=READER)) == (seen, masked)
    library.connection.execute("UPDATE works SET note = 'whole'")
    assert tag(library) != seen
    assert tag(library, who=READER) == masked


def test_a_list_has_a_weak_tag_of_what_is_in_it(library: Library) -> None:
    library.work("A")
    first = library.ask("GET", "works").etag
    assert first.startswith('W/"')
    assert library.ask("GET", "works").etag == first
    library.work("B")
    assert library.ask("GET", "works").etag != first
    assert library.ask("HEAD", "works").etag == ""


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [("*", True), ('"x.y"', True), ('W/"x.y"', True), ('"a", "x.y"', True), ('"x"', False), ("", False)],
)
def test_if_none_match_knows_the_tag_in_every_form(header: str, unchanged: bool) -> None:
    conditions = parse_preconditions([("If-None-Match", header)])
    assert conditions.is_unchanged('"x.y"') is unchanged
    assert not parse_preconditions([]).is_unchanged('"x.y"')
    assert not conditions.is_unchanged("")


def test_a_version_in_the_filter_locks_as_well(library: Library) -> None:
    library.work("A", updated_at="2026-01-01T00:00:00.000Z")
    query = ("id", "eq.a"), ("updated_at", "eq.2026-01-01T00:00:00.000Z")
    assert titles(write(library, "PATCH", "works", *query, body={"pages": 1})) == ["A"]
    assert write(library, "PATCH", "works", *query, body={"pages": 2}) == []
