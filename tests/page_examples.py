"""Examples of a page of the documentation: its fences in order, and answers compared up to ids and times.

In an expected answer `<time>` and `<day>` stand for any moment and day, any other `<name>` for a text that is the same
wherever the name stands, and `...` for what is left out.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"<(\w+)>")
_ELLIPSIS = re.compile(r'("(?:[^"\\]|\\.)*")|([{\[,])(\s*)\.\.\.')
_KINDS = {"time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "day": r"\d{4}-\d\d-\d\d"}
_REST = "..."

Names = dict[str, str]


@dataclass(frozen=True)
class Fence:
    """A fenced block. before: the line of prose above it. line: of the page, for messages."""

    page: Path
    line: int
    language: str
    text: str
    before: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def fences(page: Path) -> Iterator[Fence]:
    """Every fenced block of the page, in order."""
    text = page.read_text()
    for match in _FENCE.finditer(text):
        above = text[: match.start()].rstrip("\n")
        yield Fence(page, text.count("\n", 0, match.start()) + 1, match[1], match[2], above.rpartition("\n")[2])


def expected(text: str) -> Any:
    """The answer a page shows, as JSON with `...` made a member or an item of that name."""

    def whole(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        return f'{match[2]}{match[3]}"{_REST}"' + (": 0" if _inside_object(text[: match.end()]) else "")

    return json.loads(_ELLIPSIS.sub(whole, text))


def fault(shown: Any, got: Any, names: Names, where: str = "answer") -> str | None:
    """What differs between the answer shown and the one that came, or None. names: what `<name>` stands for; grows."""
    if isinstance(shown, dict):
        if not isinstance(got, dict):
            return f"{where}: shown an object, got {got!r}"
        left_out = _REST in shown
        wanted = shown.keys() - {_REST}
        if wanted - got.keys() or (got.keys() - wanted and not left_out):
            return f"{where}: shown {sorted(wanted)}, got {sorted(got)}"
        found = (fault(shown[key], got[key], names, f"{where}.{key}") for key in shown if key != _REST)
    elif isinstance(shown, list):
        left_out = bool(shown) and shown[-1] == _REST
        wanted_items = shown[:-1] if left_out else shown
        if not isinstance(got, list) or len(got) < len(wanted_items) or (len(got) > len(wanted_items) and not left_out):
            return f"{where}: shown {len(wanted_items)} items, got {got!r}"
        found = (fault(a, b, names, f"{where}[{i}]") for i, (a, b) in enumerate(zip(wanted_items, got, strict=False)))
    elif isinstance(shown, str) and isinstance(got, str):
        found = iter([None if _same_text(shown, got, names) else f"{where}: shown {shown!r}, got {got!r}"])
    else:
        found = iter([None if (type(shown), shown) == (type(got), got) else f"{where}: shown {shown!r}, got {got!r}"])
    return next((text for text in found if text), None)


def filled_in(text: str, names: Names) -> str:
    """The text with every `<name>` replaced by what it stands for."""
    return _NAME.sub(lambda match: names[match[1]], text)


def _same_text(shown: str, got: str, names: Names) -> bool:
    new: list[str] = []
    pattern = ""
    for index, part in enumerate(_NAME.split(shown)):
        if index % 2 == 0:
            pattern += re.escape(part)
        elif part in _KINDS:
            pattern += _KINDS[part]
        elif part in names:
            pattern += re.escape(names[part])
        else:
            new.append(part)
            pattern += "(.+)"
    match = re.fullmatch(pattern, got, re.DOTALL)
    if match is not None:
        names.update(zip(new, match.groups(), strict=True))
    return match is not None


def _inside_object(text: str) -> bool:
    """Whether the end of the text stands in an object, not in a list."""
    open_ = [0]
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', text):
        if token in ("{", "["):
            open_.append(1 if token == "{" else 0)
        elif token in ("}", "]"):
            open_.pop()
    return bool(open_[-1])
