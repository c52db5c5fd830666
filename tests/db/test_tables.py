"""Counting, checking and analysing table by table."""

import pytest

from db.bounded import OutOfTime
from db.keyring import KeyRing
from db.schema.migrate import load_set
from db.schema.tables import (
    SCHEMA_TABLE,
    WORTH_ANALYSING,
    analyse,
    count_rows,
    find_damage,
    needs_analysis,
    table_names,
)
from db.stores.directory import DirectoryStore
from db.transaction import Actor
from db.vault.opening import Kind, Site, create_vault

ACTOR = Actor("test", "job", "", "test")
# A name that would end the quotes of a careless statement.
ODD = 'odd "name'


def never() -> bool:
    return False


def at_once() -> bool:
    return True


@pytest.fixture
def vault(tmp_path):
    site = Site(DirectoryStore(tmp_path / "store"), tmp_path / "cache", KeyRing("s" * 32))
    vault = create_vault(site, "tables", Kind((load_set("kernel"),)))
    change(
        vault,
        'CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, name TEXT)',
        'CREATE INDEX odd_names ON "odd ""name" (name)',
        'CREATE TABLE leaf (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES "odd ""name" (id))',
    )
    yield vault
    vault.close()


def change(vault, *statements: str, foreign_keys: bool = True) -> None:
    def work(connection) -> bool:
        for statement in statements:
            connection.execute(statement)
        return True

    vault.alter(work, foreign_keys=foreign_keys)


def fill(vault, rows: int) -> None:
    change(
        vault,
        f"""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        INSERT INTO "odd ""name" (name) SELECT 'name ' || i FROM n""",
    )


def test_tables_are_counted_whatever_their_names(vault):
    fill(vault, 3)
    assert ODD in table_names(vault)
    assert not [name for name in table_names(vault) if name.startswith("sqlite_")]
    assert count_rows(vault, ODD, never) == 3


def test_sound_tables_have_no_damage(vault):
    fill(vault, 3)
    assert [find_damage(vault, name, never) for name in (SCHEMA_TABLE, *table_names(vault))].count(None) == len(
        table_names(vault)
    ) + 1


def test_a_reference_that_leads_nowhere_is_found_in_its_table_alone(vault):
    change(vault, "INSERT INTO leaf (parent) VALUES (7), (8)", foreign_keys=False)
    damage = find_damage(vault, "leaf", never)
    assert (damage.lines, damage.dangling) == ((), 2)
    assert find_damage(vault, ODD, never) is None


def test_a_row_that_breaks_its_tables_rules_is_found(vault):
    change(
        vault,
        'INSERT INTO "odd ""name" (name) VALUES (NULL)',
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_schema SET sql = replace(sql, 'name TEXT', 'name TEXT NOT NULL') WHERE name = '{ODD}'",
    )
    damage = find_damage(vault, ODD, never)
    assert (damage.table, damage.lines) == (ODD, (f"NULL value in {ODD}.name",))


def test_a_check_ends_when_its_time_is_over_and_the_vault_goes_on(vault):
    fill(vault, 20_000)
    with pytest.raises(OutOfTime):
        find_damage(vault, ODD, at_once)
    assert find_damage(vault, ODD, never) is None


@pytest.mark.parametrize(("rows", "wanted"), [(WORTH_ANALYSING - 1, False), (WORTH_ANALYSING, True)])
def test_only_tables_worth_it_are_analysed(vault, rows, wanted):
    assert needs_analysis(vault, {ODD: rows}) is wanted


def test_figures_are_renewed_when_a_table_has_grown_fourfold(vault):
    fill(vault, 600)
    before = vault.head.txid
    analyse(vault)
    assert vault.head.txid == before + 1
    assert not needs_analysis(vault, {ODD: 600})
    assert not needs_analysis(vault, {ODD: 4 * 600})
    assert needs_analysis(vault, {ODD: 4 * 600 + 1})
    assert needs_analysis(vault, {ODD: 149})
