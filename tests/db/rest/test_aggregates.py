"""Aggregates: over all rows, by group, in embeds, over spread values, and only over what the caller sees."""

import pytest

from db.errors import Invalid, VaultError
from db.rest.limits import Limits
from tests.db.rest.library import GUEST, LIBRARIAN, Library


def scene(library: Library) -> Library:
    library.work("Ave", pages=10, composer="Bach", weight=1.5)
    library.work("Bolero", pages=30, composer="Ravel", weight=2.5)
    library.work("Cantata", pages=None, composer="Bach", weight=None)
    library.work("Duo", pages=20, composer=None, public=1)
    library.add("works", {"id": "theirs", "org": "two", "title": "Theirs", "pages": 1000, "composer": "Bach"})
    for work, name, year in (("ave", "a", 1), ("ave", "b", 3), ("bolero", "c", 5), ("theirs", "t", 1000)):
        library.edition(work, name, year=year)
    library.add("tags", {"id": 1, "name": "mass"}, {"id": 2, "name": "latin"})
    for work, tag in (("ave", 1), ("ave", 2), ("bolero", 1)):
        library.add("work_tags", {"work_id": work, "tag_id": tag, "org": "one"})
    return library


def asked(library: Library, select: str, *query: tuple[str, str], table: str = "works", **kwargs: object) -> object:
    return scene(library).get(table, ("select", select), *query, **kwargs)


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("count()", {"count": 4}),
        ("n:count()", {"n": 4}),
        ("count()::text", {"count": "4"}),
        ("count", {"count": 4}),
        ("pages.count()", {"count": 3}),
        ("pages.sum()", {"sum": 60}),
        ("pages.avg()", {"avg": 20.0}),
        ("pages.min(),pages.max()", {"min": 10, "max": 30}),
        ("title.min()", {"min": "Ave"}),
        ("total:pages.sum(),n:count()", {"total": 60, "n": 4}),
        ("pages.sum()::text", {"sum": "60"}),
        ("pages::text.max()", {"max": "30"}),
        ("weight.sum()::int", {"sum": 4}),
        ("avg:weight.avg()::int", {"avg": 2}),
        ("title::int.sum()", {"sum": None}),
    ],
)
def test_all_visible_rows_come_to_one(library: Library, select: str, expected: dict[str, object]) -> None:
    assert asked(library, select) == [expected]


def test_the_other_columns_make_the_groups(library: Library) -> None:
    assert asked(library, "composer,pages.sum(),count()", ("order", "composer")) == [
        {"composer": "Bach", "sum": 10, "count": 2},
        {"composer": "Ravel", "sum": 30, "count": 1},
        {"composer": None, "sum": 20, "count": 1},
    ]


def test_groups_keep_aliases_are_filtered_ordered_and_paged(library: Library) -> None:
    query = ("order", "composer.desc.nullslast"), ("limit", "1"), ("offset", "1")
    assert asked(library, "by:composer,n:count()", ("pages", "not.is.null"), *query) == [{"by": "Bach", "n": 1}]
    answer = library.ask("GET", "works", ("select", "composer,count()"), ("limit", "2"), prefer="count=exact")
    assert (answer.returned, answer.total) == (2, 3)
    head = library.ask("HEAD", "works", ("select", "composer,count()"), prefer="count=exact")
    assert (head.returned, head.total) == (3, 3)


def test_no_rows_make_one_row_without_groups_and_none_with_them(library: Library) -> None:
    nothing = ("title", "eq.None")
    assert asked(library, "pages.sum(),count()", nothing) == [{"sum": None, "count": 0}]
    assert library.get("works", ("select", "composer,count()"), nothing) == []


def test_json_places_and_casts_are_folded(library: Library) -> None:
    library.paper(1, data={"tax": 5}, size=1)
    library.paper(2, data={"tax": "7"}, size=1)
    select = "size,data->>tax::numeric.sum(),most:data->tax::int.max()::text"
    assert library.get("papers", ("select", select)) == [{"size": 1, "sum": 12, "most": "5"}]


def test_an_embed_is_folded_for_itself(library: Library) -> None:
    found = asked(library, "title,editions(year.max(),count())", ("order", "title"))
    assert found == [
        {"title": "Ave", "editions": [{"max": 3, "count": 2}]},
        {"title": "Bolero", "editions": [{"max": 5, "count": 1}]},
        {"title": "Cantata", "editions": [{"max": None, "count": 0}]},
        {"title": "Duo", "editions": [{"max": None, "count": 0}]},
    ]
    grouped = library.get(
        "works", ("select", "editions(year,count())"), ("id", "eq.ave"), ("editions.order", "year.desc")
    )
    assert grouped == [{"editions": [{"year": 3, "count": 1}, {"year": 1, "count": 1}]}]
    old = library.get("works", ("select", "editions(count)"), ("id", "eq.ave"))
    assert old == [{"editions": [{"count": 2}]}]
    one = library.get("editions", ("select", "name,works(pages.sum())"), ("name", "eq.a"))
    assert one == [{"name": "a", "works": {"sum": 10}}]


