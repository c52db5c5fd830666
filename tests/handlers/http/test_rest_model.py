"""What REST answers against plain Python over only the rows and columns the caller may see.

Two collectives share a vault. Every request is asked by a guest, a member, a librarian, and somebody who holds any
permissions, of the first one; every answer must be what comes out when it is worked out by hand over their rows.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.fields import Text
from db.resources import Policy
from domain.choir.charter import CHOIR
from tests.handlers.http.site import REST, Caller, Choir, Clock, Site, error_of, make_choir, make_sister, make_site

Row = dict[str, Any]
NOW = "2026-02-05T10:00:00.000Z"
SEEN_BY_RIGHT = {
    "works": {"lyricist": (Policy("desk:librarian", "org_id = :scope"),)},
    "editions": {"notes": (Policy(None, "license_type = 'owned'"),)},
}
WORK_COLUMNS = ("id", "org_id", "title", "composer", "lyricist")
EDITION_COLUMNS = ("id", "work_id", "name", "voicing", "notes", "license_type", "file_size")
SHOWN = {"works": WORK_COLUMNS, "editions": EDITION_COLUMNS}


@dataclass(frozen=True)
class Scene:
    """A running site, the collective whose people ask, the one beside it, and the callers by role."""

    site: Site
    ours: Choir
    theirs: Choir
    callers: dict[str, Caller]
    held: dict[str, frozenset[str]]

    def grant(self, held: frozenset[str]) -> None:
        """Let `somebody` hold these permissions and no others."""
        self.held["somebody"] = held
        charter = replace(self.site.services.charter(self.ours.entry), roles={**CHOIR.roles, "somebody": held})
        self.site.services.charter = lambda _: charter  # type: ignore[method-assign]

    def fill(self, works: list[Row], editions: list[Row]) -> None:
        def write(tx: Any) -> None:
            tx.execute("DELETE FROM editions")
            tx.execute("DELETE FROM works")
            for table, rows in (("works", works), ("editions", editions)):
                for row in rows:
                    tx.insert(table, **{name: value for name, value in row.items() if not name.startswith("_")})

        self.site.vault_write(self.ours, write)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    site = make_site(tmp_path_factory.mktemp("model"), Clock())
    union = make_choir(site, "union", type="umbrella")
    ours, theirs = (make_sister(site, union, slug, f"owner@{slug}.example") for slug in ("aurora", "meretuul"))
    kept = [
        replace(
            known,
            masks=SEEN_BY_RIGHT.get(known.table, known.masks),
            hidden=known.hidden | {"created_at"} if known.table in SHOWN else known.hidden,
            fields={**known.fields, "id": Text()} if known.table == "editions" else known.fields,
        )
        for known in CHOIR.resources
    ]
    charter = replace(CHOIR, resources=tuple(kept))
    site.services.charter = lambda _: charter  # type: ignore[method-assign]
    door = site.guest("aurora")
    roles = ("member", "librarian", "somebody")
    callers = {"guest": door} | {role: door.with_token(site.api_token(ours, role)) for role in roles}
    held = {"guest": frozenset[str](), **{role: CHOIR.roles.get(role, frozenset[str]()) for role in roles}}
    yield Scene(site, ours, theirs, callers, held)
    site.services.close()


GRANTS = st.frozensets(st.sampled_from(["member", "scores:view", "desk:librarian", "scores:delete", "desk:admin"]))
WORDS = st.sampled_from(["a", "ab", "b", "B", "ä", "x y", "a,b", "5"])
MAYBE = st.none() | WORDS


@st.composite
def libraries(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Works of both collectives and their editions; `_ours` says whose."""
    works = [
        {
            "id": f"w{n}",
            "_ours": draw(st.booleans()),
            "title": draw(WORDS),
            "composer": draw(MAYBE),
            "lyricist": draw(MAYBE),
        }
        for n in range(draw(st.integers(0, 5)))
    ]
    editions = [
        {
            "id": f"e{n}",
            "work_id": draw(st.sampled_from(works))["id"],
            "name": draw(WORDS),
            "voicing": draw(MAYBE),
            "notes": draw(MAYBE),
            "license_type": draw(st.sampled_from(["owned", "licensed", "public_domain"])),
            "file_size": draw(st.none() | st.integers(1, 5)),
            "deleted_at": draw(st.sampled_from([None, None, NOW])),
        }
        for n in range(draw(st.integers(0, 6)) if works else 0)
    ]
    return works, editions


