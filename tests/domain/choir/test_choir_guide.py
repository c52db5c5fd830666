"""The guide for choirs: every verb has an example, and every example answers what is shown."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.choir.charter import CHOIR
from domain.choir.permissions import MATRIX, ROLES
from tests.domain.choir.guide_site import GUIDE, ChoirGuideSite
from tests.domain.guide import ROOT
from tests.page_examples import expected, fault

MOST_LINES = 400


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ChoirGuideSite]:
    stage = ChoirGuideSite(tmp_path)
    yield stage
    stage.close()


def test_every_example_answers_what_is_shown(stage: ChoirGuideSite):
    played = 0
    for example in GUIDE.examples():
        answer = stage.send(example)
        status = 200 if answer.status == 201 else answer.status
        assert status == example.status, f"{example}: {answer.status} {answer.text}"
        if example.shown:
            found = fault(expected(example.shown), json.loads(answer.body), stage.names)
            assert found is None, f"{example}: {found}"
        played += 1
    assert played > len(CHOIR.verbs)


def test_every_verb_has_an_example_and_no_example_is_of_another():
    assert {example.verb for example in GUIDE.examples()} - {""} == {verb.name for verb in CHOIR.verbs}


def test_the_table_of_rights_is_the_one_that_decides():
    rows = re.findall(r"^\| `([a-z:]+)` \| [^|]+ \|(.*)\|$", GUIDE.index.read_text(), re.MULTILINE)
    shown = {name: tuple(cell.strip() == "yes" for cell in cells.split("|")) for name, cells in rows}
    decides = {
        name: tuple(role in held.split() or "member" in held.split() for role in (*ROLES, "member"))
        for name, held, _ in MATRIX
    }
    assert shown == decides


def test_pages_stay_short_enough_to_read():
    assert [page for page in GUIDE.pages() if len(page.read_text().splitlines()) > MOST_LINES] == []


@pytest.mark.parametrize("name", ["plan-a-season.md", "keep-a-choir-library.md"])
def test_the_how_tos_of_choirs_name_verbs_that_exist(name: str):
    text = (ROOT / "docs" / "how-to" / name).read_text()
    subjects = {verb.name.partition(".")[0] for verb in CHOIR.verbs}
    named = {word for word in re.findall(r"`([a-z_]+\.[a-z_]+)`", text) if word.partition(".")[0] in subjects}
    assert named
    assert named <= {verb.name for verb in CHOIR.verbs}
