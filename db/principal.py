"""The verified caller inside one vault, read from the two contract views. Knows grants; not tokens or HTTP."""

from dataclasses import dataclass

from db.transaction import ReadTx


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and with which permissions in the scope in effect.

    id: principals.id, or None for a guest or a token that is no person. kind: person, token, operator, guest.
    scope: organisation or branch in effect, '' for the whole vault. permissions: held in that scope.
    actor_id: what the audit log calls the caller.
    """

    id: str | None
    kind: str
    scope: str
    permissions: frozenset[str]
    actor_id: str
    email: str = ""
    name: str = ""

    def may(self, *wanted: str) -> bool:
        """Whether any one of the permissions is held."""
        return not self.permissions.isdisjoint(wanted)


def guest(scope: str) -> Principal:
    """The caller without an identity."""
    return Principal(None, "guest", scope, frozenset(), "guest")


def find_principal(tx: ReadTx, email: str, email_lookup: str, scope: str) -> Principal | None:
    """The active principal with this verified address, or None.

    email: normalised. email_lookup: its keyed hash, for charters that keep addresses encrypted.
    """
    found = tx.row(
        "SELECT id, name FROM principals WHERE email IN (:email, :email_lookup) AND active",
        email=email,
        email_lookup=email_lookup,
    )
    if found is None:
        return None
    held = tx.rows(
        "SELECT permission FROM grants WHERE principal_id = :id AND scope IN (:scope, '')", id=found["id"], scope=scope
    )
    return Principal(found["id"], "person", scope, frozenset(row[0] for row in held), found["id"], email, found["name"])


_ANYWHERE = """
SELECT 1 FROM principals AS p JOIN grants AS g ON g.principal_id = p.id
 WHERE p.email IN (:email, :email_lookup) AND p.active LIMIT 1
"""


def belongs_here(tx: ReadTx, email: str) -> bool:
    """Whether somebody active with this verified address holds anything in the vault, in whichever scope."""
    lookup = tx.value("SELECT personal_lookup(:email)", email=email)
    return tx.value(_ANYWHERE, email=email, email_lookup=lookup) is not None
