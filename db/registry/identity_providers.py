"""Outside providers that people may sign in with, one list for the platform. Knows their settings; speaks to none."""

import re
from dataclasses import dataclass, field

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.keyring import KeyRing
from db.transaction import ReadTx, Row, WriteTx

KINDS = ("oidc", "google", "github")
# Issuer and scopes that a preset brings along; others are OIDC's own.
_ISSUERS = {"google": "https://accounts.google.com", "github": "https://github.com"}
_SCOPES = {"github": "read:user user:email"}
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ISSUER = re.compile(r"https?://[^/\s?#@]+(/[^\s?#]*)?")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/.*)?")
# Names that the user object gives to ways in of our own.
_RESERVED = frozenset({"email", "phone", "sso", "anonymous"})


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider. kind: the protocol, or a preset. secret: '' = a public client.

    trusts_email: whether an address the provider calls verified may lead to an account that is there.
    """

    name: str
    kind: str
    issuer: str
    client_id: str
    scopes: str
    trusts_email: bool
    created_at: str
    secret: str = field(default="", repr=False)


def add_provider(
    tx: WriteTx,
    ring: KeyRing,
    name: str,
    kind: str,
    now: Moment,
    *,
    client_id: str,
    secret: str = "",
    issuer: str = "",
    scopes: str = "",
    trusts_email: bool = True,
) -> IdentityProvider:
    """The new provider, its secret sealed. issuer, scopes: '' for what the preset says.

    Raises Invalid, Conflict `duplicate`.
    """
    address = (issuer or _ISSUERS.get(kind, "")).rstrip("/")
    if kind not in KINDS:
        raise Invalid(f"kind: got {kind!r}, wanted one of {', '.join(KINDS)}", field="kind")
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise Invalid(f"name: got {name!r}, wanted lower-case letters, digits, - and _", field="name")
    if not _ISSUER.fullmatch(address) or not (address.startswith("https://") or _LOOPBACK.fullmatch(address)):
        raise Invalid(f"issuer: got {address!r}, wanted an https address", field="issuer")
    if not client_id.strip():
        raise Invalid("client_id: required", field="client_id")
    if tx.value("SELECT 1 FROM identity_providers WHERE name = :name", name=name) is not None:
        raise Conflict(f"a provider {name} is there; remove it first", code="duplicate", field="name")
    tx.insert(
        "identity_providers",
        name=name,
        kind=kind,
        issuer=address,
        client_id=client_id.strip(),
        client_secret=ring.wrap(secret.encode(), _context(name)) if secret else None,
        scopes=scopes or _SCOPES.get(kind, "openid email profile"),
        trusts_email=int(trusts_email),
        created_at=now.text,
    )
    return find_provider(tx, ring, name)


def find_provider(tx: ReadTx, ring: KeyRing, name: str) -> IdentityProvider:
    """The provider of that name with its secret. Raises Invalid `oauth_provider_not_supported`."""
    row = tx.row("SELECT * FROM identity_providers WHERE name = :name", name=name)
    if row is None:
        raise Invalid(f"provider: {name!r} is not set up here", code="oauth_provider_not_supported", field="provider")
    sealed = row["client_secret"]
    return _provider(row, "" if sealed is None else ring.unwrap(sealed, _context(name)).decode())


def list_providers(tx: ReadTx) -> list[IdentityProvider]:
    """Every provider by name, without its secret."""
    return [_provider(row, "") for row in tx.rows("SELECT * FROM identity_providers ORDER BY name")]


def remove_provider(tx: WriteTx, name: str) -> None:
    """Let nobody sign in with this provider any more; its identities stay linked. Raises NotFound."""
    if tx.execute("DELETE FROM identity_providers WHERE name = :name", name=name) == 0:
        raise NotFound(f"no provider {name!r}")


def _provider(row: Row, secret: str) -> IdentityProvider:
    return IdentityProvider(
        row["name"],
        row["kind"],
        row["issuer"],
        row["client_id"],
        row["scopes"],
        bool(row["trusts_email"]),
        row["created_at"],
        secret,
    )


def _context(name: str) -> str:
    return f"identity_providers.{name}"