def visible(held: frozenset[str], works: list[Row], editions: list[Row]) -> dict[str, list[Row]]:
    """The rows that a caller with these permissions may see, as they see them."""
    own = {work["id"] for work in works if work["_ours"]}

    def edition_seen(edition: Row) -> bool:
        if "desk:librarian" in held:
            return True
        public = edition["license_type"] == "public_domain"
        return edition["deleted_at"] is None and ("scores:view" in held or public)

    free = {e["work_id"] for e in editions if e["license_type"] == "public_domain" and e["deleted_at"] is None}
    seen_works = [work for work in works if work["id"] in own and ("scores:view" in held or work["id"] in free)]
    return {
        "works": [{**work, "lyricist": work["lyricist"] if "desk:librarian" in held else None} for work in seen_works],
        "editions": [
            {**edition, "notes": edition["notes"] if edition["license_type"] == "owned" else None}
            for edition in editions
            if edition["work_id"] in own and edition_seen(edition)
        ],
    }


Truth = bool | None
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "like": lambda a, b: re.fullmatch(re.escape(b).replace(r"\*", ".*"), a) is not None,
    "ilike": lambda a, b: re.fullmatch(re.escape(b.casefold()).replace(r"\*", ".*"), a.casefold()) is not None,
    "match": lambda a, b: re.search(b, a) is not None,
}


@dataclass(frozen=True)
class Comparison:
    """One filter. operator: a key of COMPARE, in, is, isdistinct, or one of COMPARE's with any or all."""

    column: str
    operator: str
    value: Any
    negated: bool
    quantifier: str = ""

    @property
    def text(self) -> str:
        value = self.value
        if self.operator == "in":
            value = "(" + ",".join(f'"{part}"' for part in value) + ")"
        elif self.quantifier:
            value = "{" + ",".join(f'"{part}"' for part in value) + "}"
        operator = f"{self.operator}({self.quantifier})" if self.quantifier else self.operator
        return f"{'not.' if self.negated else ''}{operator}.{value}"

    def holds(self, row: Row) -> Truth:
        truth = self._plain(row[self.column])
        return truth if truth is None or not self.negated else not truth

    def _plain(self, found: Any) -> Truth:
        if self.operator == "is":
            return (found is None) == (self.value == "null")
        if self.operator == "isdistinct":
            return bool(found != self.value)
        if self.operator == "in":
            return None if found is None and self.value else found in self.value
        if found is None and not (self.quantifier and not self.value):
            return None
        compare = COMPARE[self.operator]
        if self.quantifier:
            results = [compare(found, value) for value in self.value]
            return any(results) if self.quantifier == "any" else all(results)
        return compare(found, self.value)


@dataclass(frozen=True)
class Tree:
    """Filters joined by and/or."""

    operator: str
    members: tuple["Tree | Comparison", ...]
    negated: bool

    @property
    def name(self) -> str:
        return f"{'not.' if self.negated else ''}{self.operator}"

    @property
    def text(self) -> str:
        return "(" + ",".join(_member(member) for member in self.members) + ")"

    def holds(self, row: Row) -> Truth:
        truths = [member.holds(row) for member in self.members]
        decisive = self.operator == "or"
        truth: Truth = decisive if decisive in truths else None if None in truths else not decisive
        return truth if truth is None or not self.negated else not truth


def _member(member: Tree | Comparison) -> str:
    if isinstance(member, Tree):
        return member.name + member.text
    if member.operator in ("in", "is") or member.quantifier:
        return f"{member.column}.{member.text}"
    negated = "not." * member.negated
    return f'{member.column}.{negated}{member.operator}."{member.value}"'


