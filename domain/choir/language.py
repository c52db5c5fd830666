"""Rules for language, locale and time zone of an organization or a person. Knows their forms; resolves no cascade."""

import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from db.errors import Invalid
from db.fields import Text

_LANGUAGE = re.compile(r"[a-z]{2}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*")


@dataclass(frozen=True, slots=True)
class Language:
    """A two-letter code of ISO 639-1 by form, such as `et`; blank counts as unset."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str | None:
        """The code in lower case, or None."""
        text = Text().parse(value, name)
        if text is not None and not _LANGUAGE.fullmatch(text.lower()):
            raise Invalid(f"{name}: got {text!r}, wanted two letters such as et", field=name)
        return text and text.lower()


@dataclass(frozen=True, slots=True)
class Locale:
    """A BCP 47 tag by form: language, script, region, variants, such as `et-EE`; blank counts as unset."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str | None:
        """The tag, or None."""
        text = Text(max_characters=35).parse(value, name)
        if text is not None and not _LOCALE.fullmatch(text):
            raise Invalid(f"{name}: got {text!r}, wanted a tag such as et-EE", field=name)
        return text


@dataclass(frozen=True, slots=True)
class TimeZone:
    """An IANA time zone, such as `Europe/Tallinn`; blank counts as unset."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str | None:
        """The zone's name, or None."""
        text = Text(max_characters=64).parse(value, name)
        if text is None:
            return None
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise Invalid(f"{name}: got {text!r}, wanted an IANA zone such as Europe/Tallinn", field=name) from exc
        return text
