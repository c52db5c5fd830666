"""The operators beyond comparing: lists, objects, ranges, several values at once, patterns, full text."""

import pytest

from db.errors import TooLarge, VaultError
from db.rest.limits import LIMITS, Limits
from db.rest.ranges import range_test
from tests.db.rest.library import LIBRARIAN, Library, titles


def lists(library: Library) -> Library:
    library.paper(1, tags=["a", "b"], data={"a": 1, "b": {"c": [1, 2]}})
    library.paper(2, tags=["b", "c d"], data={"a": "1", "b": None})
    library.paper(3, tags=[], data=[1, 2, {"x": True}])
    library.paper(4, tags=None, data=None)
    library.paper(5, tags=[1, 2, None, True], data={})
    return library


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("tags", "cs.{b}", [1, 2]),
        ("tags", "cs.{a,b}", [1]),
        ("tags", 'cs.{"c d"}', [2]),
        ("tags", 'cs.["a"]', [1]),
        ("tags", "cs.{}", [1, 2, 3, 5]),
        ("tags", "cs.{1,true}", [5]),
        ("tags", "cs.[1]", [5]),
        ("tags", 'cs.["1"]', []),
        ("tags", "not.cs.{b}", [3, 5]),
        ("tags", "cd.{a,b,c}", [1, 3]),
        ("tags", "ov.{a,zz}", [1]),
        ("tags", "ov.[2]", [5]),
        ("tags", "ov.{}", []),
        ("data", 'cs.{"a":1}', [1]),
        ("data", 'cs.{"a":"1"}', [2]),
        ("data", 'cs.{"b":{"c":[2]}}', [1]),
        ("data", 'cs.{"b":null}', [2]),
        ("data", 'cs.[{"x":true}]', [3]),
        ("data", 'cs.[{"x":1}]', []),
        ("data", "cs.2", [3]),
        ("data", 'cd.{"a":1,"b":{"c":[1,2]},"d":0}', [1, 5]),
        ("data->b", 'cs.{"c":[1]}', [1]),
        ("or", '(tags.cs.{a,b},data.cs.{"a":"1"})', [1, 2]),
        ("or", '(data.cs.[1,2],tags.ov.{"c d"})', [2, 3]),
    ],
)
def test_lists_and_objects_contain_and_overlap(library: Library, column: str, text: str, expected: list[int]) -> None:
    assert lists(library).found((column, text)) == expected


RANGES = {1: "[1,5)", 2: "[5,9]", 3: "(,3]", 4: "empty", 5: "[20,)", 6: "no range", 7: None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sl.[5,7)", [1, 3]),
        ("sr.[1,5)", [2, 5]),
        ("nxl.[5,9]", [2, 5]),
        ("nxr.[1,5)", [1, 3]),
        ("adj.[10,15)", [2]),
        ("adj.[5,6)", [1]),
        ("ov.[4,6]", [1, 2]),
        ("cs.[2,3]", [1, 3]),
        ("cd.[0,30)", [1, 2, 4]),
        ("cs.empty", [1, 2, 3, 4, 5]),
        ("not.ov.[4,6]", [3, 4, 5]),
    ],
)
def test_ranges_in_text_lie_to_each_other(library: Library, text: str, expected: list[int]) -> None:
    for number, span in RANGES.items():
        library.paper(number, span=span)
    assert library.found(("span", text)) == expected
    assert library.found(("and", f"(span.{text})")) == expected


