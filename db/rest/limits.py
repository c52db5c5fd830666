"""How large a request may be. Numbers and the one error that names them; knows nothing of grammar."""

from dataclasses import dataclass

from db.errors import TooLarge

__all__ = [
    "EMBEDS",
    "FILTERS",
    "LIMITS",
    "LOGIC_DEPTH",
    "ORDER_TERMS",
    "PATH_STEPS",
    "PATTERN_CHARACTERS",
    "SEARCH_TERMS",
    "SELECT_ITEMS",
    "Limits",
    "within",
]

FILTERS = 200  # comparisons in one request
LOGIC_DEPTH = 10  # and(...) and or(...) inside each other
SELECT_ITEMS = 300  # columns and embeds in one request
EMBEDS = 20  # embeds in one request
ORDER_TERMS = 20  # columns of one order
PATH_STEPS = 10  # arrows into JSON after one column
PATTERN_CHARACTERS = 500  # one regular expression
SEARCH_TERMS = 50  # words of one full-text query


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator may set.

    query_characters: names and values of the query string, decoded. embed_depth: embeds inside each other.
    insert_rows: rows of one insert. answer_rows: rows of one answer. regex_ms: milliseconds that the regular
    expressions of one statement may take. aggregates: whether sum() and its like are answered. plans: whether a caller
    who is not a guest may see the query plan.
    """

    query_characters: int = 16_384
    embed_depth: int = 3
    insert_rows: int = 1_000
    answer_rows: int = 1_000
    regex_ms: int = 200
    aggregates: bool = True
    plans: bool = False


LIMITS = Limits()


def within(count: int, limit: int, what: str) -> None:
    """Refuse a count over its limit. what: the plural that the message names. Raises TooLarge."""
    if count > limit:
        raise TooLarge(f"got {count} {what}, the limit is {limit}", hint="Split the request.")
