"""Order, page and count over REST."""

import pytest

from db.errors import RangeUnsatisfiable
from tests.db.rest.library import Library, shelf, titles


def test_nulls_are_greatest_unless_said_otherwise(library: Library) -> None:
    shelf(library)
    assert titles(library.get("works", ("order", "pages"))) == ["Ave", "Bolero", "Cantata"]
    assert titles(library.get("works", ("order", "pages.desc"))) == ["Cantata", "Bolero", "Ave"]
    assert titles(library.get("works", ("order", "pages.asc.nullsfirst"))) == ["Cantata", "Ave", "Bolero"]
    assert titles(library.get("works", ("order", "pages.desc.nullslast"))) == ["Bolero", "Ave", "Cantata"]
    assert titles(library.get("works", ("order", "public.desc,title.desc"))) == ["Ave", "Cantata", "Bolero"]


def test_limit_and_offset_cut_a_page(library: Library) -> None:
    shelf(library)
    assert titles(library.get("works", ("order", "title"), ("limit", "1"), ("offset", "1"))) == ["Bolero"]
    assert library.get("works", ("limit", "0")) == []


def test_pages_without_an_order_follow_the_key(library: Library) -> None:
    for title in "DBCA":
        library.work(title)
    pages = [library.get("works", ("limit", "2"), ("offset", at)) for at in ("0", "2")]
    assert [titles(page) for page in pages] == [["A", "B"], ["C", "D"]]


@pytest.mark.parametrize(
    ("header", "query", "expected"),
    [
        ("0-0", (), "A"),
        ("1-", (), "BC"),
        ("1-9", (), "BC"),
        ("0-9", (("limit", "2"),), "AB"),
        ("0-1", (("offset", "1"),), "B"),
        ("bytes=0-1", (), "ABC"),
    ],
)
def test_range_header_meets_limit_and_offset(
    library: Library, header: str, query: tuple[tuple[str, str], ...], expected: str
) -> None:
    found = shelf(library).get("works", ("order", "title"), *query, range=header)
    assert "".join(str(title)[0] for title in titles(found)) == expected


@pytest.mark.parametrize(("header", "query"), [("5-2", ()), ("0-1", (("offset", "7"),))])
def test_an_empty_range_is_refused(library: Library, header: str, query: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(RangeUnsatisfiable) as caught:
        library.get("works", *query, range=header)
    assert caught.value.code == "PGRST103"


def test_range_header_is_ignored_by_head(library: Library) -> None:
    assert shelf(library).ask("HEAD", "works", range="0-0").returned == 3


def test_exact_count_names_the_rows_beyond_the_page(library: Library) -> None:
    answer = shelf(library).ask("GET", "works", ("limit", "2"), prefer="count=exact")
    assert (answer.returned, answer.total, answer.content_range) == (2, 3, "0-1/3")
    assert answer.is_partial
    assert answer.applied == ("count=exact",)


@pytest.mark.parametrize("wish", ["count=planned", "count=estimated"])
def test_other_counts_are_answered_exactly(library: Library, wish: str) -> None:
    assert shelf(library).ask("GET", "works", prefer=wish).content_range == "0-2/3"


def test_content_range_without_a_count_has_no_total(library: Library) -> None:
    assert shelf(library).ask("GET", "works", ("offset", "1")).content_range == "1-2/*"
    assert library.ask("GET", "works", ("title", "eq.None")).content_range == "*/*"
    assert library.ask("GET", "works", ("title", "eq.None"), prefer="count=exact").content_range == "*/0"


def test_head_counts_without_a_body(library: Library) -> None:
    answer = shelf(library).ask("HEAD", "works", ("select", "id,editions(*)"), prefer="count=exact")
    assert (answer.body, answer.returned, answer.total) == ("", 3, 3)


@pytest.mark.parametrize(("offset", "refused"), [("2", False), ("3", False), ("4", True)])
def test_an_offset_past_the_known_total_is_refused(library: Library, offset: str, refused: bool) -> None:
    shelf(library)
    if not refused:
        assert library.ask("GET", "works", ("offset", offset), prefer="count=exact").total == 3
        return
    with pytest.raises(RangeUnsatisfiable):
        library.ask("GET", "works", ("offset", offset), prefer="count=exact")
