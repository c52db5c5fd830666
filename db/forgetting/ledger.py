"""Who was forgotten in this vault: ids and times, and nothing else. Knows rows; not whose they are, nor a register.

The rows outlive a restore, so that whoever comes back with an earlier state is forgotten again in the same commit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from db.clock import Moment
from db.forgetting.declared import People
from db.transaction import ReadTx, WriteTx

# Progress of the bookkeeping, of which the audit log says nothing.
UNAUDITED = frozenset({"vaultry_forgotten.told_at", "vaultry_forgotten.wiped_at"})


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One forgotten person: key of the row, in which table. at: when, 24 characters of UTC."""

    table: str
    key: str
    at: str


_MARK = """
INSERT INTO vaultry_forgotten (table_name, row_key, forgotten_at) VALUES (:table, :key, :at)
    ON CONFLICT (table_name, row_key) DO NOTHING
"""
_DROP_KEY = "DELETE FROM vaultry_row_keys WHERE table_name = :table AND row_key = :key"


def mark_forgotten(tx: WriteTx, table: str, key: str, now: Moment) -> None:
    """Enter the person and destroy the key of what the audit log tells about them. Twice is once."""
    _mark(tx, Forgotten(table, key, now.text))


def _mark(tx: WriteTx, one: Forgotten) -> None:
    tx.execute(_MARK, table=one.table, key=one.key, at=one.at)
    tx.execute(_DROP_KEY, table=one.table, key=one.key)


def is_forgotten(tx: ReadTx, table: str, key: str) -> bool:
    """Whether this person was forgotten."""
    found = tx.value(
        "SELECT 1 FROM vaultry_forgotten WHERE table_name = :table AND row_key = :key", table=table, key=key
    )
    return found is not None


_HAS = "SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_forgotten'"
_ALL = "SELECT table_name, row_key, forgotten_at FROM vaultry_forgotten ORDER BY forgotten_at, table_name, row_key"


def forgotten_here(tx: ReadTx) -> list[Forgotten]:
    """Everybody who was forgotten, the earliest first; nobody in a vault from before there was this list."""
    if tx.value(_HAS) is None:
        return []
    return [Forgotten(row["table_name"], row["row_key"], row["forgotten_at"]) for row in tx.rows(_ALL)]


def forget_again(tx: WriteTx, people: People, known: Iterable[Forgotten], now: Moment) -> int:
    """Forget whom this state of the vault may remember; how many were looked at.

    known: those of a register outside; those this vault knows of itself are among them or come on top.
    """
    listed = tx.value(_HAS) is not None
    if listed:
        for one in known:
            _mark(tx, one)
    everybody = forgotten_here(tx) if listed else list(known)
    for one in everybody:
        people.forget(tx, one.table, one.key, now)
    return len(everybody)


_UNTOLD = "SELECT table_name, row_key, forgotten_at FROM vaultry_forgotten WHERE told_at IS NULL"
_TOLD = "UPDATE vaultry_forgotten SET told_at = :now WHERE table_name = :table AND row_key = :key AND told_at IS NULL"


def untold(tx: ReadTx) -> list[Forgotten]:
    """Those of whom the register outside does not know yet."""
    return [Forgotten(row["table_name"], row["row_key"], row["forgotten_at"]) for row in tx.rows(_UNTOLD)]


def mark_told(tx: WriteTx, told: Iterable[Forgotten], now: Moment) -> int:
    """The register knows of these; how many were marked."""
    return sum(tx.execute(_TOLD, now=now.text, table=one.table, key=one.key) for one in told)


def unwiped(tx: ReadTx) -> int:
    """How many were forgotten since freed bytes of the file were last overwritten."""
    count: int = tx.value("SELECT count(*) FROM vaultry_forgotten WHERE wiped_at IS NULL")
    return count


_WIPED = "UPDATE vaultry_forgotten SET wiped_at = :now WHERE wiped_at IS NULL AND forgotten_at <= :upto"


def mark_wiped(tx: WriteTx, upto: str, now: Moment) -> int:
    """The file holds nothing any more of those who were forgotten up to then; how many."""
    return tx.execute(_WIPED, now=now.text, upto=upto)
