"""Exports over the D1 face: of one committed state, whatever is written meanwhile, and importable again."""

import sqlite3

import pytest

from db.clock import system_moment
from tests.handlers.d1.desk import make_desk
from tests.handlers.d1.transfers import ORIGIN, begin_export, fetch, run_export, run_import

SCRIPT = r"""
CREATE TABLE songs (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT UNIQUE, seconds REAL, cover BLOB,
                    shown AS (title || '.'));
CREATE TABLE sung (song INTEGER REFERENCES songs (id), at TEXT);
CREATE VIRTUAL TABLE found USING fts5(title, content = 'songs', content_rowid = 'id');
CREATE TRIGGER added AFTER INSERT ON songs BEGIN INSERT INTO found (rowid, title) VALUES (new.id, new.title); END;
CREATE INDEX sung_song ON sung (song);
CREATE VIEW longest AS SELECT max(seconds) AS s FROM songs;
INSERT INTO songs (title, seconds, cover) VALUES ('Ave', 0.1, X'00ff'), ('it''s; ok', 1e300, NULL);
INSERT INTO songs (id, title) VALUES (9007199254740993, 'far');
INSERT INTO sung VALUES (1, 'today');
"""


@pytest.fixture
def desk(tmp_path):
    desk = make_desk(tmp_path, system_moment)
    desk.create()
    desk.query("shop", SCRIPT)
    yield desk
    desk.site.services.close()


def content(desk, database: str) -> list[object]:
    asked = ("SELECT * FROM songs ORDER BY id", "SELECT * FROM sung", "SELECT rowid FROM found('far')",
             "SELECT * FROM longest", "SELECT * FROM sqlite_sequence",
             "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")  # fmt: skip
    return [desk.query(database, sql) for sql in asked]


def test_an_export_is_imported_into_a_new_database_and_is_the_same(desk):
    text = fetch(desk, run_export(desk, "shop"))
    desk.create("copy")
    assert run_import(desk, "copy", text)["status"] == "complete"
    assert content(desk, "copy") == content(desk, "shop")
    assert fetch(desk, run_export(desk, "copy")) == text


def test_an_export_has_no_table_of_the_engines(desk):
    text = fetch(desk, run_export(desk, "shop")).decode()
    assert "CREATE TABLE vaultry" not in text
    assert 'INSERT INTO "vaultry' not in text
    assert "principals" not in text
    assert "Left out" in text


def test_an_export_is_of_the_state_it_began_at(desk):
    told = begin_export(desk, "shop")
    desk.query("shop", "INSERT INTO songs (title) VALUES ('later')")
    while told["status"] == "active":
        told = desk.done("POST", "/shop/export", {"output_format": "polling", "current_bookmark": told["at_bookmark"]})
    assert b"later" not in fetch(desk, told)
    assert b"later" in fetch(desk, run_export(desk, "shop"))


def test_what_is_wanted_of_it_can_be_chosen(desk):
    assert b'INSERT INTO "songs"' not in fetch(desk, run_export(desk, "shop", no_data=True))
    assert b"CREATE" not in fetch(desk, run_export(desk, "shop", no_schema=True))
    some = fetch(desk, run_export(desk, "shop", tables=["sung"]))
    assert b"CREATE TABLE sung" in some
    assert b"songs (" not in some.replace(b"REFERENCES songs (id)", b"")
    unknown = run_export(desk, "shop", tables=["nothing"])
    assert (unknown["status"], unknown["error"]) == (
        "error",
        "Invalid property: dump_options.tables => no table 'nothing'",
    )
    for options in ({"no_data": True, "no_schema": True}, {"tables": "songs"}, {"format": "csv"}):
        body = {"output_format": "polling", "dump_options": options}
        desk.refused(400, 7400, "POST", "/shop/export", body)
    desk.refused(400, 7400, "POST", "/shop/export", {"output_format": "file"})


def test_the_plain_file_can_be_had(desk, tmp_path):
    body = fetch(desk, run_export(desk, "shop", format="sqlite"))
    path = tmp_path / "plain.sqlite"
    path.write_bytes(body)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT title FROM songs WHERE id = 1").fetchone() == ("Ave",)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_the_address_of_an_export_is_good_for_an_hour(tmp_path):
    desk = make_desk(tmp_path)
    desk.create()
    done = run_export(desk, "shop")
    where = done["result"]["signed_url"].removeprefix(ORIGIN)
    client = desk.site.client
    assert client.request("HEAD", where).status == 200
    desk.site.clock.tick(3599)
    assert client.request("GET", where).status == 200
    desk.site.clock.tick(1)
    assert client.request("GET", where).status == 410
    again = desk.done("POST", "/shop/export", {"output_format": "polling", "current_bookmark": done["at_bookmark"]})
    assert fetch(desk, again)
    for query in ("", "?token=x"):
        assert client.request("GET", where.partition("?")[0] + query).status == 403
    desk.site.services.close()


def test_nothing_is_exported_that_was_not_asked_for(desk):
    bookmark = desk.done("GET", "/shop/time_travel/bookmark")["bookmark"]
    told = desk.done("POST", "/shop/export", {"output_format": "polling", "current_bookmark": bookmark})
    assert (told["success"], told["messages"]) == (False, [])


def test_figures_of_what_was_written_are_told(desk):
    shop = desk.done("GET", "/shop")["uuid"]
    question = {
        "query": "query q { viewer { accounts { d1AnalyticsAdaptiveGroups { sum { rowsWritten } } } } }",
        "variables": {"accountTag": "vaultry", "filter": {"AND": [{"databaseId": shop}]}},
    }
    answer = desk.send("POST", "/client/v4/graphql", question).json()
    [account] = answer["data"]["viewer"]["accounts"]
    written = sum(group["sum"]["rowsWritten"] for group in account["d1AnalyticsAdaptiveGroups"])
    rows = desk.query("shop", "SELECT count(*) AS n FROM vaultry_audit")[0]["n"]
    assert written == rows > 4
    assert sum(group["sum"]["writeQueries"] for group in account["d1AnalyticsAdaptiveGroups"]) == 1
    assert account["d1QueriesAdaptiveGroups"] == []
    desk.refused(404, 7404, "POST", "/client/v4/graphql", {**question, "variables": {
        "accountTag": "vaultry", "filter": {"AND": [{"databaseId": "nothing"}]}}})  # fmt: skip
    desk.refused(400, 7400, "POST", "/client/v4/graphql", {"query": "{ viewer }"})
