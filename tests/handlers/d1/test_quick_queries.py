"""Reads by SQL that are answered where they arrive say what the ordinary way says, to whom it says it, and no more."""

from pathlib import Path
from typing import Any

import pytest

from db.registry.api_tokens import list_api_tokens, revoke_api_token
from handlers.app import create_app
from handlers.http.reply import Reply
from tests.handlers.d1.desk import Desk, make_desk
from tests.handlers.http.asgi_client import Client
from tests.handlers.http.site import OPERATOR, Clock, inline

READS = (
    {"sql": "SELECT 1 AS a, 'x' AS b"},
    {"sql": "SELECT b, n FROM t WHERE id = ?", "params": [1]},
    {"sql": "SELECT count(*) AS n FROM t; SELECT b FROM t ORDER BY id"},
    {"batch": [{"sql": "SELECT b FROM t WHERE id = ?1", "params": [2]}, {"sql": "SELECT :x AS x", "params": [None]}]},
    {"sql": "SELECT hex(x'00ff') AS h, 1.5 AS r, 9007199254740993 AS i"},
    {"sql": "PRAGMA table_info(t)"},
)


class Threads:
    """Counts what is handed to a thread."""

    def __init__(self) -> None:
        self.works = 0

    async def __call__(self, work: Any) -> Reply:
        self.works += 1
        return await inline(work)


@pytest.fixture
def threads() -> Threads:
    return Threads()


@pytest.fixture
def desk(tmp_path: Path, threads: Threads) -> Desk:
    made = make_desk(tmp_path)
    made.site.client = Client(create_app(made.site.services, threads))
    return made


@pytest.fixture
def shop(desk: Desk) -> str:
    made = desk.create("shop")
    desk.query(
        made, "CREATE TABLE t (id INTEGER PRIMARY KEY, b TEXT, n INTEGER); INSERT INTO t (b) VALUES ('x'), ('y')"
    )
    # The caller is known from now on.
    desk.query(made, "SELECT 1")
    return made


def told(answer: Any) -> tuple[Any, ...]:
    """All of an answer that is not of its own request, or of its time."""
    body = answer.json()
    for result in body["result"] or ():
        del result["meta"]["timings"], result["meta"]["duration"]
    headers = {name: value for name, value in answer.headers if name not in ("x-request-id", "content-length")}
    return answer.status, headers, body


@pytest.mark.parametrize("body", READS)
def test_a_query_at_once_is_answered_as_it_is_the_ordinary_way(
    desk: Desk, shop: str, threads: Threads, body: dict[str, Any]
) -> None:
    for headers in ({}, {"x_vaultry_numbers": "d1"}, {"x_vaultry_int64": "text"}):
        # Whoever names a bookmark is always served the ordinary way.
        ordinary = desk.send("POST", f"/{shop}/query", body, x_d1_bookmark="first-primary", **headers)
        assert ordinary.status == 200
        before = threads.works
        assert told(desk.send("POST", f"/{shop}/query", body, **headers)) == told(ordinary)
        assert threads.works == before


@pytest.mark.parametrize(
    "body",
    [
        {"sql": "INSERT INTO t (b) VALUES ('z')"},
        {"sql": "SELECT 1; DELETE FROM t"},
        {"sql": "SELECT nothing FROM t"},
        {"sql": "SELECT ?", "params": []},
        {"sql": ""},
        {"sql": "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300000) SELECT sum(n) FROM c"},
    ],
)
def test_what_writes_fails_or_takes_long_goes_the_ordinary_way(
    desk: Desk, shop: str, threads: Threads, body: dict[str, Any]
) -> None:
    before = threads.works
    desk.send("POST", f"/{shop}/query", body)
    desk.send("POST", f"/{shop}/query", body)
    assert threads.works == before + 2


def test_a_query_at_once_sees_every_commit(desk: Desk, shop: str) -> None:
    for number in range(3):
        desk.query(shop, "UPDATE t SET n = coalesce(n, 0) + 1 WHERE id = 1")
        assert desk.query(shop, "SELECT n FROM t WHERE id = 1") == [{"n": number + 1}]


def test_what_another_caller_wrote_by_the_same_text_is_refused_to_a_reader(desk: Desk, shop: str) -> None:
    body = {"sql": "DELETE FROM t"}
    reader = desk.sql_token(shop, "read")
    first = reader.refused(403, 7403, "POST", f"/{shop}/query", body)
    desk.done("POST", f"/{shop}/query", body)
    assert reader.refused(403, 7403, "POST", f"/{shop}/query", body) == first


def test_a_repeated_write_with_a_key_is_done_once(desk: Desk, shop: str) -> None:
    body = {"sql": "INSERT INTO t (b) VALUES ('once')"}
    for _ in range(2):
        desk.done("POST", f"/{shop}/query", body, idempotency_key="k1")
    assert desk.query(shop, "SELECT count(*) AS n FROM t WHERE b = 'once'") == [{"n": 1}]


def test_a_token_that_was_revoked_reads_no_more(desk: Desk, shop: str) -> None:
    services, now = desk.site.services, desk.site.clock()
    reader = desk.sql_token(shop, "read")
    for _ in range(2):
        reader.query(shop, "SELECT 1")
    (token,) = services.registry_read(lambda tx: list_api_tokens(tx, shop))
    services.registry_write(lambda tx: revoke_api_token(tx, token.id, shop, now), OPERATOR, now)
    assert reader.send("POST", f"/{shop}/query", {"sql": "SELECT 1"}).status == 401


def test_a_token_whose_time_is_over_reads_no_more(desk: Desk, shop: str) -> None:
    from db.registry.api_tokens import TokenReach
    from tests.handlers.d1.desk import make_token

    clock = desk.site.clock
    assert isinstance(clock, Clock)
    ends = clock().later(seconds=1)
    reader = desk.with_token(make_token(desk.site, TokenReach(shop, sql="read", expires_at=ends)))
    for _ in range(2):
        reader.query(shop, "SELECT 1")
    clock.tick(1)
    assert reader.send("POST", f"/{shop}/query", {"sql": "SELECT 1"}).status == 401


def test_one_database_is_not_read_with_the_token_of_another(desk: Desk, shop: str) -> None:
    other = desk.create("other")
    reader = desk.sql_token(shop, "read")
    for _ in range(2):
        reader.query(shop, "SELECT 1")
        assert reader.send("POST", f"/{other}/query", {"sql": "SELECT 1"}).status == 404


def test_a_database_that_was_deleted_is_not_read(desk: Desk, shop: str) -> None:
    desk.query(shop, "SELECT b FROM t")
    desk.done("DELETE", f"/{shop}")
    assert desk.send("POST", f"/{shop}/query", {"sql": "SELECT b FROM t"}).status == 404
