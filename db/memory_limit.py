"""What SQLite may take of this process's memory, all vaults together. Knows SQLite's allocator; no vault.

A statement that sorts or joins too much fails so, with SQLITE_NOMEM, in place of the whole process. Of a connection on
which that happens SQLite may give up the transaction.
"""

import sqlite3
from contextlib import closing


def limit_memory(most_bytes: int) -> None:
    """Set the limit, or lower it: SQLite raises it no more."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA hard_heap_limit = {most_bytes:d}").fetchone()
