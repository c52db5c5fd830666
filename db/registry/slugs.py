"""Names in addresses: their form, the reserved ones, and where each leads. Knows vault ids; opens no vault."""

import re
from typing import Literal

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.transaction import ReadTx, WriteTx

MIN_CHARACTERS = 3
MAX_CHARACTERS = 30
# fmt: off
RESERVED = frozenset({
    "www", "api", "admin", "app", "mail", "smtp", "ftp", "cdn", "static", "assets", "registry", "vault",
    "polyphony", "support", "help", "docs", "blog", "status", "test", "staging", "dev", "demo", "public", "auth",
    "login", "imap", "pop", "ssh", "vpn",
})
# fmt: on
# First segments of our own paths: a tenant of that name could not be reached.
PATHS = frozenset({"client", "healthz"})

Availability = Literal["available", "reserved", "taken"]


def normalise_slug(text: str) -> str:
    """The slug trimmed and in lower case. Raises Invalid naming the rule that failed."""
    slug = text.strip().lower()
    if not MIN_CHARACTERS <= len(slug) <= MAX_CHARACTERS:
        raise Invalid(f"slug: got {len(slug)} characters, wanted {MIN_CHARACTERS} to {MAX_CHARACTERS}", field="slug")
    if re.fullmatch(r"[a-z0-9-]+", slug) is None:
        raise Invalid(f"slug: got {slug!r}, wanted only letters a-z, digits and hyphens", field="slug")
    if slug.startswith("-") or slug.endswith("-"):
        raise Invalid(f"slug: got {slug!r}, wanted no hyphen at either end", field="slug")
    return slug


def slug_availability(tx: ReadTx, text: str) -> Availability:
    """Whether a slug could be had: not while somebody is about to have it, nor until a deleted vault is forgotten.

    Raises Invalid.
    """
    slug = normalise_slug(text)
    if slug in RESERVED or slug in PATHS:
        return "reserved"
    return "available" if tx.value(_TAKEN, slug=slug) is None else "taken"


_TAKEN = """
SELECT 1 FROM slugs WHERE slug = :slug UNION ALL SELECT 1 FROM slug_reservations WHERE slug = :slug
"""


def add_slug(tx: WriteTx, text: str, vault_id: str, scope: str, now: Moment) -> str:
    """The normalised slug, leading into the vault with this organisation or branch as scope ('' = all of it).

    Raises Invalid, Conflict `duplicate` for a reserved or taken one, NotFound for an unknown vault.
    """
    slug = normalise_slug(text)
    availability = slug_availability(tx, slug)
    if availability != "available":
        raise Conflict(f"slug: {slug!r} is {availability}; choose another", code="duplicate", field="slug")
    if tx.value("SELECT 1 FROM vaults WHERE id = :id", id=vault_id) is None:
        raise NotFound(f"no vault {vault_id}")
    tx.insert("slugs", slug=slug, vault_id=vault_id, scope=scope, created_at=now.text)
    return slug


def set_slug_scope(tx: WriteTx, slug: str, scope: str) -> None:
    """Let the slug lead to this scope of its vault. Raises NotFound."""
    if tx.execute("UPDATE slugs SET scope = :scope WHERE slug = :slug", slug=slug, scope=scope) == 0:
        raise NotFound(f"no slug {slug!r}")


def remove_slug(tx: WriteTx, slug: str) -> None:
    """Free the slug; whoever takes it next gets its visitors. Raises NotFound."""
    if tx.execute("DELETE FROM slugs WHERE slug = :slug", slug=slug) == 0:
        raise NotFound(f"no slug {slug!r}")
