"""docs/reference/clients.md as data: what it says of each method of a package, held against what came of the calls."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "clients.md"
_ROW = re.compile(r"\| (`.*`) \| (.*) \|")
WORKS = "works"


def said_of(package: str) -> dict[str, str]:
    """What the page says, by method."""
    section = re.search(rf"^## {re.escape(package)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None, f"the page has no section {package}"
    rows = [row for line in section[1].splitlines() if (row := _ROW.fullmatch(line))]
    told = [(method, row[2]) for row in rows for method in re.findall(r"`([^`]+)`", row[1])]
    assert len(dict(told)) == len(told), "a method is named twice"
    return dict(told)


def check_methods(package: str, methods: Iterable[str]) -> None:
    """The page names each method of the package, and no other."""
    said = set(said_of(package))
    assert {"missing": set(methods) - said, "unknown": said - set(methods)} == {"missing": set(), "unknown": set()}


def check_outcomes(package: str, outcomes: Mapping[str, str]) -> None:
    """What the page says works did; of what did not, it names the code. outcomes: by method, `works` or a code."""
    said = said_of(package)
    wrong = {
        method: (outcome, said[method])
        for method, outcome in outcomes.items()
        if (said[method].startswith(WORKS) if outcome != WORKS else not said[method].startswith(WORKS))
        or (outcome != WORKS and f"`{outcome}`" not in said[method])
    }
    assert wrong == {}
    assert {method for method, text in said.items() if text.startswith(WORKS)} <= set(outcomes)
