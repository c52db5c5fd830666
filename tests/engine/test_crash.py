"""A process killed at any step: what it acknowledged is there, nothing is half there, and everything verifies."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from db.log.commit_log import CommitLog
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from tests.engine.desk import check_log, content, content_at, new_desk, noted, open_desk
from tests.moto_s3 import MotoS3, clean_environment

ROOT = Path(__file__).parents[2]
SHARES = 4


class Crasher:
    """The process that forks children, and the jobs for them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, store: str, folder: Path, kill_at: int | None, *, long: bool, **keys: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"store": store, "folder": str(folder), "kill_at": kill_at, "long": long, "keys": keys}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def crasher() -> Iterator[Crasher]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.crash_child"],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Crasher(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()


def verify(store: ObjectStore, folder: Path, acknowledged: list[str], step: object) -> None:
    """The log by itself, then the vault as the killed process's cache gives it, then as an empty one does."""
    present = check_log(store)
    assert set(acknowledged) <= set(present), step
    assert len(present) - len(acknowledged) <= 1, step
    for cache in (folder / "first", folder / "fresh"):
        vault = open_desk(store, cache)
        assert noted(vault) == present, step
        assert vault.read(lambda tx: tx.value("SELECT value FROM counters")).value == len(present), step
        local = vault.read_raw(lambda connection, _: content(connection)).value
        assert local == content_at(CommitLog(store, "desk"), vault.head.txid), step
        vault.close()
    assert not list(folder.glob("first/desk/*/kept")), f"{step}: a crash was taken for an edit by hand"


def kills(steps: list[str], most: int) -> list[int]:
    """The steps to be killed at: of each name some, spread over the play, the first and the last among them."""
    numbers: set[int] = set()
    for name in set(steps):
        places = [number for number, step in enumerate(steps) if step == name]
        numbers.update(places[round(turn * (len(places) - 1) / most)] for turn in range(most + 1))
    return sorted(numbers)


@pytest.mark.parametrize("share", range(SHARES))
def test_a_process_killed_at_any_step_loses_and_halves_nothing_in_a_folder(tmp_path: Path, share: int) -> None:
    template = tmp_path / "template"
    new_desk(DirectoryStore(template / "store"), template / "first").close()

    with crasher() as processes:

        def play(kill_at: int | None) -> tuple[Path, dict[str, Any]]:
            folder = tmp_path / str(kill_at)
            shutil.copytree(template, folder)
            return folder, processes.run(f"file://{folder}/store", folder, kill_at, long=True)

        folder, whole = play(None)
        steps = whole["steps"]
        assert {"before commit:put", "after commit:put", "before snapshot:put", "after prune:delete"} <= set(steps)
        assert {"before _run_one", "after write_marker", "before apply", "after truncate_wal"} <= set(steps)
        verify(DirectoryStore(folder / "store"), folder, whole["acknowledged"], "none")
        for number in kills(steps, 6)[share::SHARES]:
            folder, outcome = play(number)
            assert outcome["killed"]
            verify(DirectoryStore(folder / "store"), folder, outcome["acknowledged"], (number, steps[number]))
            shutil.rmtree(folder)


@pytest.mark.parametrize("share", range(SHARES))
def test_a_process_killed_at_any_step_loses_and_halves_nothing_in_a_bucket(
    tmp_path: Path, s3: MotoS3, share: int
) -> None:
    keys = {"access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
    with crasher() as processes:

        def play(kill_at: int | None) -> tuple[Path, ObjectStore, dict[str, Any]]:
            folder, prefix = tmp_path / str(kill_at), f"crash/{tmp_path.name}/{kill_at}"
            store = s3.store(prefix)
            new_desk(store, folder / "first").close()
            return folder, store, processes.run(s3.url(prefix), folder, kill_at, long=False, **keys)

        folder, store, whole = play(None)
        verify(store, folder, whole["acknowledged"], "none")
        for number in kills(whole["steps"], 2)[share::SHARES]:
            folder, store, outcome = play(number)
            assert outcome["killed"]
            verify(store, folder, outcome["acknowledged"], (number, whole["steps"][number]))
