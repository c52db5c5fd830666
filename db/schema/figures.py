"""How large a database is: its tables and bytes, as they are. Knows SQLite's own lists; reads no row."""

import sqlite3
from dataclasses import dataclass

from db.vault.vault import Vault

# Neither SQLite's own tables and those beneath virtual ones, nor the engine's.
_TABLES = r"""
SELECT count(*) FROM pragma_table_list
 WHERE schema = 'main' AND type IN ('table', 'virtual')
   AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'vaultry\_%' ESCAPE '\'
"""
_BYTES = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"


@dataclass(frozen=True, slots=True)
class Figures:
    """tables: without the engine's own. bytes: of the database file."""

    tables: int
    bytes: int


def database_figures(vault: Vault) -> Figures:
    """The figures of the vault at its newest commit."""
    return vault.read_raw(lambda connection, _: _figures(connection)).value


def _figures(connection: sqlite3.Connection) -> Figures:
    return Figures(connection.execute(_TABLES).fetchone()[0], connection.execute(_BYTES).fetchone()[0])
