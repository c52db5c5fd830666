"""How many calls of raw SQL may be at work on one database: slow ones must not hold all threads. Knows no SQL.

Calls of a database wait for its readers, or for its writer, each in a thread. While they are quick that is a matter of
milliseconds; while one of them is slow, those behind it are turned away instead.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from db.errors import RateLimited

AT_ONCE: Final = 32
# Of a database that has a call at work for longer than a moment.
AT_ONCE_WHEN_SLOW: Final = 8
SLOW_S: Final = 1.0
PATIENCE_S: Final = 2.0


class CallsAtOnce:
    """The calls at work in this process. Safe for threads."""

    def __init__(self) -> None:
        # By database: when each of its calls began. The oldest comes first.
        self._began: dict[str, dict[int, float]] = {}
        self._changed = threading.Condition()
        self._last = 0

    @contextmanager
    def of(self, vault_id: str) -> Generator[None]:
        """A place among the calls of the database for the length of a block. Raises RateLimited when it has none."""
        number = self._enter(vault_id)
        try:
            yield
        finally:
            with self._changed:
                calls = self._began[vault_id]
                del calls[number]
                if not calls:
                    del self._began[vault_id]
                self._changed.notify_all()

    def _enter(self, vault_id: str) -> int:
        began = time.monotonic()
        with self._changed:
            while (most := self._most(vault_id)) <= len(self._began.get(vault_id, ())):
                left_s = began + PATIENCE_S - time.monotonic()
                if most == AT_ONCE_WHEN_SLOW or left_s <= 0:
                    raise RateLimited(
                        f"{most} calls of SQL are at work on this database, the limit while they are slow; "
                        "try again when one has ended",
                        retry_after_s=1,
                    )
                self._changed.wait(left_s)
            self._last += 1
            self._began.setdefault(vault_id, {})[self._last] = time.monotonic()
            return self._last

    def _most(self, vault_id: str) -> int:
        oldest = next(iter(self._began.get(vault_id, {}).values()), None)
        is_slow = oldest is not None and time.monotonic() - oldest > SLOW_S
        return AT_ONCE_WHEN_SLOW if is_slow else AT_ONCE
