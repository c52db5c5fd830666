"""The outbox: what waits, for how long, and what is left after delivery."""

import sqlite3
from pathlib import Path

import pytest

from db.clock import Moment
from db.outbox import ERROR_CHARACTERS, MAX_ATTEMPTS, claim, due, enqueue, mark_delivered, mark_failed
from db.transaction import WriteTx

KERNEL = Path(__file__).parents[2] / "migrations" / "kernel"
START_MS = 1_777_662_000_000


def moment(minutes: float = 0) -> Moment:
    return Moment(START_MS + int(minutes * 60_000))


@pytest.fixture
def tx():
    connection = sqlite3.connect(":memory:")
    connection.executescript(next(KERNEL.glob("*_outbox.sql")).read_text())
    yield WriteTx(connection)
    connection.close()


def ids(rows) -> list[str]:
    return [row.id for row in rows]


def test_an_effect_is_due_at_once_with_its_payload(tx):
    effect = enqueue(tx, "mail", {"to": "änna@x.example", "n": [1, None]}, moment())
    (row,) = due(tx, moment(), 10)
    assert (row.id, row.kind, row.payload, row.attempts) == (
        effect,
        "mail",
        {"to": "änna@x.example", "n": [1, None]},
        0,
    )


def test_the_longest_waiting_come_first_and_no_more_than_asked(tx):
    later, first, second = (enqueue(tx, "mail", {}, moment(minutes)) for minutes in (5, 1, 2))
    assert ids(due(tx, moment(10), 2)) == [first, second]
    assert ids(due(tx, moment(10), 10)) == [first, second, later]


def test_a_claimed_effect_is_not_offered_again_until_its_wait_is_over(tx):
    effect = enqueue(tx, "mail", {}, moment())
    assert ids(claim(tx, moment(), 10)) == [effect]
    assert claim(tx, moment(0.9), 10) == []
    assert [row.attempts for row in claim(tx, moment(1), 10)] == [2]


def test_a_delivered_effect_never_comes_back_and_its_payload_is_gone(tx):
    effect = enqueue(tx, "mail", {"code": "123456"}, moment())
    claim(tx, moment(), 10)
    mark_delivered(tx, effect, moment(1))
    mark_delivered(tx, effect, moment(2))
    mark_failed(tx, effect, "too late", moment(3))
    row = tx.row("SELECT * FROM vaultry_outbox")
    assert (row["payload"], row["delivered_at"], row["last_error"]) == ("{}", moment(1).text, None)
    assert due(tx, moment(10**6), 10) == []


def test_the_wait_doubles_after_each_failure_up_to_six_hours(tx):
    effect = enqueue(tx, "mail", {}, moment())
    at, waits = 0.0, []
    for _ in range(MAX_ATTEMPTS - 1):
        claim(tx, moment(at), 10)
        mark_failed(tx, effect, "away", moment(at))
        wait = next(minutes for minutes in range(1, 1000) if due(tx, moment(at + minutes), 1))
        waits.append(wait)
        at += wait
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]


def test_after_the_last_attempt_the_row_stays_for_people_to_see(tx):
    effect = enqueue(tx, "mail", {"n": 1}, moment())
    for attempt in range(MAX_ATTEMPTS):
        assert ids(claim(tx, moment(attempt * 1000), 10)) == [effect]
        mark_failed(tx, effect, "e" * (ERROR_CHARACTERS + 1), moment(attempt * 1000))
    assert due(tx, moment(10**6), 10) == []
    row = tx.row("SELECT payload, last_error FROM vaultry_outbox")
    assert (row["payload"], row["last_error"]) == ('{"n":1}', "e" * ERROR_CHARACTERS)


def test_a_final_failure_gets_no_second_attempt(tx):
    effect = enqueue(tx, "mail", {}, moment())
    claim(tx, moment(), 10)
    mark_failed(tx, effect, "no such address", moment(), final=True)
    assert due(tx, moment(10**6), 10) == []
