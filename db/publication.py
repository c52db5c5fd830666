"""The mark of what a vault lets anybody read: it changes with it. Knows one row; not what is published, nor where."""

from db.transaction import ReadTx


def publication_mark(tx: ReadTx) -> str | None:
    """The mark, or None in a vault that was made before there was one and has not been migrated since."""
    if tx.value("SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_publication'") is None:
        return None
    mark: str = tx.value("SELECT mark FROM vaultry_publication")
    return mark