def test_embeds_make_groups(library: Library) -> None:
    found = asked(library, "year.sum(),works(title)", ("order", "works(title)"), table="editions")
    assert {(row["works"] or {}).get("title"): row["sum"] for row in found} == {"Ave": 4, "Bolero": 5, None: 1000}


def test_spread_values_make_groups(library: Library) -> None:
    query = ("order", "works(composer)"), ("year", "lt.1000")
    assert asked(library, "year.sum(),...works(composer)", *query, table="editions") == [
        {"sum": 4, "composer": "Bach"},
        {"sum": 5, "composer": "Ravel"},
    ]


def test_spread_values_are_folded_with_the_rows_they_are_spread_into(library: Library) -> None:
    own = ("year", "lt.1000")
    assert asked(library, "...works(pages.sum(),pages.avg(),count())", own, table="editions") == [
        {"sum": 50, "avg": 50 / 3, "count": 3}
    ]
    deep = library.get(
        "work_tags", ("select", "...tags(name),...works(n:count(),pages.max())"), ("order", "tags(name)")
    )
    assert deep == [{"name": "latin", "n": 1, "max": 10}, {"name": "mass", "n": 2, "max": 30}]


def test_values_of_many_related_rows_are_folded_twice(library: Library) -> None:
    query = ("order", "composer.nullslast")
    assert asked(library, "composer,...editions(count(),year.sum(),year.avg(),year.max())", query) == [
        {"composer": "Bach", "count": 2, "sum": 4, "avg": 2.0, "max": 3},
        {"composer": "Ravel", "count": 1, "sum": 5, "avg": 5.0, "max": 5},
        {"composer": None, "count": 0, "sum": None, "avg": None, "max": None},
    ]
    listed = library.get("works", ("select", "title,...editions(name,count())"), ("id", "eq.ave"))
    assert listed == [{"title": "Ave", "name": ["a", "b"], "count": 2}]
    assert library.get("works", ("select", "...tags(count())")) == [{"count": 3}]


def test_guests_fold_only_what_they_see(library: Library) -> None:
    assert asked(library, "count(),pages.sum()", who=GUEST) == [{"count": 1, "sum": 20}]
    assert library.get("works", ("select", "note.max(),note.count()"), who=GUEST) == [{"max": None, "count": 0}]


def test_a_masked_column_is_folded_as_null(library: Library) -> None:
    library.work("A", note="secret")
    select = ("select", "note.max(),note.count()")
    assert library.get("works", select) == [{"max": None, "count": 0}]
    assert library.get("works", select, who=LIBRARIAN) == [{"max": "secret", "count": 1}]


@pytest.mark.parametrize(
    ("select", "query", "code"),
    [
        ("title.sum()", (), "42883"),
        ("title.avg()", (), "42883"),
        ("labels.max()", (), "42883"),
        ("secret.max()", (), "42703"),
        ("composer,count()", (("order", "pages"),), "42803"),
        ("count()", (("order", "title"),), "42803"),
        ("composer::text,count()", (("order", "composer"),), "42803"),
    ],
)
def test_what_cannot_be_folded_is_refused(library: Library, select: str, query: object, code: str) -> None:
    with pytest.raises(VaultError) as caught:
        asked(library, select, *query)
    assert caught.value.code == code


def test_a_sum_beyond_64_bits_is_refused(library: Library) -> None:
    library.paper(1, size=2**63 - 1)
    library.paper(2, size=1)
    with pytest.raises(Invalid) as caught:
        library.get("papers", ("select", "size.sum()"))
    assert caught.value.code == "22003"
    assert library.get("papers", ("select", "size::float8.sum()")) == [{"sum": 2.0**63}]


@pytest.mark.parametrize("select", ["count()", "pages.max()", "id,editions(count())", "...editions(year.sum())"])
def test_an_operator_may_turn_aggregates_off(library: Library, select: str) -> None:
    with pytest.raises(Invalid, match=r"^Use of aggregate functions is not allowed$") as caught:
        library.ask("GET", "works", ("select", select), limits=Limits(aggregates=False))
    assert caught.value.code == "PGRST123"
    assert library.ask("GET", "works", ("select", "id,editions(count)"), limits=Limits(aggregates=False)).body == "[]"
