"""Raw SQL that wants too much: of time, memory, answer, threads. The process lives, and others are served meanwhile."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from db.errors import RateLimited
from handlers.d1 import at_once
from handlers.d1.at_once import AT_ONCE, AT_ONCE_WHEN_SLOW, CallsAtOnce
from tests.handlers.d1.desk import Desk, make_desk
from tests.interop.d1_desk import D1Server, d1_server

ROOT = Path(__file__).parents[3]
ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
NUMBERS = "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT {}) SELECT i FROM c"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk(tmp_path, sql_seconds="1")
    desk.create()
    yield desk
    desk.site.services.close()


TOO_LONG = [
    # Each row repeats a name of 100 KB.
    f'SELECT i AS "{"n" * 100_000}" FROM ({NUMBERS.format(60)})',
    f"SELECT printf('%.1000c', 'x') FROM ({NUMBERS.format(6_000)})",
    "SELECT zeroblob(3000000)",
    "SELECT printf('%.60000c', 'x');" * 100,
]


@pytest.mark.parametrize("sql", TOO_LONG, ids=["names", "rows", "bytes", "statements"])
def test_an_answer_that_would_be_too_long_is_not_made(desk: Desk, sql: str) -> None:
    assert "limit" in desk.refused(413, 7500, "POST", "/shop/query", {"sql": sql})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1;" * 200_000,
        f"SELECT * FROM ({ENDLESS}) AS a, ({ENDLESS}) AS b",
        (
            "WITH RECURSIVE c (x) AS (SELECT 'a' UNION ALL SELECT x || x FROM c WHERE length(x) < 1000000"
            " UNION ALL SELECT x FROM c) SELECT group_concat(x) FROM c"
        ),
        f"SELECT max(a.i * b.i) FROM ({NUMBERS.format(9999999)}) AS a, ({NUMBERS.format(9999999)}) AS b",
        (
            "CREATE TABLE n (x); CREATE TRIGGER again AFTER INSERT ON n BEGIN INSERT INTO n VALUES (new.x + 1); END;"
            "INSERT INTO n VALUES (1)"
        ),
    ],
    ids=["statements", "nested", "doubling", "product", "trigger"],
)
def test_what_never_ends_is_ended(desk: Desk, sql: str) -> None:
    answer = desk.send("POST", "/shop/query", {"sql": sql})
    assert answer.status in (400, 413, 429), answer.text
    assert answer.header("x-should-retry") == "false"
    assert desk.query("shop", "SELECT count(*) AS n FROM sqlite_schema WHERE name = 'n'") == [{"n": 0}]


BLOBS = (
    "WITH RECURSIVE c (i, x) AS (SELECT 1, randomblob(5000000) {} SELECT i + 1, randomblob(5000000) FROM c LIMIT 50)"
)
# Each keeps 250 MB at once.
HUNGRY = [
    f"{BLOBS.format('UNION')} SELECT count(*) FROM c",
    f"{BLOBS.format('UNION ALL')} SELECT i FROM c ORDER BY x",
    f"INSERT INTO t {BLOBS.format('UNION ALL')} SELECT x FROM c",
]
CHILD = """
import json, sys
from pathlib import Path
from tests.handlers.d1.desk import make_desk
desk = make_desk(Path(sys.argv[1]), sql_memory_bytes=str(2**26))
desk.create()
desk.create("other")
desk.query("shop", "CREATE TABLE t (x)")
told = []
for sql in json.loads(sys.stdin.read()):
    answer = desk.send("POST", "/shop/query", {"sql": sql})
    desk.query("shop", "INSERT INTO t VALUES (1)")
    rows = [desk.query("shop", "SELECT count(*) AS n FROM t")[0]["n"], desk.query("other", "SELECT 1 AS n")[0]["n"]]
    told.append([answer.status, answer.header("x-should-retry"), answer.json()["errors"][0]["message"], *rows])
print(json.dumps(told))
"""


def test_what_needs_too_much_memory_is_refused_and_the_process_goes_on(tmp_path: Path) -> None:
    """In a process of its own: SQLite's limit is the process's, and can only be lowered."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, input=json.dumps(HUNGRY), capture_output=True,
        text=True, check=True, timeout=60,
    )  # fmt: skip
    for rows, (status, again, message, *counts) in enumerate(json.loads(done.stdout), 1):
        assert (status, again, counts) == (413, "false", [rows, 1])
        assert "VAULTRY_SQL_MEMORY_BYTES" in message


def post(server: D1Server, database: str, sql: str) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{server.base}/accounts/vaultry/d1/database/{database}/query",
        data=json.dumps({"sql": sql}).encode(),
        headers={"authorization": f"Bearer {server.token}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, json.loads(exc.read())


def test_others_are_served_while_one_database_is_slow(tmp_path: Path) -> None:
    with d1_server(tmp_path, sql_seconds="4") as server, ThreadPoolExecutor(100) as threads:
        for name in ("slow", "other"):
            Desk(server.site, server.token).create(name)
        slow = [threads.submit(post, server, "slow", ENDLESS) for _ in range(AT_ONCE_WHEN_SLOW + 2)]
        time.sleep(at_once.SLOW_S + 0.2)
        # Its own callers are told why; nobody else notices.
        status, told = post(server, "slow", "SELECT 1")
        assert (status, told["errors"][0]["code"]) == (429, 7429)
        assert f"{AT_ONCE_WHEN_SLOW} calls of SQL" in told["errors"][0]["message"]
        assert post(server, "other", "SELECT 1 AS n")[0] == 200
        with urllib.request.urlopen(server.base.replace("/client/v4", "/healthz"), timeout=5) as health:
            assert health.status == 200
        assert not any(each.done() for each in slow)
        assert {each.result()[0] for each in slow} == {429}
        assert post(server, "slow", "SELECT 1 AS n")[0] == 200


def test_quick_calls_wait_for_a_place_and_slow_ones_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = [100.0], CallsAtOnce()
    monkeypatch.setattr("handlers.d1.at_once.time.monotonic", lambda: now[0])
    places = [calls.of("a") for _ in range(AT_ONCE)]
    for place in places:
        place.__enter__()
    # One more of this database waits until one is over; another database has its own.
    entered = threading.Event()

    def enter() -> None:
        with calls.of("a"):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    with calls.of("b"):
        assert not entered.wait(0.05)
    places.pop().__exit__(None, None, None)
    assert entered.wait(5)
    waiting.join()
    now[0] += at_once.SLOW_S + 0.1
    with pytest.raises(RateLimited, match=str(AT_ONCE_WHEN_SLOW)), calls.of("a"):
        pass
    while len(places) >= AT_ONCE_WHEN_SLOW:
        places.pop().__exit__(None, None, None)
    with calls.of("a"):
        pass
    for place in places:
        place.__exit__(None, None, None)
    assert calls._began == {}
