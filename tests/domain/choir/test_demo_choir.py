"""The demo choir loads through the rules every user has."""

import csv
from collections.abc import Iterator

import pytest

from db.errors import NotFound
from db.fields import parse_fields
from domain.choir.charter import CHOIR
from domain.choir.demo_choir import DEMO
from domain.choir.editions import EDITION_FIELDS
from domain.choir.works import WORK_FIELDS
from tests.domain.choir.stage import Stage


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
