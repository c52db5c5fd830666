"""A folder to work in: removed at the end, and by the next one when its process was killed."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from db.vault.work_folder import work_folder

ROOT = Path(__file__).parents[2]


def folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()]


def test_it_is_there_for_the_block_private_and_empty_and_gone_afterwards(tmp_path):
    with work_folder(tmp_path / "work") as folder:
        assert folder.is_absolute()
        assert folder.stat().st_mode & 0o077 == 0
        folder.joinpath("big").write_bytes(b"x")
    assert folders(tmp_path / "work") == []
    with pytest.raises(ZeroDivisionError), work_folder(tmp_path / "work"):
        raise ZeroDivisionError
    assert folders(tmp_path / "work") == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path):
    program = (
        "import sys; from pathlib import Path; from db.vault.work_folder import work_folder\n"
        "with work_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'big').write_bytes(b'x'); print(folder, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        theirs = Path(process.stdout.readline().strip())
        with work_folder(tmp_path) as ours:
            assert sorted(folders(tmp_path)) == sorted([ours, theirs])
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert theirs.joinpath("big").exists()
    with work_folder(tmp_path) as ours:
        assert folders(tmp_path) == [ours]


def test_many_at_once_keep_out_of_each_others_way(tmp_path):
    failed = []

    def work() -> None:
        for _ in range(20):
            with work_folder(tmp_path) as folder:
                folder.joinpath("mine").write_bytes(b"x")
                if not folder.joinpath("mine").exists():
                    failed.append(folder)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert folders(tmp_path) == []
