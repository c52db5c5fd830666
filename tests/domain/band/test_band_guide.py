"""The guide for bands: every verb has an example, and every example answers what is shown."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.band.charter import BAND
from domain.band.permissions import MATRIX, ROLES
from tests.domain.guide import Guide
from tests.domain.guide_site import GuideSite
from tests.page_examples import expected, fault

GUIDE = Guide("band")
MOST_LINES = 400


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[GuideSite]:
    stage = GuideSite(tmp_path, GUIDE, "2026-03-01T17:00:00Z")
    yield stage
    stage.close()


def test_every_example_answers_what_is_shown(stage: GuideSite):
    played = 0
    for example in GUIDE.examples():
        answer = stage.send(example)
        status = 200 if answer.status == 201 else answer.status
        assert status == example.status, f"{example}: {answer.status} {answer.text}"
        if example.shown:
            found = fault(expected(example.shown), json.loads(answer.body), stage.names)
            assert found is None, f"{example}: {found}"
        played += 1
    assert played > len(BAND.verbs)


def test_every_verb_has_an_example_and_no_example_is_of_another():
    assert {example.verb for example in GUIDE.examples()} - {""} == {verb.name for verb in BAND.verbs}


def test_the_table_of_rights_is_the_one_that_decides():
    rows = re.findall(r"^\| `([a-z.]+)` \| [^|]+ \|(.*)\|$", GUIDE.index.read_text(), re.MULTILINE)
    shown = {name: tuple(cell.strip() == "yes" for cell in cells.split("|")) for name, cells in rows}
    assert shown == {name: tuple(role in holders for role in ROLES) for name, holders in MATRIX.items()}


def test_pages_stay_short_enough_to_read():
    assert [page for page in GUIDE.pages() if len(page.read_text().splitlines()) > MOST_LINES] == []
