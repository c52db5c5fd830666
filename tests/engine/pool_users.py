"""Who uses a pool of vaults: openers that count, a gate that holds one, threads that all want the same vault."""

import threading
from collections.abc import Callable
from pathlib import Path

from db.stores.directory import DirectoryStore
from db.vault.pool import VaultPool
from db.vault.vault import Vault
from tests.engine.desk import new_desk, open_desk
from tests.engine.held_put import wait_until

PATIENCE_S = 30


class Openers:
    """Opens vaults for a pool and counts how often each was opened."""

    def __init__(self, folder: DirectoryStore, caches: Path) -> None:
        self._folder = folder
        self._caches = caches
        self.opened: list[str] = []
        for vault_id in "abcd":
            new_desk(folder, caches, vault_id=vault_id).close()

    def __call__(self, vault_id: str) -> Callable[[], Vault]:
        def opener() -> Vault:
            self.opened.append(vault_id)
            return open_desk(self._folder, self._caches, vault_id=vault_id)

        return opener


class Gate:
    """Holds an opener until it is let through."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def around(self, opener: Callable[[], Vault]) -> Callable[[], Vault]:
        def held() -> Vault:
            self.reached.set()
            assert self._open.wait(PATIENCE_S)
            return opener()

        return held

    def open_when(self, condition: Callable[[], bool]) -> None:
        assert self.reached.wait(PATIENCE_S)
        wait_until(condition)
        self._open.set()


class Users:
    """Threads that all want the vault `a`; what each got, a vault or an error."""

    def __init__(self, pool: VaultPool, count: int) -> None:
        self._pool = pool
        self._count = count
        self._threads: list[threading.Thread] = []
        self._got: list[object] = []

    def start(self, opener: Callable[[], Vault]) -> None:
        self._threads = [threading.Thread(target=self._use, args=(opener,)) for _ in range(self._count)]
        for thread in self._threads:
            thread.start()

    def join(self) -> list[object]:
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        assert len(self._got) == self._count
        return self._got

    def _use(self, opener: Callable[[], Vault]) -> None:
        try:
            with self._pool.use("a", opener) as vault:
                self._got.append(vault)
        except BaseException as exc:
            self._got.append(exc)
