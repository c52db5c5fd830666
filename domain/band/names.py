"""Names of which there is one: instruments, sections, publishers. Knows that the column is called `name`."""

from typing import LiteralString

from db.clock import Moment
from db.errors import Conflict
from db.principal import Principal
from db.resources import Check, Values
from db.transaction import Row, WriteTx


def check_name(table: LiteralString) -> Check:
    """The rule for a row of the table: Conflict `name_taken` for the name of another."""
    taken = f"SELECT 1 FROM {table} WHERE name = :name AND id IS NOT :id"

    def check(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
        """Refuse a name that another row has."""
        name = new.get("name")
        if name is not None and tx.value(taken, name=name, id=old["id"] if old else None) is not None:
            raise Conflict(f"name: {name!r} is taken", code="name_taken", field="name")

    return check