@pytest.mark.parametrize(
    ("operator", "left", "right", "expected"),
    [
        ("adj", "[1,5]", "[6,9)", True),
        ("adj", "[1.0,5.0]", "[6.0,9.0)", False),
        ("adj", "[1.0,5.0]", "(5.0,9.0)", True),
        ("adj", "[2026-01-01,2026-01-31]", "[2026-02-01,2026-03-01)", True),
        ("ov", "[2026-01-01 10:00,2026-01-01 12:00)", "[2026-01-01 11:00,2026-01-01 13:00)", True),
        ("ov", "[2026-01-01,2026-01-05)", "[2026-01-05,2026-01-06)", False),
        ("cs", '["a,b","x"]', "[b,c)", True),
        ("sl", "[1,5)", "[2026-01-01,2026-01-02)", None),
        ("sl", "[2026-13-01,)", "[2026-01-01,2026-01-02)", None),
        ("sl", "[5,1)", "[1,2)", None),
    ],
)
def test_whole_numbers_and_days_have_neighbours(operator: str, left: str, right: str, expected: bool | None) -> None:
    assert range_test(operator, left, right) is expected


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("title", "eq(any).{Ave,Bolero}", ["Ave", "Bolero"]),
        ("title", "like(any).{A*,*ta}", ["Ave", "Cantata"]),
        ("title", "like(all).{*a*,*t*}", ["Cantata"]),
        ("title", "ilike(any).{a%}", ["Ave"]),
        ("title", "not.like(any).{A*,B*}", ["Cantata"]),
        ("pages", "gt(all).{1,4}", ["Ave", "Bolero"]),
        ("pages", "gte(any).{40,50}", ["Bolero"]),
        ("pages", "lt(all).{40,41}", ["Ave"]),
        ("pages", "lte(any).{5,6}", ["Ave"]),
        ("title", "match(any).{^A,o$}", ["Ave", "Bolero"]),
        ("title", "imatch(all).{^b,O$}", ["Bolero"]),
        ("title", 'eq(any).{"Ave","a,b"}', ["Ave"]),
        ("title", "eq(any).{}", []),
        ("title", "eq(all).{}", ["Ave", "Bolero", "Cantata"]),
        ("or", "(title.eq(any).{Ave},pages.eq.40)", ["Ave", "Bolero"]),
    ],
)
def test_one_operator_takes_several_values(library: Library, column: str, text: str, expected: list[str]) -> None:
    library.work("Ave", pages=5)
    library.work("Bolero", pages=40)
    library.work("Cantata", pages=None)
    assert titles(library.get("works", (column, text), ("order", "title"))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("match.^[A-B]", ["Ave", "Bolero"]),
        ("match.^a", []),
        ("imatch.^A.*E$", ["Ave"]),
        ("imatch.^õ[[:alpha:]]+", ["Õhtu"]),
        ("not.match.e", ["Õhtu"]),
        ("match.^.{3}$", ["Ave"]),
    ],
)
def test_patterns_are_found_anywhere_in_the_text(library: Library, text: str, expected: list[str]) -> None:
    for title in ("Ave", "Bolero", "Õhtu"):
        library.work(title)
    assert titles(library.get("works", ("title", text), ("order", "title"))) == expected


def test_a_pattern_that_ruins_other_engines_ends_at_once(library: Library) -> None:
    library.work("a" * 5000 + "!")
    assert library.get("works", ("title", "match.^(a+)+$")) == []


@pytest.mark.parametrize("over", [0, 1])
def test_a_pattern_has_a_length(library: Library, over: int) -> None:
    query = ("title", "match." + "a" * (LIMITS.pattern_characters + over))
    if not over:
        assert library.get("works", query) == []
        return
    with pytest.raises(TooLarge, match=f"the limit is {LIMITS.pattern_characters}$"):
        library.get("works", query)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_patterns_have_a_time(library: Library, method: str) -> None:
    library.work("A")
    with pytest.raises(TooLarge, match="-1 ms, the limit") as caught:
        library.ask(method, "works", ("title", "match.A"), who=LIBRARIAN, body={"pages": 1}, limits=Limits(regex_ms=-1))
    assert caught.value.code == "57014"
    assert library.stored("SELECT pages FROM works") == [(None,)]


def test_an_index_of_a_table_with_text_keys_finds_the_same_after_vacuum(library: Library) -> None:
    for number in range(1, 6):
        library.add("notices", {"id": f"n{number}", "org": "one", "title": f"The {'cat' if number > 3 else 'rat'}"})
    library.add("notices", {"id": "n6", "org": "two", "title": "cat of others"})
    library.tx.execute("DELETE FROM notices WHERE id = 'n1'")
    library.tx.execute("DELETE FROM notices_fts WHERE notice_id = 'n1'")
    for _ in range(2):
        found = library.get("notices", ("title", "fts.cat"), ("order", "id"))
        assert [row["id"] for row in found] == ["n4", "n5"]
        assert [row["id"] for row in library.get("notices", ("title", "not.fts.cat"), ("order", "id"))] == ["n2", "n3"]
        library.tx.execute("VACUUM")