def comparisons(table: str) -> st.SearchStrategy[Comparison]:
    columns = st.sampled_from([name for name in SHOWN[table] if name not in ("org_id", "file_size", "work_id", "id")])
    simple = st.builds(
        Comparison,
        columns,
        st.sampled_from(["eq", "neq", "gt", "gte", "lt", "lte", "isdistinct"]),
        WORDS,
        st.booleans(),
    )
    pattern = st.builds(
        Comparison,
        columns,
        st.sampled_from(["like", "ilike"]),
        st.sampled_from(["a*", "*B", "*", "*x*"]),
        st.booleans(),
    )
    regex = st.builds(Comparison, columns, st.just("match"), st.sampled_from(["^a", "b$", "[ab]", "."]), st.booleans())
    several = st.builds(Comparison, columns, st.just("in"), st.lists(WORDS, max_size=3).map(tuple), st.booleans())
    identity = st.builds(Comparison, columns, st.just("is"), st.sampled_from(["null", "not_null"]), st.booleans())
    quantified = st.builds(
        Comparison,
        columns,
        st.sampled_from(["eq", "gt", "lte"]),
        st.lists(WORDS, max_size=3).map(tuple),
        st.booleans(),
        st.sampled_from(["any", "all"]),
    )
    return simple | pattern | regex | several | identity | quantified


def filters(table: str) -> st.SearchStrategy[list[Comparison | Tree]]:
    tree = st.recursive(
        comparisons(table),
        lambda inner: st.builds(
            Tree, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3).map(tuple), st.booleans()
        ),
        max_leaves=4,
    )
    return st.lists(tree, max_size=2)


def pairs(conditions: list[Comparison | Tree], prefix: str = "") -> list[tuple[str, str]]:
    return [(prefix + (c.name if isinstance(c, Tree) else c.column), c.text) for c in conditions]


def matching(rows: list[Row], conditions: list[Comparison | Tree]) -> list[Row]:
    return [row for row in rows if all(condition.holds(row) is True for condition in conditions)]


def ordered(rows: list[Row], column: str, descending: bool) -> list[Row]:
    """By a column, nulls as the greatest, then by id."""
    by_id = sorted(rows, key=lambda row: row["id"])
    return sorted(by_id, key=lambda row: (row[column] is None, row[column] or ""), reverse=descending)


def asked(caller: Caller, table: str, query: list[tuple[str, str]], **headers: str) -> Any:
    answer = caller.get(f"{table}?{urlencode(query)}", **headers)
    assert answer.status in (200, 206), answer.text
    return answer


COMMON = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@COMMON
@given(st.data(), libraries())
def test_rows_embeds_and_counts_are_those_of_the_visible_rows(
    scene: Scene, data: st.DataObject, library: tuple[list[Row], list[Row]]
) -> None:
    works, editions = library
    scene.fill(*stored(scene, library))
    scene.grant(data.draw(GRANTS))
    conditions, inside = data.draw(filters("works")), data.draw(filters("editions"))
    inner, presence = data.draw(st.booleans()), data.draw(st.sampled_from([None, "is.null", "not.is.null"]))
    column, descending = data.draw(st.sampled_from(["title", "composer", "lyricist"])), data.draw(st.booleans())
    limit, offset = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 2))
    direction = "desc" if descending else "asc"
    query = [
        ("select", f"id,title,composer,lyricist,editions{'!inner' * inner}(id,notes)"),
        ("order", f"{column}.{direction},id"),
        ("limit", str(limit)),
        ("offset", str(offset)),
        ("editions.order", "id"),
        *pairs(conditions),
        *pairs(inside, "editions."),
        *([("editions", presence)] if presence else []),
    ]
    for role, caller in scene.callers.items():
        seen = visible(scene.held[role], works, editions)
        related = {
            work["id"]: matching([e for e in seen["editions"] if e["work_id"] == work["id"]], inside) for work in works
        }
        rows = [
            row
            for row in matching(seen["works"], conditions)
            if (related[row["id"]] or not inner)
            and (presence is None or bool(related[row["id"]]) == (presence == "not.is.null"))
        ]
        page = ordered(rows, column, descending)[offset : offset + limit]
        expected = [
            {
                **{name: row[name] for name in ("id", "title", "composer", "lyricist")},
                "editions": [
                    {"id": e["id"], "notes": e["notes"]} for e in sorted(related[row["id"]], key=lambda e: e["id"])
                ],
            }
            for row in page
        ]
        answer = caller.get(f"works?{urlencode(query)}", prefer="count=exact")
        if offset > len(rows):
            assert (answer.status, error_of(answer)["code"]) == (416, "PGRST103")
            continue
        assert answer.json() == expected, (role, query)
        assert (answer.header("content-range") or "").endswith(f"/{len(rows)}")


