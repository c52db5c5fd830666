"""`/query` when the store fails around the commit, or somebody else is first: what the answer allows is true."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from db.errors import StoreUnavailable
from db.stores.base import OutcomeUnknown
from tests.db.faulty_store import FaultyStore
from tests.handlers.d1.desk import Desk, make_desk
from tests.handlers.http.asgi_client import Answer

INSERT = {"sql": "INSERT INTO t VALUES ('mine') RETURNING x"}
ROWS = "SELECT x FROM t ORDER BY x"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk(tmp_path, commit_attempts="2")
    desk.create()
    desk.query("shop", "CREATE TABLE t (x)")
    yield desk
    desk.site.services.close()


def failing(desk: Desk) -> FaultyStore:
    """From now on the vaults are over this store."""
    services = desk.site.services
    services.pool.close_all()
    store = FaultyStore(services.site.store)
    services.site = replace(services.site, store=store)
    desk.query("shop", "SELECT 1")
    return store


def raise_at(*ops: str, error: Exception) -> Callable[[str], None]:
    def fail(called: str) -> None:
        if called in ops:
            raise error

    return fail


def heal(store: FaultyStore) -> None:
    store.before_call = store.after_call = lambda op: None


def insert(desk: Desk, **headers: str) -> Answer:
    return desk.send("POST", "/shop/query", INSERT, **headers)


def elsewhere(desk: Desk, sql: str) -> None:
    """Another process: in a thread of its own, for this one is in the middle of a request."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(desk.query, "shop", sql).result()


def told(answer: Answer) -> tuple[int, int, str | None]:
    return answer.status, answer.json()["errors"][0]["code"], answer.header("x-should-retry")


def test_who_loses_every_race_may_repeat_and_nothing_was_committed(desk: Desk, tmp_path: Path) -> None:
    other = make_desk(tmp_path, cache=str(tmp_path / "other"))
    other = other.with_token(desk.token)
    store, turns = failing(desk), iter(range(100))

    def first(op: str) -> None:
        if op == "commit:put":
            elsewhere(other, f"INSERT INTO t VALUES ('theirs {next(turns)}')")

    store.before_call = first
    answer = insert(desk)
    assert told(answer) == (409, 7500, "true")
    assert answer.header("retry-after") == "1"
    heal(store)
    assert [row["x"] for row in desk.query("shop", ROWS)] == ["theirs 0", "theirs 1"]
    assert insert(desk).status == 200
    assert desk.query("shop", ROWS)[0] == {"x": "mine"}
    other.site.services.close()


def test_a_race_lost_once_is_run_again_unseen(desk: Desk, tmp_path: Path) -> None:
    other = make_desk(tmp_path, cache=str(tmp_path / "other")).with_token(desk.token)
    store, turns = failing(desk), iter(["theirs"])

    def first(op: str) -> None:
        if op == "commit:put" and (value := next(turns, None)):
            elsewhere(other, f"INSERT INTO t VALUES ('{value}')")

    store.before_call = first
    assert insert(desk).status == 200
    assert desk.query("shop", ROWS) == [{"x": "mine"}, {"x": "theirs"}]
    other.site.services.close()


def test_a_store_that_refuses_may_be_asked_again_and_nothing_was_committed(desk: Desk) -> None:
    store = failing(desk)
    store.before_call = raise_at("commit:put", error=StoreUnavailable("refused by the test"))
    assert told(insert(desk)) == (503, 7500, "true")
    heal(store)
    assert desk.query("shop", ROWS) == []


@pytest.mark.parametrize("effect", [False, True], ids=["lost", "made"])
def test_an_unknown_outcome_forbids_the_repeat(desk: Desk, effect: bool) -> None:
    """Whether it was committed is for the next reader to see, and for nobody to guess."""
    store, unknown = failing(desk), OutcomeUnknown("timed out by the test")
    if effect:
        store.after_call = raise_at("commit:put", error=unknown)
        store.before_call = raise_at("commit:compare", error=StoreUnavailable("refused by the test"))
    else:
        store.before_call = raise_at("commit:put", error=unknown)
    answer = insert(desk)
    assert told(answer) == (500, 7500, "false")
    assert "commit" in answer.json()["errors"][0]["message"]
    heal(store)
    assert desk.query("shop", ROWS) == ([{"x": "mine"}] if effect else [])


@pytest.mark.parametrize("effect", [False, True], ids=["lost", "made"])
def test_with_a_key_the_repeat_after_an_unknown_outcome_has_one_effect(desk: Desk, effect: bool) -> None:
    store, unknown = failing(desk), OutcomeUnknown("timed out by the test")
    if effect:
        store.after_call = raise_at("commit:put", error=unknown)
        store.before_call = raise_at("commit:compare", error=StoreUnavailable("refused by the test"))
    else:
        store.before_call = raise_at("commit:put", error=unknown)
    assert insert(desk, idempotency_key="k").status == 500
    heal(store)
    again, once_more = insert(desk, idempotency_key="k"), insert(desk, idempotency_key="k")
    assert (again.status, again.header("idempotency-replayed")) == (200, "true" if effect else None)
    assert (once_more.text, once_more.header("idempotency-replayed")) == (again.text, "true")
    assert desk.query("shop", ROWS) == [{"x": "mine"}]


def test_a_call_that_only_reads_needs_no_commit_that_could_fail(desk: Desk) -> None:
    store = failing(desk)
    store.before_call = raise_at("commit:put", error=OutcomeUnknown("timed out by the test"))
    assert desk.query("shop", ROWS) == []
    heal(store)
