"""A season over HTTP: which events it holds, what is sung in it, who has something to sing from."""

import pytest

from tests.handlers.http.planning import (
    JAAN,
    KADRI,
    LIIS,
    MARI,
    MERETUUL,
    TONU,
    add_event,
    add_work,
    association,
    aurora,
    id_of,
    section_of,
    titles,
)
from tests.handlers.http.site import Caller, Site, refused


def seasons(jaan: Caller) -> tuple[str, str]:
    """Autumn from 1 September, Spring from 12 January."""
    made = [
        jaan.done("season.create", name=name, start_date=day)["id"]
        for name, day in (("Autumn", "2025-09-01"), ("Spring", "2026-01-12"))
    ]
    return made[0], made[1]


def test_an_event_belongs_to_the_season_of_its_utc_day(site):
    association(site)
    jaan, mari = site.sign_in("aurora", JAAN), site.sign_in("aurora", MARI)
    autumn, spring = seasons(jaan)
    for title, starts_at in (
        ("late", "2026-01-11T23:30:00Z"),
        ("first", "2026-01-12T00:00:00Z"),
        ("early", "2025-08-31T20:00:00Z"),
    ):
        add_event(mari, starts_at, title)
    assert titles(mari.done("season.events", season_id=autumn)) == ["late"]
    assert titles(mari.done("season.events", season_id=spring)) == ["first"]
    named = [mari.done("season.by_date", date=day)["name"] for day in ("2026-01-11", "2026-01-12")]
    assert named == ["Autumn", "Spring"]
    assert mari.call("season.by_date", date="2025-08-31").status == 204
    jaan.done("season.update", season_id=spring, start_date="2026-01-05")
    assert titles(mari.done("season.events", season_id=autumn)) == []
    assert titles(mari.done("season.events", season_id=spring)) == ["late", "first"]
    assert refused(jaan.call("season.create", name="Third", start_date="2025-09-01")) == (409, "duplicate")
    assert refused(jaan.call("season.update", season_id=spring, start_date="2025-09-01")) == (409, "duplicate")
    there = site.sign_in("meretuul", MERETUUL)
    assert there.call("season.create", name="Autumn", start_date="2025-09-01").status == 200
    assert refused(there.call("season.events", season_id=spring)) == (404, "not_found")


def test_deleting_a_season_regroups_its_events_and_deletes_none(site):
    aurora(site)
    jaan, mari = site.sign_in("aurora", JAAN), site.sign_in("aurora", MARI)
    autumn, spring = seasons(jaan)
    add_event(mari, "2026-01-20T17:00:00+02:00", "rehearsal")
    listed = jaan.done("season.list")
    assert [season["name"] for season in listed] == ["Spring", "Autumn"]
    card = jaan.done("season.get", season_id=spring)
    assert (card["previous"]["id"], card["next"]) == (autumn, None)
    assert jaan.done("season.get", season_id=autumn)["next"]["id"] == spring
    jaan.done("season.delete", season_id=spring)
    assert titles(mari.done("season.events", season_id=autumn)) == ["rehearsal"]
    jaan.done("season.delete", season_id=autumn)
    assert titles(mari.done("event.list")) == ["rehearsal"]


def test_seasons_are_made_by_the_admin_desk_and_events_by_conductors(site):
    aurora(site)
    callers = {name: site.sign_in("aurora", name) for name in (LIIS, JAAN, MARI, TONU, KADRI)}
    event = {"title": "Rehearsal", "starts_at": "2026-03-05T16:00:00Z", "event_type": "rehearsal"}
    for number, (name, caller) in enumerate(callers.items(), start=1):
        season = caller.call("season.create", name="Season", start_date=f"2026-01-{number:02d}")
        row = caller.add("seasons", {"name": "Season", "start_date": f"2026-02-{number:02d}"})
        assert (season.status, row.status) == ((200, 201) if name in (LIIS, JAAN) else (403, 403)), name
        made, row = caller.call("event.create_many", events=[event]), caller.add("events", event)
        assert (made.status, row.status) == ((200, 201) if name == MARI else (403, 403)), name
        assert len(caller.done("event.list")) == (0 if name in (LIIS, JAAN) else 2)
    assert site.guest("aurora").call("event.list").status == 401
    assert site.guest("aurora").rows("events") == []


def programme(caller: Caller, **plan: str) -> list[tuple[str, int]]:
    return [(row["title"], row["display_order"]) for row in caller.done("repertoire.get", **plan)]


