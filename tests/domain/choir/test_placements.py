"""Voices and sections: entries, assignments, primaries, order, handing over."""

import pytest

from db.errors import Forbidden, Invalid, NotFound
from domain.errors import Duplicate, Inactive, InUse
from tests.domain.choir.stage import Stage

LIIS = "liis@aurora.example"
KINDS = pytest.mark.parametrize("kind", ["voice", "section"])


def put(stage: Stage, org: str, member: str, kind: str, name: str, **given: object) -> object:
    entry = stage.entry(org, name, f"{kind}s")
    return stage.call(f"member.assign_{kind}", LIIS, org, member_id=member, **{f"{kind}_id": entry}, **given)


def held(stage: Stage, member: str, kind: str = "section") -> dict[str, int]:
    return dict(
        stage.rows(
            f"SELECT e.name, p.is_primary FROM member_{kind}s p JOIN {kind}s e ON e.id = p.{kind}_id"
            " WHERE p.member_id = ?",
            member,
        )
    )


def extra(kind: str) -> dict[str, str]:
    return {"category": "vocal"} if kind == "voice" else {}


@KINDS
def test_the_first_assignment_here_is_primary_and_the_next_is_not(stage: Stage, kind: str):
    org = stage.choir()
    anna = stage.singer(org)
    put(stage, org, anna, kind, "Alto")
    put(stage, org, anna, kind, "Tenor")
    assert held(stage, anna, kind) == {"Alto": 1, "Tenor": 0}


def test_one_primary_per_choir(stage: Stage):
    aurora, meretuul = stage.choir(), stage.choir("meretuul", owner="m@x.example")
    tom = stage.singer(aurora, "Tom", email="tom@x.example")
    stage.join(meretuul, tom)
    bass = stage.entry(meretuul, "Bass")
    stage.call("member.assign_section", "m@x.example", meretuul, member_id=tom, section_id=bass)
    put(stage, aurora, tom, "section", "Tenor")
    put(stage, aurora, tom, "section", "Baritone", is_primary=True)
    assert held(stage, tom) == {"Tenor": 0, "Baritone": 1, "Bass": 1}
    stage.call("member.unassign", LIIS, aurora, member_id=tom, section_id=stage.entry(aurora, "Baritone"))
    assert held(stage, tom) == {"Tenor": 0, "Bass": 1}
    assert stage.call("member.get", LIIS, aurora, member_id=tom)["section"]["name"] == "Tenor"


@KINDS
def test_making_one_primary_clears_the_others_of_this_choir(stage: Stage, kind: str):
    org = stage.choir()
    anna = stage.singer(org)
    for name in ("Alto", "Tenor", "Bass"):
        put(stage, org, anna, kind, name)
    entry = stage.entry(org, "Bass", f"{kind}s")
    stage.call("member.make_primary", LIIS, org, member_id=anna, **{f"{kind}_id": entry})
    assert held(stage, anna, kind) == {"Alto": 0, "Tenor": 0, "Bass": 1}


@pytest.mark.parametrize(
    ("placed", "expected"),
    [
        ([("Bass I", 1, 0), ("Tenor", 0, 1)], "Tenor"),
        ([("Tenor", 1, 1), ("Alto", 0, 1)], "Tenor"),
        ([("Tenor", 0, 1), ("Alto", 0, 1)], "Alto"),
        ([("Bass I", 0, 0), ("Tenor I", 0, 0)], "Tenor I"),
        ([], None),
    ],
)
def test_the_shown_section_is_the_active_primary_or_the_first(stage: Stage, placed, expected):
    org = stage.choir()
    anna = stage.singer(org)
    for name, primary, active in placed:
        section = stage.entry(org, name)
        stage.tx.execute("UPDATE sections SET is_active = :active WHERE id = :id", active=active, id=section)
        stage.tx.insert("member_sections", member_id=anna, section_id=section, is_primary=primary)
    shown = stage.call("member.get", LIIS, org, member_id=anna)["section"]
    assert (shown and shown["name"]) == expected


@KINDS
def test_assigning_twice_is_a_duplicate(stage: Stage, kind: str):
    org = stage.choir()
    anna = stage.singer(org)
    put(stage, org, anna, kind, "Alto")
    with pytest.raises(Duplicate):
        put(stage, org, anna, kind, "Alto")


@KINDS
def test_a_deactivated_entry_keeps_its_people_and_takes_nobody_new(stage: Stage, kind: str):
    org = stage.choir()
    anna, eva = stage.singer(org), stage.singer(org)
    put(stage, org, anna, kind, "Alto")
    entry = stage.entry(org, "Alto", f"{kind}s")
    stage.call(f"{kind}.activate", LIIS, org, **{f"{kind}_id": entry}, is_active=False)
    with pytest.raises(Inactive):
        put(stage, org, eva, kind, "Alto")
    assert held(stage, anna, kind) == {"Alto": 1}


