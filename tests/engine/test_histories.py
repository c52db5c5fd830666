"""Clients in several processes on one vault whose store fails now and then: what they saw is linearizable.

Current reads, and writes whether they change something or not, fit one order that keeps their times; an unknown one may
have happened or not. Reads that need not be current show a beginning of that order, one that never gets shorter.
"""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from tests.engine.desk import check_log, new_desk, open_desk
from tests.engine.history_child import look
from tests.fault_proxy import FaultKind, fault_proxy
from tests.linearizability import UNENDED, Operation, linearization
from tests.moto_s3 import MotoS3, clean_environment

ROOT = Path(__file__).parents[2]
PROCESSES, CLIENTS = 2, 4
TIMEOUT_S = 0.4
FAULT_CHANCE = 0.05
KINDS: dict[str, tuple[FaultKind, ...]] = {
    "PUT": ("500", "503", "dropped", "broken", "silent", "lost", "late"),
    "GET": ("500", "503", "dropped", "cut", "lost"),
    "LIST": ("500", "503", "dropped", "cut", "reordered", "paged"),
}


def desk(state: Any, name: str, argument: Any) -> tuple[Any, Any]:
    """The names appended so far and the register."""
    names, register = state
    if name == "append":
        return ((*names, argument), register), len(names) + 1
    if name == "swap":
        believed, wanted = argument
        return ((names, wanted), True) if register == believed else (state, False)
    return state, [list(names), register]


def histories_of(jobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the clients of all processes wrote down; the processes begin at the same time."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.engine.history_child", json.dumps(job)],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for job in jobs
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate(timeout=120)[0] for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    return [json.loads(line) for output in outputs for line in output.splitlines()]


def operation(told: dict[str, Any]) -> Operation:
    ended = UNENDED if told["ended"] is None else told["ended"]
    return Operation(told["name"], told["argument"], told["result"], told["began"], ended, told["client"])


def check(told: Sequence[dict[str, Any]], store: ObjectStore, folder: Path) -> None:
    """The history with a last read of the log alone; and the reads that were allowed to be behind."""
    vault = open_desk(store, folder / "last")
    last = vault.read(look).value
    vault.close()
    history = [operation(entry) for entry in told if entry["name"] != "behind"]
    after = max(entry.ended for entry in history if entry.known) + 1
    assert linearization([*history, Operation("read", None, last, after, after + 1)], desk, ((), 0)) is not None
    behind = [entry for entry in told if entry["name"] == "behind"]
    for entry in behind:
        names = entry["result"][0]
        assert names == last[0][: len(names)]
        assert len(names) >= entry["argument"], "the own write is there"
    for first, second in zip_clients(behind):
        assert len(first["result"][0]) <= len(second["result"][0])
    assert sorted(last[0]) == check_log(store)


def zip_clients(told: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each entry with the next one of the same client."""
    for client in {entry["client"] for entry in told}:
        own = sorted((entry for entry in told if entry["client"] == client), key=lambda entry: entry["began"])
        yield from pairwise(own)


def jobs_for(
    store: str, keys: dict[str, Any], folder: Path, seed: int, times: int, *, faults: bool = False
) -> list[dict[str, Any]]:
    common = {"store": store, "keys": keys, "seed": seed, "faults": faults, "clients": CLIENTS, "times": times}
    return [common | {"name": name, "folder": str(folder / name)} for name in ("left", "right")[:PROCESSES]]


@pytest.mark.parametrize("faults", [False, True])
def test_what_clients_see_of_a_vault_in_a_folder_is_linearizable(tmp_path: Path, faults: bool) -> None:
    store = DirectoryStore(tmp_path / "store")
    new_desk(store, tmp_path / "maker").close()
    seed = random.SystemRandom().randrange(10_000)
    told = histories_of(jobs_for(f"file://{tmp_path}/store", {}, tmp_path, seed, 40, faults=faults))
    assert len(told) > PROCESSES * CLIENTS * 20
    check(told, store, tmp_path)


@contextmanager
def failing_bucket(s3: MotoS3, seed: int) -> Generator[MotoS3]:
    """The bucket behind a proxy that breaks a call now and then; late ones arrive some time later."""
    chance = random.Random(seed)

    def choose(method: str, key: str) -> FaultKind | None:
        return chance.choice(KINDS[method]) if chance.random() < FAULT_CHANCE else None

    over = threading.Event()

    def release() -> None:
        while not over.wait(TIMEOUT_S * 1.5):
            proxy.release()

    with fault_proxy(s3.endpoint, 0.005) as proxy:
        proxy.choose = choose
        releasing = threading.Thread(target=release)
        releasing.start()
        try:
            yield replace(s3, endpoint=proxy.endpoint)
        finally:
            over.set()
            releasing.join()
            proxy.release()


def test_what_clients_see_of_a_vault_in_a_failing_bucket_is_linearizable(s3: MotoS3, tmp_path: Path) -> None:
    prefix, seed = f"histories/{tmp_path.name}", random.SystemRandom().randrange(10_000)
    store = s3.store(prefix)
    new_desk(store, tmp_path / "maker").close()
    keys: dict[str, Any] = {"access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
    with failing_bucket(s3, seed) as failing:
        jobs = jobs_for(failing.url(prefix), keys | {"timeout_s": TIMEOUT_S}, tmp_path, seed, 15)
        told = histories_of(jobs)
    check(told, store, tmp_path)