@pytest.mark.parametrize("kind", ["season", "event"])
def test_a_repertoire_keeps_its_order_and_one_primary_edition(site, kind):
    aurora(site)
    jaan, mari = site.sign_in("aurora", JAAN), site.sign_in("aurora", MARI)
    plan = (
        {"season_id": seasons(jaan)[1]} if kind == "season" else {"event_id": add_event(mari, "2026-03-05T16:00:00Z")}
    )
    works = {name: add_work(mari, name, score={}, part={}) for name in "ABCD"}
    items = {name: mari.done("repertoire.add_work", **plan, work_id=works[name]["work"])["id"] for name in "ABC"}
    assert programme(mari, **plan) == [("A", 0), ("B", 1), ("C", 2)]
    mari.done("repertoire.remove_work", **plan, item_id=items["B"])
    assert programme(mari, **plan) == [("A", 0), ("C", 2)]
    items["D"] = mari.done("repertoire.add_work", **plan, work_id=works["D"]["work"])["id"]
    assert programme(mari, **plan) == [("A", 0), ("C", 2), ("D", 3)]
    mari.done("repertoire.reorder", **plan, ids=[items["D"], items["A"], items["C"]])
    assert programme(mari, **plan) == [("D", 0), ("A", 1), ("C", 2)]
    again = mari.call("repertoire.add_work", **plan, work_id=works["A"]["work"])
    assert refused(again) == (409, "duplicate")

    picked = {**plan, "item_id": items["A"]}
    first = mari.done("repertoire.add_edition", **picked, edition_id=works["A"]["score"])
    assert first["is_primary"] is True
    foreign = mari.call("repertoire.add_edition", **picked, edition_id=works["C"]["score"], primary=True)
    assert refused(foreign) == (400, "invalid_input")
    assert editions_of(mari, "A", **plan) == [("score", True)]
    mari.done("repertoire.add_edition", **picked, edition_id=works["A"]["part"], primary=True)
    assert editions_of(mari, "A", **plan) == [("part", True), ("score", False)]
    twice = mari.call("repertoire.add_edition", **picked, edition_id=works["A"]["part"], primary=True)
    assert refused(twice) == (409, "duplicate")
    mari.done("repertoire.set_primary", **picked, edition_id=works["A"]["score"])
    assert editions_of(mari, "A", **plan) == [("score", True), ("part", False)]
    mari.done("repertoire.remove_edition", **picked, edition_id=works["A"]["score"])
    assert editions_of(mari, "A", **plan) == [("part", False)]


def editions_of(caller: Caller, title: str, **plan: str) -> list[tuple[str, bool]]:
    work = next(row for row in caller.done("repertoire.get", **plan) if row["title"] == title)
    return [(pick["name"], pick["is_primary"]) for pick in work["editions"]]


def test_a_taken_down_edition_is_not_picked_and_an_old_pick_shows_it(site):
    choir = aurora(site)
    mari = site.sign_in("aurora", MARI)
    event_id = add_event(mari, "2026-03-05T16:00:00Z")
    work = add_work(mari, "A", score={}, other={})
    item = mari.done("repertoire.add_work", event_id=event_id, work_id=work["work"])["id"]
    picked = {"event_id": event_id, "item_id": item}
    mari.done("repertoire.add_edition", **picked, edition_id=work["score"])
    site.vault_write(choir, lambda tx: tx.execute("UPDATE editions SET deleted_at = created_at"))
    gone = mari.call("repertoire.add_edition", **picked, edition_id=work["other"])
    assert refused(gone) == (410, "taken_down")
    assert [pick["unavailable"] for pick in mari.done("repertoire.get", event_id=event_id)[0]["editions"]] == [True]
    coverage = mari.done("repertoire.coverage", event_id=event_id)[0]
    assert (coverage["status"], [line["name"] for line in coverage["uncovered"]]) == ("uncovered", ["Alto"])
    assert mari.done("materials.what_to_bring", event_id=event_id)["entries"] == []


def test_the_desk_of_the_repertoire_writes_it_and_members_read_it(site):
    aurora(site)
    jaan, mari, kadri = (site.sign_in("aurora", name) for name in (JAAN, MARI, KADRI))
    event_id = add_event(mari, "2026-03-05T16:00:00Z")
    works = {name: add_work(mari, name)["work"] for name in "AB"}
    for caller, name, status in ((jaan, "A", 200), (mari, "B", 200), (kadri, "A", 403)):
        assert caller.call("repertoire.add_work", event_id=event_id, work_id=works[name]).status == status
    items = [row["id"] for row in kadri.done("repertoire.get", event_id=event_id)]
    mari.done("repertoire.set_notes", event_id=event_id, item_id=items[0], notes=" from bar 12 ")
    assert kadri.done("repertoire.get", event_id=event_id)[0]["notes"] == "from bar 12"
    mari.done("repertoire.set_notes", event_id=event_id, item_id=items[0], notes=None)
    assert kadri.done("repertoire.get", event_id=event_id)[0]["notes"] is None
    other = add_event(mari, "2026-03-06T16:00:00Z")
    elsewhere = mari.call("repertoire.set_notes", event_id=other, item_id=items[0], notes="x")
    assert refused(elsewhere) == (404, "not_found")


def test_suggestions_come_from_the_season_first(site):
    aurora(site)
    jaan, mari = site.sign_in("aurora", JAAN), site.sign_in("aurora", MARI)
    _, spring = seasons(jaan)
    works = {name: add_work(mari, name)["work"] for name in ("äiu", "Locus", "Aegis", "Bogoroditse")}
    for name in ("Locus", "Bogoroditse"):
        mari.done("repertoire.add_work", season_id=spring, work_id=works[name])
    event_id = add_event(mari, "2026-03-05T16:00:00Z")
    suggested = [(row["title"], row["in_season"]) for row in mari.done("repertoire.suggestions", event_id=event_id)]
    assert suggested == [("Locus", True), ("Bogoroditse", True), ("Aegis", False), ("äiu", False)]
    mari.done("repertoire.add_work", event_id=event_id, work_id=works["Locus"])
    assert titles(mari.done("repertoire.suggestions", event_id=event_id)) == ["Bogoroditse", "Aegis", "äiu"]


