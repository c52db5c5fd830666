"""Vaults of a small town, whose migration steps each test writes itself: one release of the code after the other."""

from pathlib import Path

from db.schema.migrate import load_set
from db.stores.base import ObjectStore
from db.transaction import ReadTx
from db.vault.opening import Kind, create_vault, open_vault
from db.vault.vault import Vault
from tests.engine.desk import START_MS, Clock, site

STREETS = "CREATE TABLE streets (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;\n"
HOUSES = """CREATE TABLE houses (
  id INTEGER PRIMARY KEY, street_id INTEGER NOT NULL REFERENCES streets (id) ON DELETE CASCADE, number TEXT
) STRICT;
"""
FIRST_STREETS = "INSERT INTO streets (id, name) VALUES (1, 'Lai'), (2, 'Pikk; \"long\"');\n"
FIRST_HOUSES = "INSERT INTO houses (id, street_id, number) VALUES (10, 1, '3'), (20, 2, '5a');\n"
BROKEN = "CREATE TABLE parks (id INTEGER PRIMARY KEY) STRICT;\nINSERT INTO no_such_table VALUES (1);\n"
PARKS = "CREATE TABLE parks (id INTEGER PRIMARY KEY) STRICT;\nINSERT INTO parks VALUES (1);\n"
REBUILD = """-- foreign_keys: off
CREATE TABLE streets_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, length_m INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO streets_new (id, name) SELECT id, name FROM streets WHERE id < :limit;
DROP TABLE streets;
ALTER TABLE streets_new RENAME TO streets;
"""
WHOLE_REBUILD = REBUILD.replace(":limit", "100")
LOSSY_REBUILD = REBUILD.replace(":limit", "2")


def town(folder: Path, *steps: str) -> Kind:
    """A kind of vault whose own set, `town`, has these steps: one release of the code."""
    (folder / "town").mkdir(parents=True)
    for number, sql in enumerate(steps, 1):
        (folder / "town" / f"{number:04d}_step.sql").write_text(sql)
    return Kind((load_set("kernel"), load_set("town", folder)))


def new_town(store: ObjectStore, tmp_path: Path, *steps: str) -> None:
    """A vault at these steps, closed."""
    create_vault(site(store, tmp_path / "cache", Clock()), "town", town(tmp_path / "first release", *steps)).close()


def open_town(store: ObjectStore, tmp_path: Path, kind: Kind, cache: str = "cache", ms: int = START_MS) -> Vault:
    return open_vault(site(store, tmp_path / cache, Clock(ms)), "town", kind)


def steps_done(tx: ReadTx) -> list[int]:
    return [row[0] for row in tx.rows("SELECT number FROM vaultry_migrations WHERE set_name = 'town' ORDER BY number")]


def tables(vault: Vault) -> set[str]:
    rows = vault.read(lambda tx: tx.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")).value
    return {row[0] for row in rows if not row[0].startswith("vaultry_")}


def houses(vault: Vault) -> list[tuple[int, int]]:
    rows = vault.read(lambda tx: tx.rows("SELECT id, street_id FROM houses ORDER BY id")).value
    return [tuple(row) for row in rows]
