"""What a charter says about people: which of its rows are about them, and how one is forgotten. Data only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from db.clock import Moment
from db.transaction import WriteTx


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a value is about: the row of `table` whose key is in the `column` beside the value."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class People:
    """The people of a charter: rows of certain tables, whose one-column key is text.

    forget: called as `forget(tx, table, key, now)`, brings the row of a forgotten person, and what hangs on it, into
    the form that forgetting gave it; a row that has it already, or is not there, stays as it is. It runs again after
    whatever brings earlier rows back.
    values: `table.column` of further personal text that is stored as it is, and whom it is about. The audit log keeps
    it sealed under a key of that person's own, which goes when the person is forgotten.
    about: for each table of people, the tables that hold something about one of them, and the column with the key.
    """

    forget: Callable[[WriteTx, str, str, Moment], None]
    values: Mapping[str, Subject] = field(default_factory=dict[str, Subject])
    about: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