def essays(library: Library) -> Library:
    library.paper(1, title="The fat cat sat", body="on a mat")
    library.paper(2, title="Rats and cats", body="fat rats")
    library.paper(3, title="The rat", body="alone, hidden treasure")
    library.paper(4, title=None)
    library.add("papers", {"id": 5, "org": "two", "title": "fat cat of others"})
    return library


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("title", "fts.cat", [1]),
        ("title", "fts.cat:*", [1, 2]),
        ("title", "fts.fat & cat", [1]),
        ("title", "fts.cat | rat", [1, 3]),
        ("title", "fts.the & !cat", [3]),
        ("title", "fts.fat <-> cat", [1]),
        ("title", "fts.cat <-> fat", []),
        ("title", "fts.'fat cat' | rat", [1, 3]),
        ("title", "fts.(fat | rat) & the", [1, 3]),
        ("title", "fts(english).cat", [1]),
        ("title", "plfts.cat the", [1]),
        ("title", "plfts(simple).CAT", [1]),
        ("title", "phfts.fat cat", [1]),
        ("title", "phfts.cat fat", []),
        ("title", "wfts.the -cat", [3]),
        ("title", 'wfts."fat cat" or rat', [1, 3]),
        ("title", "wfts.cat OR -", [1]),
        ("title", "not.fts.cat", [2, 3]),
        ("title", "plfts.!!", []),
        ("or", "(title.fts.cat,title.plfts.rat)", [1, 3]),
        ("or", '(title.fts."fat & cat",id.eq.2)', [1, 2]),
    ],
)
def test_full_text_is_searched_where_an_index_is_declared(
    library: Library, column: str, text: str, expected: list[int]
) -> None:
    assert essays(library).found((column, text)) == expected


def test_words_of_a_masked_column_cannot_be_found(library: Library) -> None:
    essays(library)
    assert library.found(("body", "fts.treasure")) == []
    assert library.found(("body", "fts.treasure"), who=LIBRARIAN) == [3]
    assert library.found(("title", "fts.treasure"), who=LIBRARIAN) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("fts.a b", "42601"),
        ("fts.a &", "42601"),
        ("fts.(a", "42601"),
        ("fts.a:x", "42601"),
        ("fts.!a", "PGRST127"),
        ("fts.a | !b", "PGRST127"),
        ("fts.a <2> b", "42601"),
        ("wfts.-a", "PGRST127"),
        ("fts(klingon).a", "42704"),
    ],
)
def test_a_bad_search_is_refused(library: Library, text: str, code: str) -> None:
    with pytest.raises(VaultError) as caught:
        library.found(("title", text))
    assert caught.value.code == code


@pytest.mark.parametrize("operator", ["plfts", "phfts", "wfts"])
@pytest.mark.parametrize("over", [0, 1])
def test_a_search_has_a_number_of_words(library: Library, operator: str, over: int) -> None:
    query = ("title", f"{operator}." + " ".join(["a"] * (LIMITS.search_words + over)))
    if not over:
        assert library.found(query) == []
        return
    with pytest.raises(TooLarge):
        library.found(query)


def test_the_limits_are_the_documented_ones() -> None:
    assert (LIMITS.embed_depth, LIMITS.insert_rows, LIMITS.regex_ms) == (3, 1000, 200)


@pytest.mark.parametrize("test", ["cs", "cd", "ov"])
def test_json_too_deep_to_compare_is_not_found(library: Library, test: str) -> None:
    deep = "[" * 900 + "]" * 900
    library.paper(1, data=deep)
    assert library.found(("data", f"{test}.{deep}")) in ([], [1])
    assert library.found(("data->0", f"eq.{deep}")) == []
