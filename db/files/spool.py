"""A content on its way: written to a file as it comes, counted and hashed. Knows bytes; not where they go."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

from db.errors import TooLarge
from db.files.content_types import HEAD_BYTES


class Spool:
    """The file at `path`, which is made. most: bytes it may get. limit: what to call that in an error.

    size: bytes so far. head: the first 4096 of them.
    """

    def __init__(self, path: Path, most: int, limit: str) -> None:
        self.path = path
        self.size = 0
        self.head = b""
        self._most = most
        self._limit = limit
        self._digest = hashlib.sha256()
        self._file = path.open("wb", buffering=0)

    def __enter__(self) -> Self:
        """The spool itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Close the file; it is left to whoever made the folder."""
        self.close()

    def write(self, part: bytes) -> None:
        """Add bytes. Raises TooLarge as soon as there are more than may be; OSError for a full disk."""
        self.size += len(part)
        if self.size > self._most:
            raise TooLarge(f"got more than {self._most} bytes, the limit of {self._limit}", code="file_too_large")
        if len(self.head) < HEAD_BYTES:
            self.head += part[: HEAD_BYTES - len(self.head)]
        self._digest.update(part)
        rest = memoryview(part)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """No more bytes come."""
        self._file.close()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, as 64 hex digits."""
        return self._digest.hexdigest()
