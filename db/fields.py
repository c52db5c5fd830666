"""Rules for one value of client input: trimmed, checked, converted. Knows shapes; not tables, verbs or HTTP."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from db.clock import parse_date, parse_timestamp
from db.errors import Invalid

NAME_CHARACTERS = 200
TEXT_CHARACTERS = 4000
URL_CHARACTERS = 2000
EMAIL_CHARACTERS = 254
_BLANK = re.compile(r"\s")


class Field(Protocol):
    """A rule for one value. `required` fields refuse null and absence; the others take null as 'cleared'."""

    @property
    def required(self) -> bool:
        """Whether the value must be given and must not be null."""
        ...

    def parse(self, value: Any, name: str) -> Any:
        """The value to keep, from parsed JSON that is not null. Raises Invalid naming the field."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Text, trimmed unless it is a secret whose blanks count; empty text counts as missing."""

    required: bool = False
    max_characters: int = NAME_CHARACTERS
    trim: bool = True

    def parse(self, value: Any, name: str) -> str | None:
        """The trimmed text, or None when nothing is left."""
        if not isinstance(value, str):
            raise Invalid(f"{name}: got {_kind(value)}, wanted text", field=name)
        text = value.strip() if self.trim else value
        if len(text) > self.max_characters:
            raise Invalid(f"{name}: got {len(text)} characters, the limit is {self.max_characters}", field=name)
        if "\x00" in text:
            raise Invalid(f"{name}: the NUL character cannot be stored", field=name)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Invalid(f"{name}: holds half a surrogate pair; send complete UTF-8", field=name)
        return text or None


@dataclass(frozen=True, slots=True)
class Email:
    """An address in lower case: one @, no blanks, a dot in the domain, at most 254 characters."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str | None:
        """The normalised address, or None when nothing is left."""
        text = Text(max_characters=TEXT_CHARACTERS).parse(value, name)
        return None if text is None else normalise_email(text, name)


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https address of at most 2000 characters."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str | None:
        """The address as given, or None when nothing is left."""
        text = Text(max_characters=URL_CHARACTERS).parse(value, name)
        if text is not None and not re.match(r"https?://[^\s/]+", text, re.IGNORECASE):
            raise Invalid(f"{name}: got {text!r}, wanted an http or https address", field=name)
        return text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the listed words, exactly."""

    options: tuple[str, ...]
    required: bool = False

    def parse(self, value: Any, name: str) -> str:
        """The word."""
        if not isinstance(value, str) or value not in self.options:
            raise Invalid(f"{name}: got {value!r}, wanted one of {', '.join(self.options)}", field=name)
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within bounds, both included. JSON true and 2.5 are not whole numbers."""

    required: bool = False
    minimum: int = -(2**63)
    maximum: int = 2**63 - 1

    def parse(self, value: Any, name: str) -> int:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise Invalid(f"{name}: got {_kind(value)}, wanted a whole number", field=name)
        if not self.minimum <= value <= self.maximum:
            raise Invalid(f"{name}: got {value}, wanted {self.minimum} to {self.maximum}", field=name)
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false (JSON), or the 1 and 0 that are stored."""

    required: bool = False

    def parse(self, value: Any, name: str) -> int:
        """1 or 0."""
        if value is True or value is False or (type(value) is int and value in (0, 1)):
            return int(value)
        raise Invalid(f"{name}: got {value!r}, wanted true or false", field=name)


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day `YYYY-MM-DD`."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str:
        """The day."""
        if not isinstance(value, str):
            raise Invalid(f"{name}: got {_kind(value)}, wanted a day such as 2026-05-01", field=name)
        return parse_date(value, name)


@dataclass(frozen=True, slots=True)
class Instant:
    """A timestamp with an offset, kept as 24 characters of UTC."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str:
        """The timestamp."""
        if not isinstance(value, str):
            raise Invalid(f"{name}: got {_kind(value)}, wanted a timestamp such as 2026-05-01T19:00:00Z", field=name)
        return parse_timestamp(value, name)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values that each keep one rule."""

    item: Field
    required: bool = False
    minimum: int = 0
    maximum: int = 500

    def parse(self, value: Any, name: str) -> list[Any]:
        """The parsed items, in order."""
        if not is_json_list(value):
            raise Invalid(f"{name}: got {_kind(value)}, wanted a list", field=name)
        items = value
        if not self.minimum <= len(items) <= self.maximum:
            raise Invalid(f"{name}: got {len(items)} items, wanted {self.minimum} to {self.maximum}", field=name)
        parsed = [None if item is None else self.item.parse(item, name) for item in items]
        if None in parsed:
            raise Invalid(f"{name}: an item is empty", field=name)
        return parsed


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object, kept as it is."""

    required: bool = False

    def parse(self, value: Any, name: str) -> dict[str, Any]:
        """The object."""
        if not is_json_object(value):
            raise Invalid(f"{name}: got {_kind(value)}, wanted an object", field=name)
        return value


def parse_fields(given: Mapping[str, Any], fields: Mapping[str, Field], *, partial: bool = False) -> dict[str, Any]:
    """The given values by their rules; names without a rule are refused.

    partial: absent fields are left out instead of refused, for updates. An explicit null clears an optional field.
    Raises Invalid naming the field.
    """
    unknown = sorted(set(given) - set(fields))
    if unknown:
        wanted = ", ".join(fields) or "none"
        raise Invalid(f"{unknown[0]}: not a field that can be given; wanted {wanted}", field=unknown[0])
    parsed: dict[str, Any] = {}
    for name, rule in fields.items():
        if name not in given:
            if rule.required and not partial:
                raise Invalid(f"{name}: required", field=name)
            continue
        value = given[name]
        parsed[name] = None if value is None else rule.parse(value, name)
        if parsed[name] is None and rule.required:
            raise Invalid(f"{name}: required, and must not be empty", field=name)
    return parsed


def from_text(text: str, rule: Field | None) -> Any:
    """A value that came as text (a query parameter, a cell of a CSV file) as the JSON value its rule expects.

    Numbers, flags and lists are written as in JSON; empty text is null.
    """
    if text.strip() == "":
        return None
    try:
        if rule is None or rule.parse(text, "") is not None:
            return text
    except Invalid:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text


def normalise_email(text: str, name: str = "email") -> str:
    """The address trimmed and in lower case. Raises Invalid."""
    address = text.strip().lower()
    local, at, host = address.partition("@")
    dotted = "." in host.strip(".") and ".." not in host and host == host.strip(".")
    if not (local and at and dotted) or "@" in host or _BLANK.search(address) or len(address) > EMAIL_CHARACTERS:
        raise Invalid(f"{name}: got {text!r}, wanted an address such as anna@club.example", field=name)
    return address


def is_json_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether the value is a JSON object, its values unknown."""
    return isinstance(value, dict)


def is_json_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether the value is a JSON list, its items unknown."""
    return isinstance(value, list)


def _kind(value: Any) -> str:
    """JSON's word for a value's type."""
    if isinstance(value, bool):
        return "true or false"
    words = ((str, "text"), ((int, float), "a number"), (list, "a list"), (dict, "an object"))
    return next((word for kind, word in words if isinstance(value, kind)), "null")
