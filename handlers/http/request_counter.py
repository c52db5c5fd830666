"""Counting requests by vault in this process, and telling the registry now and then. Knows no route and no caller."""

import threading
from collections import Counter

# One commit of the registry in so many milliseconds and process; a process that is killed loses that much of a count.
TOLD_EVERY_MS = 300_000


class RequestCounter:
    """Requests by vault id since they were last told. Safe for many threads."""

    def __init__(self, now_ms: int) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told_ms = now_ms

    def add(self, vault_id: str) -> None:
        """One more request of this vault."""
        with self._lock:
            self._counts[vault_id] += 1

    def put_back(self, counts: Counter[str]) -> None:
        """Counts that could not be told wait for the next time."""
        with self._lock:
            self._counts.update(counts)

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time to tell them."""
        return now_ms - self._told_ms >= TOLD_EVERY_MS

    def take_due(self, now_ms: int) -> Counter[str]:
        """The counts, if it is time to tell them, else none; nobody else gets them."""
        return self.take(now_ms) if self.is_due(now_ms) else Counter()

    def take(self, now_ms: int) -> Counter[str]:
        """The counts there are; nobody else gets them."""
        with self._lock:
            self._told_ms = now_ms
            counts, self._counts = self._counts, Counter()
        return counts
