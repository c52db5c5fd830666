"""The audit log beside full-text tables: rows are noted, the index made of them is not, and both can be written."""

from pathlib import Path

import pytest

from db.stores.directory import DirectoryStore
from db.vault.vault import Vault
from tests.engine.audit_entries import SHELVES, Entry, run, written_by
from tests.engine.desk import ACTOR, START_MS, Clock, new_desk

INDEX = "CREATE VIRTUAL TABLE shelf_words USING fts5(name, content = 'shelves', content_rowid = 'id')"
FOLLOW = """
CREATE TRIGGER shelves_indexed AFTER INSERT ON shelves
BEGIN INSERT INTO shelf_words(rowid, name) VALUES (NEW.id, NEW.name); END
"""
NOTES = "CREATE VIRTUAL TABLE words USING fts5(body)"


@pytest.fixture
def vault(folder: DirectoryStore, tmp_path: Path):
    opened = new_desk(folder, tmp_path / "cache", Clock(START_MS))
    yield opened
    opened.close()


def indexed(vault: Vault) -> Vault:
    def build(connection) -> bool:
        connection.execute(INDEX)
        connection.execute(FOLLOW)
        return True

    vault.alter(build)
    return vault


def found(vault: Vault, word: str) -> list[int]:
    matches = "SELECT rowid FROM shelf_words WHERE shelf_words MATCH :word ORDER BY rowid"
    return [row[0] for row in vault.read(lambda tx: tx.rows(matches, word=word)).value]


def test_a_row_with_an_index_beside_it_is_noted_once_and_found(vault: Vault) -> None:
    entries = written_by(indexed(vault), run(SHELVES))
    assert [(entry.table, entry.key) for entry in entries] == [("shelves", [1]), ("shelves", [2])]
    assert (found(vault, "top"), found(vault, "low"), found(vault, "none")) == ([1], [2], [])


def test_a_full_text_table_can_be_made_in_a_work_and_what_it_holds_is_noted(vault: Vault) -> None:
    assert written_by(vault, run(NOTES, "INSERT INTO words (body) VALUES ('one')")) == [
        Entry("insert", "words_content", [1], None, {"id": 1, "c0": "one"})
    ]
    entries = written_by(vault, run("UPDATE words SET body = 'two'", "DELETE FROM words"))
    assert [(entry.operation, entry.table) for entry in entries] == [
        ("delete", "words_content"),
        ("insert", "words_content"),
        ("delete", "words_content"),
    ]


def test_a_work_that_fails_after_making_one_leaves_it_to_be_made_again(vault: Vault) -> None:
    with pytest.raises(Exception, match="no such table: nowhere"):
        vault.write(run(NOTES, "INSERT INTO words (body) VALUES ('one')", "DELETE FROM nowhere"), ACTOR)
    entries = written_by(vault, run(NOTES, "INSERT INTO words (body) VALUES ('two')"))
    assert [entry.new for entry in entries] == [{"id": 1, "c0": "two"}]
