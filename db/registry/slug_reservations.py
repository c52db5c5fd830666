"""Names held while a vault writes what is to have them, or after it gave them up. Opens no vault.

Registry and vault are two databases, so a name is held before the vault commits and given after. Whoever dies in
between leaves a reservation, and it stays until somebody has looked into the vault: then the name is given to what was
written there, or freed. It is freed only when no writer can be under way any more, so that no two vaults ever have it.

A name whose organisation goes is marked the same way before the vault commits. It stays for 30 days, as that of a whole
vault does: until then the organisation can come back to it.
"""

from dataclasses import dataclass

from db.clock import Moment
from db.errors import Conflict
from db.registry.directory import UNDELETE_SECONDS
from db.registry.slugs import PATHS, RESERVED, normalise_slug
from db.transaction import ReadTx, Row, WriteTx

# Who holds a name may still commit for so long; then it may not, and later the name may be freed.
WRITE_SECONDS = 1800
HELD_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Reservation:
    """A name held for a vault. id: of this attempt; two attempts of one vault hold the same name each for itself.

    reserved_at: of a name that is given up, when it may be free.
    """

    id: str
    slug: str
    vault_id: str
    reserved_at: str


def reserve_slug(tx: WriteTx, text: str, vault_id: str, now: Moment) -> Reservation | None:
    """The name, held for the vault; None when it leads into the vault already.

    Raises Invalid for its form, Conflict `duplicate` for a name that is reserved, or another vault's or about to be.
    """
    slug = normalise_slug(text)
    if slug in RESERVED or slug in PATHS:
        raise _refused(slug, "reserved")
    owner = tx.value("SELECT vault_id FROM slugs WHERE slug = :slug", slug=slug)
    if owner == vault_id:
        return None
    holds = "SELECT 1 FROM slug_reservations WHERE slug = :slug AND vault_id <> :vault"
    if owner is not None or tx.value(holds, slug=slug, vault=vault_id) is not None:
        raise _refused(slug, "taken")
    held = Reservation(now.new_id(), slug, vault_id, now.text)
    tx.insert("slug_reservations", id=held.id, slug=slug, vault_id=vault_id, reserved_at=held.reserved_at)
    return held


def settle_reservation(tx: WriteTx, held: Reservation, scope: str | None, now: Moment) -> None:
    """End the reservation. scope: what of the vault has the name, to which it leads now; None = nothing, it is freed.

    Settled twice is settled once.
    """
    removed = tx.execute("DELETE FROM slug_reservations WHERE id = :id", id=held.id)
    known = tx.value("SELECT 1 FROM slugs WHERE slug = :slug", slug=held.slug)
    if removed and scope is not None and known is None:
        tx.insert("slugs", slug=held.slug, vault_id=held.vault_id, scope=scope, created_at=now.text)


_MARK = """
INSERT INTO slug_reservations (id, slug, vault_id, reserved_at)
SELECT :id, :slug, :vault, :at
 WHERE NOT EXISTS (SELECT 1 FROM slug_reservations WHERE slug = :slug AND vault_id = :vault AND reserved_at > :now)
"""


def mark_slugs(tx: WriteTx, vault_id: str, scope: str, now: Moment) -> list[Reservation]:
    """Have the names that lead to this scope looked at in 30 days, for it may be gone by then; the new marks."""
    leading = tx.rows("SELECT slug FROM slugs WHERE vault_id = :vault AND scope = :scope", vault=vault_id, scope=scope)
    at = now.later(seconds=UNDELETE_SECONDS)
    marks = [Reservation(now.new_id(), row["slug"], vault_id, at) for row in leading]
    return [
        mark for mark in marks if tx.execute(_MARK, id=mark.id, slug=mark.slug, vault=vault_id, at=at, now=now.text)
    ]


def scope_led_to(tx: ReadTx, held: Reservation) -> str | None:
    """What of its vault the name leads to already; None for a name that does not lead there."""
    leads = "SELECT scope FROM slugs WHERE slug = :slug AND vault_id = :vault"
    found: str | None = tx.value(leads, slug=held.slug, vault=held.vault_id)
    return found


def settle_mark(tx: WriteTx, mark: Reservation, scope: str, *, gone: bool) -> None:
    """End the mark. gone: nothing in the vault is of this scope any more; the name is free then."""
    removed = tx.execute("DELETE FROM slug_reservations WHERE id = :id", id=mark.id)
    if removed and gone:
        leads = "DELETE FROM slugs WHERE slug = :slug AND vault_id = :vault AND scope = :scope"
        tx.execute(leads, slug=mark.slug, vault=mark.vault_id, scope=scope)


def forgotten_reservations(tx: ReadTx, now: Moment, older_s: int) -> list[Reservation]:
    """Reservations made so many seconds ago or earlier, the oldest first."""
    old = "SELECT * FROM slug_reservations WHERE reserved_at <= :then ORDER BY reserved_at, id"
    return [_reservation(row) for row in tx.rows(old, then=now.later(seconds=-older_s))]


def next_reservation(tx: ReadTx) -> str | None:
    """When the oldest reservation was made, or None."""
    found: str | None = tx.value("SELECT min(reserved_at) FROM slug_reservations")
    return found


def _reservation(row: Row) -> Reservation:
    return Reservation(row["id"], row["slug"], row["vault_id"], row["reserved_at"])


def _refused(slug: str, why: str) -> Conflict:
    return Conflict(f"{slug!r} is {why}; choose another", code="duplicate", field="slug", details=why)
