"""Holding a commit at its put while other works gather behind it. Knows the vault's queue; measures no time."""

import threading
import time
from collections.abc import Callable
from typing import Any

from db.transaction import WriteTx
from db.vault.vault import Vault
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR

PATIENCE_S = 30


class HeldPut:
    """The next put of a commit waits, before its effect, until `release`."""

    def __init__(self, store: FaultyStore) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()
        self._error: Exception | None = None
        store.before_call = self._hold

    def _hold(self, op: str) -> None:
        if op == "commit:put" and not self._reached.is_set():
            self._reached.set()
            assert self._released.wait(PATIENCE_S)
            if self._error is not None:
                raise self._error

    def wait(self) -> None:
        """Return once a put is being held."""
        assert self._reached.wait(PATIENCE_S)

    def release(self, error: Exception | None = None) -> None:
        """Let the put go on, or fail without an effect."""
        self._error = error
        self._released.set()


class Writers:
    """Threads with one work each; what became of the works, by name."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._threads: list[threading.Thread] = []
        self.outcome: dict[str, Any] = {}

    def start(self, name: str, work: Callable[[WriteTx], Any]) -> None:
        """Start a writer; its outcome is what the work returned or the error that `write` raised."""
        thread = threading.Thread(target=self._write, args=(name, work))
        self._threads.append(thread)
        thread.start()

    def queue(self, name: str, work: Callable[[WriteTx], Any]) -> None:
        """Start a writer and return once its work waits behind a commit."""
        wanted = len(self._vault._leader._queue._waiting) + 1
        self.start(name, work)
        wait_until(lambda: len(self._vault._leader._queue._waiting) == wanted)

    def join(self) -> dict[str, Any]:
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        return self.outcome

    def _write(self, name: str, work: Callable[[WriteTx], Any]) -> None:
        try:
            self.outcome[name] = self._vault.write(work, ACTOR).value
        except BaseException as exc:
            self.outcome[name] = exc


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
