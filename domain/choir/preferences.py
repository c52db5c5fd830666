"""A person's language, locale and time zone, and what is in effect. Knows the cascade; not the forms of each."""

from typing import Any

from db.clock import Moment
from db.errors import Forbidden
from db.fields import Field
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.charter import Args, Verb
from domain.choir.language import Language, Locale, TimeZone
from domain.partial_update import changeable, changes

PREFERENCES: dict[str, Field] = {"language": Language(), "locale": Locale(), "timezone": TimeZone()}
SYSTEM = {"language": "en", "locale": "en-US", "timezone": "UTC"}


def effective(member: str | None, organization: str | None, system: str) -> dict[str, str]:
    """The value in effect and where it comes from; blank counts as unset."""
    for value, source in ((member, "member"), (organization, "organization")):
        if value is not None and value.strip():
            return {"value": value, "source": source}
    return {"value": system, "source": "system"}


_CHOSEN = """
SELECT o.language AS o_language, o.locale AS o_locale, o.timezone AS o_timezone,
       p.language AS p_language, p.locale AS p_locale, p.timezone AS p_timezone
  FROM organizations AS o LEFT JOIN member_preferences AS p ON p.member_id = :member_id
 WHERE o.id = :org_id
"""


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Each of the three as `{value, source}`. Somebody who is no member here starts at the organization."""
    member_id = principal.id if principal.may("member") else None
    row = tx.rows(_CHOSEN, org_id=principal.scope, member_id=member_id)[0]
    return {name: effective(row[f"p_{name}"], row[f"o_{name}"], SYSTEM[name]) for name in PREFERENCES}


def _self(principal: Principal) -> str:
    if principal.id is None:
        raise Forbidden("preferences belong to a person; a token has none")
    return principal.id


_KEEP = """
INSERT INTO member_preferences (member_id, language, locale, timezone, updated_at)
VALUES (:member_id, :language, :locale, :timezone, :now)
    ON CONFLICT (member_id) DO UPDATE
   SET language = excluded.language, locale = excluded.locale, timezone = excluded.timezone,
       updated_at = excluded.updated_at
"""


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """What is in effect after the change; null inherits. Raises Invalid, Forbidden for a token."""
    member_id = _self(principal)
    given = changes(args, PREFERENCES)
    old = tx.row("SELECT language, locale, timezone FROM member_preferences WHERE member_id = :id", id=member_id)
    kept = dict(old) if old else dict.fromkeys(PREFERENCES)
    tx.execute(_KEEP, member_id=member_id, now=now.text, **{**kept, **given})
    return get(tx, principal, args, now)


def clear(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """What is in effect once the person's own choices are gone. Raises Forbidden for a token."""
    tx.execute("DELETE FROM member_preferences WHERE member_id = :id", id=_self(principal))
    return get(tx, principal, args, now)


_MEMBER = ("member",)

VERBS = (
    Verb("preferences.get", get, False, "Language, locale and time zone in effect, each with its source."),
    Verb(
        "preferences.update",
        update,
        True,
        "Choose one's own language, locale or time zone.",
        _MEMBER,
        changeable(PREFERENCES),
    ),
    Verb("preferences.clear", clear, True, "Go back to what the organization says.", _MEMBER),
)
