"""Whether a history of concurrent operations is linearizable: some order of them explains every result.

The order must keep what ended before something else began, and a model that runs one operation after the other must
give the results that the clients saw. An operation whose outcome nobody knows may have happened at any time after it
began, or never. The search is that of Wing and Gong with Lowe's memory of states met before (Wing, Gong: Testing and
verifying concurrent objects, 1993; Lowe: Testing for linearizability, 2017). Knows no vault: the model is given.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

UNENDED = math.inf
Model = Callable[[Any, str, Any], tuple[Hashable, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one client did. ended: `UNENDED` when it never learned the outcome; `result` means nothing then.

    An operation that is known to have failed without an effect belongs in no history.
    """

    name: str
    argument: Any
    result: Any
    began: float
    ended: float
    client: str = ""

    @property
    def known(self) -> bool:
        return self.ended != UNENDED


def linearization(history: Sequence[Operation], model: Model, start: Hashable) -> list[Operation] | None:
    """An order that explains the history, or None. model: (state, name, argument) to (next state, result)."""
    operations = sorted(history, key=lambda operation: operation.began)
    wanted = sum(1 << index for index, operation in enumerate(operations) if operation.known)
    met: set[tuple[int, Hashable]] = set()
    # Depth first. One entry for each operation of the order so far: the state after it, and what else could be next.
    order: list[int] = []
    path = [(0, start, _candidates(operations, 0))]
    while path:
        done, state, candidates = path[-1]
        if done & wanted == wanted:
            return [operations[index] for index in order]
        if not candidates:
            path.pop()
            if order:
                order.pop()
            continue
        index = candidates.pop()
        operation = operations[index]
        following, result = model(state, operation.name, operation.argument)
        after = done | 1 << index
        if (operation.known and result != operation.result) or (after, following) in met:
            continue
        met.add((after, following))
        order.append(index)
        path.append((after, following, _candidates(operations, after)))
    return None


def _candidates(operations: Sequence[Operation], done: int) -> list[int]:
    """What can be next: all that began before the first end of what is still to come; the likeliest stands last."""
    first_end = UNENDED
    found: list[int] = []
    # Of those sorted by their beginning, everything up to here is done: skipped in one step.
    index = ((done + 1) & ~done).bit_length() - 1
    while index < len(operations) and operations[index].began <= first_end:
        if not done >> index & 1:
            found.append(index)
            first_end = min(first_end, operations[index].ended)
        index += 1
    usable = [index for index in found if operations[index].began <= first_end]
    # Unknown ones are tried last: most of them never happened, or explain nothing yet.
    return sorted(usable, key=lambda index: operations[index].ended, reverse=True)
