"""SQL text cut into statements, in one pass and bounded memory. Knows where SQLite sees a statement end; runs nothing.

The rules are those of sqlite3_complete(), and a test compares the two: a statement ends at its first semicolon outside
quotes and comments, CREATE TRIGGER at the semicolon after `; END`. Asking SQLite itself at every semicolon would take
quadratic time for a long trigger, and cannot be done for text that comes in parts.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from db.errors import TooLarge

# A single row of an export may be some megabytes of text.
MOST_CHARACTERS: Final = 10_000_000
_TOKEN = re.compile(
    r"(?P<blanks>[ \t\r\n\f]+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))"
    r"|(?P<semicolon>;)"
    r"|(?P<word>[A-Za-z0-9_$\x80-\U0010ffff]+)"
    r"|(?P<other>'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z)|.)",
    re.DOTALL,
)
# As far as nothing but whole tokens comes before the next semicolon. Possessive: a long text needs no ways back.
_TO_SEMICOLON = re.compile(
    r"(?:[^;'\"`\[\-/]++|'[^']*+'|\"[^\"]*+\"|`[^`]*+`|\[[^\]]*+\]|--[^\n]*+\n|/\*.*?\*/|-(?!-|\Z)|/(?!\*|\Z))*+",
    re.DOTALL,
)
_START, _NORMAL, _EXPLAIN, _CREATE, _TRIGGER, _SEMICOLON, _END = range(7)
# The states a word leads to, and the one that any other word or sign leads to.
_NEXT: Final[dict[int, tuple[dict[str, int], int]]] = {
    _START: ({"explain": _EXPLAIN, "create": _CREATE}, _NORMAL),
    _EXPLAIN: (
        {"create": _CREATE, "explain": _NORMAL, "temp": _NORMAL, "temporary": _NORMAL, "trigger": _NORMAL}
        | {"end": _NORMAL},
        _EXPLAIN,
    ),
    _CREATE: ({"temp": _CREATE, "temporary": _CREATE, "trigger": _TRIGGER}, _NORMAL),
    _TRIGGER: ({}, _TRIGGER),
    _SEMICOLON: ({"end": _END}, _TRIGGER),
    _END: ({}, _TRIGGER),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a script up to its semicolon, blanks before it included. has_code: not blanks and comments only."""

    text: str
    has_code: bool


class Splitter:
    """Cuts text that comes in parts. most: characters of one statement."""

    def __init__(self, most: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._text = ""
        self._at = 0
        self._state = _START
        self._has_code = False

    def feed(self, text: str) -> Iterator[Piece]:
        """The statements that are complete with this part. Raises TooLarge (statement_too_long)."""
        self._text += text
        yield from self._cut_all(ended=False)
        if len(self._text) > self._most:
            raise TooLarge(f"a statement is longer than {self._most} characters", code="statement_too_long")

    def finish(self) -> Iterator[Piece]:
        """What is left at the end of the text; a last statement needs no semicolon."""
        yield from self._cut_all(ended=True)
        if self._text:
            yield self._piece(self._text)
            self._text, self._at = "", 0

    def _cut_all(self, *, ended: bool) -> Iterator[Piece]:
        start = 0
        while self._to_end(ended=ended):
            yield self._piece(self._text[start : self._at])
            start = self._at
        self._text, self._at = self._text[start:], self._at - start

    def _piece(self, text: str) -> Piece:
        piece = Piece(text, self._has_code)
        self._state, self._has_code = _START, False
        return piece

    def _to_end(self, *, ended: bool) -> bool:
        """Read on to the end of the statement; False when the text ends first, or may go on inside a token."""
        while self._at < len(self._text):
            if self._state == _NORMAL:
                skipped = _TO_SEMICOLON.match(self._text, self._at)
                self._at = self._at if skipped is None else skipped.end()
            found = _TOKEN.match(self._text, self._at)
            if found is None or (not ended and found.lastgroup != "semicolon" and found.end() == len(self._text)):
                return False
            self._at = found.end()
            if self._take(found.lastgroup, found[0]):
                return True
        return False

    def _take(self, kind: str | None, token: str) -> bool:
        """Take one token; whether the statement ends with it."""
        if kind == "semicolon":
            ends = self._state not in (_TRIGGER, _SEMICOLON)
            self._state = _START if ends else _SEMICOLON
            return ends
        if kind != "blanks":
            self._has_code = True
            words, otherwise = _NEXT.get(self._state, ({}, _NORMAL))
            self._state = words.get(token.lower(), otherwise) if kind == "word" else otherwise
        return False


def split_pieces(text: str) -> Iterator[Piece]:
    """All of the text in pieces, in order and nothing left out."""
    splitter = Splitter(len(text))
    yield from splitter.feed(text)
    yield from splitter.finish()


def split_statements(text: str) -> list[str]:
    """The statements of a script in order, each with its semicolon; comments and blanks alone are no statement."""
    return [piece.text.strip() for piece in split_pieces(text) if piece.has_code]


def stream_statements(parts: Iterable[str], most: int = MOST_CHARACTERS) -> Iterator[str]:
    """As `split_statements`, of text that comes in parts; never holds more than a statement and a part.

    most: characters of one statement. Raises TooLarge (statement_too_long).
    """
    splitter = Splitter(most)
    for part in parts:
        yield from (piece.text.strip() for piece in splitter.feed(part) if piece.has_code)
    yield from (piece.text.strip() for piece in splitter.finish() if piece.has_code)
