"""Nothing in a request becomes SQL: with an authoriser that lets a statement reach only what its plan names.

SQLite asks it for every table, column and function while a statement is compiled. A name or a value that got into the
text would have to reach for something: that is refused here, and told from a request that is merely nonsense.
"""

import re
import sqlite3
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from db.errors import VaultError
from db.rest.planner import plan_read
from db.rest.request import ReadRequest, parse_request
from tests.db.rest.library import GUEST, LIBRARIAN, NOW, READER, RESOURCES, Library, open_library, shelf

FUNCTIONS = frozenset(
    {
        "json_object", "json", "json_quote", "json_valid", "json_type", "json_extract", "json_each", "->", "->>",
        "group_concat", "coalesce", "count", "sum", "total", "avg", "min", "max", "printf", "typeof", "round", "lower",
        "hex", "glob", "casefold", "date", "time", "like", "match",
        "personal_open", "personal_seal", "json_compare", "json_test", "range_test", "regex_test",
    }
)  # fmt: skip
_POLICY_TABLE = re.compile(r"main\.(\w+)")


@dataclass
class Guard:
    """An authoriser. reads: columns by table, None for all of them. writes: the one table that may change.

    cascades: tables from which the schema deletes along.
    """

    reads: dict[str, frozenset[str] | None]
    writes: str = ""
    cascades: frozenset[str] = frozenset()
    refused: list[tuple[int, str | None, str | None]] = field(default_factory=list[tuple[int, str | None, str | None]])

    def __call__(
        self, action: int, first: str | None, second: str | None, database: str | None, inside: str | None
    ) -> int:
        if inside is not None and action != sqlite3.SQLITE_FUNCTION:
            # A trigger's or a view's own doing.
            return sqlite3.SQLITE_OK
        allowed = {
            sqlite3.SQLITE_SELECT: True,
            sqlite3.SQLITE_READ: self.reads_column(first or "", second or ""),
            sqlite3.SQLITE_FUNCTION: (second or "").lower() in FUNCTIONS,
            sqlite3.SQLITE_INSERT: first == self.writes,
            sqlite3.SQLITE_UPDATE: first == self.writes,
            sqlite3.SQLITE_DELETE: first == self.writes or first in self.cascades,
        }.get(action, False)
        if not allowed:
            self.refused.append((action, first, second))
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    def reads_column(self, table: str, column: str) -> bool:
        if table in ("json_each", "given", ""):
            return True
        columns = self.reads.get(table, frozenset())
        return columns is None or column in columns or column in ("", "ROWID")


def named(library: Library, table: str, pairs: list[tuple[str, str]], who: Any) -> dict[str, frozenset[str] | None]:
    """What the plan of a read names: its tables with their visible columns, what their policies ask, their indexes."""
    request = parse_request("GET", table, pairs)
    assert isinstance(request, ReadRequest)
    reads: dict[str, frozenset[str] | None] = {}
    for seen in plan_read(library.schema, RESOURCES, who, request, NOW).tables:
        resource = RESOURCES[seen.name]
        policies = (*resource.read, *(policy for listed in resource.masks.values() for policy in listed))
        words = {word for policy in policies for word in re.findall(r"\w+", policy.where)}
        reads[seen.name] = frozenset(seen.columns) | words
        reads |= dict.fromkeys((name for policy in policies for name in _POLICY_TABLE.findall(policy.where)), None)
        reads |= dict.fromkeys(resource.search.values(), None)
    return reads


