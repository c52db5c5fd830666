"""Signed words that open one file, or one name to put a file under, until they expire. Knows signing; not rights.

They are read by this platform alone, so itsdangerous signs them; each is good for one vault, one bucket and one name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from itsdangerous import BadData, URLSafeSerializer

from db.clock import Moment
from db.errors import Forbidden, Gone, Invalid
from db.keyring import KeyRing

Purpose = Literal["file link", "upload link", "direct upload", "import upload", "export download"]
MOST_SECONDS = 365 * 86400


@dataclass(frozen=True, slots=True)
class Link:
    """What a link opens. more: further words of its purpose."""

    vault_id: str
    bucket: str
    name: str
    more: Mapping[str, Any]


def sign_link(keyring: KeyRing, purpose: Purpose, link: Link, seconds: int, now: Moment) -> str:
    """The signed text, good for so many seconds. Raises Invalid for less than one or more than a year."""
    if not 1 <= seconds <= MOST_SECONDS:
        raise Invalid(f"expiresIn: got {seconds}, wanted 1 to {MOST_SECONDS} seconds", field="expiresIn")
    told = [link.vault_id, link.bucket, link.name, now.ms + seconds * 1000, dict(link.more)]
    return str(_serializer(keyring, purpose).dumps(told))


def open_link(keyring: KeyRing, purpose: Purpose, text: str, place: tuple[str, str, str], now: Moment) -> Link:
    """What the text opens. place: vault, bucket and name it was sent for.

    Raises Forbidden `link_invalid` for one that is not ours or for another place, Gone `link_expired`.
    """
    try:
        vault_id, bucket, name, expires_ms, more = _serializer(keyring, purpose).loads(text)
    except (BadData, ValueError, TypeError) as exc:
        raise Forbidden("the link is not valid", code="link_invalid") from exc
    if (vault_id, bucket, name) != place:
        raise Forbidden("the link is for another file", code="link_invalid")
    if now.ms >= expires_ms:
        raise Gone("the link has expired", code="link_expired")
    return Link(vault_id, bucket, name, more)


def _serializer(keyring: KeyRing, purpose: Purpose) -> URLSafeSerializer:
    return URLSafeSerializer(keyring.subkey(purpose), salt=purpose)