def stored(scene: Scene, library: tuple[list[Row], list[Row]]) -> tuple[list[Row], list[Row]]:
    """The library with the collectives' ids."""
    works, editions = library
    scopes = {True: scene.ours.entry.scope, False: scene.theirs.entry.scope}
    return [{**work, "org_id": scopes[work["_ours"]]} for work in works], editions


@COMMON
@given(st.data(), libraries())
def test_groups_and_spreads_fold_only_the_visible_rows(
    scene: Scene, data: st.DataObject, library: tuple[list[Row], list[Row]]
) -> None:
    works, editions = library
    scene.fill(*stored(scene, library))
    scene.grant(data.draw(GRANTS))
    conditions = data.draw(filters("editions"))
    group = data.draw(st.sampled_from(["license_type", "notes", "voicing"]))
    query = [
        (
            "select",
            f"{group},n:count(),notes.count(),file_size.sum(),file_size.max(),...works(lyricist,c:composer.max())",
        ),
        *pairs(conditions),
    ]
    for role, caller in scene.callers.items():
        seen = visible(scene.held[role], works, editions)
        by_id = {work["id"]: work for work in seen["works"]}
        groups: dict[tuple[Any, Any], list[Row]] = {}
        for row in matching(seen["editions"], conditions):
            work = by_id.get(row["work_id"], {})
            groups.setdefault((row[group], work.get("lyricist")), []).append({**row, "_composer": work.get("composer")})
        expected = []
        for (value, lyricist), rows in groups.items():
            sizes = [row["file_size"] for row in rows if row["file_size"] is not None]
            composers = [row["_composer"] for row in rows if row["_composer"] is not None]
            expected.append(
                {
                    group: value,
                    "n": len(rows),
                    "count": sum(row["notes"] is not None for row in rows),
                    "sum": sum(sizes) if sizes else None,
                    "max": max(sizes, default=None),
                    "lyricist": lyricist,
                    "c": max(composers, default=None),
                }
            )
        found = asked(caller, "editions", query).json()
        assert sorted(map(_sorted_text, found)) == sorted(map(_sorted_text, expected)), (role, query)


def _sorted_text(row: Row) -> str:
    return json.dumps(row, sort_keys=True)


@COMMON
@given(st.data(), libraries())
def test_a_write_touches_only_visible_rows_that_match(
    scene: Scene, data: st.DataObject, library: tuple[list[Row], list[Row]]
) -> None:
    works, editions = library
    scene.fill(*stored(scene, library))
    scene.grant(data.draw(GRANTS))
    conditions = [*data.draw(filters("works")), Comparison("id", "is", "not_null", False)]
    method = data.draw(st.sampled_from(["PATCH", "DELETE"]))
    wish = "tx=rollback,return=representation,count=exact"
    path = f"{REST}/works?{urlencode([*pairs(conditions), ('select', 'id,composer'), ('order', 'id')])}"
    for role, caller in scene.callers.items():
        answer = caller.send(method, path, {"composer": "new"}, prefer=wish)
        if ("desk:librarian" if method == "PATCH" else "scores:delete") not in scene.held[role]:
            assert error_of(answer)["code"] == "42501"
            continue
        rows = matching(visible(scene.held[role], works, editions)["works"], conditions)
        changed = "new" if method == "PATCH" else None
        expected = [{"id": row["id"], "composer": changed or row["composer"]} for row in rows]
        assert answer.json() == sorted(expected, key=lambda row: row["id"]), (role, path)
        assert answer.header("content-range") == f"0-{len(rows) - 1}/{len(rows)}" if rows else "*/0"


