"""The checker of histories: it agrees with trying every order, and tells a stale read and a lost update."""

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.linearizability import UNENDED, Operation, linearization


def register(state: Any, name: str, argument: Any) -> tuple[Any, Any]:
    """A number that can be read, written, raised by one, and set if it is what the caller believes."""
    if name == "read":
        return state, state
    if name == "write":
        return argument, None
    if name == "raise":
        return state + 1, state + 1
    believed, wanted = argument
    return (wanted, True) if state == believed else (state, False)


def op(name: str, argument: Any, result: Any, began: float, ended: float) -> Operation:
    return Operation(name, argument, result, began, ended)


def explains(order: Sequence[Operation], state: Any) -> bool:
    """Whether the order keeps the times, and the model gives the results."""
    for place, operation in enumerate(order):
        if any(later.ended < operation.began for later in order[place + 1 :]):
            return False
        state, result = register(state, operation.name, operation.argument)
        if operation.known and result != operation.result:
            return False
    return True


def explained_by_some_order(history: Sequence[Operation]) -> bool:
    """By trying every order of every choice of the unknown operations."""
    known = [operation for operation in history if operation.known]
    unknown = [operation for operation in history if not operation.known]
    chosen = (list(some) for count in range(len(unknown) + 1) for some in combinations(unknown, count))
    return any(explains(order, 0) for some in chosen for order in permutations(known + some))


VALUES = st.integers(0, 2)
WORKS = st.one_of(
    st.tuples(st.just("read"), st.none(), VALUES),
    st.tuples(st.just("write"), VALUES, st.none()),
    st.tuples(st.just("raise"), st.none(), st.integers(1, 3)),
    st.tuples(st.just("swap"), st.tuples(VALUES, VALUES), st.booleans()),
)
TIMES = st.tuples(st.integers(0, 8), st.integers(1, 6), st.booleans())


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    """A few operations with results of all kinds, right and wrong, and times of every overlap."""
    found: list[Operation] = []
    for (name, argument, result), (began, length, unknown) in draw(st.lists(st.tuples(WORKS, TIMES), max_size=5)):
        found.append(Operation(name, argument, result, began, UNENDED if unknown else began + length))
    return found


@given(histories())
def test_it_agrees_with_trying_every_order(history: list[Operation]) -> None:
    found = linearization(history, register, 0)
    assert (found is not None) == explained_by_some_order(history)
    if found is not None:
        assert explains(found, 0)
        assert {id(operation) for operation in history if operation.known} <= {id(operation) for operation in found}


@st.composite
def true_histories(draw: st.DrawFn) -> list[Operation]:
    """Operations that did take effect one after the other, each somewhere between its ends; some never told."""
    state: Any = 0
    found: list[Operation] = []
    for point, ((name, argument, _), before, after, unknown) in enumerate(
        draw(st.lists(st.tuples(WORKS, st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=30))
    ):
        state, result = register(state, name, argument)
        ended = UNENDED if unknown and before % 3 == 0 else point * 10 + after
        found.append(Operation(name, argument, result, point * 10 - before, ended))
    return found


@given(true_histories())
def test_what_did_happen_in_some_order_is_accepted(history: list[Operation]) -> None:
    assert linearization(history, register, 0) is not None


def test_a_stale_read_is_refused() -> None:
    history = [op("write", 1, None, 0, 1), op("write", 2, None, 2, 3), op("read", None, 1, 4, 5)]
    assert linearization(history, register, 0) is None
    assert linearization([*history[:2], op("read", None, 1, 2.5, 5)], register, 0) is not None, "while it is written"


def test_a_lost_update_is_refused() -> None:
    assert linearization([op("raise", None, 1, 0, 3), op("raise", None, 1, 1, 4)], register, 0) is None
    assert linearization([op("raise", None, 2, 0, 3), op("raise", None, 1, 1, 4)], register, 0) is not None


def test_a_refusal_by_what_was_no_longer_so_is_refused() -> None:
    history = [op("write", 1, None, 0, 1), op("swap", (1, 2), False, 2, 3)]
    assert linearization(history, register, 0) is None


def test_a_read_that_goes_back_is_refused() -> None:
    history = [op("write", 1, None, 0, 9), op("read", None, 1, 1, 2), op("read", None, 0, 3, 4)]
    assert linearization(history, register, 0) is None


def test_an_unknown_operation_may_happen_late_once_or_never() -> None:
    unknown = op("raise", None, None, 0, UNENDED)
    for seen in ([0, 0], [0, 1], [1, 1]):
        reads = [op("read", None, value, 2 * place + 1, 2 * place + 2) for place, value in enumerate(seen)]
        assert linearization([unknown, *reads], register, 0) is not None, seen
    for seen in ([1, 0], [0, 2]):
        reads = [op("read", None, value, 2 * place + 1, 2 * place + 2) for place, value in enumerate(seen)]
        assert linearization([unknown, *reads], register, 0) is None, seen


def test_an_operation_does_not_happen_before_it_began() -> None:
    assert linearization([op("read", None, 1, 0, 1), op("raise", None, None, 2, UNENDED)], register, 0) is None


def test_a_long_history_of_many_clients_is_checked_in_steps_that_grow_with_it() -> None:
    history = [op("raise", None, number, 10 * number, 10 * number + 35) for number in range(1, 2001)]
    assert linearization(history, register, 0) is not None
    wrong = [*history[:-1], op("raise", None, 1999, 20_000, 20_035)]
    assert linearization(wrong, register, 0) is None
