"""Embedding over REST: by which keys, with which rows."""

import pytest

from db.errors import Invalid
from tests.db.rest.library import Library, code_of


def test_embed_to_many_is_a_list(library: Library) -> None:
    library.work("Requiem")
    library.work("Gloria")
    library.edition("requiem", "vocal")
    library.edition("requiem", "full")
    found = library.get("works", ("select", "id,editions(name)"), ("order", "id"), ("editions.order", "name"))
    assert found == [
        {"id": "gloria", "editions": []},
        {"id": "requiem", "editions": [{"name": "full"}, {"name": "vocal"}]},
    ]


def test_embed_to_one_is_an_object_or_null(library: Library) -> None:
    library.work("Requiem")
    library.edition("requiem", "vocal")
    library.add("loans", {"id": "l1", "work_id": None})
    assert library.get("editions", ("select", "name,works(title)")) == [
        {"name": "vocal", "works": {"title": "Requiem"}}
    ]
    assert library.get("loans", ("select", "id,works(title)")) == [{"id": "l1", "works": None}]


def test_embed_by_a_unique_reference_is_an_object(library: Library) -> None:
    library.work("Requiem")
    library.add("covers", {"work_id": "requiem", "image": None})
    assert library.get("works", ("select", "covers(image)")) == [{"covers": {"image": None}}]


def test_embed_through_a_join_table(library: Library) -> None:
    library.work("Requiem")
    library.add("tags", {"id": 1, "name": "mass"}, {"id": 2, "name": "latin"}, {"id": 3, "name": "other"})
    for tag in (1, 2):
        library.add("work_tags", {"work_id": "requiem", "tag_id": tag, "org": "one"})
    library.add("work_tags", {"work_id": "requiem", "tag_id": 3, "org": "two"})
    found = library.get("works", ("select", "id,labels:tags(name)"), ("labels.order", "name.desc"))
    assert found == [{"id": "requiem", "labels": [{"name": "mass"}, {"name": "latin"}]}]


def test_embeds_stand_inside_each_other(library: Library) -> None:
    library.work("Requiem")
    library.edition("requiem", "vocal")
    found = library.get("works", ("select", "id,editions(name,works(title,editions(id)))"))
    inside = {"title": "Requiem", "editions": [{"id": "requiem/vocal"}]}
    assert found == [{"id": "requiem", "editions": [{"name": "vocal", "works": inside}]}]


def test_an_ambiguous_embed_names_the_ways_and_a_hint_chooses(library: Library) -> None:
    library.add("members", {"id": "a", "name": "Anna"}, {"id": "b", "name": "Berta"})
    library.add("loans", {"id": "l1", "member_id": "a", "lender_id": "b"})
    with pytest.raises(Invalid) as caught:
        library.get("loans", ("select", "members(name)"))
    assert caught.value.code == "PGRST201"
    assert "members!loans_lender_id_fkey" in str(caught.value.hint)
    assert library.get("loans", ("select", "members!lender_id(name)")) == [{"members": {"name": "Berta"}}]
    assert library.get("loans", ("select", "members!loans_member_id_fkey(name)")) == [{"members": {"name": "Anna"}}]
    both = "to:member_id(name),by:lender_id(name)"
    assert library.get("loans", ("select", both)) == [{"to": {"name": "Anna"}, "by": {"name": "Berta"}}]


def test_a_table_that_refers_to_itself_embeds_parent_by_column_and_children_by_name(library: Library) -> None:
    library.add("members", {"id": "a", "name": "Anna", "mentor_id": None})
    library.add("members", {"id": "b", "name": "Berta", "mentor_id": "a"})
    found = library.get("members", ("select", "name,mentor_id(name),pupils:members(name)"), ("order", "id"))
    assert found == [
        {"name": "Anna", "mentor_id": None, "pupils": [{"name": "Berta"}]},
        {"name": "Berta", "mentor_id": {"name": "Anna"}, "pupils": []},
    ]


def two_works(library: Library) -> Library:
    library.work("Ave")
    library.work("Bolero")
    for name in ("one", "two", "three"):
        library.edition("ave", name, year={"one": 1, "two": 2, "three": 3}[name])
    return library


def test_filters_on_an_embed_leave_the_parents(library: Library) -> None:
    query = ("select", "id,editions(name)"), ("editions.name", "eq.two"), ("order", "id")
    assert two_works(library).get("works", *query) == [
        {"id": "ave", "editions": [{"name": "two"}]},
        {"id": "bolero", "editions": []},
    ]


def test_inner_drops_parents_without_a_match(library: Library) -> None:
    two_works(library)
    assert library.get("works", ("select", "id,editions!inner()"), ("editions.name", "eq.two")) == [{"id": "ave"}]
    assert library.get("works", ("select", "id,editions!inner()"), ("editions.name", "eq.none")) == []
    deep = ("select", "id,editions!inner(works!inner())"), ("editions.works.title", "eq.Ave")
    assert library.get("works", *deep) == [{"id": "ave", "editions": [{}, {}, {}]}]


def test_inner_counts_as_a_filter(library: Library) -> None:
    answer = two_works(library).ask("GET", "works", ("select", "id,editions!inner(id)"), prefer="count=exact")
    assert (answer.returned, answer.total) == (1, 1)


def test_presence_of_an_embed_can_be_asked(library: Library) -> None:
    two_works(library)
    assert library.get("works", ("select", "id,editions()"), ("editions", "is.null")) == [{"id": "bolero"}]
    assert library.get("works", ("select", "id,editions()"), ("editions", "not.is.null")) == [{"id": "ave"}]
    either = ("or", "(editions.is.null,title.eq.Ave)")
    assert len(library.get("works", ("select", "id,editions()"), either)) == 2
    assert code_of(library, ("select", "id,editions()"), ("editions", "eq.1")) == "PGRST120"


def test_order_limit_offset_and_trees_work_on_an_embed(library: Library) -> None:
    two_works(library)
    paged = ("editions.order", "year.desc"), ("editions.limit", "1"), ("editions.offset", "1")
    one = ("id", "eq.ave")
    found = library.get("works", ("select", "editions(name)"), one, *paged)
    assert found == [{"editions": [{"name": "two"}]}]
    tree = ("editions.or", "(year.eq.1,year.eq.3)"), ("editions.order", "year")
    found = library.get("works", ("select", "editions(name)"), one, *tree)
    assert found == [{"editions": [{"name": "one"}, {"name": "three"}]}]
    negated = ("editions.not.or", "(year.eq.1,year.eq.3)")
    assert library.get("works", ("select", "editions(name)"), one, negated) == [{"editions": [{"name": "two"}]}]


def test_an_embed_is_restricted_by_its_alias_or_its_table(library: Library) -> None:
    two_works(library)
    for name in ("prints", "editions"):
        found = library.get("works", ("select", "prints:editions(year)"), ("id", "eq.ave"), (f"{name}.year", "eq.2"))
        assert found == [{"prints": [{"year": 2}]}]


def test_two_embeds_of_one_table_are_restricted_apart(library: Library) -> None:
    select = ("select", "old:editions(year),new:editions(year)")
    found = two_works(library).get("works", select, ("id", "eq.ave"), ("old.year", "lt.2"), ("new.year", "gt.2"))
    assert found == [{"old": [{"year": 1}], "new": [{"year": 3}]}]
