"""A registry in memory, moments by clock time, and the few rows that nearly every registry test starts from."""

import sqlite3
from pathlib import Path

from db.clock import Moment, timestamp_ms
from db.keyring import KeyRing
from db.registry.accounts import Account, create_account
from db.registry.directory import NewVault, VaultEntry, create_vault_entry
from db.transaction import WriteTx

MIGRATIONS = Path(__file__).parents[3] / "migrations"
RING = KeyRing("a platform secret only for tests 0123456789")


def open_registry(steps: int | None = None) -> sqlite3.Connection:
    """steps: how many of the registry's own; None = all."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    for folder in ("kernel", "registry"):
        for step in sorted((MIGRATIONS / folder).glob("*.sql"))[: steps if folder == "registry" else None]:
            connection.executescript(step.read_text())
    return connection


def at(clock: str, day: str = "2026-02-01") -> Moment:
    """The moment of `10:00:00` (or `10:00:00.500`) on a day, UTC."""
    return Moment(timestamp_ms(f"{day}T{clock}Z"))


def after(moment: Moment, *, seconds: float) -> Moment:
    return Moment(moment.ms + round(seconds * 1000))


def make_account(tx: WriteTx, email: str = "kadri@x.example", now: Moment | None = None) -> Account:
    return create_account(tx, email, now or at("09:00:00"))


def make_vault(tx: WriteTx, slug: str = "aurora", now: Moment | None = None, scope: str = "") -> VaultEntry:
    return create_vault_entry(tx, NewVault(f"v-{slug}", "choir", slug.title(), slug, scope), now or at("09:00:00"))
