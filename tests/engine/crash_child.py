"""A process that forks one child for each job; the child works on a vault and kills itself at the step it is told.

A job is a line of JSON on stdin: `store` (a folder, or the address of a bucket with its keys), `folder` for the caches,
`kill_at` (the number of the step, or null to live). The answer is a line of JSON on stdout: `acknowledged`, written by
the child as it went, and `steps`, the names of those it took.
Forking is fast and leaves the child alone with its threads: this process starts none.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from db.history.points import restore
from db.log.retention import HOUR_MS, Retention, tend
from db.stores import open_store
from db.transaction import WriteTx
from db.vault import commit_group
from db.vault.cache import CacheFolder
from db.vault.connections import Connections
from db.vault.vault import Vault, VaultOptions
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, Clock, open_desk, site

# What the engine does besides calling the store, and where a kill would leave something half done.
ENGINE_STEPS = (
    (CacheFolder, "write_marker"),
    (CacheFolder, "truncate_wal"),
    (CacheFolder, "apply"),
    (CacheFolder, "clear"),
    (Connections, "open"),
    (Connections, "close_settled"),
    (Connections, "close_abandoned"),
    (commit_group, "_run_one"),
)
OPTIONS = VaultOptions(wal_bytes=40_000)


class Steps:
    """Counts the steps and kills the process at one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self._kill_at = kill_at
        self.taken: list[str] = []

    def take(self, name: str) -> None:
        if len(self.taken) == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.taken.append(name)

    def watch(self, owner: Any, name: str) -> None:
        """Take a step before and after each call of the function."""
        original = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.take(f"before {name}")
            result = original(*args, **kwargs)
            self.take(f"after {name}")
            return result

        setattr(owner, name, watched)


class Writer:
    """Writes one visit after the other and says aloud which are acknowledged."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._names = (f"visit {number:03}" for number in count(1))

    def write(self, vault: Vault) -> None:
        name = next(self._names)

        def work(tx: WriteTx) -> None:
            tx.insert("requests", id=name, note="x" * 3000)
            tx.execute("UPDATE counters SET value = value + 1 WHERE id = 'visits'")

        vault.write(work, ACTOR)
        self._say(name)


def short_play(store: FaultyStore, folder: Path, writer: Writer) -> None:
    """Commits, a lost race, restarts after a farewell and without one."""
    vault = open_desk(store, folder / "first", options=OPTIONS)
    writer.write(vault)
    rival = open_desk(store.inner, folder / "rival")
    take_the_next_commit(store, rival, writer)
    writer.write(vault)
    vault._copy.connections.close_abandoned()
    vault._copy.cache.close()
    vault = open_desk(store, folder / "first", options=OPTIONS)
    writer.write(vault)
    vault.close()
    vault = open_desk(store, folder / "first", options=OPTIONS)
    writer.write(vault)


def long_play(store: FaultyStore, folder: Path, writer: Writer) -> None:
    """The short play, and besides: others' commits, folding, tending a day later, a restore."""
    short_play(store, folder, writer)
    clock = Clock(Path(folder).stat().st_ctime_ns // 1_000_000)
    rival = open_desk(store.inner, folder / "rival", clock)
    vault = open_desk(store, folder / "first", clock, options=OPTIONS)
    for _ in range(3):
        writer.write(rival)
    writer.write(vault)
    restore(vault, site(store, folder, clock), vault.bookmark, ACTOR)
    clock.ms += 25 * HOUR_MS
    tend(vault, clock.ms, Retention(range_commits=3))
    writer.write(vault)
    vault.close()


def take_the_next_commit(store: FaultyStore, rival: Vault, writer: Writer) -> None:
    """Let the rival be first, once, between the look and the put."""
    before = store.before_call

    def overtake(op: str) -> None:
        if op == "commit:put":
            store.before_call = before
            writer.write(rival)
        before(op)

    store.before_call = overtake


def run(job: dict[str, Any], say: Callable[[str], None]) -> list[str]:
    steps = Steps(job["kill_at"])
    store = FaultyStore(open_store(job["store"], **job["keys"]))
    store.before_call = lambda op: steps.take(f"before {op}")
    store.after_call = lambda op: steps.take(f"after {op}")
    for owner, name in ENGINE_STEPS:
        steps.watch(owner, name)
    (long_play if job["long"] else short_play)(store, Path(job["folder"]), Writer(say))
    return steps.taken


def in_a_child(job: dict[str, Any]) -> dict[str, Any]:
    """Run the job in a child of its own: what it acknowledged before its end, and its steps if it lived."""
    said, saying = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(said)
        try:
            taken = run(job, lambda name: os.write(saying, f"{name}\n".encode()) and None)
            os.write(saying, f"steps {json.dumps(taken)}\n".encode())
        finally:
            os._exit(0)
    os.close(saying)
    with os.fdopen(said) as heard:
        lines = heard.read().splitlines()
    _, status = os.waitpid(child, 0)
    told = [line for line in lines if not line.startswith("steps ")]
    taken = next((json.loads(line[6:]) for line in lines if line.startswith("steps ")), [])
    return {"acknowledged": told, "steps": taken, "killed": os.WIFSIGNALED(status)}


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(in_a_child(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
