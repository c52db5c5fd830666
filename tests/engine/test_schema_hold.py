"""A schema that was taken back and is held: at every open, under open vaults, through restores and forks."""

from pathlib import Path

import pytest

from db.clock import Moment
from db.errors import MigrationFailed
from db.history.points import restore
from db.schema.migrate import migrate
from db.schema.state import bookmark_before, last_steps, newest_numbers
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.vault.vault import Vault
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, START_MS, site
from tests.engine.town import FIRST_STREETS, HOUSES, PARKS, STREETS, new_town, open_town, steps_done, tables, town


@pytest.fixture
def releases(tmp_path: Path):
    """Three releases of the town, each a step further."""
    steps = (STREETS, HOUSES, PARKS)
    return [town(tmp_path / f"release {count}", *steps[:count]) for count in (1, 2, 3)]


def beginning(store: ObjectStore, tmp_path: Path, kind) -> str:
    """The bookmark of the newest commit."""
    vault = open_town(store, tmp_path, kind)
    vault.close()
    return vault.bookmark


def take_back(store: ObjectStore, tmp_path: Path, kind, bookmark: str, cache: str = "operator") -> None:
    """Another process restores the bookmark and holds the schema there."""
    vault = open_town(store, tmp_path, kind, cache)
    restore(vault, site(store, tmp_path / cache), bookmark, ACTOR, hold=True)
    vault.close()


def add_street(vault: Vault, name: str) -> None:
    vault.write(lambda tx: tx.insert("streets", name=name), ACTOR)


def street_names(vault: Vault) -> list[str]:
    return [row[0] for row in vault.read(lambda tx: tx.rows("SELECT name FROM streets ORDER BY id")).value]


def test_a_held_vault_gets_no_further_step_and_takes_no_writes_of_code_that_has_one(folder, tmp_path, releases):
    new_town(folder, tmp_path, STREETS)
    before = beginning(folder, tmp_path, releases[0])
    take_back(folder, tmp_path, releases[1], before)
    for _ in range(2):
        vault = open_town(folder, tmp_path, releases[2], "server")
        assert vault.refusal is not None
        assert (vault.refusal.code, "town/0002_step was taken back" in vault.refusal.message) == (
            "migration_held",
            True,
        )
        assert vault.read(steps_done).value == [1]
        assert vault.head.txid == 3
        with pytest.raises(MigrationFailed):
            add_street(vault, "Uus")
        vault.close()


def test_code_without_the_step_writes_to_a_held_vault(folder, tmp_path, releases):
    new_town(folder, tmp_path, STREETS)
    before = beginning(folder, tmp_path, releases[0])
    take_back(folder, tmp_path, releases[1], before)
    vault = open_town(folder, tmp_path, releases[0], "server")
    assert vault.refusal is None
    add_street(vault, "Uus")
    vault.close()


def test_lifting_the_hold_applies_the_step_in_one_commit_with_it(store: ObjectStore, tmp_path, releases):
    new_town(store, tmp_path, STREETS)
    before = beginning(store, tmp_path, releases[0])
    take_back(store, tmp_path, releases[1], before)
    vault = open_town(store, tmp_path, releases[1], "server")
    steps = migrate(vault, releases[1].sets, Moment(START_MS), lift_hold=True)
    assert [step.number for step in steps] == [2]
    assert vault.head.txid == 4
    add_street(vault, "Uus")
    assert vault.refusal is None
    again = open_town(store, tmp_path, releases[1], "other")
    assert (again.refusal, again.head.txid) == (None, 5)
    vault.close()
    again.close()


def test_a_write_that_races_with_the_taking_back_is_not_made_on_the_old_schema(store, tmp_path, releases):
    new_town(store, tmp_path, STREETS)
    before = beginning(store, tmp_path, releases[0])
    faulty = FaultyStore(store)
    server = open_town(faulty, tmp_path, releases[1], "server")
    taken: list[bool] = []

    def overtake(op: str) -> None:
        if op == "commit:put" and not taken:
            taken.append(True)
            take_back(store, tmp_path, releases[1], before)

    faulty.before_call = overtake
    with pytest.raises(MigrationFailed) as caught:
        add_street(server, "Uus")
    assert (taken, caught.value.code) == ([True], "migration_held")
    assert server.read(steps_done).value == [1]
    assert street_names(server) == []
    server.close()


def test_a_vault_that_went_back_without_a_hold_is_migrated_again_by_the_next_write(store, tmp_path, releases):
    new_town(store, tmp_path, STREETS)
    old = open_town(store, tmp_path, releases[0], "old")
    before = old.bookmark
    server = open_town(store, tmp_path, releases[1], "server")
    add_street(server, "Uus")
    # A release that knows no more than the first step.
    restore(old, site(store, tmp_path / "old"), before, ACTOR, releases[0].sets)
    add_street(server, "Lai")
    assert server.read(steps_done).value == [1, 2]
    assert street_names(server) == ["Lai"]
    old.close()
    server.close()


def test_a_vault_ahead_of_the_code_that_has_it_open_goes_on_taking_its_writes(folder, tmp_path, releases):
    new_town(folder, tmp_path, STREETS)
    server = open_town(folder, tmp_path, releases[0], "server")
    open_town(folder, tmp_path, releases[1], "newer").close()
    add_street(server, "Uus")
    assert "houses" in tables(server)
    server.close()


def test_each_step_notes_the_bookmark_it_was_applied_to(folder: DirectoryStore, tmp_path, releases):
    new_town(folder, tmp_path, STREETS)
    first = beginning(folder, tmp_path, releases[0])
    open_town(folder, tmp_path, releases[1], "second").close()
    later = START_MS + 5000
    vault = open_town(folder, tmp_path, town(tmp_path / "last", STREETS, HOUSES, PARKS, FIRST_STREETS), "third", later)
    found = vault.read_raw(
        lambda connection, _: (
            newest_numbers(connection)["town"],
            [bookmark_before(connection, {"kernel": 99, "town": number}) for number in range(5)],
            last_steps(connection),
        )
    ).value
    numbers, before, last = found
    assert numbers == 4
    # The step a new vault begins with was applied to nothing.
    assert before[0] is None
    assert before[1] == first
    assert before[1] < before[2] < before[3]
    assert before[4] is None
    assert last is not None
    assert (last.bookmark, last.numbers["town"]) == (before[2], 2)
    vault.close()
