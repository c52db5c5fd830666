"""Throttling reads in this process: so many from one network in a minute. Knows networks; not what is read.

In memory, for a count in the registry would cost a commit for every read. Each process counts for itself.
"""

import threading
from collections import Counter

from db.errors import RateLimited

_WINDOW_MS = 60_000
# Of so many networks each has a count of its own in one minute; the others share one, so that memory has a bound.
_NETWORKS = 50_000
_OTHERS = "others"


class ReadThrottle:
    """Requests by network in the minute that is running. Safe for many threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def take(self, network: str, now_ms: int) -> None:
        """Count one request. Raises RateLimited, with retry_after_s, for one too many in its minute."""
        window, passed_ms = divmod(now_ms, _WINDOW_MS)
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, Counter()
            known = network if network in self._counts or len(self._counts) < _NETWORKS else _OTHERS
            self._counts[known] += 1
            count = self._counts[known]
        if count > self._most:
            wait_s = -(-(_WINDOW_MS - passed_ms) // 1000)
            raise RateLimited(f"{self._most} requests within a minute, the limit; wait", retry_after_s=wait_s)
