"""Query text to typed requests: what is printed is read back, nothing but our own errors comes out, limits hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.errors import Invalid, TooLarge, VaultError
from db.rest.body import parse_rows
from db.rest.expressions import CASTS
from db.rest.filters import (
    COMPARISONS,
    CONTAINMENTS,
    PATTERNS,
    QUANTIFIED,
    RANGES,
    SEARCHES,
    Condition,
    Filter,
    Logic,
    parse_condition,
    parse_logic,
)
from db.rest.limits import LIMITS
from db.rest.places import JsonPath
from db.rest.query import parse_query
from db.rest.request import parse_request
from db.rest.select import AGGREGATES, Embed, OrderTerm, Pick, SelectItem, Star, parse_order, parse_select

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
NAMES = TEXT.filter(bool)
WORDS = st.sampled_from(["null", "not_null", "true", "false", "unknown"])


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


PATHS = st.none() | st.builds(
    JsonPath, st.lists(NAMES | st.integers(-(10**8), 10**8), min_size=1, max_size=3).map(tuple), st.booleans()
)
FLAGS = st.booleans()
VALUES = st.lists(TEXT, max_size=4).map(tuple)


def conditions() -> st.SearchStrategy[Condition]:
    plain = st.sampled_from((*COMPARISONS, *PATTERNS, *CONTAINMENTS, *RANGES))
    comparison = st.builds(Condition, NAMES, plain, TEXT, FLAGS, PATHS, st.none(), st.none())
    inside = st.builds(Condition, NAMES, st.just("in"), VALUES, FLAGS, PATHS, st.none(), st.none())
    identity = st.builds(Condition, NAMES, st.just("is"), WORDS, FLAGS, PATHS, st.none(), st.none())
    several = st.builds(
        Condition, NAMES, st.sampled_from(sorted(QUANTIFIED)), VALUES, FLAGS, PATHS, st.sampled_from(["any", "all"]),
        st.none(),
    )  # fmt: skip
    language = st.none() | st.sampled_from(["english", "simple"])
    search = st.builds(Condition, NAMES, st.sampled_from(SEARCHES), TEXT, FLAGS, PATHS, st.none(), language)
    return comparison | inside | identity | several | search


def trees() -> st.SearchStrategy[Filter]:
    return st.recursive(
        conditions(),
        lambda inner: st.builds(
            Logic, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3).map(tuple), st.booleans()
        ),
        max_leaves=8,
    )


def printed_path(path: JsonPath | None) -> str:
    if path is None:
        return ""
    *first, last = path.steps
    steps = [step if isinstance(step, int) else quoted(step) for step in (*first, last)]
    return "".join(f"->{step}" for step in steps[:-1]) + ("->>" if path.as_text else "->") + str(steps[-1])


def printed_test(condition: Condition, value: str) -> str:
    brackets = condition.quantifier or condition.language
    operator = f"{condition.operator}({brackets})" if brackets else condition.operator
    return f"{'not.' if condition.negated else ''}{operator}.{value}"


def printed_value(condition: Condition) -> str | None:
    """The value of a condition that holds several, None for another one."""
    if not isinstance(condition.value, tuple):
        return None
    values = ",".join(map(quoted, condition.value))
    return f"{{{values}}}" if condition.quantifier else f"({values})"


def printed(tree: Filter) -> str:
    if isinstance(tree, Logic):
        members = ",".join(map(printed, tree.members))
        return f"{'not.' if tree.negated else ''}{tree.operator}({members})"
    text = printed_value(tree)
    if text is None:
        text = str(tree.value) if tree.operator == "is" else quoted(str(tree.value))
    return f"{quoted(tree.column)}{printed_path(tree.path)}.{printed_test(tree, text)}"


@settings(deadline=None)
@given(conditions())
def test_a_printed_condition_is_read_back(condition: Condition) -> None:
    text = printed_value(condition) or str(condition.value)
    assert parse_condition(condition.column, printed_test(condition, text), condition.path) == condition


@settings(deadline=None)
@given(st.lists(trees(), min_size=1, max_size=3), st.booleans())
def test_a_printed_tree_is_read_back(members: list[Filter], negated: bool) -> None:
    text = "(" + ",".join(map(printed, members)) + ")"
    assert parse_logic("or", negated, text) == Logic("or", tuple(members), negated)


def select_items() -> st.SearchStrategy[SelectItem]:
    casts = st.none() | st.sampled_from(sorted(CASTS))
    plain = st.builds(Pick, NAMES, st.none() | NAMES, PATHS, casts, st.none(), st.none())
    folded = st.builds(Pick, NAMES, st.none() | NAMES, PATHS, casts, st.sampled_from(AGGREGATES), casts)
    counted = st.builds(Pick, st.none(), st.none() | NAMES, st.none(), st.none(), st.just("count"), casts)
    single = st.just(Star()) | plain | folded | counted
    hints = st.none() | NAMES.filter(lambda name: name not in ("inner", "left"))

    def embed(inner: st.SearchStrategy[SelectItem]) -> st.SearchStrategy[SelectItem]:
        items = st.lists(inner, max_size=3).map(tuple)
        target = NAMES.filter(lambda name: name != "count")
        nested = st.builds(Embed, target, items, st.none() | NAMES, hints, FLAGS, st.just(False))
        return nested | st.builds(Embed, target, items, st.none(), hints, FLAGS, st.just(True))

    return single | embed(single | embed(single))


def printed_item(item: SelectItem) -> str:
    match item:
        case Star():
            return "*"
        case Pick():
            alias = f"{quoted(item.alias)}:" if item.alias else ""
            cast, folded = (f"::{name}" if name else "" for name in (item.cast, item.aggregate_cast))
            if item.column is None:
                return f"{alias}count(){folded}"
            value = f"{alias}{quoted(item.column)}{printed_path(item.path)}{cast}"
            return f"{value}.{item.aggregate}(){folded}" if item.aggregate else value
        case Embed():
            alias = "..." if item.spread else f"{quoted(item.alias)}:" if item.alias else ""
            hint = f"!{quoted(item.hint)}" if item.hint else ""
            return f"{alias}{quoted(item.target)}{hint}{'!inner' * item.inner}({printed_select(item.select)})"


def printed_select(items: tuple[SelectItem, ...]) -> str:
    return ",".join(map(printed_item, items))


@settings(deadline=None)
@given(st.lists(select_items(), min_size=1, max_size=4).map(tuple))
def test_a_printed_select_is_read_back(items: tuple[SelectItem, ...]) -> None:
    assert parse_select(printed_select(items)) == items


@settings(deadline=None)
@given(st.lists(st.builds(OrderTerm, NAMES, FLAGS, FLAGS, PATHS, st.none() | NAMES), min_size=1, max_size=5).map(tuple))
def test_a_printed_order_is_read_back(terms: tuple[OrderTerm, ...]) -> None:
    def value(term: OrderTerm) -> str:
        column = quoted(term.column) + printed_path(term.path)
        return column if term.embed is None else f"{quoted(term.embed)}({column})"

    text = ",".join(
        f"{value(t)}.{'desc' if t.descending else 'asc'}.{'nullsfirst' if t.nulls_first else 'nullslast'}"
        for t in terms
    )
    assert parse_order(text) == terms


GRAMMAR = st.text(st.sampled_from('abc.,:()!*"\\{}-> ') | st.characters(), max_size=40)
PIECES = st.lists(
    st.sampled_from(
        [
            "and",
            "or",
            "not",
            "eq",
            "in",
            "is",
            "null",
            ".",
            ",",
            "(",
            ")",
            '"',
            "a",
            "!",
            "inner",
            ":",
            "*",
            "->",
            "->>",
            *("any", "cs", "fts", "sl", "match", "{", "}", "[", "...", "::", "int", "count", "sum", "()"),
        ]
    ),
    max_size=30,
).map("".join)
KEYS = st.sampled_from(
    ["select", "order", "limit", "offset", "and", "or", "not.or", "columns", "on_conflict", "a", "a.b", "a->b", "a->>0"]
)


@settings(deadline=None)
@given(st.lists(st.tuples(KEYS | GRAMMAR, GRAMMAR | PIECES), max_size=4))
def test_arbitrary_text_raises_nothing_but_our_errors(pairs: list[tuple[str, str]]) -> None:
    try:
        parse_query(pairs)
    except VaultError:
        return


@settings(deadline=None)
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT"]),
    st.lists(
        st.tuples(
            st.sampled_from(["Prefer", "Accept", "Range", "Content-Type", "If-Match", "If-None-Match"]), st.text()
        ),
        max_size=4,
    ),
    st.binary(max_size=40),
)
def test_arbitrary_headers_and_bodies_raise_nothing_but_our_errors(
    method: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    try:
        parse_request(method, "works", [("id", "eq.1")], headers, body)
    except VaultError:
        return


def test_the_error_of_a_parser_says_where_and_what() -> None:
    with pytest.raises(Invalid) as caught:
        parse_condition("a", "in.(x")
    assert caught.value.message == '"failed to parse filter (in.(x)" (line 1, column 6)'
    assert caught.value.details == "unexpected end of input expecting ')'"


def test_blanks_around_bare_names_do_not_count() -> None:
    assert parse_select("id, label: name") == (Pick("id"), Pick("name", "label"))


def test_a_column_may_be_called_like_a_word_of_logic() -> None:
    assert parse_logic("or", False, "(and.eq.1)").members == (Condition("and", "eq", "1"),)


def test_braces_keep_their_commas() -> None:
    assert parse_logic("or", False, "(a.eq.{1,2},b.eq.3)").members[0] == Condition("a", "eq", "{1,2}")


def test_names_in_quotes_may_hold_dots() -> None:
    query = parse_query([('"my.emb"."a.b"', "eq.1")])
    assert query.restrictions[("my.emb",)].filters == (Condition("a.b", "eq", "1"),)


@pytest.mark.parametrize("name", ["select", "order", "limit", "columns"])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="given twice"):
        parse_query([(name, "1"), (name, "2")])


@pytest.mark.parametrize("text", ["eq.\x00", "eq.\ud800"])
def test_text_that_sqlite_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_query([("a", text)])


def tree_of_depth(levels: int) -> str:
    return "(" + "and(" * (levels - 1) + "a.eq.1" + ")" * levels


def embeds_of_depth(levels: int) -> str:
    return "a(" * levels + "b" + ")" * levels


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize(
    ("limit", "query"),
    [
        (LIMITS.query_characters, lambda n: [("a", "eq." + "x" * (n - 4))]),
        (LIMITS.filters, lambda n: [("a", "eq.1")] * (n - 2) + [("or", "(a.eq.1,and(b.eq.2))")]),
        (LIMITS.logic_depth, lambda n: [("and", tree_of_depth(n))]),
        (LIMITS.select_items, lambda n: [("select", ",".join(["a"] * n))]),
        (LIMITS.embeds, lambda n: [("select", ",".join(["a()"] * n))]),
        (LIMITS.embed_depth, lambda n: [("select", embeds_of_depth(n))]),
        (LIMITS.embed_depth, lambda n: [("a." * n + "b", "eq.1")]),
        (LIMITS.order_terms, lambda n: [("order", ",".join(["a"] * n))]),
    ],
)
def test_a_limit_lets_pass_what_is_within_and_names_itself(limit, query, over) -> None:
    if over <= 0:
        parse_query(query(limit + over))
        return
    with pytest.raises(TooLarge, match=f"the limit is {limit}$"):
        parse_query(query(limit + over))


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_an_insert_has_a_limit_of_rows(over: int) -> None:
    body = b"[" + b",".join([b"{}"] * (LIMITS.insert_rows + over)) + b"]"
    if over <= 0:
        assert len(parse_rows(body, None, missing_default=False)) == LIMITS.insert_rows + over
        return
    with pytest.raises(TooLarge, match=f"the limit is {LIMITS.insert_rows}$"):
        parse_rows(body, None, missing_default=False)


def test_brackets_without_end_are_refused_by_depth() -> None:
    with pytest.raises(TooLarge):
        parse_query([("or", "(" + "and(" * 3000)])
