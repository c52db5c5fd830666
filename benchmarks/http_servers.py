"""The servers of the HTTP benchmark: filled, started on one core, measured in processor time, ended. Knows processes.

Every server gets the same: one core for all its processes, a folder on the same disk, keep-alive connections.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.http_load import request
from benchmarks.http_rows import (
    ADD_SQL,
    CREATED_AT,
    EDITIONS,
    LISTED,
    ONE_SQL,
    ORG_ID,
    WORKS,
    edition,
    make_file,
    new_id,
    new_work,
    statements_of,
    work,
)
from db.registry.api_tokens import TokenReach, create_api_token
from db.transaction import Actor
from domain.charter import Founding
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import provision
from tests.moto_s3 import clean_environment

GET, LIST, POST = "GET one row", f"list {LISTED} rows with an embed", "POST one row"
SQL_ONE, SQL_ADD = "/query, one row", "/query, INSERT of one row"
_ACTOR = Actor("benchmark", "system", "benchmark", "benchmark.write")
_OWNER = "owner@bench.example"
_TICKS = os.sysconf("SC_CLK_TCK")
_JS = Path(__file__).with_name("js")
_START_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers. requests: of each operation, without end."""

    name: str
    pid: int
    port: int
    requests: Mapping[str, Iterator[bytes]]

    def cpu_s(self) -> float:
        """Seconds of processor, user and system, that the process and those it started have used."""
        return sum(_cpu_s(pid) for pid in _family(self.pid))


def first_core() -> None:
    """Keep this process, and what it starts, on the first of two cores; the asking side takes another."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@contextmanager
def vaultry(folder: Path) -> Generator[Server]:
    """`vaultry serve` with one choir: its owner signed in by a link of the mail, the rules of the charter on."""
    environ = clean_environment() | {
        "VAULTRY_STORE": f"file:{folder / 'store'}",
        "VAULTRY_CACHE": str(folder / "cache"),
        "VAULTRY_SECRET": "benchmark-secret-" * 3,
        "VAULTRY_MAIL": f"folder:{folder / 'mail'}",
    }
    services = Services(Settings.from_env(environ))
    link = provision(services, "choir", Founding("bench", "Bench", _OWNER), _ACTOR).link
    now, account = services.clock(), services.settings.accounts[0].partition("=")[0]
    operator, _ = services.registry_write(lambda tx: create_api_token(tx, "bench", TokenReach(), now), _ACTOR, now)
    services.close()
    port = _free_port()
    with _started([sys.executable, "-m", "handlers.cli", "serve", "--port", str(port)], port, environ) as process:
        base = f"http://127.0.0.1:{port}/bench"
        proof = {"type": "magiclink", "token_hash": link.rpartition("token_hash=")[2]}
        token = _send(f"{base}/auth/v1/verify", proof)["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Prefer": "return=representation"}
        ids = [row["id"] for row in _send(f"{base}/rest/v1/works", [work(n) for n in range(WORKS)], headers)]
        editions = [{"work_id": ids[n], **edition(n, place)} for n in range(WORKS) for place in range(EDITIONS)]
        for place in range(0, len(editions), 100):
            _send(f"{base}/rest/v1/editions", editions[place : place + 100], headers)
        rest, asked = "/bench/rest/v1/works", {"Authorization": headers["Authorization"]}
        listed = f"{rest}?select=id,title,composer,editions(id,name,edition_type)&order=title&limit={LISTED}"
        yield Server(
            "vaultry serve",
            process.pid,
            port,
            {
                GET: _around([request("GET", f"{rest}?id=eq.{id_}", port, asked) for id_ in ids]),
                LIST: _around([request("GET", listed, port, asked)]),
                POST: _adding(rest, port, headers),
                **_by_sql(port, f"/client/v4/accounts/{account}/d1/database", operator, folder / "rows.sqlite"),
            },
        )


def _by_sql(port: int, databases: str, token: str, file: Path) -> Mapping[str, Iterator[bytes]]:
    """A database made by way of D1's API with the rows in it, and the requests to its `/query`."""
    base, headers = f"http://127.0.0.1:{port}{databases}", {"Authorization": f"Bearer {token}"}
    database = _send(base, {"name": "bench-sql"}, headers)["result"]["uuid"]
    path, ids = f"{databases}/{database}/query", make_file(file)
    _send(f"http://127.0.0.1:{port}{path}", {"batch": [{"sql": text} for text in statements_of(file)]}, headers)

    def asking(sql: str, values: list[Any]) -> bytes:
        return request("POST", path, port, headers, json.dumps({"sql": sql, "params": values}).encode())

    def adding() -> Iterator[bytes]:
        number = 0
        while True:
            number += 1
            sent = work(number + WORKS)
            yield asking(ADD_SQL, [new_id(), ORG_ID, sent["title"], sent["composer"], None, CREATED_AT])

    return {SQL_ONE: _around([asking(ONE_SQL, [id_]) for id_ in ids]), SQL_ADD: adding()}


