"""Organizations: directory, profile, registration in an association, deletion. Knows this vault; no other tenant."""

from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotFound
from db.fields import Choice, Email, Field, Flag, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Founding, Registration, Verb
from domain.choir.founding import TYPES, Opening, open_organization
from domain.choir.language import Language, Locale, TimeZone
from domain.choir.subdomains import is_reserved, parse_subdomain
from domain.partial_update import changeable, changes


def scope_of(tx: ReadTx, subdomain: str) -> str | None:
    """The id of the organization of this vault with the subdomain, or None."""
    found: str | None = tx.value("SELECT id FROM organizations WHERE subdomain = :subdomain", subdomain=subdomain)
    return found


def has_scope(tx: ReadTx, org_id: str) -> bool:
    """Whether the organization is there."""
    return tx.value("SELECT 1 FROM organizations WHERE id = :id", id=org_id) is not None


def check_subdomain(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Whether a name is free on the platform, else why not. Raises Invalid for a malformed one."""
    subdomain = parse_subdomain(args["subdomain"])
    if is_reserved(subdomain):
        return {"available": False, "reason": "reserved"}
    if args.get("availability") == "taken" or scope_of(tx, subdomain) is not None:
        return {"available": False, "reason": "taken"}
    return {"available": True}


def register(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id of a new organization of this vault; a collective is affiliated to the caller's umbrella at once.

    Only an umbrella's owner adds to the vault; a choir of its own opens a tenant of its own. Raises Forbidden,
    Invalid, Duplicate.
    """
    if _organization(tx, principal)["type"] != "umbrella":
        raise Forbidden("only an umbrella's owner adds organizations; register an independent choir on its own")
    opening = Opening(args["name"], args["subdomain"], args["type"], args["contact_email"])
    org_id = open_organization(tx, opening, now)
    if opening.type == "collective":
        tx.insert(
            "affiliations", id=now.new_id(), collective_id=org_id, umbrella_id=principal.scope, joined_at=now.text
        )
    return {"id": org_id}


_PUBLIC = """
SELECT id, name, subdomain, type, contact_email, created_at FROM organizations ORDER BY casefold(name), id
"""


def list_public(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The public lines of this vault's organizations, by name."""
    return [dict(row) for row in tx.rows(_PUBLIC)]


def _organization(tx: ReadTx, principal: Principal) -> Row:
    """The organization in effect. Raises NotFound."""
    found = tx.row("SELECT * FROM organizations WHERE id = :id", id=principal.scope)
    if found is None:
        raise NotFound("no organization is in effect; use the address of one")
    return found


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The profile of the organization in effect."""
    return dict(_organization(tx, principal))


PROFILE: dict[str, Field] = {
    "name": Text(required=True),
    "contact_email": Email(required=True),
    "language": Language(),
    "locale": Locale(),
    "timezone": TimeZone(),
    "trust_individual_responsibility": Flag(),
}
_UPDATE = """
UPDATE organizations
   SET name = :name, contact_email = :contact_email, language = :language, locale = :locale, timezone = :timezone,
       trust_individual_responsibility = :trust_individual_responsibility
 WHERE id = :id
"""


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The profile after the change. Raises Invalid, and Forbidden when another organization is addressed."""
    if args.get("org_id") not in (None, principal.scope):
        raise Forbidden("another organization is changed at its own address", field="org_id")
    given = changes(args, PROFILE, never_null=frozenset({"trust_individual_responsibility"}))
    old = _organization(tx, principal)
    profile = {name: given.get(name, old[name]) for name in PROFILE}
    tx.execute(_UPDATE, id=principal.scope, **profile)
    return dict(_organization(tx, principal))


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone with everything it owned; people stay known to the vault. Raises Invalid."""
    subdomain = _organization(tx, principal)["subdomain"]
    if args["subdomain"] != subdomain:
        raise Invalid(f"subdomain: got {args['subdomain']!r}, wanted {subdomain!r} to confirm", field="subdomain")
    tx.execute("DELETE FROM organizations WHERE id = :id", id=principal.scope)
    return {"id": principal.scope}


def _founding(args: Args) -> Founding:
    """What a registration by anybody comes to: a vault of its own."""
    return Founding(args["subdomain"], args["name"], args["contact_email"], {"type": args["type"]})


_SUBDOMAIN: dict[str, Field] = {"subdomain": Text(required=True)}
_REGISTRATION: dict[str, Field] = {
    "name": Text(required=True),
    **_SUBDOMAIN,
    "type": Choice(TYPES, required=True),
    "contact_email": Email(required=True),
}

REGISTRATION = Registration("organization.register", _REGISTRATION, "subdomain", _founding)

VERBS = (
    Verb(
        "organization.check_subdomain",
        check_subdomain,
        False,
        "Whether a subdomain is free.",
        (),
        _SUBDOMAIN,
        slug="subdomain",
    ),
    Verb(
        "organization.register",
        register,
        True,
        "Add an organization to the association.",
        ("owner",),
        _REGISTRATION,
        slug="subdomain",
    ),
    Verb("organization.list_public", list_public, False, "The public directory of organizations."),
    Verb("organization.get", get, False, "The organization's profile.", ("desk:admin",)),
    Verb(
        "organization.update",
        update,
        True,
        "Change the organization's profile.",
        ("desk:admin",),
        {**changeable(PROFILE), "org_id": Text()},
    ),
    Verb(
        "organization.delete",
        delete,
        True,
        "Delete the organization and all it owns.",
        ("vault:delete",),
        _SUBDOMAIN,
        ends_scope=True,
    ),
)
