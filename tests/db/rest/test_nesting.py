"""Logic and embeds inside each other: what is denied at any depth, and how deep SQLite can be asked."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.errors import TooLarge
from db.rest.limits import LIMITS
from tests.db.rest.library import Library

PAPERS = [(None, None), (1, None), (None, "a"), (1, "a"), (2, "b"), (2, None), (3, "ab")]
# Text of a condition, and whether it holds for a size and a title; None is unknown.
CONDITIONS: dict[str, Any] = {
    "size.eq.1": lambda size, title: None if size is None else size == 1,
    "size.not.gt.1": lambda size, title: None if size is None else size <= 1,
    "title.is.null": lambda size, title: title is None,
    "title.like.a*": lambda size, title: None if title is None else title.startswith("a"),
    "title.not.in.(a,b)": lambda size, title: None if title is None else title not in ("a", "b"),
    "size.eq(any).{1,3}": lambda size, title: None if size is None else size in (1, 3),
    "size.not.gte(all).{1,2}": lambda size, title: None if size is None else not size >= 2,
    "size.not.eq(any).{}": lambda size, title: True,
}
Tree = Any
TREES = st.recursive(
    st.sampled_from(sorted(CONDITIONS)),
    lambda inner: st.tuples(st.booleans(), st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=12,
)


def printed(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    negated, operator, members = tree
    return f"{'not.' if negated else ''}{operator}({','.join(map(printed, members))})"


def holds(tree: Tree, size: int | None, title: str | None) -> bool | None:
    """As SQL has it, with its third value."""
    if isinstance(tree, str):
        known: bool | None = CONDITIONS[tree](size, title)
        return known
    negated, operator, members = tree
    found = {holds(member, size, title) for member in members}
    deciding = operator == "or"
    result = deciding if deciding in found else None if None in found else not deciding
    return result if result is None or not negated else not result


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_whatever_is_denied_at_whatever_depth_means_what_it_means_in_sql(library: Library, tree: Tree) -> None:
    library.tx.execute("DELETE FROM papers")
    for number, (size, title) in enumerate(PAPERS):
        library.paper(number, size=size, title=title)
    wanted = [number for number, row in enumerate(PAPERS) if holds(tree, *row) is True]
    assert library.found(("and", f"({printed(tree)})")) == wanted


def comb(levels: int, column: str) -> str:
    """Logic so deep, each level of it between two others, the deepest denied."""
    inner = f"{column}.like.a*"
    for level in range(levels - 1):
        word = ("or", "and")[level % 2]
        inner = f"{column}.is.null,not.{word}({column}.eq.{level},{inner}),{column}.is.null"
    return f"({inner})"


def chain(levels: int) -> tuple[str, str]:
    """A select with embeds inside each other, and the path to the last."""
    names = [("editions", "works")[level % 2] for level in range(levels)]
    return "id" + "".join(f",{name}!inner(id" for name in names) + ")" * levels, ".".join(names)


def test_the_deepest_that_the_limits_allow_is_read(library: Library) -> None:
    select, path = chain(LIMITS.embed_depth)
    logic = comb(LIMITS.logic_depth, "name")
    assert library.get("works", ("select", select), (f"{path}.and", logic)) == []
    flat = ",".join(["title.like.a*"] * (LIMITS.filters - 3 * LIMITS.logic_depth))
    assert library.get("papers", ("and", f"({flat},or{comb(LIMITS.logic_depth - 1, 'title')})")) == []


@pytest.mark.parametrize("depth", [5, 8])
def test_what_sqlite_cannot_read_in_one_go_is_refused_and_said(library: Library, depth: int) -> None:
    select, path = chain(depth)
    wide = replace(LIMITS, embed_depth=8, logic_depth=60)
    logic = comb(50, "name" if depth % 2 else "title")
    with pytest.raises(TooLarge, match="a hundred levels of SQL"):
        library.ask("GET", "works", ("select", select), (f"{path}.and", logic), limits=wide)
    with pytest.raises(TooLarge, match="a hundred levels of SQL"):
        library.ask("GET", "works", ("select", select.replace("id", "count()", 1)), (f"{path}.and", logic), limits=wide)
