"""That each of the 24 acceptance scenarios is told by a test over HTTP: `test_<number>_...` tells it, or a part of it.

1 seeding · 2 rights · 3 Clarinet 2 · 4 my music · 5 downloads · 6 search safety · 7 catalogue · 8 hand-out ·
9 programme · 10 notes · 11 roll call · 12 rounding · 13 marking rights · 14 scheduled page · 15 versions ·
16 announcement · 17 reminders · 18 messages · 19 leaving · 20 privacy · 21 retention · 22 user deletion ·
23 recovery · 24 health
"""

import re
from pathlib import Path

import pytest

# Told under another name.
ELSEWHERE = {5: "test_scenario_five"}
_NAMED = re.compile(r"^def (test_(\d+)_\w+|test_scenario_\w+)\(", re.MULTILINE)


def told() -> dict[str, set[str]]:
    """The numbers told by tests of this folder, as text, with the names of those tests."""
    found: dict[str, set[str]] = {}
    for page in Path(__file__).parent.glob("test_*.py"):
        for match in _NAMED.finditer(page.read_text()):
            found.setdefault(match[2] or match[1], set()).add(match[1])
    return found


@pytest.mark.parametrize("number", range(1, 25))
def test_every_scenario_is_told(number: int):
    assert told().get(str(number)) or ELSEWHERE.get(number) in told()
