"""Arguments that are objects with fields of their own, such as the items of a list. Knows rules; not meanings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.errors import Invalid
from db.fields import Field, is_json_object, parse_fields


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object with these fields and no others; an optional one that is absent stays so."""

    fields: Mapping[str, Field]
    required: bool = False

    def parse(self, value: Any, name: str) -> dict[str, Any]:
        """The parsed fields by name."""
        if not is_json_object(value):
            wanted = " and ".join(known for known, rule in self.fields.items() if rule.required)
            raise Invalid(f"{name}: got {value!r}, wanted an object with {wanted}", field=name)
        return parse_fields(value, self.fields)
