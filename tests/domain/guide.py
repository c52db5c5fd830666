"""A charter's guide as a script: who calls what, and what is answered. Knows the notation; asserts nothing.

In a fence named after the charter stands `Name: verb {arguments}` or `Name: POST /path {body}`, followed by the answer.
Lines that begin with a blank go on with the line before; `# on 2025-09-01 at 18:00` moves the clock.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.page_examples import Fence, fences

ROOT = Path(__file__).parents[2]
_WHO = re.compile(r"^\| (\w+) \|[^|]*\| ([\w.]+@[\w.]+) \| `(\w+)` \|$", re.MULTILINE)
_CLOCK = re.compile(r"# on (\d{4}-\d\d-\d\d) at (\d\d:\d\d)")
_CALL = re.compile(r"(\w+): (?:(GET|POST|PATCH|DELETE) (/\S+)|([a-z_]+\.[a-z_]+))(?: (.+))?")
_STATUS = re.compile(r"(\d{3})(?: (.*))?", re.DOTALL)


@dataclass(frozen=True)
class Person:
    """Somebody of the guide. slug: the tenant at whose address the examples are."""

    name: str
    email: str
    slug: str


@dataclass(frozen=True)
class Example:
    """One call. verb: '' for a path. given: JSON as shown, '' = none. status, shown: the answer; '' = not shown."""

    fence: Fence
    at: str
    who: str
    method: str
    path: str
    verb: str
    given: str
    status: int
    shown: str

    def __str__(self) -> str:
        return f"{self.fence} {self.who}: {self.verb or self.path}"


@dataclass(frozen=True)
class Guide:
    """The pages of one charter: `docs/charters/<charter>.md` and those it names."""

    charter: str

    @property
    def index(self) -> Path:
        """The page that leads."""
        return ROOT / "docs" / "charters" / f"{self.charter}.md"

    def pages(self) -> list[Path]:
        """The pages of the guide in the order in which the index names them first; the index leads."""
        named = dict.fromkeys(re.findall(rf"\(({self.charter}/\w+\.md)\)", self.index.read_text()))
        return [self.index, *(self.index.parent / name for name in named)]

    def people(self) -> dict[str, Person]:
        """Everybody who acts in the examples, from the tables of the pages."""
        found = (match for page in self.pages() for match in _WHO.finditer(page.read_text()))
        return {match[1]: Person(match[1], match[2], match[3]) for match in found}

    def commands(self) -> list[str]:
        """The commands by which the tenants of the guide are made."""
        lines = (line for page in self.pages() for fence in fences(page) for line in fence.text.splitlines())
        return [line for line in lines if line.startswith("vaultry tenants create ")]

    def examples(self) -> Iterator[Example]:
        """Every example of the guide, in order."""
        at = ""
        for page in self.pages():
            for fence in fences(page):
                if fence.language != self.charter:
                    continue
                entries = re.split(r"\n(?! )", fence.text.strip("\n"))
                while entries:
                    entry = entries.pop(0)
                    if moved := _CLOCK.fullmatch(entry):
                        at = f"{moved[1]}T{moved[2]}:00Z"
                    elif entry:
                        answer = entries.pop(0) if entries and not _CALL.match(entries[0]) and entries[0] else ""
                        yield _example(fence, at, " ".join(entry.split("\n")), answer)


def _example(fence: Fence, at: str, call: str, answer: str) -> Example:
    match = _CALL.fullmatch(call)
    assert match is not None, f"{fence}: no call: {call}"
    refused = _STATUS.fullmatch(answer)
    status, shown = (int(refused[1]), refused[2] or "") if refused else (200, answer)
    return Example(
        fence, at, match[1], match[2] or "POST", match[3] or "", match[4] or "", match[5] or "", status, shown
    )
