"""Opening an organization: its row, owner, voices, sections and settings. Knows one vault; not the other tenants."""

from dataclasses import dataclass, field

from db.clock import Moment
from db.fields import NAME_CHARACTERS, Choice, Field, Text, normalise_email, parse_fields
from db.transaction import WriteTx
from domain.charter import Founding
from domain.choir.language import Language, Locale, TimeZone
from domain.choir.membership import add_membership, add_person, known_member
from domain.choir.sections import seed_sections
from domain.choir.subdomains import parse_subdomain, refuse_reserved
from domain.choir.voices import seed_voices
from domain.errors import Duplicate

TYPES = ("umbrella", "collective")
EVENT_MINUTES = "120"


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new organization is opened with. contact_email: normalised; becomes the owner's sign-in address."""

    name: str
    subdomain: str
    type: str
    contact_email: str
    owner_name: str | None = None
    language: dict[str, str | None] = field(default_factory=dict[str, str | None])


def open_organization(tx: WriteTx, opening: Opening, now: Moment) -> str:
    """The id of the new organization. Raises Invalid and Duplicate for the subdomain."""
    subdomain = parse_subdomain(opening.subdomain)
    refuse_reserved(subdomain)
    if tx.value("SELECT 1 FROM organizations WHERE subdomain = :subdomain", subdomain=subdomain) is not None:
        raise Duplicate(f"subdomain: {subdomain} is taken; choose another", field="subdomain", details="taken")
    org_id = now.new_id()
    tx.insert(
        "organizations",
        id=org_id,
        name=opening.name,
        subdomain=subdomain,
        type=opening.type,
        contact_email=opening.contact_email,
        created_at=now.text,
        language=opening.language.get("language"),
        locale=opening.language.get("locale"),
        timezone=opening.language.get("timezone"),
    )
    _install_owner(tx, org_id, opening, now)
    seed_voices(tx, org_id)
    seed_sections(tx, org_id)
    tx.insert("vault_settings", org_id=org_id, key="default_event_duration", value=EVENT_MINUTES, updated_at=now.text)
    return org_id


def _install_owner(tx: WriteTx, org_id: str, opening: Opening, now: Moment) -> None:
    """Make the person behind the contact address a member and the owner."""
    owner_id = known_member(tx, opening.contact_email)
    if owner_id is None:
        name = opening.owner_name or opening.contact_email[:NAME_CHARACTERS]
        owner_id = add_person(tx, now, name=name, email_id=opening.contact_email)
    add_membership(tx, org_id, owner_id, None, now)
    tx.insert("member_roles", member_id=owner_id, org_id=org_id, role="owner", granted_at=now.text)


OPTIONS: dict[str, Field] = {
    "type": Choice(TYPES),
    "owner_name": Text(),
    "language": Language(),
    "locale": Locale(),
    "timezone": TimeZone(),
}


def found(tx: WriteTx, founding: Founding, now: Moment) -> str:
    """Fill a new tenant's vault; the id of its organization.

    Options: type (default collective), owner_name (default the address), language, locale, timezone.
    Raises Invalid and Duplicate.
    """
    options = parse_fields(founding.options, OPTIONS)
    named = parse_fields({"name": founding.name}, {"name": Text(required=True)})
    opening = Opening(
        name=named["name"],
        subdomain=founding.slug,
        type=options.get("type") or "collective",
        contact_email=normalise_email(founding.owner_email, "owner_email"),
        owner_name=options.get("owner_name"),
        language={name: options.get(name) for name in ("language", "locale", "timezone")},
    )
    return open_organization(tx, opening, now)
