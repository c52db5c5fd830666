"""A store that fails at exactly one step, in one of the ways real ones do. Wraps any store; knows nothing of vaults."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

from db.errors import StoreUnavailable, VaultError
from db.stores.base import ObjectStore, OutcomeUnknown, StoredObject

Fault = Literal["error_before", "error_after", "timeout_lost", "duplicate", "delay", "late"]
T = TypeVar("T")


def _nothing(op: str) -> None:
    pass


class FaultyStore:
    """Passes every call on, but for the one that is armed.

    calls: how often each `op` was called. before_call, after_call: run with the op around each effect, the latter only
    when it succeeded; a crash test kills its own process there. Safe for threads.
    """

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()
        self.before_call: Callable[[str], None] = _nothing
        self.after_call: Callable[[str], None] = _nothing
        self._armed: tuple[Fault, str, int, float] | None = None
        self._late: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    @property
    def level_folder(self) -> str:
        return self.inner.level_folder

    @property
    def fired(self) -> bool:
        """Whether the fault that was armed last has happened."""
        return self._armed is None

    def arm(self, fault: Fault, op: str, *, nth: int = 1, delay_s: float = 0.05) -> None:
        """Let the nth call of `op` from now on fail, once.

        error_before: StoreUnavailable, no effect. error_after: the effect, then OutcomeUnknown. timeout_lost:
        OutcomeUnknown, no effect. duplicate: the call twice, the caller sees the second. delay: slow, else right.
        late: OutcomeUnknown now, the effect at `release`.
        """
        self._armed = (fault, op, self.calls[op] + nth, delay_s)

    def release(self) -> None:
        """Apply the effects that are late, in order. Their errors are nobody's: the callers left long ago."""
        late, self._late = self._late, []
        for effect in late:
            with suppress(VaultError):
                effect()

    def exists(self, key: str, *, op: str) -> bool:
        return self._call(op, lambda: self.inner.exists(key, op=op))

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        return self._call(op, lambda: self.inner.get(key, op=op, start=start, limit=limit))

    def put(self, key: str, body: bytes | Path, *, timestamp_ms: int, op: str) -> None:
        self._call(op, lambda: self.inner.put(key, body, timestamp_ms=timestamp_ms, op=op))

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        return self._call(op, lambda: self.inner.list(prefix, after=after, op=op))

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        self._call(op, lambda: self.inner.delete(keys, op=op))

    def _call(self, op: str, effect: Callable[[], T]) -> T:
        fault, delay_s = self._count(op)
        self.before_call(op)
        if fault == "error_before":
            raise StoreUnavailable(f"{op}: refused by the test")
        if fault in ("timeout_lost", "late"):
            if fault == "late":
                self._late.append(effect)
            raise OutcomeUnknown(f"{op}: timed out by the test")
        if fault == "delay":
            time.sleep(delay_s)
        if fault == "duplicate":
            effect()
        result = effect()
        self.after_call(op)
        if fault == "error_after":
            raise OutcomeUnknown(f"{op}: answer lost by the test")
        return result

    def _count(self, op: str) -> tuple[Fault | None, float]:
        """Count the call; the fault it is to suffer, which is disarmed by that, and the delay."""
        with self._lock:
            self.calls[op] += 1
            if self._armed is None or self._armed[1:3] != (op, self.calls[op]):
                return None, 0
            fault, _, _, delay_s = self._armed
            self._armed = None
            return fault, delay_s
