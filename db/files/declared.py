"""What a charter declares about files: buckets whose files belong to rows of a table. Data only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from db.clock import Moment
from db.errors import VaultError
from db.principal import Principal
from db.resources import Policy
from db.transaction import ReadTx, Row, WriteTx


def _nothing(tx: WriteTx, principal: Principal, row_key: str, file: Row | None, now: Moment) -> None:
    """The charter keeps nothing of it in the row."""


def _unsaid(tx: ReadTx, principal: Principal, row_key: str, now: Moment) -> VaultError | None:
    """A file that cannot be read looks like one that is not there."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that is about to be put, for a charter that keeps a row of it.

    id: it will have; a row can have the same. name: asked for, below the bucket. metadata: what its uploader said of
    it. picture: width and height in pixels, None where they are not known.
    """

    id: str
    name: str
    size: int
    content_type: str
    metadata: Mapping[str, Any]
    picture: tuple[int, int] | None


class Place(NamedTuple):
    """Where a file is kept: its name below the bucket, and the key of the row that owns it."""

    name: str
    row_key: str


@dataclass(frozen=True, slots=True)
class FileRows:
    """A row of the charter's for every file, which gets its name there. Such files are neither moved nor copied.

    put: run in the transaction that puts a file, before it is there; where it is to be kept. It gets the row of
    `vaultry_files` that has the name asked for, if the caller said that it may be replaced; that one stays as `put`
    leaves it. removed: run in the transaction that takes a file away, while it is there. Both may refuse by raising.
    own: the table of the bucket holds these very rows, so there is none yet when a file is put.
    """

    put: Callable[[WriteTx, Principal, Incoming, Row | None, Moment], Place]
    removed: Callable[[WriteTx, Principal, Row, Moment], None]
    own: bool = False


class Reading(NamedTuple):
    """Why somebody may read a file, in a word, and what the file is called when it is handed out."""

    reason: str
    name: str


class Recipient(NamedTuple):
    """Who was handed a file. principal_id: None for a guest. address: as the request tells it, or `unknown`."""

    principal_id: str | None
    address: str
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class FileReading:
    """Reading judged file by file, at every door to the bytes; the bucket's `read` then rules what is listed.

    may_read: the reason for the file of this row of `vaultry_files`; raises for a refusal. by_link: the caller has a
    link that was signed after the question was answered. handed_out: run, in a transaction of its own, for each answer
    that was completed. link_seconds: fewest and most that a link may hold, and how many without a wish.
    """

    may_read: Callable[[ReadTx, Principal, Row, Moment, bool], Reading]
    handed_out: Callable[[WriteTx, Row, Recipient, Moment], None]
    link_seconds: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FileBucket:
    """Files of the rows of one table, each named `{key of its row}/{name}` unless `rows` names it.

    id: of the bucket. table: whose rows own the files; it has a primary key of one column.
    read: whose files who may read; None = whoever may read the row. write, remove: whose files who may put and take
    away. All are over the columns of `table`, as the policies of a resource. An empty list refuses.
    types: media types taken, such as `application/pdf` or `image/*`; () = every one. max_bytes: of one file; None = the
    platform's limit. single: a row has one file; another name replaces it, if replacing was asked for.
    changed: run in the transaction that puts or takes away a file of a row (`file`: its row of `vaultry_files`, None
    when it was taken away); may refuse by raising.
    why_unreadable: the error for somebody who cannot read the files of a row, instead of not found; None = that.
    rows, reading: for buckets with rules for each file; `changed` is not asked where there are rows.
    codes: the charter's own codes for what storage refuses, by those of storage. `link_missing` is that of a link
    without its token, which is then a matter of signing in.
    """

    id: str
    table: str
    read: tuple[Policy, ...] | None
    write: tuple[Policy, ...]
    remove: tuple[Policy, ...]
    types: tuple[str, ...] = ()
    max_bytes: int | None = None
    single: bool = False
    changed: Callable[[WriteTx, Principal, str, Row | None, Moment], None] = _nothing
    why_unreadable: Callable[[ReadTx, Principal, str, Moment], VaultError | None] = _unsaid
    rows: FileRows | None = None
    reading: FileReading | None = None
    codes: Mapping[str, str] = field(default_factory=dict[str, str])

    def code(self, known: str) -> str:
        """The charter's code for a refusal of storage."""
        return self.codes.get(known, known)
