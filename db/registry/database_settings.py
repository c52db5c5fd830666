"""What clients of SQL may set about a database and read back. Changes nothing else."""

from dataclasses import dataclass

from db.transaction import ReadTx, WriteTx

READ_REPLICATION = ("auto", "disabled")
LOCATION_HINTS = ("wnam", "enam", "weur", "eeur", "apac", "oc")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """read_replication: auto or disabled. location_hint: where it was asked to be made, or None."""

    read_replication: str = "disabled"
    location_hint: str | None = None


def database_settings(tx: ReadTx, vault_id: str) -> DatabaseSettings:
    """The settings of a database, the defaults until some were set."""
    row = tx.row("SELECT read_replication, location_hint FROM database_settings WHERE vault_id = :id", id=vault_id)
    return DatabaseSettings() if row is None else DatabaseSettings(row["read_replication"], row["location_hint"])


_PUT = """
INSERT INTO database_settings (vault_id, read_replication, location_hint) VALUES (:id, :read_replication, :hint)
ON CONFLICT (vault_id) DO UPDATE SET read_replication = excluded.read_replication,
                                     location_hint = excluded.location_hint
"""


def put_database_settings(tx: WriteTx, vault_id: str, new: DatabaseSettings) -> None:
    """Replace the settings of a database."""
    tx.execute(_PUT, id=vault_id, read_replication=new.read_replication, hint=new.location_hint)
