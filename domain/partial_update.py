"""Updates that change only what is given: absent keeps, null clears. Knows rules for values; not tables or callers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.errors import Invalid
from db.fields import Field


@dataclass(frozen=True, slots=True)
class Changeable:
    """The rule of another field, for a call that may leave it out. Whether null may clear it, `changes` decides."""

    rule: Field
    required: bool = False

    def parse(self, value: Any, name: str) -> Any:
        """As the rule parses it."""
        return self.rule.parse(value, name)


def changeable(fields: Mapping[str, Field]) -> dict[str, Field]:
    """The same fields as optional parameters."""
    return {name: Changeable(rule) for name, rule in fields.items()}


def changes(
    args: Mapping[str, Any], fields: Mapping[str, Field], *, never_null: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The given fields among `fields`, by name, None where one is cleared.

    never_null: fields that may be left out at first and still must not be cleared, because a default stands in.
    Raises Invalid when a required field is null or empty, or when nothing is given.
    """
    given = {name: args[name] for name in fields if name in args}
    if not given:
        raise Invalid(f"nothing to change: got no field, wanted at least one of {', '.join(fields)}")
    refuse_null(given, never_null | {name for name, rule in fields.items() if rule.required})
    return given


def refuse_null(values: Mapping[str, Any], names: frozenset[str]) -> None:
    """Raise Invalid naming the first of the fields that is given as null or empty."""
    for name in sorted(names):
        if name in values and values[name] is None:
            raise Invalid(f"{name}: required, and must not be null or empty", field=name)
