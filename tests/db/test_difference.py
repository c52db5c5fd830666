"""What differs between two database files: found by key, exact to the type, and enough to make one out of the other."""

import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from db.history.difference import RowChange, changed_rows, opened_file, schema_changes
from db.json_sql import identifier
from db.personal import PersonalCipher
from db.schema.schema import read_schema

SCHEMA = """
CREATE TABLE plain (id INTEGER PRIMARY KEY, a, b TEXT);
CREATE TABLE keyed (k TEXT NOT NULL, n INTEGER NOT NULL, a ANY, PRIMARY KEY (k, n)) STRICT, WITHOUT ROWID;
CREATE TABLE pairs (a, b, c, PRIMARY KEY (a, b));
CREATE TABLE nameless (a, b);
CREATE TABLE folded (name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, a);
"""
COLUMNS = {"plain": "id a b", "keyed": "k n a", "pairs": "a b c", "nameless": "a b", "folded": "name a"}
TEXTS = st.sampled_from(["", "a", "A", "ä", "b\x00c", "\U0001f3b5", "1"])
KEYS = st.one_of(
    st.integers(-2, 2), st.sampled_from([1.0, -0.5, 2.0**60]), TEXTS, st.sampled_from([b"", b"a", b"\xff"])
)
VALUES = st.one_of(st.none(), KEYS)
ROWS = {
    "plain": st.tuples(st.integers(1, 6), VALUES, TEXTS),
    "keyed": st.tuples(TEXTS, st.integers(-1, 1), VALUES),
    "pairs": st.tuples(KEYS, KEYS, VALUES),
    "nameless": st.tuples(VALUES, VALUES),
    "folded": st.tuples(TEXTS, VALUES),
}
STATES = st.fixed_dictionaries({table: st.lists(row, max_size=6) for table, row in ROWS.items()})


def make(path: Path, state: dict[str, list[tuple]], schema: str = SCHEMA) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(schema)
        for table, rows in state.items():
            marks = ", ".join("?" * len(COLUMNS[table].split()))
            connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)
        connection.commit()
    return path


def rows_of(path: Path) -> dict[str, list]:
    with closing(sqlite3.connect(path)) as connection:
        found = {}
        for table, columns in COLUMNS.items():
            names = ", ".join(f"{name}, typeof({name})" for name in columns.split())
            hidden = "rowid, " if table == "nameless" else ""
            found[table] = sorted(map(repr, connection.execute(f"SELECT {hidden}{names} FROM {table}")))
        return found


def differences(one: Path, other: Path) -> dict[str, list[RowChange]]:
    cipher = PersonalCipher(None)
    with opened_file(one, cipher) as before, opened_file(other, cipher) as after:
        old, new = read_schema(before), read_schema(after)
        return {
            name: list(changed_rows(before, after, old.tables.get(name), new.tables.get(name)))
            for name in sorted(old.tables.keys() | new.tables.keys())
        }


