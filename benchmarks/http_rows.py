"""The rows that every server of the HTTP benchmark answers from, and the plain SQL of the references."""

import json
import sqlite3
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WORKS = 200
EDITIONS = 2
LISTED = 50
ORG_ID = "0198c6a0-0000-7000-8000-000000000000"
CREATED_AT = "2026-05-01T19:00:00.000Z"

# The tables of a choir's library as the vault has them, without their rules, and with the indexes that serve here.
SCHEMA = """
CREATE TABLE works (
  id TEXT PRIMARY KEY NOT NULL, org_id TEXT NOT NULL, title TEXT NOT NULL, composer TEXT, lyricist TEXT,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_works_title ON works (title);
CREATE INDEX idx_works_composer ON works (composer);
CREATE INDEX idx_works_org_id ON works (org_id);
CREATE TABLE editions (
  id TEXT PRIMARY KEY NOT NULL, work_id TEXT NOT NULL REFERENCES works (id), name TEXT NOT NULL,
  edition_type TEXT NOT NULL, created_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_editions_work_id ON editions (work_id);
"""
ONE_SQL = "SELECT id, org_id, title, composer, lyricist, created_at FROM works WHERE id = ?"
ADD_SQL = "INSERT INTO works VALUES (?, ?, ?, ?, ?, ?) RETURNING *"
LIST_SQL = """
SELECT w.id, w.title, w.composer, e.id AS edition_id, e.name, e.edition_type
  FROM (SELECT id, title, composer FROM works ORDER BY title LIMIT ?) AS w
  LEFT JOIN editions AS e ON e.work_id = w.id
 ORDER BY w.title, w.id
"""


def nested(rows: Iterable[sqlite3.Row]) -> list[dict[str, Any]]:
    """The joined rows as works that hold their editions."""
    works: dict[str, dict[str, Any]] = {}
    for row in rows:
        work = works.get(row["id"])
        if work is None:
            work = {"id": row["id"], "title": row["title"], "composer": row["composer"], "editions": []}
            works[row["id"]] = work
        if row["edition_id"] is not None:
            edition = {"id": row["edition_id"], "name": row["name"], "edition_type": row["edition_type"]}
            work["editions"].append(edition)
    return list(works.values())


def new_id() -> str:
    """An id as an application makes them."""
    return str(uuid.uuid4())


def work(number: int) -> dict[str, str]:
    """What a client sends of one work."""
    return {"title": f"Work {number:04d}, a motet for double choir", "composer": f"Composer {number % 40}"}


def edition(number: int, place: int) -> dict[str, str]:
    """What a client sends of one edition, besides the work it is of."""
    return {"name": f"Edition {place} of work {number}", "edition_type": "vocal_score"}


def new_work(number: int) -> bytes:
    """The body of the request that adds one."""
    return json.dumps(work(number + 10_000)).encode()


def make_file(path: Path) -> list[str]:
    """A database with the rows; the ids of the works."""
    database = sqlite3.connect(path)
    database.executescript(SCHEMA)
    ids = [new_id() for _ in range(WORKS)]
    for number, id_ in enumerate(ids):
        sent = work(number)
        values = (id_, ORG_ID, sent["title"], sent["composer"], None, CREATED_AT)
        database.execute("INSERT INTO works VALUES (?, ?, ?, ?, ?, ?)", values)
        for place in range(EDITIONS):
            name, kind = edition(number, place).values()
            database.execute("INSERT INTO editions VALUES (?, ?, ?, ?, ?)", (new_id(), id_, name, kind, CREATED_AT))
    database.commit()
    database.close()
    return ids


def statements_of(file: Path) -> list[str]:
    """The file as SQL that makes it; what others refer to comes first."""
    source = sqlite3.connect(file)
    rows = [line for line in source.iterdump() if line.startswith("INSERT")]
    source.close()
    return [*SCHEMA.split(";")[:-1], *sorted(rows, key=lambda line: '"editions"' in line)]
