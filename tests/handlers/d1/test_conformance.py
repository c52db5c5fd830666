"""What clients of D1 count on, whatever they call: the envelope, three ways to send a token, bookmarks that rise."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.d1.routes import PREFIX, ROUTES, D1Route
from tests.handlers.d1.desk import Desk, make_desk
from tests.handlers.http.asgi_client import Answer

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Whoever brings their signed address needs no token.
SIGNED = ("{database}/import/{file}", "{database}/export/{file}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk(tmp_path, sql_answer_bytes="1024")
    desk.create()
    yield desk
    desk.site.services.close()


def place(route: D1Route) -> str:
    path = route.path.replace("{account}", "vaultry").replace("{database}", "shop").replace("{file}", "0.sql")
    return PREFIX + path


def is_failure(answer: Answer, status: int, code: int) -> bool:
    """Whether it is an error in the envelope, with all that clients read of one."""
    told = answer.json()
    assert answer.status == status, (answer.status, answer.text)
    assert set(told) == {"result", "success", "errors", "messages"}
    assert (told["success"], told["messages"]) == (False, [])
    assert told["result"] in (None, [])
    [error] = told["errors"]
    assert isinstance(error["message"], str)
    assert answer.header("content-type") == "application/json; charset=UTF-8"
    assert answer.header("x-should-retry") in ("true", "false")
    return bool(error["code"] == code and answer.header("cf-d1") == f"err={code}")


@pytest.mark.parametrize("path", sorted({place(route) for route in ROUTES}))
def test_every_path_refuses_in_the_envelope(desk: Desk, path: str) -> None:
    taken = {method for route in ROUTES if place(route) == path for method in route.methods}
    for method in METHODS:
        if method not in taken:
            assert is_failure(desk.send(method, path), 405, 7001), method
    client = desk.site.client
    for method in taken:
        signed = path.endswith("0.sql")
        assert is_failure(client.request(method, path, headers={}), *((403, 7403) if signed else (401, 10000))), method
    assert is_failure(desk.send("GET", f"{path}/nothing/here"), 404, 7000)
    large = b"x" * (desk.site.services.settings.max_body_bytes + 1)
    for method in taken - {"GET"}:
        if not path.endswith("0.sql"):
            assert is_failure(desk.send(method, path, large), 413, 7413), method


def test_a_fault_of_ours_is_told_in_the_envelope_on_every_path(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **named: Any) -> Any:
        raise RuntimeError("a fault")

    for route in ROUTES:
        if route.streams:
            continue
        monkeypatch.setattr(f"handlers.d1.{route.module}.{route.name}", broken)
        for method in route.methods:
            assert is_failure(desk.send(method, place(route), {}), 500, 7500), route


STYLES = [
    {"authorization": "Bearer {}"},
    {"x-auth-email": "ops@example.org", "x-auth-key": "{}"},
    {"x-auth-key": "{}"},
    {"x-auth-user-service-key": "{}"},
]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sql", ["read", "write"])
def test_a_narrowed_token_is_the_same_in_every_style(desk: Desk, style: dict[str, str], sql: str) -> None:
    shop = desk.done("GET", "/shop")["uuid"]
    token = desk.sql_token(shop, sql).token
    headers = {name: text.format(token) for name, text in style.items()}

    def send(statement: str) -> int:
        path = "/client/v4/accounts/vaultry/d1/database/shop/query"
        return desk.site.client.request("POST", path, headers=headers, body={"sql": statement}).status

    assert send("SELECT 1") == 200
    assert send("CREATE TABLE t (x)") == (200 if sql == "write" else 403)


def test_bookmarks_rise_with_the_commits_of_many_writers(desk: Desk, tmp_path: Path) -> None:
    """Two processes, four writers: as text they come in the order of the rows they stand for."""
    other = make_desk(tmp_path, cache=str(tmp_path / "other")).with_token(desk.token)
    desk.query("shop", "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x)")
    told: list[list[tuple[str, int]]] = [[] for _ in range(4)]

    def write(writer: Desk, into: list[tuple[str, int]]) -> None:
        for _ in range(6):
            answer = writer.send("POST", "/shop/query", {"sql": "INSERT INTO t (x) VALUES (1) RETURNING id"})
            row = answer.json()["result"][0]["results"][0]
            into.append((answer.header("x-d1-bookmark") or "", row["id"]))

    threads = [threading.Thread(target=write, args=((desk, other)[n % 2], told[n])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mine in told:
        assert [bookmark for bookmark, _ in mine] == sorted({bookmark for bookmark, _ in mine})
    ordered = sorted(pair for mine in told for pair in mine)
    assert [row for _, row in ordered] == list(range(1, 25))
    # A reader that asks for one sees at least that.
    for bookmark, row in ordered[::5]:
        asked = {"sql": "SELECT max(id) AS n FROM t"}
        answer = other.send("POST", "/shop/query", asked, x_d1_bookmark=bookmark)
        assert answer.json()["result"][0]["results"][0]["n"] >= row
        assert (answer.header("x-d1-bookmark") or "") >= bookmark
    other.site.services.close()


# The time it took is told in more digits or fewer.
@pytest.mark.parametrize(("size", "status"), [(1024 - 20, 200), (1024 + 20, 413)])
def test_the_longest_answer_is_the_longest(desk: Desk, size: int, status: int) -> None:
    """The part of an answer that a statement makes, as it is sent."""
    sql = "SELECT printf('%.*c', ?, 'x') AS x"

    def ask(length: int) -> Answer:
        return desk.send("POST", "/shop/query", {"sql": sql, "params": [length]})

    frame = len(ask(100).text) - 100 - len('{"result":[],"success":true,"errors":[],"messages":[]}')
    assert ask(size - frame).status == status


def test_a_batch_is_as_long_as_its_statements(desk: Desk) -> None:
    desk.query("shop", "CREATE TABLE t (x)")
    many = [{"sql": "INSERT INTO t VALUES (?)", "params": [n]} for n in range(2)]
    assert len(desk.done("POST", "/shop/query", {"batch": many})) == 2
    message = desk.refused(413, 7500, "POST", "/shop/query", {"batch": many * 6})
    assert "1024 bytes" in message
    assert desk.query("shop", "SELECT count(*) AS n FROM t") == [{"n": 2}]
