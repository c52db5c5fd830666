"""The documentation: every page is reachable from its index, and no link leads nowhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def linked(page: Path) -> list[Path]:
    """Where the page's links into this repository lead."""
    targets = [target.partition("#")[0] for target in _LINK.findall(page.read_text())]
    return [(page.parent / target).resolve() for target in targets if target and "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_leads_nowhere(page):
    assert [str(target) for target in linked(page) if not target.exists()] == []


def test_every_page_of_the_documentation_is_in_its_index():
    index = ROOT / "docs" / "README.md"
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {index} <= set(linked(index))
