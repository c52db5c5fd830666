"""Works and editions: who writes, who reads, and what a guest sees."""

import pytest

from db.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from db.principal import guest
from tests.domain.choir.stage import Stage

LIIS, MARI, KADRI = "liis@aurora.example", "mari@aurora.example", "kadri@aurora.example"


def aurora(stage: Stage) -> str:
    """The choir with Liis (owner), Mari (conductor and librarian) and Kadri (no role)."""
    org = stage.choir("aurora", owner=LIIS)
    stage.singer(org, "Mari", email=MARI, roles=("conductor", "librarian"))
    stage.singer(org, "Kadri", email=KADRI)
    return org


def work(stage: Stage, org: str, title: str = "Sicut cervus", **given: object) -> str:
    return str(stage.call("work.create", LIIS, org, title=title, **given)["id"])


def edition(stage: Stage, org: str, work_id: str, name: str = "Choir score", **given: object) -> str:
    return str(stage.call("edition.create", LIIS, org, work_id=work_id, name=name, **given)["id"])


def titles(stage: Stage, org: str, caller: str = KADRI, **given: object) -> list[str]:
    return [line["title"] for line in stage.call("work.search" if given else "work.list", caller, org, **given)]


def test_roles_open_doors_only_where_they_are_held(stage: Stage):
    org, meretuul = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    mari = stage.as_person(org, MARI)
    assert mari.may("events:create")
    assert mari.may("scores:upload")
    stage.join(meretuul, str(mari.id))
    there = stage.as_person(meretuul, MARI)
    assert not there.may("events:create", "scores:upload")
    stage.call("work.create", "m@x.example", meretuul, title="Muistse mere laulud")
    assert titles(stage, meretuul, MARI) == ["Muistse mere laulud"]
    with pytest.raises(Forbidden):
        stage.call("work.create", MARI, meretuul, title="Crucifixus")


def test_an_owner_catalogues_and_does_not_delete(stage: Stage):
    org = aurora(stage)
    made = work(stage, org)
    with pytest.raises(Forbidden):
        stage.call("work.delete", LIIS, org, work_id=made)
    stage.call("work.delete", MARI, org, work_id=made)
    assert titles(stage, org) == []


def test_a_plain_member_reads_and_does_not_write(stage: Stage):
    org = aurora(stage)
    made = work(stage, org)
    assert stage.call("work.get", KADRI, org, work_id=made)["title"] == "Sicut cervus"
    for verb, given in (("work.create", {"title": "x"}), ("work.update", {"work_id": made, "title": "x"})):
        with pytest.raises(Forbidden):
            stage.call(verb, KADRI, org, **given)
        with pytest.raises(NotAuthenticated):
            stage.call(verb, "", org, **given)


def test_works_are_listed_by_title_without_regard_to_case(stage: Stage):
    org = aurora(stage)
    for title in ("zadok", "Ave", "õhtu", "ave Maria", "Õnn"):
        work(stage, org, title)
    assert titles(stage, org) == ["Ave", "ave Maria", "zadok", "õhtu", "Õnn"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("%", ["100% chance"]),
        ("_", ["a_b"]),
        ("ÕHTU", ["Õhtu ilu"]),
        ("tallis", ["If ye love me"]),
        ("  ", ["100% chance", "a_b", "If ye love me", "Õhtu ilu"]),
        ("nothing", []),
    ],
)
def test_a_search_takes_every_character_literally(stage: Stage, q: str, found: list[str]):
    org = aurora(stage)
    for title in ("100% chance", "a_b", "Õhtu ilu"):
        work(stage, org, title)
    work(stage, org, "If ye love me", composer="Thomas Tallis")
    assert titles(stage, org, q=q) == found


def test_an_update_keeps_what_is_absent_and_clears_what_is_null(stage: Stage):
    org = aurora(stage)
    made = work(stage, org, composer="Palestrina", lyricist="Psalm 42")
    changed = stage.call("work.update", LIIS, org, work_id=made, lyricist=None)
    assert (changed["title"], changed["composer"], changed["lyricist"]) == ("Sicut cervus", "Palestrina", None)


@pytest.mark.parametrize("given", [{}, {"title": None}, {"title": " "}, {"title": "x" * 201}, {"year": 1604}])
def test_a_bad_work_update_is_refused(stage: Stage, given: dict[str, object]):
    org = aurora(stage)
    made = work(stage, org)
    with pytest.raises(Invalid):
        stage.call("work.update", LIIS, org, work_id=made, **given)


def test_a_title_may_have_200_characters(stage: Stage):
    org = aurora(stage)
    work(stage, org, "x" * 200)
    with pytest.raises(Invalid):
        work(stage, org, "x" * 201)


def test_a_work_of_another_choir_is_not_found(stage: Stage):
    org, other = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    foreign = str(stage.call("work.create", "m@x.example", other, title="Crucifixus")["id"])
    with pytest.raises(NotFound):
        stage.call("work.get", MARI, org, work_id=foreign)
    with pytest.raises(NotFound):
        stage.call("work.update", MARI, org, work_id=foreign, title="Mine")
    with pytest.raises(NotFound):
        stage.call("work.delete", MARI, org, work_id=foreign)
    with pytest.raises(NotFound):
        edition(stage, org, foreign)


def test_an_edition_takes_the_defaults_of_the_library(stage: Stage):
    org = aurora(stage)
    made = stage.call("edition.get", KADRI, org, edition_id=edition(stage, org, work(stage, org)))
    assert (made["edition_type"], made["license_type"], made["section_ids"]) == ("vocal_score", "owned", [])


