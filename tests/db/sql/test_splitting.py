"""Cutting SQL text into statements, compared with SQLite's own judgement of where one is complete."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import TooLarge
from db.sql.splitting import Piece, Splitter, split_pieces, split_statements, stream_statements

TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET n = n + 1; DELETE FROM c; END"
CORPUS: list[tuple[str, list[str]]] = [
    ("", []),
    ("-- only a comment", []),
    ("/* never closed", []),
    (" ; ;\n;", []),
    ("select 1", ["select 1"]),
    ("select 1;", ["select 1;"]),
    ("select 1; select 2", ["select 1;", "select 2"]),
    ("select ';'; select \"a;b\"; select `c;d`, [e;f]", ["select ';';", 'select "a;b";', "select `c;d`, [e;f]"]),
    ("select 'it''s;'; select 2", ["select 'it''s;';", "select 2"]),
    ("select 1 -- a; b\n; select 2", ["select 1 -- a; b\n;", "select 2"]),
    ("select 1 /* ; */; select 2", ["select 1 /* ; */;", "select 2"]),
    ("select 1/2; select 1-2; select 1 - -2", ["select 1/2;", "select 1-2;", "select 1 - -2"]),
    ("select 'never closed; select 2", ["select 'never closed; select 2"]),
    (f"{TRIGGER}; select 1", [f"{TRIGGER};", "select 1"]),
    (f"{TRIGGER.lower()};\r\nselect 1", [f"{TRIGGER.lower()};", "select 1"]),
    (TRIGGER.replace(" ", "\r\n") + ";select 1", [TRIGGER.replace(" ", "\r\n") + ";", "select 1"]),
    (
        "create trigger t after insert on a begin select case when 1 then 2 end; end; select 1",
        ["create trigger t after insert on a begin select case when 1 then 2 end; end;", "select 1"],
    ),
    (
        "create temp /* x */ trigger t after insert on a begin select 'end;'; -- end;\n end; select 1",
        ["create temp /* x */ trigger t after insert on a begin select 'end;'; -- end;\n end;", "select 1"],
    ),
    ("explain create trigger t begin; end; select 1", ["explain create trigger t begin; end;", "select 1"]),
    ("select case when 1 then 2 end; select 3", ["select case when 1 then 2 end;", "select 3"]),
    ("begin; select 1; end;", ["begin;", "select 1;", "end;"]),
    ('create table "trigger" (a); select 1', ['create table "trigger" (a);', "select 1"]),
    ("select 1; -- the end", ["select 1;"]),
    ("-- first\nselect 1", ["-- first\nselect 1"]),
]
WORDS = [
    *("create", "trigger", "TEMP", "temporary", "end", "END", "begin", "explain", "query", "plan", "select", "x1"),
    *(";", ";", ";", " ", "\n", "\r\n", "\t", "--", "/*", "*/", "'", '"', "[", "]", "`", "-", "/", "*", "é", "("),
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=25).map("".join)


@pytest.mark.parametrize(("text", "statements"), CORPUS)
def test_a_script_is_cut_where_its_statements_end(text: str, statements: list[str]) -> None:
    assert split_statements(text) == statements


@given(TEXTS)
def test_the_pieces_are_the_text_cut_where_sqlite_sees_a_statement_end(text: str) -> None:
    pieces = [piece.text for piece in split_pieces(text)]

    assert "".join(pieces) == text
    assert pieces == asked_of_sqlite(text)


@given(TEXTS, st.integers(1, 7))
def test_text_in_parts_is_cut_like_the_whole(text: str, size: int) -> None:
    splitter, pieces = Splitter(), list[Piece]()
    for at in range(0, len(text), size):
        pieces += splitter.feed(text[at : at + size])

    assert [*pieces, *splitter.finish()] == list(split_pieces(text))


@pytest.mark.parametrize(("length", "passes"), [(39, True), (40, True), (41, False)])
def test_a_statement_over_the_limit_stops_the_stream(length: int, passes: bool) -> None:
    parts = ["select 1;", "select '", "x" * (length - 8), "';"]
    if passes:
        assert len(list(stream_statements(parts, 40))) == 2
    else:
        with pytest.raises(TooLarge):
            list(stream_statements(parts, 40))


def test_a_long_script_is_never_held_as_a_whole() -> None:
    longest = 0
    splitter = Splitter()
    for _ in range(2000):
        for piece in splitter.feed("insert into t values ('a;b', 1);\ninsert into t values ('"):
            longest = max(longest, len(piece.text))
        list(splitter.feed("x');"))

    assert longest < 200


def asked_of_sqlite(text: str) -> list[str]:
    """The same by brute force: SQLite's answer at every semicolon."""
    pieces: list[str] = []
    start = 0
    for end, character in enumerate(text, 1):
        if character == ";" and sqlite3.complete_statement(text[start:end]):
            pieces.append(text[start:end])
            start = end
    return [*pieces, text[start:]] if text[start:] else pieces
