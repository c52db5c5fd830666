"""A cursor over one piece of query text: tokens, names, quoted values. Knows characters; not what they ask for."""

import re
from typing import NoReturn

from db.errors import Invalid, NotFound
from db.rest.limits import LIMITS, Limits, within
from db.rest.places import JsonPath

__all__ = ["Cursor"]

_BARE = re.compile(r'(?:[^,.:()!*"\-]|-(?!>))*')
_SHOWN_CHARACTERS = 120
_INDEX_DIGITS = 9


class Cursor:
    """Reads forward only, one look ahead, so the work is linear in the length of the text."""

    def __init__(self, text: str, subject: str, limits: Limits = LIMITS) -> None:
        """subject: what the text is, for the error message, such as 'filter'."""
        self.limits = limits
        self.text = text
        self.subject = subject
        self.position = 0

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self.position >= len(self.text)

    def sees(self, token: str) -> bool:
        """Whether the token comes next."""
        return self.text.startswith(token, self.position)

    def take(self, token: str) -> bool:
        """Read the token if it comes next; whether it did."""
        found = self.sees(token)
        if found:
            self.position += len(token)
        return found

    def need(self, token: str) -> None:
        """Read the token. Raises Invalid PGRST100 when something else comes next."""
        if not self.take(token):
            self.fail(repr(token))

    def need_end(self) -> None:
        """Raises Invalid PGRST100 when text is left."""
        if not self.at_end:
            self.fail("the end")

    def name(self) -> str:
        """A name: in double quotes, or bare up to a reserved character. Blanks around a bare one are dropped."""
        if self.sees('"'):
            return self.quoted()
        name = self._bare().strip()
        if not name:
            self.fail("a name")
        return name

    def path(self) -> JsonPath | None:
        """The way into JSON that follows a name, such as `->a->0->>b`; None when there is none."""
        if not self.sees("->"):
            return None
        steps: list[str | int] = []
        as_text = False
        while self.take("->"):
            if as_text:
                raise NotFound(
                    "operator does not exist: text -> unknown", code="42883", hint="Only the last may be ->>."
                )
            as_text = self.take(">")
            steps.append(self._step())
        within(len(steps), self.limits.json_steps, "steps into JSON")
        return JsonPath(tuple(steps), as_text)

    def _step(self) -> str | int:
        """A key, or the place in a list: digits, after a minus counted from the end."""
        if self.sees('"'):
            return self.quoted()
        step = self._bare()
        digits = step.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= _INDEX_DIGITS:
            return int(step)
        if not step:
            self.fail("a key or a place in a list")
        return step

    def _bare(self) -> str:
        """The characters up to a reserved one or an arrow."""
        found = _BARE.match(self.text, self.position)
        assert found is not None
        self.position = found.end()
        return found[0]

    def until(self, stops: frozenset[str] | str) -> str:
        """Everything before the next of these characters, or to the end."""
        start = self.position
        while not self.at_end and self.text[self.position] not in stops:
            self.position += 1
        return self.text[start : self.position]

    def rest(self) -> str:
        """Everything that is left."""
        start, self.position = self.position, len(self.text)
        return self.text[start:]

    def quoted(self) -> str:
        """A value in double quotes, in which a backslash takes the next character as it is."""
        self.need('"')
        characters: list[str] = []
        while not self.at_end and not self.sees('"'):
            self.take("\\")
            if not self.at_end:
                characters.append(self.text[self.position])
                self.position += 1
        self.need('"')
        return "".join(characters)

    def balanced(self, opening: str, closing: str) -> str:
        """Text from an opening sign to the closing one that ends it; in double quotes none of them counts."""
        start, depth = self.position, 0
        while depth or self.position == start:
            if self.at_end:
                self.fail(f"one of {' '.join(closing)}")
            if self.sees('"'):
                self.quoted()
                continue
            sign = self.text[self.position]
            self.position += 1
            depth += (sign in opening) - (sign in closing)
        return self.text[start : self.position]

    def fail(self, wanted: str) -> NoReturn:
        """Raise Invalid PGRST100, which says what was wanted here."""
        got = "end of input" if self.at_end else repr(self.text[self.position])
        shown = self.text if len(self.text) <= _SHOWN_CHARACTERS else self.text[:_SHOWN_CHARACTERS] + "..."
        raise Invalid(
            f'"failed to parse {self.subject} ({shown})" (line 1, column {self.position + 1})',
            code="PGRST100",
            details=f"unexpected {got} expecting {wanted}",
        )