@pytest.mark.parametrize(
    "given",
    [
        {"edition_type": "score"},
        {"license_type": "cc"},
        {"edition_type": None},
        {"license_type": None},
        {"name": ""},
        {"external_url": "ftp://scores.example"},
        {"external_url": "https://" + "x" * 2000},
        {"notes": "x" * 4001},
        {"file_key": "x"},
        {"deleted_at": None},
    ],
)
def test_a_bad_edition_is_refused(stage: Stage, given: dict[str, object]):
    org = aurora(stage)
    made = work(stage, org)
    with pytest.raises(Invalid):
        stage.call("edition.create", LIIS, org, **{"work_id": made, "name": "Choir score", **given})
    kept = edition(stage, org, made)
    with pytest.raises(Invalid):
        stage.call("edition.update", LIIS, org, edition_id=kept, **given)


def test_sections_of_an_edition_are_replaced_as_a_whole(stage: Stage):
    org = aurora(stage)
    alto, bass = stage.entry(org, "Alto"), stage.entry(org, "Bass")
    made = edition(stage, org, work(stage, org), section_ids=[bass, alto])

    def change(**given: object) -> object:
        return stage.call("edition.update", LIIS, org, edition_id=made, **given)["section_ids"]

    assert change(name="Parts") == [alto, bass]
    assert change(section_ids=[bass]) == [bass]
    assert change(section_ids=[]) == []


def test_a_section_of_another_choir_is_not_found_and_nothing_is_written(stage: Stage):
    org, other = aurora(stage), stage.choir("meretuul", owner="m@x.example")
    made = work(stage, org)
    with pytest.raises(NotFound):
        edition(stage, org, made, section_ids=[stage.entry(org, "Alto"), stage.entry(other, "Alto")])
    assert stage.rows("SELECT * FROM editions") == []


def test_editions_of_a_work_sort_by_type_and_name_and_all_by_work(stage: Stage):
    org = aurora(stage)
    second, first = work(stage, org, "Zadok the Priest"), work(stage, org, "Ave verum")
    edition(stage, org, second, "b vocal")
    edition(stage, org, second, "A vocal")
    edition(stage, org, second, "Full", edition_type="full_score")
    edition(stage, org, first, "Z")

    def names(**given: object) -> list[str]:
        return [line["name"] for line in stage.call("edition.list", KADRI, org, **given)]

    assert names(work_id=second) == ["Full", "A vocal", "b vocal"]
    assert names() == ["Z", "A vocal", "b vocal", "Full"]


def library(stage: Stage) -> tuple[str, dict[str, str]]:
    """The choir with one edition per licence, each of its own work, and a public-domain one that was taken down."""
    org = aurora(stage)
    made = {
        license_type: edition(stage, org, work(stage, org, license_type), license_type=license_type)
        for license_type in ("public_domain", "licensed", "owned")
    }
    made["taken_down"] = edition(stage, org, work(stage, org, "taken_down"), license_type="public_domain")
    stage.connection.execute(
        "UPDATE editions SET deleted_at = '2026-02-05T10:00:00.000Z' WHERE id = ?", (made["taken_down"],)
    )
    return org, made


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        ("", {"public_domain"}),
        ("owner@meretuul.example", {"public_domain"}),
        (KADRI, {"public_domain", "licensed", "owned"}),
        (MARI, {"public_domain", "licensed", "owned", "taken_down"}),
    ],
)
def test_guests_see_public_domain_members_all_and_the_desk_what_was_taken_down(stage: Stage, caller, seen):
    org, made = library(stage)
    stage.choir("meretuul", owner="owner@meretuul.example")
    listed = {line["work_title"] for line in stage.call("edition.list", caller, org)}
    assert listed == seen
    for name, edition_id in made.items():
        if name in seen:
            assert stage.call("edition.get", caller, org, edition_id=edition_id)["id"] == edition_id
        else:
            with pytest.raises(NotFound):
                stage.call("edition.get", caller, org, edition_id=edition_id)


def test_guests_see_the_works_of_public_domain_editions(stage: Stage):
    org, _ = library(stage)
    assert titles(stage, org, "") == ["public_domain"]
    assert titles(stage, org, KADRI) == ["licensed", "owned", "public_domain", "taken_down"]


def test_changing_the_licence_takes_effect_at_once(stage: Stage):
    org, made = library(stage)
    stage.call("edition.update", LIIS, org, edition_id=made["licensed"], license_type="public_domain")
    assert titles(stage, org, "") == ["licensed", "public_domain"]


def test_the_catalogue_spans_the_vault(stage: Stage):
    library(stage)
    other = stage.choir("meretuul", owner="m@x.example")
    made = stage.call("work.create", "m@x.example", other, title="Crucifixus")
    stage.call("edition.create", "m@x.example", other, work_id=made["id"], name="A", license_type="public_domain")
    lines = stage.call("catalogue.public_domain", guest(other))
    assert [(line["title"], line["subdomain"]) for line in lines] == [
        ("Crucifixus", "meretuul"),
        ("public_domain", "aurora"),
    ]


def test_deleting_an_edition_needs_the_librarian(stage: Stage):
    org = aurora(stage)
    made = edition(stage, org, work(stage, org), section_ids=[stage.entry(org, "Alto")])
    with pytest.raises(Forbidden):
        stage.call("edition.delete", LIIS, org, edition_id=made)
    stage.call("edition.delete", MARI, org, edition_id=made)
    assert stage.rows("SELECT * FROM edition_sections") == []
    with pytest.raises(NotFound):
        stage.call("edition.delete", MARI, org, edition_id=made)
