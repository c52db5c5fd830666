"""How large a request may be. Numbers and the one error that names them; knows nothing of grammar."""

from dataclasses import dataclass

from db.errors import TooLarge

__all__ = ["LIMITS", "Limits", "within"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator may set.

    query_characters: names and values of the query string, decoded. embed_depth: embeds inside each other.
    insert_rows: rows of one insert. answer_rows: rows of one answer. regex_ms: milliseconds that the regular
    expressions of one statement may take. aggregates: whether sum() and its like are answered. plans: whether a caller
    who is not a guest may see the query plan.

    Of one request: filters: comparisons. logic_depth: and(...) and or(...) inside each other, also brackets of a
    full-text query. select_items: columns and embeds. embeds: embeds alone. order_terms: columns of one order.
    json_steps: arrows into JSON after one column. pattern_characters: of one regular expression. search_words: of one
    full-text query.
    """

    query_characters: int = 16_384
    embed_depth: int = 3
    insert_rows: int = 1_000
    answer_rows: int = 1_000
    regex_ms: int = 200
    aggregates: bool = True
    plans: bool = False
    filters: int = 200
    logic_depth: int = 10
    select_items: int = 300
    embeds: int = 20
    order_terms: int = 20
    json_steps: int = 10
    pattern_characters: int = 500
    search_words: int = 50


LIMITS = Limits()


def within(count: int, limit: int, what: str) -> None:
    """Refuse a count over its limit. what: the plural that the message names. Raises TooLarge."""
    if count > limit:
        raise TooLarge(f"got {count} {what}, the limit is {limit}", hint="Split the request.")
