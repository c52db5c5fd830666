"""What operators set for signing in to one vault. Knows names and forms of values; decides no request."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from db.errors import Invalid
from db.transaction import ReadTx, WriteTx

SIGNUP = ("off", "invited", "open")
MFA = ("optional", "enrolled", "required")
NAMES: Mapping[str, str] = {
    "auth.signup": "Who may sign up: `off` nobody, `invited` whom the vault knows, `open` everybody",
    "auth.redirects": "Where sign-in links may lead besides VAULTRY_REDIRECTS: addresses, comma-separated",
    "auth.mfa": "Who must show a second factor: `optional` nobody, `enrolled` who has one, `required` everybody",
}
# An address, or the beginning of one up to a `*`, which stands behind the slash after the host at the earliest.
_REDIRECT = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#*@\\,]+(/[^\s*\\,]*\*?)?")


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """How one vault signs people in."""

    signup: str = "invited"
    redirects: tuple[str, ...] = ()
    mfa: str = "enrolled"


def read_sign_in_settings(tx: ReadTx, vault_id: str) -> SignInSettings:
    """The vault's settings; what was not set has its default."""
    found = {row["name"]: row["value"] for row in tx.rows(
        "SELECT name, value FROM sign_in_settings WHERE vault_id = :id", id=vault_id)}  # fmt: skip
    default = SignInSettings()
    return SignInSettings(
        found.get("auth.signup", default.signup),
        parse_redirects(found.get("auth.redirects", "")),
        found.get("auth.mfa", default.mfa),
    )


def set_sign_in_setting(tx: WriteTx, vault_id: str, name: str, value: str) -> SignInSettings:
    """The vault's settings after the change; empty text takes one back to its default. Raises Invalid."""
    if name not in NAMES:
        raise Invalid(f"{name}: no such setting; there are {', '.join(NAMES)}", field="name")
    text = value.strip()
    choices = {"auth.signup": SIGNUP, "auth.mfa": MFA}.get(name)
    if text and choices is not None and text not in choices:
        raise Invalid(f"{name}: got {text!r}, wanted one of {', '.join(choices)}", field="value")
    if name == "auth.redirects":
        parse_redirects(text)
    if not text:
        tx.execute("DELETE FROM sign_in_settings WHERE vault_id = :id AND name = :name", id=vault_id, name=name)
        return read_sign_in_settings(tx, vault_id)
    keep = """
    INSERT INTO sign_in_settings (vault_id, name, value) VALUES (:id, :name, :value)
    ON CONFLICT (vault_id, name) DO UPDATE SET value = :value
    """
    tx.execute(keep, id=vault_id, name=name, value=text)
    return read_sign_in_settings(tx, vault_id)


def parse_redirects(text: str) -> tuple[str, ...]:
    """The addresses of a comma-separated list. Raises Invalid for one that would let a link lead anywhere."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    wrong = next((part for part in parts if not is_redirect(part)), None)
    if wrong is not None:
        raise Invalid(
            f"got {wrong!r}, wanted an address such as https://app.example/welcome or https://app.example/*",
            field="auth.redirects",
        )
    return parts


def is_redirect(text: str) -> bool:
    """Whether the text can stand in a list of addresses that links may lead to."""
    return _REDIRECT.fullmatch(text) is not None


def is_allowed(address: str, allowed: tuple[str, ...]) -> bool:
    """Whether a link may lead to the address: one of the list exactly, or below one that ends in `*`.

    Compared as text: what a browser reads differently (a backslash, control characters, `..`) is never allowed.
    """
    plain = (
        address.isascii() and address.isprintable() and not any(mark in address for mark in (" ", "\\", "/.", "%2e"))
    )
    if not plain or "%2E" in address:
        return False
    return any(
        address.startswith(known[:-1]) if known.endswith("*") else address in (known, known.rstrip("/"))
        for known in allowed
    )
