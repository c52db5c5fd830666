"""The vaults a process keeps open, the least recently used closed first, and the copies that closed ones leave on disk.

Knows ids and sizes; not tenants or slugs.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from db.errors import Unavailable
from db.vault.vault import Vault


@dataclass(slots=True)
class _Entry:
    """One vault. users: how many are at work with it; opened: set once `vault` or `error` stands."""

    users: int = 0
    vault: Vault | None = None
    error: BaseException | None = None
    opened: threading.Event = field(default_factory=threading.Event)


def _keep(_: str) -> None:
    """Leave the copy where it is."""


class VaultPool:
    """Open vaults by id.

    max_vaults: kept open. max_bytes: of the local copies of open vaults and of those this pool has closed. Vaults at
    work are never closed, so both may be exceeded for the time of a request. discard: removes a closed vault's copy.
    """

    def __init__(self, max_vaults: int, max_bytes: int, discard: Callable[[str], None] = _keep) -> None:
        self._max_vaults = max_vaults
        self._max_bytes = max_bytes
        self._discard = discard
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        # Bytes that closed vaults left on disk, the first closed first: opening one again needs only what is new.
        self._left: OrderedDict[str, int] = OrderedDict()

    @contextmanager
    def use(self, vault_id: str, opener: Callable[[], Vault]) -> Generator[Vault]:
        """The vault, opened by the first who asks; others wait for it. It stays open at least until the block ends."""
        entry, first = self._enter(vault_id)
        try:
            if first:
                self._open(vault_id, entry, opener)
            entry.opened.wait()
            if entry.vault is None:
                raise _refusal(vault_id, entry.error)
            yield entry.vault
        finally:
            with self._lock:
                entry.users -= 1
                doomed = self._surplus()
            for vault in doomed:
                vault.close()
            if doomed:
                self._make_room(doomed)

    @contextmanager
    def borrow(self, vault_id: str, *, as_use: bool = False) -> Generator[Vault | None]:
        """The vault if it is open, kept open for the block; None if not. as_use: it counts as use for the order."""
        with self._lock:
            entry = self._entries.get(vault_id)
            vault = entry.vault if entry is not None else None
            if as_use and vault is not None:
                self._entries.move_to_end(vault_id)
            if entry is not None:
                entry.users += 1
        try:
            yield vault
        finally:
            if entry is not None:
                with self._lock:
                    entry.users -= 1

    def close(self, vault_id: str) -> None:
        """Close one vault if it is open and nobody is at work with it."""
        with self._lock:
            entry = self._entries.get(vault_id)
            vault = entry.vault if entry is not None and entry.users == 0 else None
            if vault is not None:
                del self._entries[vault_id]
        if vault is not None:
            vault.close()

    def close_all(self) -> None:
        """Close every vault; nobody may be at work any more."""
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
        for entry in entries:
            if entry.vault is not None:
                entry.vault.close()

    def open_ids(self) -> list[str]:
        """The ids of the vaults that are open, the least recently used first."""
        with self._lock:
            return [vault_id for vault_id, entry in self._entries.items() if entry.vault is not None]

    def _enter(self, vault_id: str) -> tuple[_Entry, bool]:
        with self._lock:
            entry = self._entries.get(vault_id)
            first = entry is None
            if entry is None:
                entry = self._entries[vault_id] = _Entry()
            entry.users += 1
            self._entries.move_to_end(vault_id)
            self._left.pop(vault_id, None)
            return entry, first

    def _open(self, vault_id: str, entry: _Entry, opener: Callable[[], Vault]) -> None:
        try:
            entry.vault = opener()
        except BaseException as exc:
            entry.error = exc
            with self._lock:
                # The next request tries again: a failure is not kept.
                self._entries.pop(vault_id, None)
            raise
        finally:
            entry.opened.set()

    def _surplus(self) -> list[Vault]:
        """Take the vaults over the limits out of the pool, idle ones only. Called with the lock held."""
        taken: list[Vault] = []
        sizes = {vault_id: _size(entry) for vault_id, entry in self._entries.items()}
        for vault_id, entry in list(self._entries.items()):
            if len(self._entries) <= self._max_vaults and sum(sizes.values()) <= self._max_bytes:
                break
            if entry.users == 0 and entry.vault is not None and len(self._entries) > 1:
                taken.append(entry.vault)
                del self._entries[vault_id], sizes[vault_id]
        return taken

    def _make_room(self, closed: Sequence[Vault]) -> None:
        """Remember what the closed vaults left, and discard the oldest of it that does not fit beside the open ones."""
        with self._lock:
            for vault in closed:
                if vault.id not in self._entries:
                    self._left[vault.id] = vault.local_bytes
            open_bytes = sum(map(_size, self._entries.values()))
            surplus: list[str] = []
            while self._left and open_bytes + sum(self._left.values()) > self._max_bytes:
                surplus.append(self._left.popitem(last=False)[0])
        for vault_id in surplus:
            self._discard(vault_id)


def _refusal(vault_id: str, error: BaseException | None) -> Exception:
    """What those get who waited for an opening that failed; an interrupt hit only the thread that opened."""
    if isinstance(error, Exception):
        return error
    return Unavailable(f"opening vault {vault_id} was interrupted", retry_after_s=1)


def _size(entry: _Entry) -> int:
    return 0 if entry.vault is None else entry.vault.local_bytes
