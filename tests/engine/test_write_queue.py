"""Who leads the next commit: nobody waits for one who has left, and the lead is never lost."""

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from db.clock import Moment
from db.vault.commit_group import Pending
from db.vault.write_queue import WriteQueue
from tests.engine.desk import ACTOR
from tests.engine.held_put import PATIENCE_S, wait_until


def pending() -> Pending:
    return Pending(lambda _: None, ACTOR, Moment(0))


class Interrupted:
    """A lock that is held until it is released, and whose waiting ends in an interrupt."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before = before
        self._held = False

    def acquire(self) -> None:
        if self._held:
            self._before()
            raise KeyboardInterrupt
        self._held = True

    def release(self) -> None:
        self._held = False


def joined_by_a_thread(queue: WriteQueue, work: Pending) -> "tuple[threading.Thread, list[bool]]":
    """A thread that joins with the work, once it waits; and whether it was told to lead, once it was."""
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(queue.join(work)))
    thread.start()
    wait_until(lambda: work in queue._waiting)
    return thread, told


def test_the_first_leads_and_the_others_follow_in_order() -> None:
    queue, works = WriteQueue(), [pending() for _ in range(4)]
    assert queue.join(works[0])
    threads = [joined_by_a_thread(queue, work) for work in works[1:]]
    assert queue.take(3) == works[:3]
    for work in works[:3]:
        work.finish("bookmark")
    queue.hand_over()
    for thread, _ in threads:
        thread.join(PATIENCE_S)
    assert [told for _, told in threads] == [[False], [False], [True]]
    assert queue.take(3) == works[3:]
    works[3].finish("bookmark")
    queue.hand_over()
    assert queue.join(pending()), "with nobody left, the next to come leads"


def test_works_of_an_interrupted_leader_come_before_those_who_came_later() -> None:
    queue, works = WriteQueue(), [pending() for _ in range(3)]
    assert queue.join(works[0])
    first, told = joined_by_a_thread(queue, works[1])
    taken = queue.take(9)
    second, told_second = joined_by_a_thread(queue, works[2])
    queue.put_back(taken[1:])
    queue.hand_over()
    first.join(PATIENCE_S)
    assert told == [True]
    assert queue.take(9) == works[1:]
    works[1].finish("bookmark")
    works[2].finish("bookmark")
    second.join(PATIENCE_S)
    assert told_second == [False]


@pytest.mark.parametrize("handed_over", [True, False], ids=["as it is told to lead", "while it waits"])
def test_a_caller_interrupted_in_the_queue_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, handed_over: bool
) -> None:
    queue, works = WriteQueue(), [pending() for _ in range(3)]
    led = threading.Event()
    leader = threading.Thread(target=lambda: queue.join(works[0]) and led.wait(PATIENCE_S))
    leader.start()
    wait_until(lambda: works[0] in queue._waiting)
    queue.take(9)

    def meanwhile() -> None:
        joined.append(joined_by_a_thread(queue, works[2]))
        if handed_over:
            works[0].finish("bookmark")
            queue.hand_over()

    joined: list[tuple[threading.Thread, list[bool]]] = []
    locks = iter([Interrupted(meanwhile)])
    patched = SimpleNamespace(Lock=lambda: next(locks, None) or threading.Lock(), get_ident=threading.get_ident)
    monkeypatch.setattr("db.vault.write_queue.threading", patched)
    with pytest.raises(KeyboardInterrupt):
        queue.join(works[1])
    if not handed_over:
        works[0].finish("bookmark")
        queue.hand_over()
    thread, told = joined[0]
    thread.join(PATIENCE_S)
    led.set()
    leader.join(PATIENCE_S)
    assert told == [True], "the lead went to the one behind"
    assert queue.take(9) == [works[2]]
