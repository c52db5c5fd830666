"""Filters over REST: which rows they find, which texts they refuse."""

import pytest

from db.errors import Invalid
from tests.db.rest.library import Library, code_of, shelf, titles


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("pages", "eq.5", "A"),
        ("pages", "neq.5", "B"),
        ("pages", "gt.5", "B"),
        ("pages", "gte.5", "AB"),
        ("pages", "lt.40", "A"),
        ("pages", "lte.40", "AB"),
        ("pages", "lt.6", "A"),
        ("pages", "not.eq.5", "B"),
        ("pages", "isdistinct.5", "BC"),
        ("pages", "not.isdistinct.5", "A"),
        ("pages", "is.null", "C"),
        ("pages", "is.NOT_NULL", "AB"),
        ("pages", "not.is.null", "AB"),
        ("pages", "is.unknown", "C"),
        ("pages", "in.(5,40)", "AB"),
        ("pages", "not.in.(5)", "B"),
        ("pages", "in.()", ""),
        ("weight", "eq.1.50", "A"),
        ("weight", "lt.2", "A"),
        ("public", "eq.true", "A"),
        ("public", "is.true", "A"),
        ("public", "is.false", "BC"),
        ("title", "like.*o*", "B"),
        ("title", "like.b%", ""),
        ("title", "like._ve", "A"),
        ("title", "ilike.b*", "B"),
        ("composer", "ilike.õUN*", "A"),
        ("composer", "like.õun*", ""),
        ("title", 'in.("Ave","Bolero")', "AB"),
        ("and", "(pages.gt.1,pages.lt.10)", "A"),
        ("or", "(pages.eq.5,title.eq.Cantata)", "AC"),
        ("not.or", "(title.eq.Ave,title.eq.Bolero)", "C"),
        ("or", "(and(pages.eq.5,title.eq.Ave),not.and(pages.not.is.null))", "AC"),
        ("or", '(title.in.("Ave",x),pages.is.null)', "AC"),
    ],
)
def test_filter_finds(library: Library, column: str, text: str, expected: str) -> None:
    found = shelf(library).get("works", (column, text), ("order", "title"))
    assert "".join(str(title)[0] for title in titles(found)) == expected


def test_filters_of_several_parameters_all_hold(library: Library) -> None:
    assert titles(shelf(library).get("works", ("pages", "gte.5"), ("pages", "lt.40"))) == ["Ave"]


def test_like_takes_globs_own_signs_literally(library: Library) -> None:
    library.work("a[b]?c")
    library.work("a5bc")
    library.work("100% off")
    assert titles(library.get("works", ("title", "like.a[b]?c"))) == ["a[b]?c"]
    assert titles(library.get("works", ("title", "like.*\\% off"))) == ["100% off"]
    assert titles(library.get("works", ("title", "like.*\\%*"))) == ["100% off"]


def test_quotes_belong_to_the_value_outside_lists_and_trees(library: Library) -> None:
    library.work('"x"')
    library.work("a,b.c)")
    assert titles(library.get("works", ("title", 'eq."x"'))) == ['"x"']
    assert titles(library.get("works", ("title", "eq.a,b.c)"))) == ["a,b.c)"]
    assert titles(library.get("works", ("or", '(title.eq."a,b.c)",pages.eq.9)'))) == ["a,b.c)"]
    assert titles(library.get("works", ("title", 'in.("\\"x\\"")'))) == ['"x"']


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("pages", "eq.abc", "22P02"),
        ("pages", "eq.5.5", "22P02"),
        ("pages", "in.(1,x)", "22P02"),
        ("pages", "eq.9223372036854775808", "22003"),
        ("weight", "eq.NaN", "22P02"),
        ("weight", "gt.1e999", "22003"),
        ("title", "is.true", "42804"),
        ("title", "is.maybe", "PGRST100"),
        ("title", "eqq.x", "PGRST100"),
        ("title", "x", "PGRST100"),
        ("title", "in.(a", "PGRST100"),
        ("title", "in.a", "PGRST100"),
        ("title", "in.(a)b", "PGRST100"),
        ("title", "fts.x", "PGRST127"),
        ("title", "eq(any).a", "PGRST100"),
        ("title", "eq(some).{a}", "PGRST100"),
        ("title", "neq(any).{a}", "PGRST100"),
        ("title", "eq(any).{a,NULL}", "PGRST100"),
        ("title", "eq(any", "PGRST100"),
        ("pages", "eq(any).{1,x}", "22P02"),
        ("pages->x", "eq.a", "42883"),
        ("title->>x->y", "eq.a", "42883"),
        ("title->", "eq.a", "PGRST100"),
        ("title->x", "eq.a", "22P02"),
        ('title->"a\\"b"', "eq.1", "PGRST127"),
        ("title", "match.(", "2201B"),
        ("title", "match.(a)\\1", "2201B"),
        ("labels", "cs.x", "22P02"),
        ("labels", "sl.[1,2)", "42883"),
        ("pages", "cs.{1}", "42883"),
        ("title", "sl.[1,2", "22P02"),
        ("title", "sl.[2,1)", "22P02"),
        ("order", "editions(name)", "PGRST108"),
        ("select", "title::nothing", "42704"),
        ("select", "title.sum()", "42883"),
        ("select", "labels.max()", "42883"),
        ("select", "pages.median()", "PGRST100"),
        ("select", "pages.sum", "PGRST100"),
        ("or", "()", "PGRST100"),
        ("or", "(title.eq.a", "PGRST100"),
        ("or", "title.eq.a", "PGRST100"),
        ("nowhere", "eq.a", "42703"),
        ("editions.name", "eq.a", "PGRST108"),
        ("order", "title.up", "PGRST100"),
        ("select", "id,", "PGRST100"),
        ("select", "id,editions(name", "PGRST100"),
        ("select", "accounts(id)", "PGRST200"),
        ("select", "editions!nothing(id)", "PGRST200"),
        ("limit", "x", "PGRST100"),
        ("limit", "-1", "PGRST103"),
        ("offset", "-1", "PGRST103"),
        ("limit", "9999999999999999999", "PGRST103"),
    ],
)
def test_bad_query_is_refused_with_postgrests_code(library: Library, column: str, text: str, code: str) -> None:
    assert code_of(library, (column, text)) == code


def test_integer_error_reads_as_in_postgres(library: Library) -> None:
    with pytest.raises(Invalid, match=r'^invalid input syntax for type integer: "abc"$'):
        library.get("works", ("pages", "eq.abc"))
