"""One of several processes that share a vault, within the test's own: it has a cache, a clock and a store of its own.

Its store can be made to fail at a step. Knows nothing of what is written.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from db.clock import Moment
from db.errors import StoreUnavailable
from db.stores.base import ObjectStore, OutcomeUnknown
from db.vault.opening import Site
from db.vault.vault import Vault, VaultOptions
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import open_desk, site

OPTIONS = VaultOptions(wal_bytes=40_000)
ALWAYS = 1000


def nothing(op: str) -> None:
    pass


class Process:
    """One process: its way to the store, its clock, its cache, and the vault when it has it open."""

    def __init__(self, store: ObjectStore, folder: Path, clock: Callable[[], Moment]) -> None:
        self.store = FaultyStore(store)
        self.clock = clock
        self.cache = folder / "cache"
        self.copied = folder / "copied"
        self.seen_txid = 0
        self._vault: Vault | None = None

    @property
    def vault(self) -> Vault:
        if self._vault is None:
            self._vault = open_desk(self.store, self.cache, self.clock, options=OPTIONS)
        return self._vault

    @property
    def site(self) -> Site:
        return site(self.store, self.cache, self.clock)

    def close(self) -> None:
        if self._vault is not None:
            self._vault.close()
        self._vault, self.seen_txid = None, 0

    def copy_cache(self) -> None:
        """Keep the files as a kill would leave them now."""
        _ = self.vault
        shutil.rmtree(self.copied, ignore_errors=True)
        shutil.copytree(self.cache, self.copied)

    def go_on_with_copy(self) -> None:
        """Start again with the files that were kept, however old they are."""
        self.close()
        shutil.rmtree(self.cache, ignore_errors=True)
        self.copied.rename(self.cache)

    @contextmanager
    def calling(
        self, *, before: Callable[[str], None] = nothing, after: Callable[[str], None] = nothing
    ) -> Iterator[Vault]:
        """The vault, opened before; the functions run around each call of its store meanwhile."""
        vault = self.vault
        self.store.before_call, self.store.after_call = before, after
        try:
            yield vault
        finally:
            self.store.before_call = self.store.after_call = nothing


class Fails:
    """Raises at the calls of one step, or of every step ("")."""

    def __init__(self, error: type[StoreUnavailable | OutcomeUnknown], step: str, times: int = ALWAYS) -> None:
        self._error, self._step, self._times = error, step, times

    def __call__(self, op: str) -> None:
        if self._times and op.startswith(self._step):
            self._times -= 1
            raise self._error(f"{op}: failed by the test")
