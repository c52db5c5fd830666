"""Full-text queries of `fts`, `plfts`, `phfts` and `wfts` to the words FTS5 matches by. Knows both grammars; no table.

FTS5 has AND, OR and a NOT between two queries, so a query that only excludes is refused: it would name most rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from db.errors import Invalid
from db.rest.limits import Limits, within

__all__ = ["match_text"]

T = TypeVar("T")
_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\s*(<->|<\d+>|[&|!()]|'(?:[^']|'')*'(?::[*A-Da-d]+)?|[^\s&|!()<':]+(?::[*A-Da-d]+)?)")
_WEB_TERM = re.compile(r'(-?)"([^"]*)"|(-?)([^\s"]+)')
# Text search configurations that Postgres brings. Here the index itself decides how words are cut and stemmed.
_LANGUAGES = frozenset(
    [
        "simple",
        "arabic",
        "armenian",
        "basque",
        "catalan",
        "danish",
        "dutch",
        "english",
        "estonian",
        "finnish",
        "french",
        "german",
        "greek",
        "hindi",
        "hungarian",
        "indonesian",
        "irish",
        "italian",
        "lithuanian",
        "nepali",
        "norwegian",
        "portuguese",
        "romanian",
        "russian",
        "serbian",
        "spanish",
        "swedish",
        "tamil",
        "turkish",
        "yiddish",
    ]
)


def match_text(operator: str, column: str, query: str, language: str | None, limits: Limits) -> str | None:
    """The FTS5 query over one column; None when it has no word, which finds nothing.

    Raises Invalid 42601 for a query that does not parse, 42704 for an unknown language, TooLarge.
    """
    if language is not None and language.lower() not in _LANGUAGES:
        raise Invalid(f'text search configuration "{language[:40]}" does not exist', code="42704")
    match operator:
        case "plfts":
            text = " AND ".join(map(_phrase, _limited(_WORD.findall(query), limits)))
        case "phfts":
            text = _phrase(" ".join(_limited(_WORD.findall(query), limits))) if _WORD.search(query) else ""
        case "wfts":
            text = _web(query, limits)
        case _:
            text = _Parser(_tokens(query, limits), query, limits).parsed()
    name = '"' + column.replace('"', '""') + '"'
    return f"{{{name}}} : ({text})" if text else None


def _phrase(text: str) -> str:
    """Words next to each other, as an FTS5 string."""
    return '"' + text.replace('"', '""') + '"'


def _limited(words: Sequence[T], limits: Limits) -> Sequence[T]:
    within(len(words), limits.search_words, "words in a full-text query")
    return words


def _web(query: str, limits: Limits) -> str:
    """A query as people type it: words, "phrases", or, and a minus before what is not wanted."""
    groups: list[list[str]] = [[]]
    unwanted: list[str] = []
    for match in _limited([*_WEB_TERM.finditer(query)], limits):
        minus, text = (match[1], match[2]) if match[2] is not None else (match[3], match[4])
        if match[2] is None and text.lower() == "or" and not minus:
            groups.append([])
        elif _WORD.search(text):
            (unwanted if minus else groups[-1]).append(_phrase(text))
    wanted = " OR ".join(f"({' AND '.join(group)})" for group in groups if group)
    if unwanted and not wanted:
        raise _only_excludes(query)
    return f"({wanted}) NOT ({' OR '.join(unwanted)})" if unwanted else wanted


def _tokens(query: str, limits: Limits) -> list[str]:
    """The words and signs of a tsquery."""
    tokens: list[str] = []
    position = 0
    text = query.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unparsed(query)
        tokens.append(match[1])
        position = match.end()
    within(len(tokens), 4 * limits.search_words, "words and signs in a full-text query")
    return tokens


@dataclass(slots=True)
class _Parser:
    """A tsquery: `|` binds least, then `&`, then `<->`, then `!`. A part is (FTS5 text, whether it excludes)."""

    tokens: list[str]
    query: str
    limits: Limits
    position: int = 0
    depth: int = 0

    def parsed(self) -> str:
        """The whole query."""
        if not self.tokens:
            return ""
        text, excludes = self.either()
        if self.position < len(self.tokens):
            raise _unparsed(self.query)
        if excludes:
            raise _only_excludes(self.query)
        return text

    def either(self) -> tuple[str, bool]:
        parts = [self.both()]
        while self.take("|"):
            parts.append(self.both())
        if len(parts) == 1:
            return parts[0]
        if any(excludes for _, excludes in parts):
            raise _only_excludes(self.query)
        return "(" + " OR ".join(text for text, _ in parts) + ")", False

    def both(self) -> tuple[str, bool]:
        parts = [self.followed()]
        while self.take("&"):
            parts.append(self.followed())
        if len(parts) == 1:
            return parts[0]
        wanted = [text for text, excludes in parts if not excludes]
        unwanted = [text for text, excludes in parts if excludes]
        if not wanted:
            return "(" + " OR ".join(unwanted) + ")", True
        both = " AND ".join(wanted)
        return (f"(({both}) NOT ({' OR '.join(unwanted)}))" if unwanted else f"({both})"), False

    def followed(self) -> tuple[str, bool]:
        part = self.single()
        while self.take("<->"):
            after = self.single()
            if part[1] or after[1] or not (part[0].startswith('"') and after[0].startswith('"')):
                raise Invalid("Feature not implemented", code="PGRST127", details="<-> between anything but words")
            part = (f"{part[0]} + {after[0]}", False)
        return part

    def single(self) -> tuple[str, bool]:
        if self.take("!"):
            text, excludes = self.single()
            return text, not excludes
        if self.take("("):
            self.depth += 1
            within(self.depth, self.limits.logic_depth, "levels of brackets in a full-text query")
            part = self.either()
            if not self.take(")"):
                raise _unparsed(self.query)
            self.depth -= 1
            return part
        return self.word(), False

    def word(self) -> str:
        token = self.tokens[self.position] if self.position < len(self.tokens) else "&"
        if token[0] in "&|!()<":
            raise _unparsed(self.query)
        self.position += 1
        text, _, mark = token.rpartition(":") if re.search(r":[*A-Da-d]+$", token) else (token, "", "")
        if text.startswith("'"):
            text = text[1:-1].replace("''", "'")
        if not _WORD.search(text):
            raise _unparsed(self.query)
        return _phrase(text) + (" *" if "*" in mark else "")

    def take(self, sign: str) -> bool:
        """Read the sign if it comes next; whether it did."""
        found = self.position < len(self.tokens) and self.tokens[self.position] == sign
        self.position += found
        return found


def _unparsed(query: str) -> Invalid:
    return Invalid(f'syntax error in tsquery: "{query[:80]}"', code="42601")


def _only_excludes(query: str) -> Invalid:
    return Invalid(
        "Feature not implemented",
        code="PGRST127",
        details=f"a part of a full-text query that only excludes: {query[:80]!r}",
        hint="Say what is wanted as well, or put not. before the operator.",
    )