EVIL = st.sampled_from(
    [
        "' OR 1=1 --", '" OR 1=1 --', "); DROP TABLE works; --", "x' UNION SELECT password FROM accounts --",
        '"a" FROM main.accounts --', "id) FROM main.accounts --", "secret", "main.works.secret", "rowid", "_rowid_",
        "password", "accounts", "accounts(password)", "sqlite_schema", "works.secret", "title;ATTACH ':memory:' AS x",
        "load_extension('x')", "?1", ":scope", "@p0", "$x", "\\", "\\'", "''", '""', "`id`", "[id]", "/*", "*/", "--",
        "(SELECT password FROM accounts)", "%s", "{0}", "\u2019", "\x1f", "título", "zeroblob(9)", "*", "1e400",
    ]
)  # fmt: skip
NAMES = (
    st.sampled_from(["id", "title", "pages", "weight", "editions", "tags", "labels", "note"])
    | EVIL
    | st.text(max_size=12)
)
OPERATORS = st.sampled_from(
    [
        "eq",
        "neq",
        "gt",
        "like",
        "ilike",
        "in",
        "is",
        "match",
        "cs",
        "ov",
        "sl",
        "fts",
        "eq(any)",
        "not.eq",
        "isdistinct",
    ]
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def texts(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Bare, or in double quotes, in which any sign may stand."""
    return strategy | strategy.map(quoted)


VALUES = EVIL | st.text(max_size=12) | EVIL.map(quoted) | EVIL.map(lambda v: f"({v})") | EVIL.map(lambda v: f"{{{v}}}")
ITEMS = (
    texts(NAMES)
    | st.tuples(texts(NAMES), texts(NAMES)).map(":".join)
    | st.tuples(texts(NAMES), EVIL).map("::".join)
    | st.tuples(texts(NAMES), texts(NAMES)).map("->".join)
    | st.tuples(texts(NAMES), texts(NAMES)).map("->>".join)
    | st.tuples(texts(NAMES), texts(NAMES)).map(lambda two: f"{two[0]}!{two[1]}(id)")
    | texts(NAMES).map(lambda name: f"editions({name})")
    | texts(NAMES).map(lambda name: f"{name}.max()")
)
PAIRS = st.lists(
    st.tuples(texts(NAMES), st.tuples(OPERATORS, VALUES).map(".".join))
    | st.tuples(st.just("select"), st.lists(ITEMS, min_size=1, max_size=3).map(",".join))
    | st.tuples(st.just("order"), texts(NAMES))
    | st.tuples(st.sampled_from(["or", "and", "editions.or"]),
                st.tuples(texts(NAMES), OPERATORS, VALUES).map(lambda p: f"({p[0]}.{p[1]}.{p[2]})"))
    | st.tuples(st.sampled_from(["limit", "offset"]), EVIL | st.just("2")),
    max_size=4,
    unique_by=lambda pair: pair[0],
)  # fmt: skip
FUZZ = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def filled() -> Library:
    library = shelf(open_library())
    library.add("accounts", {"id": "1", "password": "zebrafish"})
    library.edition("ave", "Urtext")
    return library


def contents(library: Library) -> list[str]:
    return list(library.connection.iterdump())


@FUZZ
@given(PAIRS, st.sampled_from([GUEST, READER, LIBRARIAN]), st.sampled_from(["works", "papers", "loans"]))
@example([("select", '"x\\") FROM main.accounts --":title')], READER, "works")
def test_a_read_reaches_only_what_its_plan_names(
    filled: Library, pairs: list[tuple[str, str]], who: Any, table: str
) -> None:
    try:
        reads = named(filled, table, pairs, who)
    except VaultError:
        return
    guard = Guard(reads)
    filled.connection.set_authorizer(guard)
    try:
        answer = filled.ask("GET", table, *pairs, who=who, prefer="count=exact")
        assert "zebrafish" not in answer.body
    except VaultError:
        pass
    finally:
        filled.connection.set_authorizer(None)
    assert guard.refused == [], pairs


@FUZZ
@given(
    PAIRS,
    st.sampled_from(["POST", "PATCH", "DELETE", "PUT"]),
    st.dictionaries(NAMES, VALUES | st.integers() | st.none() | st.lists(EVIL, max_size=2), max_size=3),
    texts(NAMES),
)
@example([], "POST", {'title") VALUES (1); --': "x"}, "id")
def test_a_write_changes_only_its_own_table(
    filled: Library, pairs: list[tuple[str, str]], method: str, body: dict[str, Any], conflict: str
) -> None:
    before = contents(filled)
    query = [*pairs, ("on_conflict", conflict)] if method == "POST" else pairs
    # The row's own policies and its check read what they like of the vault: the guard is for what is written.
    guard = Guard(dict.fromkeys(filled.schema.tables), writes="works", cascades=frozenset({"covers", "editions"}))
    filled.connection.execute("BEGIN")
    # Its first use declares it, which the guard would take for a new table.
    filled.connection.execute("SELECT 1 FROM json_each('[]')").fetchall()
    filled.connection.set_authorizer(guard)
    try:
        filled.ask(method, "works", *query, who=LIBRARIAN, body=body, prefer="resolution=merge-duplicates")
    except VaultError:
        pass
    finally:
        filled.connection.set_authorizer(None)
        filled.connection.execute("ROLLBACK")
    assert guard.refused == [], (method, query, body)
    assert contents(filled) == before


def test_the_guard_itself_refuses_what_was_not_named(filled: Library) -> None:
    guard = Guard(named(filled, "works", [("select", "title")], READER))
    filled.connection.set_authorizer(guard)
    try:
        for sql in ("SELECT password FROM accounts", "SELECT secret FROM works", "SELECT sql FROM sqlite_schema",
                    "ATTACH ':memory:' AS x", "DELETE FROM works", "SELECT load_extension('x')"):  # fmt: skip
            with pytest.raises(sqlite3.DatabaseError):
                filled.connection.execute(sql)
    finally:
        filled.connection.set_authorizer(None)
    assert len(guard.refused) >= 6