def choir_of_33(site: Site) -> None:
    """Aurora with 10 sopranos, 9 altos (Kadri among them), 6 tenors and 8 basses."""
    choir = aurora(site)
    for name, count in (("Soprano", 10), ("Alto", 8), ("Tenor", 6), ("Bass", 8)):
        for number in range(count):
            site.add_member(choir, f"{name} {number}", sections=[name])


def test_coverage_names_the_sections_without_anything_to_sing_from(site):
    choir_of_33(site)
    mari = site.sign_in("aurora", MARI)
    sections = {name: [section_of(mari, name)] for name in ("Soprano", "Alto", "Tenor")}
    works = [
        add_work(mari, "1", score={"edition_type": "vocal_score"}),
        add_work(mari, "2", **{name: {"edition_type": "part", "section_ids": ids} for name, ids in sections.items()}),
        add_work(mari, "3", track={"edition_type": "audio"}),
        add_work(mari, "4", score={}),
    ]
    event_id = add_event(mari, "2026-03-05T16:00:00Z", "Concert", event_type="concert")
    for number, work in enumerate(works, start=1):
        item = mari.done("repertoire.add_work", event_id=event_id, work_id=work.pop("work"))["id"]
        for edition_id in work.values() if number < 4 else ():
            mari.done("repertoire.add_edition", event_id=event_id, item_id=item, edition_id=edition_id)
    found = mari.done("repertoire.coverage", event_id=event_id)
    lines = [(row["status"], [(s["abbreviation"], s["singers"]) for s in row["uncovered"]]) for row in found]
    assert lines == [
        ("covered", []),
        ("uncovered", [("B", 8)]),
        ("uncovered", [("S", 10), ("A", 9), ("T", 6), ("B", 8)]),
        ("no_editions", []),
    ]


def test_what_to_bring_shows_ones_own_copy_and_what_is_lacking(site):
    choir = aurora(site)
    mari, kadri = site.sign_in("aurora", MARI), site.sign_in("aurora", KADRI)
    alto, bass = section_of(mari, "Alto"), section_of(mari, "Bass")
    link = "https://audio.example/track"
    work = add_work(
        mari,
        "Locus iste",
        score={"edition_type": "vocal_score"},
        alto={"edition_type": "part", "section_ids": [alto]},
        bass={"edition_type": "part", "section_ids": [bass]},
        track={"edition_type": "audio", "external_url": link},
    )
    event_id = add_event(mari, "2026-03-05T16:00:00Z")
    item = mari.done("repertoire.add_work", event_id=event_id, work_id=work["work"])["id"]
    for name in ("score", "alto", "bass", "track"):
        mari.done("repertoire.add_edition", event_id=event_id, item_id=item, edition_id=work[name])
    copies = {}
    for name, count in (("score", 40), ("alto", 15), ("bass", 10)):
        mari.done("copy.add_batch", edition_id=work[name], count=count, prefix="M")
        listed = mari.done("copy.list", edition_id=work[name])
        copies[name] = {row["copy_number"]: row["id"] for row in listed}
    for number, person in (("M-07", "Kadri"), ("M-08", "Tõnu")):
        mari.done("copy.assign", copy_id=copies["score"][number], member_id=id_of(mari, person))
    pdf = "UPDATE editions SET file_key = id, file_name = 'score.pdf', file_size = 9 WHERE id = :id"
    site.vault_write(choir, lambda tx: tx.execute(pdf, id=work["score"]))

    brought = kadri.done("materials.what_to_bring", event_id=event_id)
    assert [entry["name"] for entry in brought["entries"]] == ["score", "alto", "track"]
    assert [entry["needs_copy"] for entry in brought["entries"]] == [False, True, False]
    assert brought["entries"][0]["copy"] == {
        "number": "M-07",
        "condition": "good",
        "since": "2026-02-05T10:00:00.000Z",
    }
    assert brought["entries"][2]["link"] == link
    figures = {"works": 1, "editions": 3, "copies_assigned": 1, "digital_available": 1, "warnings": 1}
    assert brought["summary"] == figures
    own = id_of(mari, "Kadri")
    assert mari.done("materials.what_to_bring", event_id=event_id, member_id=own) == brought
    assert refused(kadri.call("materials.what_to_bring", event_id=event_id, member_id=id_of(mari, "Jaan"))) == (
        403,
        "forbidden",
    )
    site.sign_in("aurora", JAAN).done("member.unassign", member_id=own, section_id=alto)
    assert kadri.done("materials.what_to_bring", event_id=event_id)["summary"] == {
        **figures,
        "editions": 4,
        "warnings": 2,
    }