@KINDS
def test_an_entry_of_another_choir_is_not_found(stage: Stage, kind: str):
    org, other = stage.choir(), stage.choir("meretuul", owner="m@x.example")
    anna = stage.singer(org)
    foreign = {f"{kind}_id": stage.entry(other, "Alto", f"{kind}s")}
    for verb in (f"member.assign_{kind}", "member.make_primary", "member.unassign"):
        with pytest.raises(NotFound):
            stage.call(verb, LIIS, org, member_id=anna, **foreign)
    for verb, given in ((f"{kind}.activate", {"is_active": True}), (f"{kind}.delete", {})):
        with pytest.raises(NotFound):
            stage.call(verb, LIIS, org, **foreign, **given)


@KINDS
def test_what_a_member_lacks_cannot_be_unassigned_or_marked(stage: Stage, kind: str):
    org = stage.choir()
    anna = stage.singer(org)
    entry = {f"{kind}_id": stage.entry(org, "Alto", f"{kind}s")}
    for verb in ("member.unassign", "member.make_primary"):
        with pytest.raises(NotFound):
            stage.call(verb, LIIS, org, member_id=anna, **entry)


@pytest.mark.parametrize("given", [{}, {"voice_id": "v", "section_id": "s"}])
def test_unassigning_names_either_a_voice_or_a_section(stage: Stage, given: dict[str, str]):
    org = stage.choir()
    with pytest.raises(Invalid):
        stage.call("member.unassign", LIIS, org, member_id=stage.singer(org), **given)


@KINDS
def test_a_new_entry_comes_first_and_active(stage: Stage, kind: str):
    org = stage.choir()
    stage.call(f"{kind}.create", LIIS, org, name="Descant", abbreviation="D", **extra(kind))
    first = stage.call(f"{kind}.list", LIIS, org)[0]
    assert (first["name"], first["display_order"], first["is_active"], first["assignments"]) == ("Descant", 0, 1, 0)


@KINDS
@pytest.mark.parametrize("name", ["Alto", "ALTO", " alto "])
def test_an_entrys_name_is_unique_ignoring_case(stage: Stage, kind: str, name: str):
    org = stage.choir()
    with pytest.raises(Duplicate):
        stage.call(f"{kind}.create", LIIS, org, name=name, abbreviation="X", **extra(kind))


@KINDS
@pytest.mark.parametrize(
    "given",
    [{"name": " "}, {"abbreviation": "x" * 9}, {"abbreviation": ""}, {"is_active": "yes"}, {"display_order": 1.5}],
)
def test_a_bad_entry_is_refused(stage: Stage, kind: str, given: dict[str, object]):
    org = stage.choir()
    with pytest.raises(Invalid):
        stage.call(f"{kind}.create", LIIS, org, **{"name": "Descant", "abbreviation": "D", **extra(kind), **given})


def test_a_parent_section_is_of_the_same_choir(stage: Stage):
    org, other = stage.choir(), stage.choir("meretuul", owner="m@x.example")
    with pytest.raises(NotFound):
        stage.call(
            "section.create", LIIS, org, name="Descant", abbreviation="D", parent_section_id=stage.entry(other, "Alto")
        )
    made = stage.call(
        "section.create", LIIS, org, name="Descant", abbreviation="D", parent_section_id=stage.entry(org, "Soprano")
    )
    assert stage.value("SELECT parent_section_id FROM sections WHERE id = ?", made["id"]) == stage.entry(org, "Soprano")


@pytest.mark.parametrize("flag", ["yes", None, 2, "true"])
def test_the_active_flag_is_a_boolean(stage: Stage, flag: object):
    org = stage.choir()
    with pytest.raises(Invalid):
        stage.call("section.activate", LIIS, org, section_id=stage.entry(org, "Alto"), is_active=flag)


@KINDS
def test_reordering_numbers_all_entries_from_one(stage: Stage, kind: str):
    org = stage.choir()
    ids = [entry["id"] for entry in stage.call(f"{kind}.list", LIIS, org)]
    assert stage.call(f"{kind}.reorder", LIIS, org, ids=ids[::-1]) == {"ordered": 13}
    listed = stage.call(f"{kind}.list", LIIS, org)
    assert [(entry["id"], entry["display_order"]) for entry in listed] == list(
        zip(ids[::-1], range(1, 14), strict=True)
    )


@KINDS
def test_an_incomplete_order_changes_nothing(stage: Stage, kind: str):
    org = stage.choir()
    before = stage.rows(f"SELECT id, display_order FROM {kind}s ORDER BY id")
    with pytest.raises(Invalid):
        stage.call(f"{kind}.reorder", LIIS, org, ids=[row[0] for row in before][:12])
    assert stage.rows(f"SELECT id, display_order FROM {kind}s ORDER BY id") == before


