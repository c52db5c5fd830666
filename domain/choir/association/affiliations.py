"""Affiliations of collectives to umbrellas, with their history. Knows two sides of one vault; reads none's library."""

from typing import Any, Literal

from db.clock import Moment, timestamp_ms
from db.errors import Forbidden, Invalid, NotFound
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.charter import Args, Verb
from domain.errors import ActiveAffiliation

GRACE_DAYS = 30
Status = Literal["affiliated", "grace", "independent"]


def require_umbrella(tx: ReadTx, principal: Principal) -> None:
    """Raise Forbidden unless the organization in effect is an umbrella."""
    if _type(tx, principal.scope) != "umbrella":
        raise Forbidden("only an umbrella's admin desk may do this")


def _type(tx: ReadTx, org_id: str) -> str | None:
    found: str | None = tx.value("SELECT type FROM organizations WHERE id = :id", id=org_id)
    return found


_CREATE = """
INSERT INTO affiliations (id, collective_id, umbrella_id, joined_at)
VALUES (:id, :collective_id, :umbrella_id, :joined_at)
    ON CONFLICT (collective_id, umbrella_id) WHERE left_at IS NULL DO NOTHING
"""


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new affiliation to the umbrella in effect. Raises Forbidden, Invalid, ActiveAffiliation."""
    require_umbrella(tx, principal)
    collective_id = args["collective_id"]
    if _type(tx, collective_id) != "collective":
        raise Invalid(f"collective_id: got {collective_id!r}, wanted a collective here", field="collective_id")
    pair = {"collective_id": collective_id, "umbrella_id": principal.scope}
    row = {"id": now.new_id(), **pair, "joined_at": _after_the_last(tx, pair, now)}
    if not tx.execute(_CREATE, **row):
        raise ActiveAffiliation("the collective is affiliated to this umbrella already", field="collective_id")
    return {**row, "left_at": None}


def _after_the_last(tx: ReadTx, pair: dict[str, str], now: Moment) -> str:
    """Now, or the next millisecond after the last affiliation of the two began: each begins at a time of its own."""
    last = "SELECT max(joined_at) FROM affiliations WHERE collective_id = :collective_id AND umbrella_id = :umbrella_id"
    joined_at: str | None = tx.value(last, **pair)
    return now.text if joined_at is None or joined_at < now.text else Moment(timestamp_ms(joined_at) + 1).text


def _pair(tx: ReadTx, principal: Principal, args: Args) -> dict[str, str]:
    """Both sides: the organization in effect and the one that is named. Raises Invalid."""
    own = "umbrella_id" if _type(tx, principal.scope) == "umbrella" else "collective_id"
    other = "collective_id" if own == "umbrella_id" else "umbrella_id"
    if args.get(other) is None:
        raise Invalid(f"{other}: required", field=other)
    return {own: principal.scope, other: args[other]}


_ACTIVE = """
SELECT id, joined_at FROM affiliations
 WHERE collective_id = :collective_id AND umbrella_id = :umbrella_id AND left_at IS NULL
"""


def end(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The affiliation that ends now; its row stays. Raises NotFound when none is active, Invalid."""
    pair = _pair(tx, principal, args)
    found = tx.row(_ACTIVE, **pair)
    if found is None:
        raise NotFound("no active affiliation between the two organizations")
    # It may have begun a millisecond from now, after one that ended in this one, or by a clock that is ahead.
    left_at = max(now.text, found["joined_at"])
    tx.execute("UPDATE affiliations SET left_at = :left_at WHERE id = :id", id=found["id"], left_at=left_at)
    return {"id": found["id"], **pair, "left_at": left_at}


_AFFILIATIONS = """
SELECT a.id, a.collective_id, c.name AS collective, a.umbrella_id, u.name AS umbrella, a.joined_at, a.left_at
  FROM affiliations AS a
  JOIN organizations AS c ON c.id = a.collective_id JOIN organizations AS u ON u.id = a.umbrella_id
"""
_HISTORY = f"""{_AFFILIATIONS}
 WHERE a.collective_id = :collective_id AND a.umbrella_id = :umbrella_id ORDER BY a.joined_at DESC, a.id DESC
"""
_ALL_ACTIVE = f"""{_AFFILIATIONS}
 WHERE a.left_at IS NULL AND (a.collective_id = :org_id OR a.umbrella_id = :org_id) ORDER BY a.joined_at, a.id
"""


def history(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every affiliation between the two organizations, newest first. Raises Invalid."""
    return [dict(row) for row in tx.rows(_HISTORY, **_pair(tx, principal, args))]


def active(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The organization's active affiliations, oldest first; its own side is whichever it is."""
    return [dict(row) for row in tx.rows(_ALL_ACTIVE, org_id=principal.scope)]


def derive_status(*, active_count: int, last_left_at: str | None, grace_from: str) -> Status:
    """What a collective is. last_left_at: of its latest end. grace_from: the moment 30 days ago; later ends count."""
    if active_count:
        return "affiliated"
    return "grace" if last_left_at is not None and last_left_at > grace_from else "independent"


_ENDS = """
SELECT coalesce(sum(left_at IS NULL), 0) AS active_count, max(left_at) AS last_left_at
  FROM affiliations WHERE collective_id = :collective_id
"""


def status_of(tx: ReadTx, collective_id: str, now: Moment) -> Status:
    """What the collective is at this moment."""
    ends = tx.rows(_ENDS, collective_id=collective_id)[0]
    grace_from = now.later(seconds=-GRACE_DAYS * 86400)
    return derive_status(active_count=ends["active_count"], last_left_at=ends["last_left_at"], grace_from=grace_from)


def status(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The status of the collective in effect, or of one that has ever been under the umbrella in effect.

    Raises Invalid, NotFound.
    """
    if _type(tx, principal.scope) == "collective":
        return {"collective_id": principal.scope, "status": status_of(tx, principal.scope, now)}
    pair = _pair(tx, principal, args)
    if not tx.rows(_HISTORY, **pair):
        raise NotFound(f"collective {pair['collective_id']}: never under this umbrella", field="collective_id")
    return {"collective_id": pair["collective_id"], "status": status_of(tx, pair["collective_id"], now)}


_DESK = ("desk:admin",)
_COLLECTIVE: dict[str, Field] = {"collective_id": Text()}
_SIDES: dict[str, Field] = {**_COLLECTIVE, "umbrella_id": Text()}
_ROWS = "affiliations"

VERBS = (
    Verb(
        "affiliation.create",
        create,
        True,
        "Take a collective under this umbrella.",
        _DESK,
        {"collective_id": Text(required=True)},
        _ROWS,
    ),
    Verb("affiliation.end", end, True, "End the affiliation with the other side.", _DESK, _SIDES),
    Verb(
        "affiliation.history",
        history,
        False,
        "All affiliations with the other side, newest first.",
        _DESK,
        _SIDES,
        _ROWS,
    ),
    Verb("affiliation.active", active, False, "Active affiliations, oldest first.", _DESK, rows=_ROWS),
    Verb(
        "affiliation.status",
        status,
        False,
        "Whether a collective is affiliated, in grace or independent.",
        _DESK,
        _COLLECTIVE,
    ),
)
