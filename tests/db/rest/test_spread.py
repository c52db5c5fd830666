"""Spread embeds, order by an embed's column, and what an alias means for filters."""

import pytest

from tests.db.rest.library import GUEST, READER, Library, code_of


def scene(library: Library) -> Library:
    """Two works with editions and tags, one without; papers about the first and about none."""
    for title in ("Ave", "Bolero", "Cantata"):
        library.work(title, pages=len(title))
    library.edition("ave", "vocal", year=2)
    library.edition("ave", "full", year=1)
    library.edition("bolero", "part", year=3)
    library.add("tags", {"id": 1, "name": "mass"}, {"id": 2, "name": "latin"})
    for tag in (1, 2):
        library.add("work_tags", {"work_id": "ave", "tag_id": tag, "org": "one"})
    library.add("covers", {"work_id": "ave", "image": b"\x01"})
    library.paper(1, work_id="ave", data={"k": 1})
    library.paper(2)
    return library


def test_values_of_one_related_row_stand_among_the_rows_own(library: Library) -> None:
    scene(library)
    found = library.get("editions", ("select", "name,...works(work:title,pages)"), ("order", "name"))
    assert found == [
        {"name": "full", "work": "Ave", "pages": 3},
        {"name": "part", "work": "Bolero", "pages": 6},
        {"name": "vocal", "work": "Ave", "pages": 3},
    ]
    assert library.get("papers", ("select", "id,...works(title)"), ("order", "id")) == [
        {"id": 1, "title": "Ave"},
        {"id": 2, "title": None},
    ]


def test_a_spread_stands_in_a_spread_and_in_an_embed(library: Library) -> None:
    scene(library)
    deep = library.get(
        "works", ("select", "title,editions(name,...works(own:title,...covers(image)))"), ("id", "eq.bolero")
    )
    assert deep == [{"title": "Bolero", "editions": [{"name": "part", "own": "Bolero", "image": None}]}]
    assert library.get("papers", ("select", "...works(title,...covers(image))"), ("id", "eq.1")) == [
        {"title": "Ave", "image": "\\x01"}
    ]


def test_a_spread_of_many_rows_gives_lists_that_agree_on_their_order(library: Library) -> None:
    scene(library)
    query = ("select", "title,...editions(names:name,year)"), ("order", "title")
    assert library.get("works", *query, ("editions.order", "year")) == [
        {"title": "Ave", "names": ["full", "vocal"], "year": [1, 2]},
        {"title": "Bolero", "names": ["part"], "year": [3]},
        {"title": "Cantata", "names": [], "year": []},
    ]
    limited = library.get("works", *query, ("editions.order", "year.desc"), ("editions.limit", "1"), ("id", "eq.ave"))
    assert limited == [{"title": "Ave", "names": ["vocal"], "year": [2]}]


def test_a_spread_goes_through_a_join_table_and_shows_its_columns(library: Library) -> None:
    scene(library)
    assert library.get("works", ("select", "...tags(labels:name)"), ("id", "eq.ave"), ("tags.order", "name")) == [
        {"labels": ["latin", "mass"]}
    ]
    joined = library.get(
        "works", ("select", "work_tags(tag_id,...tags(name))"), ("id", "eq.ave"), ("work_tags.order", "tag_id")
    )
    assert joined == [{"work_tags": [{"tag_id": 1, "name": "mass"}, {"tag_id": 2, "name": "latin"}]}]


def test_a_spread_of_everything_and_of_embeds(library: Library) -> None:
    scene(library)
    (row,) = library.get("covers", ("select", "...works(id,title,editions(name))"), ("works.editions.order", "name"))
    assert row == {"id": "ave", "title": "Ave", "editions": [{"name": "full"}, {"name": "vocal"}]}
    (row,) = library.get("papers", ("select", "...works(*)"), ("id", "eq.1"))
    assert row["title"] == "Ave"
    assert "secret" not in row


def test_json_stays_json_when_spread(library: Library) -> None:
    scene(library)
    assert library.get("works", ("select", "...papers(data,data->k)"), ("id", "eq.ave")) == [
        {"data": [{"k": 1}], "k": [1]}
    ]


def test_a_spread_is_restricted_joined_and_asked_for(library: Library) -> None:
    scene(library)
    assert library.get("papers", ("select", "id,...works!inner(title)")) == [{"id": 1, "title": "Ave"}]
    none = library.get("papers", ("select", "id,...works(title)"), ("works.title", "eq.x"), ("id", "eq.1"))
    assert none == [{"id": 1, "title": None}]
    assert library.get("papers", ("select", "id,...works(title)"), ("works", "is.null")) == [{"id": 2, "title": None}]


def test_invisible_rows_are_not_spread(library: Library) -> None:
    library.add("works", {"id": "theirs", "org": "two", "title": "Theirs"})
    library.edition("theirs", "x")
    assert library.get("editions", ("select", "name,...works(title)")) == [{"name": "x", "title": None}]
    library.work("Mine", public=1)
    library.paper(1, work_id="mine")
    assert library.get("works", ("select", "id,...papers(papers:id)"), who=GUEST) == [{"id": "mine", "papers": []}]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("works(title)", [1, 3, 2]),
        ("works(title).desc", [2, 3, 1]),
        ("works(title).desc.nullslast", [3, 1, 2]),
        ("works(title).nullsfirst", [2, 1, 3]),
        ("works(pages).desc.nullslast,id", [3, 1, 2]),
    ],
)
def test_rows_are_ordered_by_the_one_related_row(library: Library, order: str, expected: list[int]) -> None:
    scene(library).paper(3, work_id="bolero")
    rows = library.get("papers", ("select", "id,works(title)"), ("order", order))
    assert [row["id"] for row in rows] == expected


def test_related_order_works_by_alias_on_embeds_and_by_json(library: Library) -> None:
    scene(library).paper(3, work_id="bolero")
    by_alias = library.get("papers", ("select", "id,w:works()"), ("order", "w(title).desc.nullslast"))
    assert [row["id"] for row in by_alias] == [3, 1, 2]
    inside = library.get(
        "works", ("select", "id,editions(name,works(pages))"), ("id", "eq.ave"), ("editions.order", "works(pages),name")
    )
    assert [edition["name"] for edition in inside[0]["editions"]] == ["full", "vocal"]


def test_related_order_is_refused_over_many_rows_or_none(library: Library) -> None:
    assert code_of(library, ("select", "id,editions(name)"), ("order", "editions(name)")) == "PGRST118"
    assert code_of(library, ("order", "editions(name)")) == "PGRST108"
    assert code_of(library, ("select", "id,works(id)"), ("order", "works(secret)"), table="editions") == "42703"


def test_the_tables_name_beside_an_alias_is_answered_with_a_warning(library: Library) -> None:
    scene(library)
    old = library.ask("GET", "works", ("select", "id,prints:editions(name)"), ("editions.name", "eq.full"))
    assert old.warnings == ("'editions' has the alias 'prints': filter by the alias",)
    new = library.ask("GET", "works", ("select", "id,prints:editions(name)"), ("prints.name", "eq.full"))
    assert (new.body, new.warnings) == (old.body, ())


def test_a_column_named_like_an_embed_is_still_a_column(library: Library) -> None:
    library.add("members", {"id": "a", "name": "Anna"}, {"id": "b", "name": "Berta", "mentor_id": "a"})
    query = ("select", "id,mentor_id(name)"), ("mentor_id", "eq.a")
    assert library.get("members", *query, who=READER) == [{"id": "b", "mentor_id": {"name": "Anna"}}]
