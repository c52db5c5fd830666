"""Forms of an answer and of a body: CSV, without nulls, query plans, forms; and totals that need not be exact."""

import json
import re
from typing import Any

import pytest

from db.errors import Invalid, NotAcceptable, TooLarge
from db.rest.limits import Limits
from db.rest.media import parse_accept
from tests.db.rest.library import GUEST, LIBRARIAN, READER, Library, shelf, write

STRIPPED = "application/vnd.pgrst.array+json;nulls=stripped"


def test_csv_has_a_header_line_and_json_inside_cells(library: Library) -> None:
    library.work('A "quoted", title', pages=5, labels='["x"]')
    library.work("B\nC", composer="Õ")
    query = ("select", "title,n:pages,composer,labels,editions(name)"), ("order", "title")
    assert library.ask("GET", "works", *query, accept="text/csv").body == (
        'title,n,composer,labels,editions\n"A ""quoted"", title",5,,"[""x""]",[]\n"B\nC",,Õ,,[]\n'
    )
    assert library.ask("GET", "works", ("id", "eq.x"), ("select", "id,title"), accept="text/csv").body == "id,title\n"


def test_csv_is_answered_for_a_write(library: Library) -> None:
    answer = library.ask(
        "POST", "works", ("select", "title"), who=LIBRARIAN, body={"title": "A"}, accept="text/csv",
        prefer="return=representation",
    )  # fmt: skip
    assert answer.body == "title\nA\n"


def test_nulls_are_left_out_however_deep(library: Library) -> None:
    library.work("A")
    library.edition("a", "x", year=None)
    library.paper(1, work_id="a", data={"k": None, "l": [None, {"m": None}]})
    query = ("select", "id,composer,editions(name,year),papers(data,title)")
    assert json.loads(library.ask("GET", "works", query, accept=STRIPPED).body) == [
        {"id": "a", "editions": [{"name": "x"}], "papers": [{"data": {"l": [None, {}]}}]}
    ]
    one = "application/vnd.pgrst.object+json;nulls=stripped"
    assert json.loads(library.ask("GET", "works", ("select", "id,composer"), accept=one).body) == {"id": "a"}


@pytest.mark.parametrize(
    ("accept", "name", "stripped"),
    [
        ("", "application/json", False),
        ("*/*", "application/json", False),
        ("text/html, */*;q=0.1", "application/json", False),
        ("application/json;q=0.5, text/csv", "text/csv", False),
        ("text/csv;q=0, application/json", "application/json", False),
        ("application/vnd.pgrst.object", "application/vnd.pgrst.object+json", False),
        ("application/vnd.pgrst.object+json; nulls=stripped", "application/vnd.pgrst.object+json", True),
        (STRIPPED, "application/vnd.pgrst.array+json", True),
        ("application/vnd.pgrst.array+json", "application/json", False),
        ('application/vnd.pgrst.plan+json; for="text/csv"; options=verbose', "application/vnd.pgrst.plan+json", False),
        ('application/vnd.pgrst.plan; for="a,b"', "application/vnd.pgrst.plan+text", False),
    ],
)  # fmt: skip
def test_the_most_wanted_form_is_taken(accept: str, name: str, stripped: bool) -> None:
    media = parse_accept([("Accept", accept)])
    assert (media.name, media.stripped) == (name, stripped)


@pytest.mark.parametrize("accept", ["image/png", "application/geo+json", "text/html;q=0.5", "text/csv;q=0"])
def test_a_form_there_is_none_of_is_refused_by_name(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=re.escape(f"available: {accept.partition(';')[0]}")):
        parse_accept([("Accept", accept)])


PLAN = "application/vnd.pgrst.plan+json"


def test_a_query_plan_is_shown_where_it_is_permitted(library: Library) -> None:
    shelf(library)
    limits = Limits(plans=True)
    answer = library.ask("GET", "works", ("id", "eq.secret words"), limits=limits, accept=PLAN)
    (plan,) = json.loads(answer.body)
    assert plan["Plan"]["Plans"]
    assert "SEARCH main.works" in answer.body
    assert "secret words" not in answer.body
    text = library.ask("GET", "works", limits=limits, accept="application/vnd.pgrst.plan").body
    assert text.splitlines()[0].startswith("CO-ROUTINE")


def test_a_query_plan_is_the_same_whatever_rows_there_are(library: Library) -> None:
    ask: Any = ("GET", "works", ("select", "id,editions(count())"), ("pages", "gt.1"))
    before = library.ask(*ask, limits=Limits(plans=True), accept=PLAN).body
    shelf(library).add("works", {"id": "theirs", "org": "two", "title": "Theirs"})
    assert library.ask(*ask, limits=Limits(plans=True), accept=PLAN).body == before


@pytest.mark.parametrize(("plans", "who"), [(False, READER), (True, GUEST)])
def test_a_query_plan_is_refused_otherwise(library: Library, plans: bool, who: Any) -> None:
    with pytest.raises(NotAcceptable) as caught:
        library.ask("GET", "works", who=who, limits=Limits(plans=plans), accept=PLAN)
    assert caught.value.code == "PGRST107"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_a_write_has_no_query_plan(library: Library, method: str) -> None:
    library.work("A")
    with pytest.raises(NotAcceptable):
        library.ask(method, "works", ("id", "eq.a"), who=LIBRARIAN, body={}, limits=Limits(plans=True), accept=PLAN)
    assert library.stored("SELECT id FROM works") == [("a",)]


