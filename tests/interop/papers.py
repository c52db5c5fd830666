"""A choir with tables of every kind a filter is for: numbers, lists, objects, ranges, full text; and two verbs."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from db.clock import system_moment
from db.fields import Integer, JsonObject, ListOf, Text
from db.resources import Policy, Resource, SearchIndex
from domain.charter import Verb
from domain.choir.charter import CHOIR
from tests.handlers.http.site import Choir, Site, make_choir, make_site
from tests.interop.served import OWNER

_TABLES = (
    "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT",
    """CREATE TABLE papers (
        id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, pages INTEGER, tags TEXT, data TEXT, span TEXT,
        kind TEXT NOT NULL DEFAULT 'score', author_id INTEGER REFERENCES authors(id)
    ) STRICT""",
    "CREATE VIRTUAL TABLE papers_fts USING fts5(title, content = 'papers', content_rowid = 'id')",
    """CREATE TRIGGER papers_indexed AFTER INSERT ON papers
       BEGIN INSERT INTO papers_fts(rowid, title) VALUES (NEW.id, NEW.title); END""",
)
_FIELDS = {
    "id": Integer(),
    "title": Text(),
    "pages": Integer(),
    "tags": ListOf(Text()),
    "data": JsonObject(),
    "span": Text(),
    "kind": Text(),
    "author_id": Integer(),
}
_EVERYBODY, _MEMBERS = (Policy(None, "1"),), (Policy("member", "1"),)
_RESOURCES = (
    Resource("authors", read=_EVERYBODY, insert=_MEMBERS, fields={"id": Integer(), "name": Text()}),
    Resource(
        "papers",
        read=_EVERYBODY,
        insert=_MEMBERS,
        update=_MEMBERS,
        delete=_MEMBERS,
        fields=_FIELDS,
        supplied={"kind": lambda principal, now: "score"},
        search={"title": SearchIndex("papers_fts")},
    ),
)
PAPERS: Sequence[dict[str, Any]] = (
    {"id": 1, "title": "Ave Maria", "pages": 4, "tags": ["a", "b"], "data": {"n": 1}, "span": "[1,5)", "author_id": 1},
    {"id": 2, "title": "Locus iste", "pages": 8, "tags": ["b"], "data": {"n": 2, "m": 0}, "span": "[5,9)"},
    {"id": 3, "title": "Os justi", "pages": None, "tags": [], "data": None, "span": "[20,30)", "author_id": 1},
)


def open_papers(folder: Path, **settings: str) -> tuple[Site, Choir]:
    """A site that has them, empty of papers, with query plans shown. settings: as for `make_site`."""
    site = make_site(folder, system_moment, **{"rest_plans": "on", **settings})
    choir = make_choir(site, "aurora", owner=OWNER)

    def build(connection: sqlite3.Connection) -> bool:
        for statement in _TABLES:
            connection.execute(statement)
        return True

    with site.services.vault(choir.entry) as vault:
        vault.alter(build)
    found = Verb("papers.echo", lambda tx, who, args, now: [args], False, "The arguments.", (), _ECHOED)
    count = Verb("papers.count", _count, True, "How many papers there are.", ("member",))
    charter = replace(CHOIR, resources=(*CHOIR.resources, *_RESOURCES), verbs=(*CHOIR.verbs, found, count))
    site.services.charter = lambda _: charter  # type: ignore[method-assign]
    return site, choir


_ECHOED = {"names": ListOf(Text()), "size": Integer()}


def _count(tx: Any, who: Any, args: Any, now: Any) -> int:
    return int(tx.value("SELECT count(*) FROM papers"))
