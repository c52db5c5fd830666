"""Two processes that write to one vault at once: no update is lost, and each acknowledged one is there once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from db.log.commit_log import CommitLog
from db.stores.directory import DirectoryStore
from tests.engine.desk import check_log, commits, new_desk, open_desk
from tests.moto_s3 import MotoS3, clean_environment

ROOT = Path(__file__).parents[2]
PROCESSES, THREADS, TIMES = 2, 8, 500
ALL = PROCESSES * THREADS * TIMES


def run(jobs: list[dict[str, object]]) -> list[list[str]]:
    """What each process acknowledged; they start to write at the same time."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.engine.increment_child", json.dumps(job)],
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
    outputs = [child.communicate(timeout=120)[0].split() for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    return outputs


@pytest.mark.parametrize("kind", ["directory", "s3"])
def test_two_processes_of_eight_writers_count_exactly(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    job: dict[str, object] = {"threads": THREADS, "times": TIMES, "keys": {}}
    if kind == "directory":
        store = DirectoryStore(tmp_path / "store")
        job["store"] = f"file://{tmp_path}/store"
    else:
        s3: MotoS3 = request.getfixturevalue("s3")
        store = s3.store(f"count/{tmp_path.name}")
        job["store"] = s3.url(f"count/{tmp_path.name}")
        job["keys"] = {"access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
    new_desk(store, tmp_path / "maker").close()
    # One cache folder for both: the second process takes its next slot.
    acknowledged = run([job | {"name": name, "folder": str(tmp_path / "cache")} for name in ("left", "right")])
    assert [len(requests) for requests in acknowledged] == [THREADS * TIMES] * PROCESSES

    vault = open_desk(store, tmp_path / "fresh")
    rows = vault.read(lambda tx: tx.rows("SELECT id, note FROM requests")).value
    assert vault.read(lambda tx: tx.value("SELECT value FROM counters")).value == ALL
    assert sorted(row["id"] for row in rows) == sorted(acknowledged[0] + acknowledged[1])
    assert sorted(int(row["note"]) for row in rows) == list(range(1, ALL + 1)), "each saw the one before"
    vault.close()
    assert len(check_log(store)) == ALL
    assert len(commits(CommitLog(store, "desk"))) > 2
