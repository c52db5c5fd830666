"""What an umbrella may know of its collectives: figures, concerts and festivals, storage. Knows counts; no names.

Everything is computed over active affiliations only: access ends with the affiliation.
"""

from math import ceil
from typing import Any

from db.clock import Moment, timestamp_ms
from db.principal import Principal
from db.transaction import ReadTx
from domain.charter import Args, Verb
from domain.choir.association.affiliations import require_umbrella, status_of
from domain.choir.association.storage_price import CURRENCY, FREE_DAYS, choir_cents, shared_bytes, umbrella_cents

ACTIVE_DAYS = 90

_OVERVIEW = """
SELECT c.id AS collective_id, c.name, c.subdomain, a.joined_at,
       (SELECT count(*) FROM member_organizations WHERE org_id = c.id) AS member_count,
       (SELECT count(*) FROM works WHERE org_id = c.id) AS works_count,
       (SELECT count(*) FROM works AS w JOIN editions AS e ON e.work_id = w.id
         WHERE w.org_id = c.id AND e.deleted_at IS NULL) AS editions_count,
       (SELECT count(*) FROM events WHERE org_id = c.id) AS event_count,
       (SELECT coalesce(sum(e.file_size), 0) FROM works AS w JOIN editions AS e ON e.work_id = w.id
         WHERE w.org_id = c.id) AS storage_bytes,
       EXISTS (SELECT 1 FROM events WHERE org_id = c.id AND starts_at >= :active_from) AS active
  FROM affiliations AS a JOIN organizations AS c ON c.id = a.collective_id
 WHERE a.umbrella_id = :org_id AND a.left_at IS NULL
 ORDER BY casefold(c.name), c.id
"""
# Somebody who sings in two of the choirs is one person.
_PEOPLE = """
SELECT count(DISTINCT m.member_id)
  FROM affiliations AS a JOIN member_organizations AS m ON m.org_id = a.collective_id
 WHERE a.umbrella_id = :org_id AND a.left_at IS NULL
"""
_SUMMED = ("works_count", "editions_count", "event_count", "storage_bytes")


def overview(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The figures of each active affiliate by name, and `totals` in which people count once. Raises Forbidden."""
    require_umbrella(tx, principal)
    active_from = now.later(seconds=-ACTIVE_DAYS * 86400)
    rows = tx.rows(_OVERVIEW, org_id=principal.scope, active_from=active_from)
    lines = [dict(row) | {"active": bool(row["active"])} for row in rows]
    totals = {name: sum(line[name] for line in lines) for name in _SUMMED}
    totals["member_count"] = tx.value(_PEOPLE, org_id=principal.scope)
    return {"collectives": lines, "totals": totals}


_PUBLIC_EVENTS = """
SELECT e.id, e.title, e.starts_at, e.ends_at, e.location, c.name AS choir
  FROM affiliations AS a JOIN organizations AS c ON c.id = a.collective_id JOIN events AS e ON e.org_id = c.id
 WHERE a.umbrella_id = :org_id AND a.left_at IS NULL AND e.event_type IN ('concert', 'festival')
 ORDER BY e.starts_at, e.id
"""


def public_events(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The concerts and festivals of active affiliates by start. Raises Forbidden."""
    require_umbrella(tx, principal)
    return [dict(row) for row in tx.rows(_PUBLIC_EVENTS, org_id=principal.scope)]


_STORED = """
SELECT coalesce(sum(e.file_size), 0) FROM works AS w JOIN editions AS e ON e.work_id = w.id WHERE w.org_id = :org_id
"""
_SHARES = """
SELECT c.id AS collective_id, c.name,
       (SELECT coalesce(sum(e.file_size), 0) FROM works AS w JOIN editions AS e ON e.work_id = w.id
         WHERE w.org_id = c.id) AS bytes,
       (SELECT count(*) FROM affiliations WHERE collective_id = c.id AND left_at IS NULL) AS umbrellas
  FROM affiliations AS a JOIN organizations AS c ON c.id = a.collective_id
 WHERE a.umbrella_id = :org_id AND a.left_at IS NULL
 ORDER BY casefold(c.name), c.id
"""


def storage_statement(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """What storage costs the umbrella a month, in cents, and from which bytes, rounded up. Raises Forbidden."""
    require_umbrella(tx, principal)
    own_bytes: int = tx.value(_STORED, org_id=principal.scope)
    shares = [dict(row) for row in tx.rows(_SHARES, org_id=principal.scope)]
    counted = shared_bytes(own_bytes, ((share["bytes"], share["umbrellas"]) for share in shares))
    return {
        "own_bytes": own_bytes,
        "collectives": shares,
        "counted_bytes": ceil(counted),
        "amount_cents": umbrella_cents(counted),
        "currency": CURRENCY,
    }


def own_statement(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """What storage costs the collective a month: nothing while an umbrella pays, in grace, or in its first 30 days.

    `amount_cents` is null and `over_limit` true past what a choir on its own may store. Raises NotFound.
    """
    org = tx.rows("SELECT type, created_at FROM organizations WHERE id = :id", id=principal.scope)[0]
    if org["type"] == "umbrella":
        return storage_statement(tx, principal, args, now)
    stored: int = tx.value(_STORED, org_id=principal.scope)
    status = status_of(tx, principal.scope, now)
    is_new = now.ms - timestamp_ms(org["created_at"]) < FREE_DAYS * 86_400_000
    cents = choir_cents(stored, free=is_new or status != "independent")
    return {
        "bytes": stored,
        "status": status,
        "over_limit": cents is None,
        "amount_cents": cents,
        "currency": CURRENCY,
    }


_DESK = ("desk:admin",)

VERBS = (
    Verb("umbrella.overview", overview, False, "Figures of the affiliated collectives.", _DESK),
    Verb("umbrella.public_events", public_events, False, "Concerts and festivals of the collectives.", _DESK),
    Verb("umbrella.storage_statement", storage_statement, False, "What storage costs the umbrella a month.", _DESK),
    Verb("organization.storage_statement", own_statement, False, "What storage costs this choir a month.", _DESK),
)
