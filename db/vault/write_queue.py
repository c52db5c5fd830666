"""Who commits next: works wait in a queue, one of their callers leads. Knows threads; not what a work does.

A caller whose work is done returns at once; only the one that is to lead takes the vault's lock. While a put is on its
way the others gather, and share the next one.
"""

import threading

from db.vault.commit_group import Pending


class WriteQueue:
    """Works that wait for a commit, in order of arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Pending] = []
        self._led = False
        self._leader = 0

    def join(self, pending: Pending) -> bool:
        """Wait until the work is done (False) or its caller is the one to lead (True): it must then `hand_over`."""
        with self._lock:
            if self._led and self._leader == threading.get_ident():
                raise AssertionError("a work must not write to its own vault: it would wait for itself")
            self._waiting.append(pending)
            if not self._led:
                self._led = True
                self._leader = threading.get_ident()
                return True
            pending.wake = threading.Lock()
            pending.wake.acquire()
        try:
            pending.wake.acquire()
        except BaseException:
            self._withdraw(pending)
            raise
        if pending.done:
            return False
        self._leader = threading.get_ident()
        return True

    def take(self, most: int) -> list[Pending]:
        """The first works of the queue, the leader's own before the others."""
        with self._lock:
            group = self._waiting[:most]
            del self._waiting[:most]
            for pending in group:
                if pending.leads:
                    # It waits for nothing any more.
                    pending.wake = None
            return group

    def put_back(self, works: list[Pending]) -> None:
        """Works whose leader was interrupted wait again, before all others."""
        with self._lock:
            self._waiting[:0] = works

    def hand_over(self) -> None:
        """Let the caller of the first work that waits lead, if there is one."""
        with self._lock:
            self._leader = 0
            if not self._waiting:
                self._led = False
            elif (wake := self._waiting[0].wake) is not None:
                self._waiting[0].leads = True
                wake.release()

    def _withdraw(self, pending: Pending) -> None:
        """The caller was interrupted: nobody waits for the work, and nobody must wait for it to lead."""
        with self._lock:
            if pending not in self._waiting:
                return
            self._waiting.remove(pending)
        if pending.leads:
            self.hand_over()
