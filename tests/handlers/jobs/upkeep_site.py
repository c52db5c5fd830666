"""A platform with a clock that a test moves, a few choirs, and shorthand for rounds and what they left behind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from db.clock import Moment
from db.registry.directory import VaultEntry
from db.registry.maintenance_runs import Run, find_run
from db.transaction import Actor
from domain.charter import Founding
from handlers.jobs.job import RoundReport
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import provision
from handlers.upkeep.rounds import run_due

START_MS = 1_772_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OPERATOR = Actor("test", "operator", "test", "test")


class Clock:
    """Stands still until a test moves it. tick_ms: it goes on by that at every look."""

    def __init__(self) -> None:
        self.ms = START_MS
        self.tick_ms = 0

    def __call__(self) -> Moment:
        self.ms += self.tick_ms
        return Moment(self.ms)


class Upkeep:
    """The platform. folder: of the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.services = self.another()

    def another(self, **environ: str) -> Services:
        """Services as of another process on the same store."""
        return Services(Settings.from_env({"VAULTRY_STORE": self.folder.as_uri(), **environ}), clock=self.clock)

    def choir(self, slug: str = "harmonia") -> VaultEntry:
        """A new tenant, closed and an hour old."""
        founding = Founding(slug, "Harmonia", f"owner@{slug}.example")
        entry = provision(self.services, "choir", founding, OPERATOR).entry
        self.services.pool.close_all()
        self.clock.ms += HOUR_MS
        return entry

    def round(self, *jobs: str, services: Services | None = None, **options: Any) -> RoundReport:
        """A round of these jobs (none = all but the drill), with a day to do it in."""
        services = services or self.services
        options.setdefault("deadline", Moment(self.clock.ms + DAY_MS))
        return run_due(services, jobs=jobs or ALL, **options)

    def run(self, entry: VaultEntry | None, job: str) -> Run:
        """What the registry keeps of the job on the vault; None = the registry itself."""
        vault_id = "registry" if entry is None else entry.id
        found = self.services.registry_read(lambda tx: find_run(tx, vault_id, job), current=True)
        assert found is not None
        return found

    def write(self, entry: VaultEntry, *statements: str) -> None:
        """Change the vault by plain SQL."""
        with self.services.quiet_vault(entry) as vault:
            for statement in statements:
                vault.write(lambda tx, statement=statement: tx.execute(statement), OPERATOR, self.clock())

    def alter(self, entry: VaultEntry, *statements: str) -> None:
        """Change the vault behind the guard and the audit log."""

        def work(connection: Any) -> bool:
            for statement in statements:
                connection.execute(statement)
            return True

        with self.services.quiet_vault(entry) as vault:
            vault.alter(work, foreign_keys=False)

    def txid(self, entry: VaultEntry) -> int:
        """The newest commit of the vault."""
        with self.services.quiet_vault(entry) as vault:
            vault.read(lambda tx: None)
            return vault.head.txid

    def log_files(self, entry: VaultEntry) -> list[Path]:
        """The commits in the store, oldest first."""
        return sorted((self.folder / "vaults" / entry.id / "ltx" / "0").glob("*.ltx"))

    def object(self, key: str) -> Any:
        """A JSON object of the store."""
        return json.loads((self.folder / key).read_bytes())


# Drills and purges have proofs of their own.
ALL = ("outbox", "keys", "tokens", "log", "audit", "statistics", "integrity", "optimise", "sweep", "retention")


@contextmanager
def upkeep_site(folder: Path) -> Iterator[Upkeep]:
    site = Upkeep(folder)
    try:
        yield site
    finally:
        site.services.close()