def test_reassigning_a_section_moves_people_and_hands_primary_marks_on(stage: Stage):
    org = stage.choir()
    tenor, first = stage.entry(org, "Tenor"), stage.entry(org, "Tenor I")
    stage.call("section.activate", LIIS, org, section_id=first, is_active=True)
    singers = [stage.singer(org) for _ in range(7)]
    put(stage, org, singers[0], "section", "Tenor")
    put(stage, org, singers[1], "section", "Tenor")
    for singer in singers:
        put(stage, org, singer, "section", "Tenor I", is_primary=singer == singers[1])
    stage.call("invite.create", LIIS, org, name="Somebody", section_ids=[first])
    assert held(stage, singers[1]) == {"Tenor": 0, "Tenor I": 1}
    assert stage.call("section.reassign", LIIS, org, source_id=first, target_id=tenor) == {"moved": 6}
    assert [held(stage, singer) for singer in singers] == [{"Tenor": 1}] * 7
    listed = {entry["name"]: entry["assignments"] for entry in stage.call("section.list", LIIS, org)}
    assert (listed["Tenor I"], listed["Tenor"]) == (0, 8)
    stage.call("section.delete", LIIS, org, section_id=first)


def test_reassigning_a_section_takes_edition_links_along(stage: Stage):
    org = stage.choir()
    alto, tenor = stage.entry(org, "Alto"), stage.entry(org, "Tenor")
    work = stage.call("work.create", LIIS, org, title="Sicut cervus")
    for name, sections in (("One", [alto]), ("Both", [alto, tenor])):
        stage.call("edition.create", LIIS, org, work_id=work["id"], name=name, section_ids=sections)
    assert stage.call("section.reassign", LIIS, org, source_id=alto, target_id=tenor) == {"moved": 0}
    assert stage.rows("SELECT DISTINCT section_id, count(*) FROM edition_sections") == [(tenor, 2)]


@KINDS
def test_reassigning_wants_another_entry_of_this_choir(stage: Stage, kind: str):
    org, other = stage.choir(), stage.choir("meretuul", owner="m@x.example")
    alto, foreign = stage.entry(org, "Alto", f"{kind}s"), stage.entry(other, "Alto", f"{kind}s")
    for target in (alto, foreign, "none"):
        with pytest.raises(Invalid):
            stage.call(f"{kind}.reassign", LIIS, org, source_id=alto, target_id=target)
    with pytest.raises(NotFound):
        stage.call(f"{kind}.reassign", LIIS, org, source_id=foreign, target_id=alto)
    with pytest.raises(Inactive):
        stage.call(f"{kind}.reassign", LIIS, org, source_id=alto, target_id=stage.entry(org, "Alto I", f"{kind}s"))


@KINDS
def test_an_entry_in_use_is_not_deleted(stage: Stage, kind: str):
    org = stage.choir()
    put(stage, org, stage.singer(org), kind, "Baritone")
    entry = stage.entry(org, "Baritone", f"{kind}s")
    stage.call("invite.create", LIIS, org, name="Somebody", **{f"{kind}_ids": [entry]})
    with pytest.raises(InUse) as refused:
        stage.call(f"{kind}.delete", LIIS, org, **{f"{kind}_id": entry})
    assert refused.value.details == "assignments: 2"


def test_a_section_with_children_or_editions_is_not_deleted(stage: Stage):
    org = stage.choir()
    with pytest.raises(InUse):
        stage.call("section.delete", LIIS, org, section_id=stage.entry(org, "Tenor"))
    baritone = stage.entry(org, "Baritone")
    work = stage.call("work.create", LIIS, org, title="Sicut cervus")
    edition = stage.call("edition.create", LIIS, org, work_id=work["id"], name="Part", section_ids=[baritone])
    with pytest.raises(InUse):
        stage.call("section.delete", LIIS, org, section_id=baritone)
    stage.call("edition.update", LIIS, org, edition_id=edition["id"], section_ids=[])
    stage.call("section.delete", LIIS, org, section_id=baritone)
    assert stage.value("SELECT count(*) FROM sections") == 12


@KINDS
def test_entries_are_kept_by_the_admin_desk_and_read_by_members(stage: Stage, kind: str):
    org = stage.choir()
    stage.singer(org, email="mari@x.example", roles=("conductor", "librarian"))
    assert len(stage.call(f"{kind}.list", "mari@x.example", org)) == 13
    with pytest.raises(Forbidden):
        stage.call(f"{kind}.create", "mari@x.example", org, name="Descant", abbreviation="D", **extra(kind))
