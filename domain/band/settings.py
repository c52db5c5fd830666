"""What the band decides about itself: known settings with their rules, and further ones by name. Text throughout."""

import re
from collections.abc import Mapping
from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.fields import Email, Field, JsonObject, Text, Url
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.charter import Args, Verb

_KEY = re.compile(r"[a-z][a-z0-9_.]*")
_FLAGS = {"true", "false"}
# Known settings: what holds until one is chosen, and the rule of a value.
DEFAULTS: Mapping[str, str | None] = {
    "band_name": None,
    "band_description": None,
    "address": None,
    "contact_email": None,
    "contact_phone": None,
    "website_url": None,
    "facebook_url": None,
    "youtube_url": None,
    "email_notifications_enabled": "false",
    "require_email_verification": "true",
    "allow_public_registration": "false",
    "require_approval": "true",
    "password_min_length": "8",
    "strict_part_download": "false",
}
_URLS = frozenset({"website_url", "facebook_url", "youtube_url"})
_SWITCHES = frozenset(key for key, value in DEFAULTS.items() if value in _FLAGS)
_NUMBERS: Mapping[str, tuple[int, int]] = {"password_min_length": (8, 128)}
_REQUIRED = frozenset({"band_name"})
_SECRET = ("_secret", "_password", "_key")


def setting(tx: ReadTx, key: str) -> str | None:
    """The value in effect."""
    found: str | None = tx.value("SELECT value FROM system_settings WHERE key = :key", key=key)
    return DEFAULTS.get(key) if found is None else found


def parse_setting(key: str, value: Any) -> str | None:
    """The value as text, None to go back to the default. Raises Invalid naming the key."""
    if _KEY.fullmatch(key) is None:
        raise Invalid(f"{key}: got {key!r}, wanted a key of lower-case letters, digits, _ and .", field=key)
    if isinstance(value, bool):
        value = "true" if value else "false"
    given = str(value) if type(value) is int else value
    text = None if given is None else Text(max_characters=4000).parse(given, key)
    if text is None:
        if key in _REQUIRED:
            raise Invalid(f"{key}: required, and must not be empty", field=key)
        return None
    if key in _SWITCHES and text not in _FLAGS:
        raise Invalid(f"{key}: got {text!r}, wanted true or false", field=key)
    if key in _URLS:
        return Url().parse(text, key)
    if key == "contact_email":
        return Email().parse(text, key)
    if key in _NUMBERS:
        low, high = _NUMBERS[key]
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise Invalid(f"{key}: got {text!r}, wanted a number from {low} to {high}", field=key)
        return str(int(text))
    return text


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, str | None]:
    """Every setting by key, those that nobody chose with their default; secrets only as `[redacted]`."""
    chosen = {row["key"]: row["value"] for row in tx.rows("SELECT key, value FROM system_settings ORDER BY key")}
    return {key: _shown(key, value) for key, value in {**DEFAULTS, **chosen}.items()}


def _shown(key: str, value: str | None) -> str | None:
    return "[redacted]" if value is not None and key.endswith(_SECRET) else value


_SET = """
INSERT INTO system_settings (id, key, value, updated_at, updated_by) VALUES (:id, :key, :value, :now, :by)
    ON CONFLICT (key) DO UPDATE
   SET value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by
"""
_CLEAR = "DELETE FROM system_settings WHERE key = :key"


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, str | None]:
    """Every setting after the change. Raises Invalid; then nothing is written."""
    parsed = {key: parse_setting(key, value) for key, value in args["settings"].items()}
    if not parsed:
        raise Invalid("settings: nothing to change", field="settings")
    for key, value in parsed.items():
        if value is None:
            tx.execute(_CLEAR, key=key)
        else:
            tx.execute(_SET, id=now.new_id(), key=key, value=value, now=now.text, by=principal.id)
    return get(tx, principal, args, now)


_CONFIG = ("system.config",)
_PARAMS: dict[str, Field] = {"settings": JsonObject(required=True)}

VERBS = (
    Verb("settings.get", get, False, "Every setting of the band.", _CONFIG),
    Verb("settings.update", update, True, "Change settings, all of them or none.", _CONFIG, _PARAMS),
)
