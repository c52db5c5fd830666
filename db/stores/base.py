"""What the engine asks of an object store: five verbs and their errors. Knows keys and bytes; not vaults or formats.

A key is `/`-separated text without a leading slash. Every call carries `op`, the label of the step it serves, so that
an error names the step and a test can break exactly one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from db.errors import Invalid, VaultError


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One line of a listing. key: in full. size: bytes. modified_ms: milliseconds since 1970, by the store's clock."""

    key: str
    size: int
    modified_ms: int


class ObjectMissing(VaultError):
    """No object has this key."""

    code = "object_missing"


class ObjectExists(VaultError):
    """The key is taken: somebody else put the object, or an earlier attempt of our own did."""

    code = "object_exists"


class OutcomeUnknown(VaultError):
    """Time-out, broken connection or a failure inside the store: the effect may have happened. Read and compare."""

    code = "store_outcome_unknown"


class ObjectStore(Protocol):
    """Immutable objects by key. Reads are retried inside and then raise StoreUnavailable; `put` is never retried.

    A retried put-if-absent would report our own first success as somebody else's: ObjectExists.
    """

    @property
    def level_folder(self) -> str:
        """Format string with {vault} and {level}, ending with `/`: the folder litestream expects on this store."""
        ...

    def exists(self, key: str, *, op: str) -> bool:
        """Whether the object is there. Raises StoreUnavailable."""
        ...

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        """The object from byte `start` on, at most `limit` bytes of it. Raises ObjectMissing, StoreUnavailable.

        With a start or a limit the object must reach beyond `start`.
        """
        ...

    def put(self, key: str, body: bytes | Path, *, timestamp_ms: int, op: str) -> None:
        """Make the object, whole and durable, unless the key is taken.

        body: a path is a file's content, which is read in pieces. timestamp_ms: the object's time for litestream,
        milliseconds since 1970. Raises ObjectExists, StoreUnavailable (refused, no effect), OutcomeUnknown, TooLarge.
        """
        ...

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        """Every object below `prefix` (ends with `/`, or is empty) whose key is greater than `after`, by key.

        after: a full key; it need not exist. Raises StoreUnavailable.
        """
        ...

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        """Remove the objects; missing ones are fine. Raises StoreUnavailable, having removed some, all or none."""
        ...


@runtime_checkable
class Staging(Protocol):
    """A store that keeps unfinished objects below `staging/`, where a killed writer leaves one behind."""

    def remove_stale(self, *, before_ms: int) -> int:
        """Remove what was begun before that moment; how many objects it was."""
        ...


@runtime_checkable
class Browsable(Protocol):
    """A store that can name the folders in a folder without listing what is in them."""

    def folders(self, prefix: str, *, op: str) -> list[str]:
        """The names of the folders right below `prefix` (ends with `/`), sorted. Raises StoreUnavailable."""
        ...


def check_key(key: str) -> str:
    """The key itself. Raises Invalid for an empty or absolute one and for empty, `.` or `..` parts.

    S3 would take such a key literally, a directory would walk out of its root: refused alike on both.
    """
    parts = key.split("/")
    if "" in parts or "." in parts or ".." in parts or "\0" in key:
        raise Invalid(f"object key: got {key!r}, wanted parts joined by '/' with none empty, '.' or '..'")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself: empty, or a valid key followed by `/`. Raises Invalid."""
    if prefix:
        if not prefix.endswith("/"):
            raise Invalid(f"object prefix: got {prefix!r}, wanted one that ends with '/'")
        check_key(prefix[:-1])
    return prefix
