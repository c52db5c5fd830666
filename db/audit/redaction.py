"""What of a row may be shown: secrets never, personal columns opened only when asked for. Knows names; no door."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.forgetting.sealing import REDACTED
from db.personal import PersonalCipher
from db.transaction import SqlValue

_LOOKUP = "_lookup"


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is hidden of the rows of a vault.

    hidden: `table.column` whose values are shown as `[redacted]`, and so are the look-up hashes beside them.
    personal: those of them that hold sealed text. cipher: opens these; None = they stay redacted too.
    """

    hidden: frozenset[str]
    personal: frozenset[str] = frozenset()
    cipher: PersonalCipher | None = None

    def shown(self, table: str, values: Mapping[str, SqlValue]) -> dict[str, SqlValue]:
        """The values of a row, or of some of its columns, as they may be shown. Raises as `PersonalCipher.open`."""
        return {name: self._value(table, name, value) for name, value in values.items()}

    def hides(self, table: str, column: str) -> bool:
        """Whether the audit log does not have the values of this column."""
        return f"{table}.{column}" in self.hidden or f"{table}.{column.removesuffix(_LOOKUP)}" in self.hidden

    def _value(self, table: str, column: str, value: SqlValue) -> SqlValue:
        if value is None or not self.hides(table, column):
            return value
        name = f"{table}.{column}"
        if self.cipher is None or name not in self.personal or not isinstance(value, str):
            return REDACTED
        return self.cipher.open(name, value)