@COMMON
@given(st.data(), libraries())
def test_an_upsert_changes_only_rows_the_caller_sees_and_may_change(
    scene: Scene, data: st.DataObject, library: tuple[list[Row], list[Row]]
) -> None:
    works, editions = library
    scene.fill(*stored(scene, library))
    scene.grant(data.draw(GRANTS))
    resolution = data.draw(st.sampled_from(["merge-duplicates", "ignore-duplicates"]))
    wanted = data.draw(st.lists(st.sampled_from([*[row["id"] for row in editions], "e9"]), max_size=3, unique=True))
    parent = data.draw(st.sampled_from(works))["id"] if works else "w0"
    known = {row["id"]: row for row in editions}
    body = [{"work_id": known[n]["work_id"] if n in known else parent, "name": "new", "id": n} for n in wanted]
    for role, caller in scene.callers.items():
        # The server makes ids: this charter lets clients choose them, or there would be nothing to merge with.
        wish = f"tx=rollback,return=representation,resolution={resolution}"
        answer = caller.send("POST", f"{REST}/editions?select=id,name", body, prefer=wish)
        if "desk:librarian" not in scene.held[role]:
            assert error_of(answer)["code"] == "42501"
            continue
        own = {work["id"] for work in works if work["_ours"]}
        outside = [row for row in body if row["work_id"] not in own]
        met = [row for row in body if row["id"] in known]
        if any(row not in met or resolution == "merge-duplicates" for row in outside):
            assert answer.status in (403, 404), (role, body, answer.text)
            continue
        shown = [row for row in body if resolution == "merge-duplicates" or row not in met]
        assert [row["id"] for row in answer.json()] == [row["id"] for row in shown], (role, body)


SECRET = "zebrafish"
NAMES = st.sampled_from(
    ["title", "lyricist", "created_at", "nothing", "editions", "members", "id", "count", "a->b", "*"]
)
OPERATORS = st.sampled_from(
    ["eq", "is", "in", "cs", "fts", "match", "sl", "like(any)", "not.eq", "gt", "zz", "adj", "imatch"]
)
VALUES = st.sampled_from(["x", "null", "(a)", "{a}", "[1,2)", "(", "%", '{"a":1}', "", "a & b", "9" * 30])
ITEMS = st.lists(
    st.tuples(NAMES, st.sampled_from(["", "::int", ".sum()", "(id)", "!inner(*)", "->x", "::zz", "()"])).map("".join)
    | st.sampled_from(
        ["...editions(name)", "editions(count)", "count()", "...editions(works(title))", "x:title.max()"]
    ),
    min_size=1,
    max_size=3,
).map(",".join)


@settings(COMMON, max_examples=120)
@given(
    st.lists(st.tuples(NAMES, st.tuples(OPERATORS, VALUES).map(".".join)), max_size=2),
    ITEMS,
    NAMES,
    st.sampled_from(
        ["application/json", "text/csv", "application/vnd.pgrst.object+json", "application/vnd.pgrst.plan+json"]
    ),
    st.sampled_from(["count=exact", "count=planned", "count=estimated", "handling=strict"]),
)
def test_no_request_fails_on_our_side_or_tells_of_rows_out_of_sight(
    scene: Scene, given_filters: list[tuple[str, str]], select: str, order: str, accept: str, prefer: str
) -> None:
    theirs = {"id": "t", "org_id": scene.theirs.entry.scope, "title": f"{SECRET} title", "lyricist": f"{SECRET} words"}
    ours = {"id": "o", "org_id": scene.ours.entry.scope, "title": f"{SECRET} own"}
    scene.fill([theirs, ours], [{"id": "e", "work_id": "t", "name": f"{SECRET} name", "license_type": "public_domain"}])
    query = urlencode([("select", select), ("order", order), *given_filters])
    answer = scene.callers["guest"].get(f"works?{query}", accept=accept, prefer=prefer)
    assert answer.status < 500, answer.text
    assert SECRET not in answer.text + str(answer.headers)
    assert "created_at" not in answer.text or answer.status >= 400
