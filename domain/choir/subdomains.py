"""Subdomains of organizations: the form and the reserved names of every address of the platform. Knows no table."""

from db.errors import Invalid
from db.registry.slugs import PATHS, RESERVED, normalise_slug
from domain.errors import Duplicate


def parse_subdomain(text: str) -> str:
    """The name trimmed and in lower case. Raises Invalid naming the broken rule."""
    try:
        return normalise_slug(text)
    except Invalid as exc:
        raise Invalid(f"subdomain: {text!r} is not available: {exc.message}", field="subdomain") from exc


def is_reserved(subdomain: str) -> bool:
    """Whether the platform keeps the name for itself."""
    return subdomain in RESERVED or subdomain in PATHS


def refuse_reserved(subdomain: str) -> None:
    """Raise Duplicate for a name the platform keeps for itself."""
    if is_reserved(subdomain):
        raise Duplicate(f"subdomain: {subdomain} is reserved; choose another", field="subdomain", details="reserved")
