"""The demo choir loads through the rules every user has."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.errors import NotFound
from db.fields import parse_fields
from db.principal import Principal
from domain.choir.charter import CHOIR
from domain.choir.demo_choir import DEMO
from domain.choir.editions import EDITION_FIELDS
from domain.choir.works import WORK_FIELDS
from tests.domain.choir.stage import Stage

ROOT = Path(__file__).parents[3]
OWNER = DEMO.founding.owner_email


def lines(name: str) -> Iterator[dict[str, str]]:
    with (DEMO.folder / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def load(stage: Stage) -> str:
    """The demo choir with members, works and editions, loaded as the owner."""
    org = CHOIR.found(stage.tx, DEMO.founding, stage.now)
    owner = stage.as_person(org, DEMO.founding.owner_email)
    for line in lines("members.csv"):
        stage.call("member.add_roster", owner, **line)
    works = {}
    for line in lines("works.csv"):
        works[line["title"], line["composer"]] = stage.call("work.create", owner, **line)["id"]
    for line in lines("editions.csv"):
        work_id = works[line.pop("work_id.title"), line.pop("work_id.composer")]
        stage.call("edition.create", owner, work_id=work_id, **line)
    for email in DEMO.sign_ins:
        DEMO.register(stage.tx, owner, email, stage.now)
    return org


def test_the_demo_choir_has_people_in_every_role_and_a_library(stage: Stage):
    org = load(stage)
    counted = [stage.value(f"SELECT count(*) FROM {table}") for table in ("members", "works", "editions", "invites")]
    assert counted == [32, 92, 126, 0]
    roles = stage.rows("SELECT role, count(*) FROM member_roles GROUP BY role ORDER BY role")
    assert roles == [("admin", 1), ("conductor", 1), ("librarian", 2), ("owner", 2), ("section_leader", 2)]
    assert stage.value("SELECT count(*) FROM principals") == 1 + len(DEMO.sign_ins)
    assert stage.as_person(org, "maarja@aurora.example").may("scores:upload")


def test_every_singer_of_the_demo_choir_but_the_leaders_has_a_primary_section(stage: Stage):
    load(stage)
    placed = "SELECT member_id FROM member_sections WHERE is_primary = 1"
    without = stage.rows(f"SELECT name FROM members WHERE id NOT IN ({placed}) ORDER BY name")
    assert without == [("Liis Kuusk",), ("Mari Lepik",)]


@pytest.mark.parametrize("at", ["2026-11-20T10:00:00Z", "2026-08-01T10:00:00Z", "2027-01-02T10:00:00Z"])
def test_the_demo_choir_has_a_year_behind_it_and_more_ahead_whenever_it_is_made(stage: Stage, at: str):
    stage.at = at
    mari = played(stage)
    seasons = stage.call("season.list", mari)
    rosters = [stage.call("roster.view", mari, season_id=season["id"]) for season in seasons]
    assert sum(60 < roster["average_attendance"] < 100 for roster in rosters) >= 2
    assert stage.call("event.list", mari, upcoming=True)
    inventory = stage.call("report.inventory", mari)
    for figure in ("assigned", "available", "lost"):
        assert any(line[figure] for line in inventory)
    concert = stage.call("event.list", mari, event_type="concert")[-1]
    assert stage.call("report.missing", mari, event_id=concert["id"])["total_missing"] > 0
    assert {item["status"] for item in stage.call("repertoire.coverage", mari, event_id=concert["id"])} >= {"covered"}


def test_the_year_of_the_demo_keeps_the_clock(stage: Stage):
    mari = played(stage)
    late = "SELECT count(*) FROM participation AS p JOIN events AS e ON e.id = p.event_id"
    assert stage.value(f"{late} WHERE p.actual_status IS NOT NULL AND e.starts_at > ?", stage.now.text) == 0
    assert stage.value("SELECT count(*) FROM participation WHERE updated_at > ?", stage.now.text) == 0
    assert stage.value("SELECT count(*) FROM copy_assignments WHERE assigned_at > ?", stage.now.text) == 0
    assert stage.call("settings.get", stage.as_person(mari.scope, OWNER))["conductor_id"] == mari.id


def test_the_figures_of_the_demo_are_the_same_for_everybody(stage: Stage):
    other = Stage()
    try:
        rosters = [st.call("roster.view", played(st)) for st in (stage, other)]
    finally:
        other.close()
    assert rosters[0]["average_attendance"] == rosters[1]["average_attendance"]
    said = [[[cell["actual"] for cell in row["cells"]] for row in roster["members"]] for roster in rosters]
    assert said[0] == said[1]


def played(stage: Stage) -> Principal:
    """The conductor of the demo choir after its year."""
    org = load(stage)
    assert DEMO.play is not None
    with stage.transaction():
        DEMO.play(stage.tx, stage.as_person(org, OWNER), stage.now)
    return stage.as_person(org, "mari@aurora.example")


def test_what_happened_is_loaded_by_nobody_who_only_serves():
    program = "import sys, domain.choir.charter; print('domain.choir.demo_year' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_registering_somebody_unknown_is_refused(stage: Stage):
    org = CHOIR.found(stage.tx, DEMO.founding, stage.now)
    with pytest.raises(NotFound):
        DEMO.register(stage.tx, stage.as_person(org, DEMO.founding.owner_email), "nobody@x.example", stage.now)


def test_the_files_use_the_column_names_of_their_targets():
    verb = CHOIR.verb("member.add_roster")
    assert verb is not None
    assert set(next(lines("members.csv"))) <= set(verb.params)
    assert set(next(lines("works.csv"))) == set(WORK_FIELDS)
    assert {name for name in next(lines("editions.csv")) if "." not in name} <= set(EDITION_FIELDS)


def test_addresses_of_the_demo_belong_to_nobody():
    written = [line["email_contact"] for line in lines("members.csv") if line["email_contact"]]
    assert {address.rpartition(".")[2] for address in written} == {"example"}
    assert set(DEMO.sign_ins) <= set(written)


def test_every_line_of_the_library_keeps_the_rules():
    for line in lines("works.csv"):
        assert parse_fields(line, WORK_FIELDS)["composer"]
    licences = [line["license_type"] for line in lines("editions.csv")]
    assert licences.count("public_domain") / len(licences) > 0.9
