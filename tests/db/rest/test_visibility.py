"""What a caller cannot see cannot be reached over REST."""

from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.db.rest.library import GUEST, LIBRARIAN, READER, Library, open_library


def test_nothing_of_another_scope_can_be_reached(library: Library) -> None:
    library.work("Ours")
    library.add("works", {"id": "theirs", "org": "two", "title": "Theirs"})
    library.add("editions", {"id": "e", "org": "two", "work_id": "theirs", "name": "x"})
    library.add("editions", {"id": "f", "org": "one", "work_id": "theirs", "name": "y"})
    library.add("loans", {"id": "l", "work_id": "theirs"})
    for query in (
        (),
        (("id", "eq.theirs"),),
        (("or", "(id.eq.theirs,org.eq.two,id.eq.ours)"),),
        (("not.and", "(id.eq.a,id.eq.b)"),),
        (("order", "org.desc"),),
        (("id", "not.is.null"),),
    ):
        assert "theirs" not in [row["id"] for row in library.get("works", *query)]
    assert library.ask("GET", "works", prefer="count=exact").total == 1
    assert library.get("loans", ("select", "works(*)")) == [{"works": None}]
    assert library.get("editions", ("select", "id,works(title)")) == [{"id": "f", "works": None}]
    assert library.get("editions", ("select", "id,works!inner(title)")) == []
    assert library.get("loans", ("select", "id,works()"), ("works", "not.is.null")) == []


def test_a_guest_sees_what_is_public(library: Library) -> None:
    library.work("Open", public=1)
    library.work("Closed")
    library.edition("open", "a")
    library.edition("closed", "b")
    select = ("select", "title,editions(name)")
    assert library.get("works", select, who=GUEST) == [{"title": "Open", "editions": [{"name": "a"}]}]
    assert library.get("editions", ("select", "name"), who=GUEST) == [{"name": "a"}]
    assert library.get("members", who=GUEST) == []


def test_policies_may_name_the_caller(library: Library) -> None:
    library.add("members", {"id": "berta", "name": "Berta"}, {"id": "anna", "name": "Anna"})
    assert library.get("members", ("select", "name"), who=LIBRARIAN) == [{"name": "Berta"}]
    assert len(library.get("members", who=READER)) == 2


COLUMNS = st.sampled_from(["id", "org", "title", "note", "contact"])
TESTS = st.sampled_from(
    ["eq.theirs", "neq.x", "not.eq.x", "is.null", "not.is.null", "like.*", "ilike.*", "gt.", "in.(two)"]
)
CONDITIONS = st.tuples(COLUMNS, TESTS).map(".".join)
TREES = st.recursive(
    CONDITIONS,
    lambda inner: st.tuples(
        st.sampled_from(["and", "or", "not.and", "not.or"]), st.lists(inner, min_size=1, max_size=3).map(",".join)
    ).map(lambda parts: f"{parts[0]}({parts[1]})"),
    max_leaves=8,
)


@settings(deadline=None)
@given(TREES, st.sampled_from(["or", "not.or", "and"]), st.sampled_from(["", "editions!inner(works(*))"]))
def test_no_tree_of_filters_reaches_another_scope(tree: str, name: str, embed: str) -> None:
    library = open_library()
    with closing(library.connection):
        library.work("Ours")
        library.edition("ours", "a")
        library.add("works", {"id": "theirs", "org": "two", "title": "Theirs"})
        library.add("editions", {"id": "f", "org": "one", "work_id": "theirs", "name": "y"})
        select = ("select", "*" + f",{embed}" * bool(embed))
        answer = library.ask("GET", "works", select, (name, f"({tree})"), who=LIBRARIAN, prefer="count=exact")
        assert "heirs" not in answer.body
        assert answer.total is not None
        assert answer.total <= 1
        assert library.ask("DELETE", "works", (name, f"({tree})"), who=LIBRARIAN).returned <= 1
        assert library.stored("SELECT id FROM works WHERE org = 'two'") == [("theirs",)]


def test_a_related_row_out_of_sight_gives_no_place_in_the_order(library: Library) -> None:
    library.work("Anthem", org="two")
    library.work("Bolero")
    library.add("loans", {"id": "1", "work_id": "anthem"}, {"id": "2", "work_id": "bolero"})
    for direction, expected in (("asc.nullslast", ["2", "1"]), ("desc.nullslast", ["2", "1"])):
        found = library.get("loans", ("select", "id,works(title)"), ("order", f"works(title).{direction}"))
        assert [row["id"] for row in found] == expected