CSV = {"content_type": "text/csv; charset=utf-8"}


def test_rows_come_in_as_csv(library: Library) -> None:
    body = b'\xef\xbb\xbftitle,pages,public,labels,composer\nA,5,true,"[""x""]",NULL\n"B, b",,false,,"Ravel"\n'
    rows = write(library, "POST", "works", ("select", "title,pages,public,labels,composer"), body=body, **CSV)
    assert rows == [
        {"title": "A", "pages": 5, "public": 1, "labels": ["x"], "composer": None},
        {"title": "B, b", "pages": None, "public": 0, "labels": None, "composer": "Ravel"},
    ]


def test_csv_takes_columns_and_upserts(library: Library) -> None:
    library.work("A", pages=1)
    query = ("columns", "title,pages"), ("on_conflict", "org,title"), ("select", "title,pages")
    rows = write(
        library, "POST", "works", *query, body=b"title,pages,junk\nA,7,x\n",
        prefer="return=representation,resolution=merge-duplicates", **CSV,
    )  # fmt: skip
    assert rows == [{"title": "A", "pages": 7}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Empty or invalid text body"),
        (b"a,a\n1,2\n", "Empty or invalid text body"),
        (b"a,\n1,2\n", "Empty or invalid text body"),
        (b"title,pages\nA\n", "All lines must have same number of fields"),
        (b'title\n"A\n', "Empty or invalid text body"),
        (b"title\n\xff\n", "Empty or invalid text body"),
    ],
)
def test_bad_csv_is_refused(library: Library, body: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=f"^{message}$") as caught:
        write(library, "POST", "works", body=body, **CSV)
    assert caught.value.code == "PGRST102"


def test_csv_keeps_the_rules_of_the_fields_and_the_limit_of_rows(library: Library) -> None:
    with pytest.raises(Invalid) as caught:
        write(library, "POST", "works", body=b"title,pages\nA,-1\n", **CSV)
    assert caught.value.field == "pages"
    with pytest.raises(TooLarge, match=r"the limit is 1$"):
        library.ask("POST", "works", who=LIBRARIAN, body=b"title\nA\nB\n", limits=Limits(insert_rows=1), **CSV)


@pytest.mark.parametrize("over", [0, 1])
def test_a_form_has_a_number_of_fields(library: Library, over: int) -> None:
    body = b"&".join([b"title=Os+justi"] * (1_000 + over))
    form = {"content_type": "application/x-www-form-urlencoded"}
    if not over:
        assert write(library, "POST", "works", ("select", "title"), body=body, **form) == [{"title": "Os justi"}]
        return
    with pytest.raises(TooLarge, match=r"^got 1001 fields of a form, the limit is 1000$"):
        write(library, "POST", "works", ("select", "title"), body=body, **form)


def test_a_form_is_one_row(library: Library) -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}
    query = ("select", "title,pages")
    assert write(library, "POST", "works", query, body=b"title=Os+justi&pages=3", **form) == [
        {"title": "Os justi", "pages": 3}
    ]
    (row,) = write(library, "PATCH", "works", query, ("pages", "eq.3"), body=b"pages=4", **form)
    assert row == {"title": "Os justi", "pages": 4}


@pytest.mark.parametrize("wish", ["planned", "estimated"])
def test_a_total_is_exact_where_statistics_would_tell_too_much(library: Library, wish: str) -> None:
    shelf(library).add("works", {"id": "theirs", "org": "two", "title": "Theirs"})
    library.connection.execute("ANALYZE")
    few = Limits(answer_rows=1)
    for query, total in (((), 3), ((("pages", "gt.5"),), 1), ((("select", "id,editions!inner()"),), 0)):
        answer = library.ask("GET", "works", *query, limits=few, prefer=f"count={wish}")
        assert answer.total == total
        assert answer.applied == (f"count={wish}",)


def test_a_planned_total_comes_from_the_statistics_of_an_open_table(library: Library) -> None:
    def total(wish: str, *query: tuple[str, str]) -> int | None:
        paged = query if dict(query).get("limit") else (*query, ("limit", "4"))
        return library.ask("GET", "tags", *paged, limits=Limits(answer_rows=4), prefer=f"count={wish}").total

    library.add("tags", *({"name": f"t{number}"} for number in range(5)))
    assert total("planned") == 5  # no statistics yet
    library.connection.execute("ANALYZE")
    library.add("tags", *({"name": f"u{number}"} for number in range(5)))
    assert (total("exact"), total("planned"), total("estimated")) == (10, 5, 5)
    assert total("planned", ("limit", "7")) == 7  # never less than what is shown
    assert total("planned", ("name", "like.u*")) == 5
    assert total("estimated", ("id", "lt.4")) == 3


def test_an_estimate_is_exact_up_to_its_limit(library: Library) -> None:
    library.add("tags", *({"name": f"t{number}"} for number in range(4)))
    library.connection.execute("ANALYZE")
    library.connection.execute("DELETE FROM tags WHERE id = 1")
    assert library.ask("GET", "tags", limits=Limits(answer_rows=3), prefer="count=estimated").total == 3
    assert library.ask("GET", "tags", prefer="count=planned").total == 4
