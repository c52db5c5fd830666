"""What a charter declares about files: buckets whose files belong to rows of a table. Data only."""

from collections.abc import Callable
from dataclasses import dataclass

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
class FileBucket:
    """Files of the rows of one table, each named `{key of its row}/{name}`.

    id: of the bucket. table: whose rows own the files; it has a primary key of one column.
    read: whose files who may read; None = whoever may read the row. write, remove: whose files who may put and take
    away. All are over the columns of `table`, as the policies of a resource. An empty list refuses.
    types: media types taken, such as `application/pdf` or `image/*`; () = every one. max_bytes: of one file; None = the
    platform's limit. single: a row has one file; another name replaces it, if replacing was asked for.
    changed: run in the transaction that puts or takes away a file of a row (`file`: its row of `vaultry_files`, None
    when it was taken away); may refuse by raising.
    why_unreadable: the error for somebody who cannot read the files of a row, instead of not found; None = that.
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
