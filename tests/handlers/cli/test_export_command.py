"""`vaultry export`: a file anybody's SQLite opens."""

import sqlite3
from contextlib import closing

from db.personal import destroy_data_key
from db.transaction import Actor

EMAIL = "SELECT email_id FROM members"


def query(path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_file_is_a_plain_database_with_personal_columns_opened(choir):
    choir.ok("export", "bella", "bella.sqlite")
    path = choir.folder / "bella.sqlite"
    assert query(path, EMAIL) == [("anna@bella.example",)]
    assert query(path, "PRAGMA journal_mode") == [("delete",)]
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert query(path, "SELECT count(*) > 0 FROM vaultry_audit") == [(1,)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in choir.folder.iterdir() if found.name != "data"] == ["bella.sqlite"]


def test_sealed_columns_stay_as_they_are_in_the_vault(choir):
    choir.ok("export", "bella", "bella.sqlite", "--sealed")
    assert query(choir.folder / "bella.sqlite", EMAIL)[0][0].startswith("p1:")


def test_a_trigger_that_keeps_a_column_from_changing_is_still_there_afterwards(choir, alter):
    kept = "CREATE TRIGGER kept BEFORE UPDATE OF email_id ON members BEGIN SELECT RAISE(ABORT, 'kept: no change'); END"
    alter("bella", kept)
    choir.ok("export", "bella", "bella.sqlite")
    assert query(choir.folder / "bella.sqlite", EMAIL) == [("anna@bella.example",)]
    assert query(choir.folder / "bella.sqlite", "SELECT 1 FROM sqlite_schema WHERE name = 'kept'") == [(1,)]


def test_an_earlier_state_can_be_exported(choir):
    before = choir.ok("bookmark", "bella").strip()
    choir.write("UPDATE members SET nickname = 'Annie'")
    done = choir.json("export", "bella", "bella.sqlite", "--at", before)
    assert done["bookmark"] == before
    assert query(choir.folder / "bella.sqlite", "SELECT nickname FROM members") == [(None,)]


def test_what_was_erased_stays_erased_in_an_earlier_state_too(choir, open_services):
    before = choir.ok("bookmark", "bella").strip()
    services = open_services()
    now = services.clock()
    with services.vault(services.entry("bella")) as vault:
        vault.write(lambda tx: destroy_data_key(tx, now), Actor("test", "job", "", "test"), now)
    choir.ok("export", "bella", "bella.sqlite", "--at", before)
    assert query(choir.folder / "bella.sqlite", EMAIL) == [(None,)]


def test_no_free_page_keeps_what_was_deleted(choir, open_services):
    services = open_services()
    with services.vault(services.entry("bella")) as vault:
        vault.alter(lambda writer: bool(writer.execute("CREATE TABLE extra AS SELECT randomblob(40000) AS x")))
        vault.alter(lambda writer: bool(writer.execute("DROP TABLE extra")))
        assert vault.read_raw(lambda reader, _: reader.execute("PRAGMA freelist_count").fetchone()[0]).value > 5
    choir.ok("export", "bella", "bella.sqlite")
    assert query(choir.folder / "bella.sqlite", "PRAGMA freelist_count") == [(0,)]


def test_a_file_that_is_there_is_overwritten_only_when_told_to(choir):
    path = choir.folder / "bella.sqlite"
    path.write_text("mine")
    refusal = choir.refused("export", "bella", "bella.sqlite")
    assert "(file_exists)" in refusal
    assert path.read_text() == "mine"
    choir.ok("export", "bella", "bella.sqlite", "--force")
    assert query(path, EMAIL) == [("anna@bella.example",)]


def test_a_folder_that_is_not_there_is_named(choir):
    assert "cannot write nowhere/bella.sqlite" in choir.refused("export", "bella", "nowhere/bella.sqlite")
