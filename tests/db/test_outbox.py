"""The outbox: what waits, for how long, and what is left after delivery."""

import os
import sqlite3
from pathlib import Path

import pytest

from db.clock import Moment
from db.outbox import (
    ERROR_CHARACTERS,
    MAX_ATTEMPTS,
    Backlog,
    backlog,
    claim,
    due,
    enqueue,
    forget_old_effects,
    mark_delivered,
    mark_failed,
    next_delivery,
    release,
)
from db.transaction import WriteTx

KERNEL = Path(__file__).parents[2] / "migrations" / "kernel"
START_MS = 1_777_662_000_000


def moment(minutes: float = 0, chance: int = 0) -> Moment:
    """chance: 0 to 255, of which the jitter is made; ids differ."""
    return Moment(
        START_MS + int(minutes * 60_000), lambda count: bytes([chance]) * count if count == 2 else os.urandom(count)
    )


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


@pytest.mark.parametrize(("chance", "seconds"), [(0, 120), (128, 107), (255, 96)])
def test_a_wait_is_shortened_at_random_by_a_fifth_at_most(tx, chance, seconds):
    enqueue(tx, "mail", {}, moment())
    claim(tx, moment(chance=0), 10)
    claim(tx, moment(1, chance), 10)
    assert due(tx, moment(1 + (seconds - 1) / 60), 10) == []
    assert len(due(tx, moment(1 + (seconds + 1) / 60), 10)) == 1


def test_a_kind_can_be_left_to_others(tx):
    enqueue(tx, "webhook", {}, moment())
    mail = enqueue(tx, "mail", {}, moment())
    assert ids(claim(tx, moment(), 10, "webhook")) == [mail]
    assert [row.kind for row in claim(tx, moment(), 10)] == ["webhook"]


def test_an_effect_that_is_given_back_was_not_tried(tx):
    effect = enqueue(tx, "mail", {}, moment())
    claim(tx, moment(), 10)
    release(tx, effect, moment(0.1))
    assert [row.attempts for row in claim(tx, moment(0.1), 10)] == [1]


def test_the_backlog_tells_what_waits_and_what_was_given_up(tx):
    assert (backlog(tx), next_delivery(tx)) == (Backlog(0, 0, None), None)
    lost, done, _ = (enqueue(tx, "mail", {}, moment(minutes)) for minutes in (0, 0, 5))
    mark_delivered(tx, done, moment())
    mark_failed(tx, lost, "no such address", moment(), final=True)
    assert (backlog(tx), next_delivery(tx)) == (Backlog(1, 1, moment(5).text), moment(5).text)


def test_what_is_over_is_forgotten_after_its_time_and_what_waits_never(tx):
    day = 24 * 60
    done, lost = enqueue(tx, "mail", {}, moment()), enqueue(tx, "mail", {}, moment())
    waits = enqueue(tx, "mail", {}, moment())
    mark_delivered(tx, done, moment())
    mark_failed(tx, lost, "no such address", moment(), final=True)
    assert [forget_old_effects(tx, moment(days * day)) for days in (30, 30.1, 90, 90.1, 1000)] == [0, 1, 0, 1, 0]
    assert ids(due(tx, moment(), 10)) == [waits]


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
