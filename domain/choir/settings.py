"""Settings of an organization: three known keys, kept as text. Knows their rules; not who reads them."""

from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.charter import Args, Verb
from domain.choir.language import Locale
from domain.partial_update import changeable, changes


@dataclass(frozen=True, slots=True)
class Minutes:
    """A positive whole number, given as a number or as its digits."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str | None:
        """The number as text without leading zeros, or None when nothing is left."""
        text = Text(max_characters=9).parse(str(value) if type(value) is int else value, name)
        if text is not None and not (text.isascii() and text.isdigit() and int(text) > 0):
            raise Invalid(f"{name}: got {text!r}, wanted a positive number of minutes", field=name)
        return text and str(int(text))


@dataclass(frozen=True, slots=True)
class SystemLocale:
    """A BCP 47 tag by form, or `system` for whatever the device of the reader says."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str | None:
        """The tag or the word, or None."""
        text = Text().parse(value, name)
        return text if text == "system" else Locale().parse(value, name)


SETTINGS: dict[str, Field] = {
    "default_event_duration": Minutes(),
    "conductor_id": Text(),
    "locale": SystemLocale(),
}
# A display needs it, so it is changed and never cleared.
_NEVER_NULL = frozenset({"default_event_duration"})


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Every setting by key, as text; null where none is chosen."""
    rows = tx.rows("SELECT key, value FROM vault_settings WHERE org_id = :org_id", org_id=principal.scope)
    return dict.fromkeys(SETTINGS) | {row["key"]: row["value"] for row in rows}


_SET = """
INSERT INTO vault_settings (org_id, key, value, updated_by, updated_at)
VALUES (:org_id, :key, :value, :updated_by, :now)
    ON CONFLICT (org_id, key) DO UPDATE
   SET value = excluded.value, updated_by = excluded.updated_by, updated_at = excluded.updated_at
"""
_CLEAR = "DELETE FROM vault_settings WHERE org_id = :org_id AND key = :key"


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Every setting after the change; null clears one that may be empty. Raises Invalid; then nothing is written."""
    given = changes(args, SETTINGS, never_null=_NEVER_NULL)
    if given.get("conductor_id") is not None:
        _require_member(tx, principal.scope, given["conductor_id"])
    for key, value in given.items():
        if value is None:
            tx.execute(_CLEAR, org_id=principal.scope, key=key)
        else:
            tx.execute(_SET, org_id=principal.scope, key=key, value=value, updated_by=principal.id, now=now.text)
    return get(tx, principal, args, now)


def _require_member(tx: ReadTx, org_id: str, member_id: str) -> None:
    """Raise Invalid, as for any other bad value, unless the person is a member here."""
    if tx.value(_IS_MEMBER, member_id=member_id, org_id=org_id) is None:
        raise Invalid(f"conductor_id: got {member_id!r}, wanted a member of this organization", field="conductor_id")


_IS_MEMBER = "SELECT 1 FROM member_organizations WHERE member_id = :member_id AND org_id = :org_id"
_DESK = ("desk:admin",)

VERBS = (
    Verb("settings.get", get, False, "The organization's settings.", _DESK),
    Verb("settings.update", update, True, "Change settings of the organization.", _DESK, changeable(SETTINGS)),
)
