"""What a charter declares about a table that is reachable over REST. Data only: nothing here runs a query."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from db.clock import Moment
from db.fields import Field
from db.principal import Principal
from db.transaction import Row, SqlValue, WriteTx


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to be allowed a row; a row is allowed when any policy of its list allows it.

    permission: needed in the scope in effect; None = anybody, guests included.
    where: SQL over the table's own columns; may use :scope, :principal_id (NULL for guests and tokens) and :now.
    Inside it other tables are named `main.x`, so that no other resource's policy applies to them.
    unless: a permission whose holders another policy of the list allows all these rows anyway. For them this one is
    left out, and the condition that stays is one that an index answers.
    """

    permission: str | None
    where: str
    unless: str | None = None

    def open_to(self, principal: Principal) -> bool:
        """Whether the policy may allow the caller anything that no other policy of its list does."""
        if self.unless is not None and principal.may(self.unless):
            return False
        return self.permission is None or principal.may(self.permission)


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """A full-text index of a column. table: the FTS5 table, which has a column of that name.

    key: its column that holds the row's primary key; '' = its rowid is the row's. The rowids of a table whose key is
    text may be renumbered by VACUUM, so the index of such a table names a column.
    """

    table: str
    key: str = ""


Supply = Callable[[Principal, Moment], SqlValue]
Values = dict[str, SqlValue]
Check = Callable[[WriteTx, Principal, Row | None, Values, Moment], None]


def _no_rule(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Refuse nothing."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A table reachable over REST.

    read: who sees which rows; the same policies apply in embeds, filters and counts.
    insert, update, delete: who may write which rows; an empty list refuses. An update must hold before and after.
    fields: columns a client may write, with their rules. supplied: columns the server fills on insert.
    touched: columns the server fills on every update. fixed: fields that may be given on insert only.
    masks: columns that read as NULL unless one of their policies holds for the row.
    hidden: columns that do not exist for clients. personal: columns that are ciphertext in the file.
    redacted: further columns whose values stay out of the audit log, such as tokens that open a door.
    json: columns that hold JSON text, besides those whose field is a list or an object.
    search: full-text indexes, by the column they are of.
    check: a rule beyond SQL, run in the transaction before the row is written (old is None on insert); may raise
    and may change `new`.
    """

    table: str
    read: tuple[Policy, ...]
    insert: tuple[Policy, ...] = ()
    update: tuple[Policy, ...] = ()
    delete: tuple[Policy, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict[str, Field])
    supplied: Mapping[str, Supply] = field(default_factory=dict[str, Supply])
    touched: Mapping[str, Supply] = field(default_factory=dict[str, Supply])
    fixed: frozenset[str] = frozenset()
    masks: Mapping[str, tuple[Policy, ...]] = field(default_factory=dict[str, tuple[Policy, ...]])
    hidden: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    redacted: frozenset[str] = frozenset()
    json: frozenset[str] = frozenset()
    search: Mapping[str, SearchIndex] = field(default_factory=dict[str, SearchIndex])
    check: Check = _no_rule
