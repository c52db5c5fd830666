"""The mark of what a vault lets anybody read: it changes with it. Knows one row; not what is published, nor where."""

import sqlite3

from db.transaction import ReadTx


def publication_mark(tx: ReadTx) -> str | None:
    """The mark, or None in a vault that was made before there was one and has not been migrated since."""
    try:
        mark: str | None = tx.value("SELECT mark FROM vaultry_publication")
    except sqlite3.OperationalError:
        # Asked after each commit: to look for the table first takes twice as long as all the rest.
        if tx.value("SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_publication'") is not None:
            raise
        return None
    return mark