@contextmanager
def python_server(module: str, name: str, folder: Path) -> Generator[Server]:
    """A reference of `benchmarks/`, over a file of its own."""
    folder.mkdir(parents=True)
    ids, port = make_file(folder / "rows.sqlite"), _free_port()
    command = [sys.executable, "-m", f"benchmarks.{module}", str(folder / "rows.sqlite"), str(port)]
    with _started(command, port, clean_environment()) as process:
        yield Server(name, process.pid, port, _plain(ids, port))


@contextmanager
def d1_local(folder: Path) -> Generator[Server | None]:
    """D1's local engine behind a Worker, its file on disk; None where Node or its package is not to be had."""
    if not _has_miniflare():
        yield None
        return
    folder.mkdir(parents=True)
    port = _free_port()
    with _started(["node", str(_JS / "serve.mjs"), str(port), str(folder)], port, clean_environment()) as process:
        ids = make_file(folder / "rows.sqlite")
        _send(f"http://127.0.0.1:{port}/fill", statements_of(folder / "rows.sqlite"))
        asked = _plain(ids, port)
        yield Server("D1, local engine", process.pid, port, {**asked, SQL_ONE: asked[GET], SQL_ADD: asked[POST]})


def _plain(ids: list[str], port: int) -> Mapping[str, Iterator[bytes]]:
    """The requests to a reference."""
    return {
        GET: _around([request("GET", f"/works/{id_}", port, {}) for id_ in ids]),
        LIST: _around([request("GET", f"/works?limit={LISTED}", port, {})]),
        POST: _adding("/works", port, {}),
    }


def _around(requests: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests


def _adding(path: str, port: int, headers: dict[str, str]) -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield request("POST", path, port, headers, new_work(number))


def _has_miniflare() -> bool:
    """Whether the package is there; it is installed beside this file when it is not."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    if not (_JS / "node_modules" / "miniflare").is_dir():
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=_JS, check=False, capture_output=True)
        return done.returncode == 0
    return True


@contextmanager
def _started(command: list[str], port: int, environ: Mapping[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """The process, from the moment its port takes connections."""
    process = subprocess.Popen(
        command,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=first_core,
    )
    try:
        deadline = time.monotonic() + _START_S
        while not _listens(port):
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command} does not listen"
            time.sleep(0.05)
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _send(url: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
    sent = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})
    with urlopen(sent, timeout=30) as answer:
        return json.load(answer)


def _family(pid: int) -> list[int]:
    """The process and all that come from it."""
    tasks = Path(f"/proc/{pid}/task")
    children = [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    return [pid, *(found for child in children for found in _family(child))]


def _cpu_s(pid: int) -> float:
    # The command's name, in parentheses, may hold blanks; utime and stime are the 14th and 15th field of all.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
