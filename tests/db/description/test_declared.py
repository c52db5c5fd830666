"""What CREATE TABLE and migrations say of columns: choices, forms, comments; and nothing they do not say."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.description.declared_values import DeclaredValues, declared_values, read_declared_values
from db.description.notes import read_notes
from db.schema.migrate import MigrationSet, Step
from db.transaction import ReadTx


@pytest.mark.parametrize(
    ("check", "choices"),
    [
        ("CHECK (a IN ('x', 'y'))", ("x", "y")),
        ("CHECK (a IN ('it''s', 'a, b', 'c)'))", ("it's", "a, b", "c)")),
        ("CHECK (\"a\" in\n ('x'))", ("x",)),
        ("CHECK (a IN (0, 1))", (0, 1)),
        ("CHECK (a IN (-1))", (-1,)),
        # These allow more than they name, or say it of something else.
        ("CHECK (a IN ('x') OR b = 1)", ()),
        ("CHECK (a NOT IN ('x'))", ()),
        ("CHECK (lower(a) IN ('x'))", ()),
        ("CHECK (a IN (SELECT 1))", ()),
        ("/* CHECK (a IN ('x')) */", ()),
        ("DEFAULT 'CHECK (a IN (1))'", ()),
    ],
)
def test_choices_are_those_of_a_check_that_says_nothing_else(check, choices):
    known = declared_values(f"CREATE TABLE t (a TEXT {check}, b INTEGER -- CHECK (a IN ('z'))\n) STRICT")
    assert known.get("a", DeclaredValues()).choices == choices


@given(st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), min_size=1, max_size=4))
def test_every_text_among_the_choices_is_read_back(choices):
    listed = ", ".join("'" + choice.replace("'", "''") + "'" for choice in choices)
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t (a TEXT CHECK (a IN ({listed})), b TEXT) STRICT")
    assert read_declared_values(ReadTx(connection)) == {"t": {"a": DeclaredValues(choices=tuple(choices))}}
    connection.close()


@pytest.mark.parametrize(
    ("glob", "form"), [("????-??-??T??:??:??.???Z", "date-time"), ("????-??-??", "date"), ("http*", "")]
)
def test_the_form_of_a_time_is_known_by_its_check(glob, form):
    assert declared_values(f"CREATE TABLE t (a TEXT CHECK (a GLOB '{glob}'))").get("a", DeclaredValues()).form == form


NOTED = """-- What this file does, which is no note of a table.

-- Pieces of music,
-- independent of any publication.
CREATE TABLE works (
    id TEXT PRIMARY KEY NOT NULL, -- made by the server
    title TEXT DEFAULT 'a -- b', -- as it is printed
    composer TEXT
) STRICT;
CREATE TABLE plain (
    id TEXT
) STRICT;
"""


def test_comments_of_migrations_are_notes():
    step = Step("t", 1, "works", NOTED, "", True)
    tables, columns = read_notes([MigrationSet("t", (step,))])
    assert tables == {"works": "Pieces of music, independent of any publication."}
    assert columns == {("works", "id"): "made by the server", ("works", "title"): "as it is printed"}
