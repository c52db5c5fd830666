"""A list of values as JSON sends it or as one cell of a CSV file holds it. Knows shapes; not tables."""

from dataclasses import dataclass
from typing import Any

from db.fields import Field, ListOf


@dataclass(frozen=True, slots=True)
class Several:
    """A list, or one text with `;` between the items. Repeated items count once."""

    item: Field
    required: bool = False

    def parse(self, value: Any, name: str) -> list[Any]:
        """The parsed items in order."""
        given = [part for part in value.split(";") if part.strip()] if isinstance(value, str) else value
        return list(dict.fromkeys(ListOf(self.item).parse(given, name)))
