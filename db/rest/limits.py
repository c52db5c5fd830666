"""How large a request may be. Numbers and the one error that names them; knows nothing of grammar."""

from db.errors import TooLarge

__all__ = [
    "EMBEDS",
    "EMBED_DEPTH",
    "FILTERS",
    "INSERT_ROWS",
    "LOGIC_DEPTH",
    "ORDER_TERMS",
    "QUERY_CHARACTERS",
    "SELECT_ITEMS",
    "within",
]

QUERY_CHARACTERS = 16_384  # names and values of the query string, decoded
FILTERS = 200  # comparisons in one request
LOGIC_DEPTH = 10  # and(...) and or(...) inside each other
SELECT_ITEMS = 300  # columns and embeds in one request
EMBEDS = 20  # embeds in one request
EMBED_DEPTH = 3  # embeds inside each other
ORDER_TERMS = 20  # columns of one order
INSERT_ROWS = 1_000  # rows of one insert


def within(count: int, limit: int, what: str) -> None:
    """Refuse a count over its limit. what: the plural that the message names. Raises TooLarge."""
    if count > limit:
        raise TooLarge(f"got {count} {what}, the limit is {limit}", hint="Split the request.")
