"""New vaults: a copy of a prepared file that is what the steps, one after the other, would have made."""

from pathlib import Path

import pytest

from db.log.commit_log import CommitLog
from db.schema.migrate import FOLDER, MigrationSet, load_set
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.vault.new_file import prepared_database
from db.vault.opening import Kind, create_vault, open_vault
from tests.engine.desk import content_at, site
from tests.engine.town import FIRST_HOUSES, FIRST_STREETS, HOUSES, STREETS, WHOLE_REBUILD, new_town, open_town, town


@pytest.mark.parametrize(
    "steps",
    [
        (STREETS, HOUSES),
        (STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES, "UPDATE streets SET name = upper(name);\n"),
        (STREETS, HOUSES, "-- foreign_keys: off\nDROP TABLE streets;\n" + STREETS),
        (STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES, WHOLE_REBUILD),
        (STREETS, "CREATE INDEX streets_folded ON streets (casefold(name));\n"),
    ],
)
def test_a_new_vault_is_what_a_vault_migrated_step_by_step_becomes(
    folder: DirectoryStore, tmp_path: Path, steps: tuple[str, ...]
) -> None:
    new_town(folder, tmp_path, STREETS)
    for count in range(2, len(steps) + 1):
        migrated = open_town(folder, tmp_path, town(tmp_path / f"release {count}", *steps[:count]))
        assert migrated.refusal is None
        migrated.close()
    created = create_vault(site(folder, tmp_path / "cache"), "fresh", town(tmp_path / "new", *steps))
    assert charter_content(folder, "fresh", 1) == charter_content(folder, "town", len(steps))
    created.close()


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if path.is_dir()))
def test_a_new_vault_of_each_set_is_what_a_vault_of_the_kernel_alone_becomes(
    folder: DirectoryStore, tmp_path: Path, name: str
) -> None:
    kernel = load_set("kernel")
    kind = Kind((kernel,) if name == "kernel" else (kernel, load_set(name)))
    create_vault(site(folder, tmp_path / "cache"), "old", Kind((kernel,))).close()
    migrated = open_vault(site(folder, tmp_path / "cache"), "old", kind)
    assert migrated.refusal is None
    created = create_vault(site(folder, tmp_path / "cache"), "new", kind)
    assert charter_content(folder, "new", 1) == charter_content(folder, "old", migrated.head.txid)
    for vault in (migrated, created):
        vault.close()


def charter_content(store: ObjectStore, vault_id: str, txid: int) -> dict[str, list[tuple[object, ...]]]:
    """What the steps made: all but the moments, ids and keys that each vault has of its own."""
    found = content_at(CommitLog(store, vault_id), txid)
    ledger = [row[:-4] for row in found.pop("vaultry_migrations")]
    own = ("vaultry_settings", "vaultry_personal_keys")
    return {"ledger": ledger} | {table: rows for table, rows in found.items() if table not in own}


def test_a_new_vault_is_one_commit_with_its_origin_and_its_own_personal_key(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    kind = town(tmp_path / "release", STREETS)
    wrapped: set[str] = set()
    for vault_id in ("one", "two"):
        vault = create_vault(site(folder, tmp_path / "cache"), vault_id, kind)
        assert vault.head.txid == 1
        assert (
            vault.read(lambda tx: tx.value("SELECT value FROM vaultry_settings WHERE key = 'origin'")).value == vault_id
        )
        wrapped.add(vault.read(lambda tx: tx.value("SELECT wrapped_key FROM vaultry_personal_keys")).value)
        vault.close()
    assert len(wrapped) == 2


def test_new_vaults_copy_a_file_that_is_prepared_once(tmp_path: Path) -> None:
    sets: tuple[MigrationSet, ...] = town(tmp_path / "release", STREETS).sets
    assert prepared_database(sets) is prepared_database(sets)
