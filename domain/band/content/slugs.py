"""Addresses of pages: their form and the words the platform keeps for itself. Knows text; not which are taken."""

import re

from db.errors import Invalid

CHARACTERS = 200
NEWS = "news"
RESERVED = frozenset(
    {
        "about",
        "contact",
        "directors",
        "events",
        "gallery",
        NEWS,
        "policies",
        "sponsors",
        "admin",
        "member",
        "api",
        "login",
        "signup",
        "forgot-password",
        "reset-password",
        "verify-email",
        "forbidden",
        "offline",
    }
)
_SEGMENT = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_SLUG = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


def parse_slug(text: str) -> str:
    """The slug. Raises Invalid `bad_slug`, `reserved_slug`; `news/<something>` is an article and allowed."""
    if len(text) > CHARACTERS or _SLUG.fullmatch(text) is None:
        raise Invalid(
            f"slug: got {text!r}, wanted lower-case letters, digits and single hyphens, in parts between slashes,"
            f" {CHARACTERS} characters at most",
            code="bad_slug",
            field="slug",
        )
    first, slash, _ = text.partition("/")
    if first in RESERVED and not (first == NEWS and slash):
        raise Invalid(f"slug: {first!r} is kept for the site itself", code="reserved_slug", field="slug")
    return text


def is_article(slug: str) -> bool:
    """Whether the page is a news article."""
    return slug.startswith(NEWS + "/")
