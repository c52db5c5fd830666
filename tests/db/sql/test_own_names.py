"""`sqlite_master` in a query: the engine's own tables are left out, and nothing else changes."""

import pytest

from db.sql.own_names import NAMES, names_own, with_own_names


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT * FROM sqlite_master", "SELECT * FROM vaultry_names"),
        ('SELECT SQLITE_MASTER.name FROM "sqlite_master"', 'SELECT vaultry_names.name FROM "vaultry_names"'),
        ("SELECT 'sqlite_master' FROM `sqlite_master`", "SELECT 'sqlite_master' FROM `vaultry_names`"),
        ("SELECT 1 FROM main.sqlite_master -- sqlite_master", "SELECT 1 FROM main.sqlite_master -- sqlite_master"),
        ("SELECT my_sqlite_master, sqlite_masters FROM t", "SELECT my_sqlite_master, sqlite_masters FROM t"),
        ("SELECT '''sqlite_master' /* sqlite_master */", "SELECT '''sqlite_master' /* sqlite_master */"),
    ],
)
def test_the_name_alone_is_replaced(sql, wanted):
    assert with_own_names(sql) == wanted
    assert len(wanted) == len(sql)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT name FROM sqlite_master", True),
        ("-- a\n /* b */ with t as (select 1) select * from t, SQLITE_MASTER", True),
        ("CREATE VIEW v AS SELECT name FROM sqlite_master", False),
        ("UPDATE sqlite_master SET sql = ''", False),
        ("SELECT name FROM sqlite_schema", False),
    ],
)
def test_only_queries_are_looked_at(sql, wanted):
    assert names_own(sql) is wanted


def test_the_view_has_a_name_of_the_same_length_that_nobody_else_can_take():
    assert len(NAMES) == len("sqlite_master")
    assert NAMES.startswith("vaultry_")
