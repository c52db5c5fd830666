"""A process whose clients work on one vault at the same time and write down what each of them did, saw and when.

Arguments as JSON: `store` and `keys` of the store, `folder` of the caches, `name` of the process, `seed`, `faults`
(whether the store is to fail now and then), `clients`, `times`. Prints one JSON object for each operation.

An append adds a name and returns how many there are; a swap sets the register if it is what the client believes, which
changes nothing if not; a read returns both. A weak read may be behind; what it may not be is told by its kind.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from db.errors import CommitUnknown, StoreUnavailable, VaultError
from db.log.bookmark import parse_bookmark
from db.stores import open_store
from db.stores.base import ObjectStore, OutcomeUnknown, StoredObject
from db.transaction import ReadTx, WriteTx
from db.vault.freshness import FIRST_UNCONSTRAINED, Freshness, instant
from db.vault.vault import Vault
from tests.engine.desk import ACTOR, open_desk

T = TypeVar("T")
FAULT_CHANCE = 0.06


class RandomFaults:
    """A store that fails now and then: refuses, loses the call or the answer, is slow, or does it later."""

    def __init__(self, inner: ObjectStore, seed: str) -> None:
        self._inner = inner
        self._random = random.Random(seed)
        self.level_folder = inner.level_folder

    def exists(self, key: str, *, op: str) -> bool:
        return self._read(lambda: self._inner.exists(key, op=op))

    def get(self, key: str, *, op: str, **part: Any) -> bytes:
        return self._read(lambda: self._inner.get(key, op=op, **part))

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        return self._read(lambda: self._inner.list(prefix, after=after, op=op))

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        self._inner.delete(keys, op=op)

    def put(self, key: str, body: Any, *, timestamp_ms: int, op: str) -> None:
        def effect() -> None:
            self._inner.put(key, body, timestamp_ms=timestamp_ms, op=op)

        def late() -> None:
            with suppress(VaultError):
                effect()

        fate = self._fate()
        if fate < 1:
            raise StoreUnavailable(f"{op}: refused by the test")
        if fate < 2:
            raise OutcomeUnknown(f"{op}: lost by the test")
        if fate < 3:
            threading.Timer(self._random.uniform(0, 0.3), late).start()
            raise OutcomeUnknown(f"{op}: late by the test")
        effect()
        if fate < 5:
            raise OutcomeUnknown(f"{op}: answer lost by the test")

    def _read(self, effect: Callable[[], T]) -> T:
        fate = self._fate()
        if fate < 1:
            raise StoreUnavailable("refused by the test")
        if fate < 2:
            time.sleep(0.02)
        return effect()

    def _fate(self) -> float:
        """Below 5 one time in many."""
        return self._random.random() * 5 / FAULT_CHANCE


def append(name: str) -> Callable[[WriteTx], int]:
    def work(tx: WriteTx) -> int:
        place = int(tx.value("SELECT count(*) FROM requests")) + 1
        tx.insert("requests", id=name, note=f"{place:06}")
        return place

    return work


def swap(believed: int, wanted: int) -> Callable[[WriteTx], bool]:
    def work(tx: WriteTx) -> bool:
        if tx.value("SELECT value FROM counters WHERE id = 'visits'") != believed:
            return False
        tx.execute("UPDATE counters SET value = :wanted WHERE id = 'visits'", wanted=wanted)
        return True

    return work


def look(tx: ReadTx) -> list[Any]:
    names = [row["id"] for row in tx.rows("SELECT id FROM requests ORDER BY note")]
    return [names, tx.value("SELECT value FROM counters WHERE id = 'visits'")]


class Client:
    """One client: does one thing after the other and writes it down.

    vault: shared with others, or None for one that opens the vault anew for everything it does.
    """

    def __init__(self, name: str, vault: Vault | None, reopen: Callable[[str], Vault], behind: Vault) -> None:
        self.name = name
        self.told: list[dict[str, Any]] = []
        self._vault = vault
        self._reopen = reopen
        self._behind = behind
        self._random = random.Random(name)
        self._register = 0
        self._bookmark: tuple[str, int] | None = None

    def run(self, times: int) -> None:
        for number in range(times):
            kind = self._random.choices(("append", "swap", "read", "behind"), (4, 3, 4, 2))[0]
            if kind == "append":
                self._do("append", f"{self.name}-{number}", number)
            elif kind == "swap":
                # What it saw last, and now and then something else.
                believed = self._register if self._random.random() < 0.8 else self._random.randrange(4)
                self._do("swap", [believed, self._random.randrange(4)], number)
            elif kind == "read":
                self._do("read", None, number)
            else:
                self._read_behind()

    def _do(self, kind: str, argument: Any, number: int) -> None:
        began, since = time.monotonic(), instant()
        try:
            vault = self._vault or self._reopen(f"{self.name}-{number}")
            try:
                result = self._ask(vault, kind, argument, since)
            finally:
                if self._vault is None:
                    vault.close()
        except CommitUnknown:
            self._tell(kind, argument, None, began, None)
        except VaultError:
            # It says that nothing was changed: what it would have changed must not show up.
            return
        else:
            self._tell(kind, argument, result, began, time.monotonic())

    def _ask(self, vault: Vault, kind: str, argument: Any, since: int) -> Any:
        if kind == "read":
            found = vault.read(look, Freshness(since=since)).value
            self._register = found[1]
            return found
        if kind == "swap":
            return vault.write(swap(*argument), ACTOR, since=since).value
        answer = vault.write(append(argument), ACTOR, since=since)
        self._bookmark = (answer.bookmark, answer.value)
        return answer.value

    def _read_behind(self) -> None:
        """Read from a copy that nobody keeps current: as it is, or at least as new as an own write."""
        at, least = FIRST_UNCONSTRAINED, 0
        if self._bookmark is not None and self._random.random() < 0.5:
            at, least = Freshness(look=False, bookmark=parse_bookmark(self._bookmark[0])), self._bookmark[1]
        began = time.monotonic()
        with suppress(VaultError):
            found = self._behind.read(look, at).value
            self._tell("behind", least, found, began, time.monotonic())

    def _tell(self, kind: str, argument: Any, result: Any, began: float, ended: float | None) -> None:
        self.told.append(
            {
                "client": self.name,
                "name": kind,
                "argument": argument,
                "result": result,
                "began": began,
                "ended": ended,
            }
        )


def main(job: dict[str, Any]) -> None:
    store: Any = open_store(str(job["store"]), **job["keys"])
    if job["faults"]:
        store = RandomFaults(store, f"{job['name']} {job['seed']}")
    folder = Path(job["folder"])

    def opened(name: str) -> Vault:
        while True:
            with suppress(StoreUnavailable):
                return open_desk(store, folder / name)

    shared, behind = opened("shared"), opened("behind")
    names = [f"{job['name']}{job['seed']}.{number}" for number in range(job["clients"])]
    # The last one has nothing open: each of its operations is the first request of a fresh process.
    clients = [
        Client(name, None if name == names[-1] else shared, lambda place: open_desk(store, folder / place), behind)
        for name in names
    ]
    threads = [threading.Thread(target=client.run, args=(job["times"],)) for client in clients]
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.close()
    behind.close()
    for client in clients:
        for told in client.told:
            print(json.dumps(told))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