def apply(path: Path, changes: dict[str, list[RowChange]]) -> None:
    """Make the changes, the removals first."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for table, found in changes.items():
            for change in [*(c for c in found if c.new is None), *(c for c in found if c.new is not None)]:
                where = " AND ".join(f"{identifier(name)} IS ? COLLATE BINARY" for name in change.key)
                if change.new is None:
                    done = connection.execute(f"DELETE FROM {table} WHERE {where}", list(change.key.values()))
                elif change.old is None:
                    values = {**change.key, **change.new}
                    names, marks = ", ".join(map(identifier, values)), ", ".join("?" * len(values))
                    done = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
                else:
                    sets = ", ".join(f"{identifier(name)} = ?" for name in change.new)
                    bound = [*change.new.values(), *change.key.values()]
                    done = connection.execute(f"UPDATE {table} SET {sets} WHERE {where}", bound)
                assert done.rowcount == 1, change
        connection.commit()


@settings(max_examples=60, deadline=None)
@given(STATES, STATES)
def test_the_differences_applied_to_one_state_give_the_other(one, other):
    with TemporaryDirectory() as folder:
        first, second = make(Path(folder) / "one", one), make(Path(folder) / "other", other)
        apply(first, differences(first, second))
        assert rows_of(first) == rows_of(second)
        assert not any(differences(first, second).values())


def test_a_change_names_the_key_and_only_the_columns_that_differ(tmp_path):
    one = make(tmp_path / "one", {"keyed": [("a", 1, 5), ("b", 1, 6), ("c", 1, b"x")]})
    other = make(tmp_path / "other", {"keyed": [("a", 1, 5.0), ("b", 1, 6), ("d", 2, None)]})
    assert differences(one, other)["keyed"] == [
        RowChange("keyed", "changed", {"k": "a", "n": 1}, {"a": 5}, {"a": 5.0}),
        RowChange("keyed", "removed", {"k": "c", "n": 1}, {"k": "c", "n": 1, "a": b"x"}, None),
        RowChange("keyed", "added", {"k": "d", "n": 2}, None, {"k": "d", "n": 2, "a": None}),
    ]


def test_the_key_orders_as_sqlite_does_whatever_its_types(tmp_path):
    rows = [(value, 1, 1) for value in (3, 2.5, "a", "B", "ä", b"\x00", b"a")]
    one, other = make(tmp_path / "one", {"pairs": rows}), make(tmp_path / "other", {"pairs": rows[::-1][1:]})
    (only,) = differences(one, other)["pairs"]
    assert (only.change, only.key["a"]) == ("removed", b"a")


def test_rows_whose_key_is_null_are_told_apart_by_their_rowid(tmp_path):
    one = make(tmp_path / "one", {"pairs": [(None, 1, "x"), (None, 1, "y"), (2, 2, "z")]})
    other = make(tmp_path / "other", {"pairs": [(None, 1, "x"), (None, 1, "w")]})
    assert differences(one, other)["pairs"] == [
        RowChange("pairs", "changed", {"a": None, "b": 1, "rowid": 2}, {"c": "y"}, {"c": "w"}),
        RowChange("pairs", "removed", {"a": 2, "b": 2}, {"a": 2, "b": 2, "c": "z"}, None),
    ]


def test_changes_of_the_schema_are_named_and_rows_compared_in_what_both_have(tmp_path):
    one = make(tmp_path / "one", {"plain": [(1, "x", "y")], "folded": [("n", 1)]})
    schema = SCHEMA.replace("a, b TEXT);", "b TEXT, c TEXT DEFAULT 'new');").replace("CREATE TABLE pairs", "-- ")
    schema = schema.replace("CREATE TABLE folded (name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, a)",
                            "CREATE TABLE folded (name TEXT, a INTEGER PRIMARY KEY)") + (
        "CREATE TABLE more (id INTEGER PRIMARY KEY); INSERT INTO more VALUES (7); CREATE INDEX by_b ON plain (b);"
        "CREATE VIEW names AS SELECT name FROM folded;"
    )  # fmt: skip
    other = make(tmp_path / "other", {}, schema)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("INSERT INTO plain (id, b) VALUES (1, 'z')")
        connection.execute("INSERT INTO folded VALUES ('n', 1)")
        connection.commit()
    with opened_file(one, PersonalCipher(None)) as before, opened_file(other, PersonalCipher(None)) as after:
        told = [(c.kind, c.name, c.change, c.details) for c in schema_changes(before, after)]
    assert told == [
        ("index", "by_b", "added", ""),
        ("table", "folded", "changed", "columns altered: name, a"),
        ("table", "more", "added", ""),
        ("table", "pairs", "removed", ""),
        ("table", "plain", "changed", "columns added: c; columns removed: a"),
        ("view", "names", "added", ""),
    ]
    found = differences(one, other)
    assert found["plain"] == [RowChange("plain", "changed", {"id": 1}, {"b": "y"}, {"b": "z"})]
    assert [change.new for change in found["more"]] == [{"id": 7}]
    assert [change.change for change in found["folded"]] == ["removed", "added"]


def test_memory_does_not_grow_with_the_tables(tmp_path):
    rows = [(number, "x" * 2000, "y") for number in range(4000)]
    one, other = make(tmp_path / "one", {"plain": rows}), make(tmp_path / "other", {"plain": rows[:-1]})
    with opened_file(one, PersonalCipher(None)) as before, opened_file(other, PersonalCipher(None)) as after:
        table = read_schema(before).tables["plain"]
        tracemalloc.start()
        try:
            found = sum(1 for _ in changed_rows(before, after, table, table))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == 1
    assert peak < 1_000_000
