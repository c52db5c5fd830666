"""The command line as a process of its own: interrupts, kills, and a second process beside a running server."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handlers.upkeep.mail import FolderMail, Mail

ROOT = Path(__file__).parents[3]
ROWS = 2000
TITLES = "SELECT count(*) AS n, count(DISTINCT title) AS titles FROM works"


@contextmanager
def command(shell, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A running `vaultry`; ended with the block, whatever happened."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "handlers.cli", *words],
        env={**kept, **shell.environ, "PYTHONPATH": str(ROOT)},
        cwd=shell.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # SIGINT may be ignored where the tests run; a terminal's child has it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines(process: subprocess.Popen[str]) -> list[dict]:
    """The rest of what a process says, which has ended then."""
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    return [json.loads(line) for line in out.splitlines()]


def next_line(process: subprocess.Popen[str]) -> dict:
    return json.loads(process.stdout.readline())


def big_file(shell) -> str:
    return shell.file("works.csv", "title\n" + "".join(f"Work {number}\n" for number in range(ROWS)))


def test_ctrl_c_in_an_import_says_what_is_durable_and_that_is_exactly_what_is_there(choir):
    file = big_file(choir)
    with command(choir, "import", "bella", "work.create", file, "--json") as process:
        assert next_line(process) == {"event": "progress", "durable": 50, "rows": ROWS}
        process.send_signal(signal.SIGINT)
        last = lines(process)[-1]
        assert (process.returncode, last["event"]) == (130, "interrupted")
    assert 50 <= last["durable"] < ROWS
    assert choir.rows(TITLES)[0]["n"] == last["durable"]
    choir.ok("import", "bella", "work.create", file, "--skip", str(last["durable"]))
    assert choir.rows(TITLES) == [{"n": ROWS, "titles": ROWS}]
    assert choir.ok("verify", "--all").count(": sound: ") == 2


def test_a_killed_import_leaves_every_row_it_acknowledged(choir):
    with command(choir, "import", "bella", "work.create", big_file(choir), "--json") as process:
        acknowledged = [next_line(process)["durable"] for _ in range(3)][-1]
        process.kill()
        process.wait(60)
        rest = [json.loads(line) for line in process.stdout.read().splitlines() if line.endswith("}")]
    acknowledged = max([acknowledged, *(line["durable"] for line in rest)])
    there = choir.rows(TITLES)[0]["n"]
    # One commit may have been made that nobody was told of any more.
    assert there in (acknowledged, acknowledged + 50)
    assert choir.ok("verify", "bella").startswith("bella: sound: ")


def get(address: str):
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_sees_what_a_command_beside_it_does_and_keeps_everything_when_it_is_stopped(shell, number):
    with command(shell, "serve", "--port", "0", "--json") as process:
        begun = next_line(process)
        demo = begun["demo"]
        table = f"{demo['address']}/rest/v1/works"
        assert demo["address"] == f"{begun['address']}/aurora"
        assert demo["people"][0] == {"name": "Liis Kuusk", "email": "liis@aurora.example", "roles": ["owner"]}
        assert demo["link"].startswith(f"{demo['address']}/auth/v1/verify?")
        assert begun["address"] in demo["try"]
        assert len(get(f"{table}?limit=3")) == 3
        title = get(f"{table}?limit=1")[0]["title"]
        shell.write(f"UPDATE works SET title = 'Retitled' WHERE title = '{title}'", "aurora")
        assert get(f"{table}?select=title&title=eq.Retitled") == [{"title": "Retitled"}]
        process.send_signal(number)
        assert lines(process) == []
        assert process.returncode == 0
    assert shell.rows("SELECT count(*) AS n FROM works WHERE title = 'Retitled'", "aurora") == [{"n": 1}]
    with command(shell, "serve", "--port", "0", "--json") as process:
        again = next_line(process)
        assert again["demo"] is None
        assert get(f"{again['address']}/aurora/rest/v1/works?select=title&title=eq.Retitled") == [{"title": "Retitled"}]


def test_outbox_follows_the_mail_that_comes_until_it_is_stopped(shell):
    sender = FolderMail(shell.folder / "data" / "outbox", "Vaultry <no-reply@vaultry.example>")
    sender.send(Mail("m1", "anna@bella.example", "First", "1\n", "2026-05-01T19:00:00.000Z"))
    with command(shell, "outbox", "--follow", "--json") as process:
        assert next_line(process)["subject"] == "First"
        sender.send(Mail("m2", "anna@bella.example", "Second", "2\n", "2026-05-01T19:00:00.000Z"))
        assert next_line(process)["subject"] == "Second"
        process.send_signal(signal.SIGINT)
        assert lines(process) == []
        assert process.returncode == 0
