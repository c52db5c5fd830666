"""A small music library behind REST: the tables, their declarations, callers and one-line requests for the tests."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest

from db.clock import Moment, timestamp_ms
from db.errors import Conflict, VaultError
from db.fields import Choice, Flag, Instant, Integer, JsonObject, ListOf, Text
from db.principal import Principal, guest
from db.resources import Policy, Resource, SearchIndex, Values
from db.rest.limits import LIMITS, Limits
from db.rest.request import ReadRequest, parse_request
from db.rest.run import RestAnswer, read
from db.rest.run import write as run_write
from db.schema.schema import Schema, read_schema
from db.sql_functions import register_functions
from db.transaction import Row, WriteTx

TABLES = """
CREATE TABLE works (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, title TEXT NOT NULL, composer TEXT, pages INTEGER, weight REAL,
    public INTEGER NOT NULL DEFAULT 0 CHECK (public IN (0, 1)), note TEXT, secret TEXT, contact TEXT, labels TEXT,
    kind TEXT NOT NULL DEFAULT 'score', updated_at TEXT, UNIQUE (org, title)
) STRICT;
CREATE INDEX works_by_org_and_pages ON works(org, pages);
CREATE TABLE editions (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, name TEXT, year INTEGER,
    work_id TEXT NOT NULL REFERENCES works(id) ON DELETE CASCADE
) STRICT;
CREATE INDEX editions_by_work ON editions(work_id);
CREATE TABLE covers (
    work_id TEXT PRIMARY KEY REFERENCES works(id) ON DELETE CASCADE, image BLOB
) STRICT;
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE work_tags (
    work_id TEXT NOT NULL REFERENCES works(id), tag_id INTEGER NOT NULL REFERENCES tags(id), org TEXT NOT NULL,
    PRIMARY KEY (work_id, tag_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE members (id TEXT PRIMARY KEY, name TEXT NOT NULL, mentor_id TEXT REFERENCES members(id)) STRICT;
CREATE TABLE loans (
    id TEXT PRIMARY KEY, work_id TEXT REFERENCES works(id), member_id TEXT REFERENCES members(id),
    lender_id TEXT REFERENCES members(id)
) STRICT;
CREATE TABLE papers (
    id INTEGER PRIMARY KEY, org TEXT NOT NULL, title TEXT, body TEXT, data TEXT, tags TEXT, span TEXT,
    size INTEGER, price REAL, work_id TEXT REFERENCES works(id)
) STRICT;
CREATE VIRTUAL TABLE papers_fts USING fts5(title, body, content = 'papers', content_rowid = 'id');
CREATE TRIGGER papers_indexed AFTER INSERT ON papers
BEGIN INSERT INTO papers_fts(rowid, title, body) VALUES (NEW.id, NEW.title, NEW.body); END;
CREATE TABLE notices (id TEXT PRIMARY KEY, org TEXT, title TEXT) STRICT;
CREATE VIRTUAL TABLE notices_fts USING fts5(notice_id UNINDEXED, title);
CREATE TRIGGER notices_indexed AFTER INSERT ON notices
BEGIN INSERT INTO notices_fts(notice_id, title) VALUES (NEW.id, NEW.title); END;
CREATE TABLE accounts (id TEXT PRIMARY KEY, password TEXT) STRICT;
CREATE TRIGGER works_stay BEFORE DELETE ON works WHEN OLD.title = 'Anchored'
BEGIN SELECT RAISE(ABORT, 'work_anchored: the work is anchored'); END;
"""

REPRESENTATION = {"prefer": "return=representation"}
SINGULAR = "application/vnd.pgrst.object+json"
NOW = Moment(timestamp_ms("2026-05-01T19:00:00Z"))
HERE = "org = :scope"


def refuse_cursed_titles(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    if new.get("title") == "Cursed":
        raise Conflict("a cursed title", code="cursed_title")
    if old is not None and old["contact"] == "frozen":
        raise Conflict("the contact is frozen", code="contact_frozen")


WORKS = Resource(
    "works",
    read=(Policy("works:read", HERE), Policy(None, f"{HERE} AND public = 1")),
    insert=(Policy("works:write", f"{HERE} AND coalesce(pages, 0) < 1000"),),
    update=(Policy("works:write", f"{HERE} AND coalesce(pages, 0) < 1000"),),
    delete=(Policy("works:delete", HERE),),
    fields={
        "id": Text(),
        "title": Text(required=True),
        "composer": Text(),
        "pages": Integer(minimum=0),
        "public": Flag(),
        "note": Text(),
        "secret": Text(),
        "contact": Text(),
        "labels": ListOf(Text()),
        "kind": Choice(("score", "part")),
        "updated_at": Instant(),
    },
    supplied={
        "id": lambda principal, now: now.new_id(),
        "org": lambda principal, now: principal.scope,
        "kind": lambda principal, now: "score",
        "public": lambda principal, now: 0,
    },
    touched={"updated_at": lambda principal, now: now.text},
    fixed=frozenset({"id", "kind"}),
    masks={"note": (Policy("works:notes", "1"),)},
    hidden=frozenset({"secret"}),
    personal=frozenset({"contact"}),
    check=refuse_cursed_titles,
)
_ALL = (Policy(None, "1"),)
RESOURCES = {
    resource.table: resource
    for resource in (
        WORKS,
        Resource(
            "editions",
            read=(
                Policy("works:read", HERE),
                Policy(
                    None, "EXISTS (SELECT 1 FROM main.works w WHERE w.id = work_id AND w.org = :scope AND w.public = 1)"
                ),
            ),
        ),
        Resource("covers", read=_ALL),
        Resource(
            "tags",
            read=_ALL,
            insert=(Policy("works:write", "1"),),
            update=(Policy("works:write", "1"),),
            delete=(Policy("works:write", "1"),),
            fields={"id": Integer(), "name": Text(required=True)},
        ),
        Resource(
            "work_tags",
            read=(Policy(None, HERE),),
            insert=(Policy("works:write", HERE),),
            delete=(Policy("works:write", HERE),),
            fields={"work_id": Text(required=True), "tag_id": Integer(required=True)},
            supplied={"org": lambda principal, now: principal.scope},
        ),
        Resource("members", read=(Policy("members:read", "1"), Policy(None, "id = :principal_id"))),
        Resource("loans", read=_ALL),
        Resource(
            "papers",
            read=(Policy("works:read", HERE),),
            insert=(Policy("works:write", HERE),),
            fields={"title": Text(), "body": Text(), "data": JsonObject(), "size": Integer(), "tags": ListOf(Text())},
            supplied={"org": lambda principal, now: principal.scope},
            masks={"body": (Policy("works:notes", "1"),)},
            json=frozenset({"data"}),
            search={"title": SearchIndex("papers_fts"), "body": SearchIndex("papers_fts")},
        ),
        Resource(
            "notices",
            read=(Policy("works:read", HERE),),
            search={"title": SearchIndex("notices_fts", key="notice_id")},
        ),
    )
}

READER = Principal("anna", "person", "one", frozenset({"works:read", "members:read"}), "anna")
LIBRARIAN = Principal(
    "berta", "person", "one", frozenset({"works:read", "works:write", "works:delete", "works:notes"}), "berta"
)
GUEST = guest("one")


def personal_seal(label: str, value: str | None) -> str | None:
    return None if value is None else f"{label}:{value[::-1]}"


def personal_open(label: str, value: str | None) -> str | None:
    if value is None:
        return None
    prefix = f"{label}:"
    assert value.startswith(prefix)
    return value[len(prefix) :][::-1]


@dataclass
class Library:
    """One vault's worth of tables in memory."""

    tx: WriteTx
    schema: Schema
    connection: sqlite3.Connection

    def add(self, table: str, *rows: dict[str, Any]) -> "Library":
        for row in rows:
            names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
            self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)
        return self

    def work(self, title: str, **values: Any) -> str:
        self.add("works", {"id": title.lower(), "org": "one", "title": title} | values)
        return title.lower()

    def edition(self, work: str, name: str, **values: Any) -> None:
        self.add("editions", {"id": f"{work}/{name}", "org": "one", "work_id": work, "name": name} | values)

    def paper(self, number: int, **values: Any) -> None:
        """A paper; values that are lists or objects are stored as JSON."""
        stored = {k: json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v for k, v in values.items()}
        self.add("papers", {"id": number, "org": "one"} | stored)

    def found(self, *query: tuple[str, str], who: Principal = READER) -> list[int]:
        """Ids of the papers that the query finds, in order."""
        return [row["id"] for row in self.get("papers", ("select", "id"), ("order", "id"), *query, who=who)]

    def get(self, table: str, *query: tuple[str, str], who: Principal = READER, **headers: str) -> Any:
        return json.loads(self.ask("GET", table, *query, who=who, **headers).body)

    def ask(
        self,
        method: str,
        table: str,
        *query: tuple[str, str],
        who: Principal = READER,
        body: Any = None,
        limits: Limits = LIMITS,
        **headers: str,
    ) -> RestAnswer:
        """body: bytes as they are, anything else as JSON."""
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = parse_request(method, table, query, pairs, text, limits)
        if isinstance(request, ReadRequest):
            return read(self.tx, who, RESOURCES, self.schema, request, NOW, limits)
        return run_write(self.tx, who, RESOURCES, self.schema, request, NOW, limits)

    def stored(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(sql)]


def open_library() -> Library:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(TABLES)
    register_functions(connection, None)
    connection.create_function("personal_seal", 2, personal_seal)
    connection.create_function("personal_open", 2, personal_open, deterministic=True)
    return Library(WriteTx(connection), read_schema(connection), connection)


def shelf(library: Library) -> Library:
    """Three works that differ in every column that can be filtered."""
    library.work("Ave", pages=5, composer="Õunapuu", weight=1.5, public=1)
    library.work("Bolero", pages=40, composer="ravel")
    library.work("Cantata", pages=None, composer=None)
    return library


def titles(rows: list[dict[str, object]]) -> list[object]:
    return [row["title"] for row in rows]


def code_of(library: Library, *query: tuple[str, str], table: str = "works") -> str:
    with pytest.raises(VaultError) as caught:
        library.get(table, *query)
    return caught.value.code


def write(library: Library, method: str, table: str, *query: tuple[str, str], body: Any = None, **headers: str) -> Any:
    """What the librarian is shown of the rows written."""
    answer = library.ask(method, table, *query, who=LIBRARIAN, body=body, **(REPRESENTATION | headers))
    return json.loads(answer.body)
