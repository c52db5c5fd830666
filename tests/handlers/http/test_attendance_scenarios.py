"""Who comes and who came, over HTTP: the clock of an answer, sums, the roster, joint events of an umbrella."""

from typing import Any

import pytest

from tests.handlers.http.planning import (
    JAAN,
    KADRI,
    LIIS,
    MARI,
    MERETUUL,
    TONU,
    add_event,
    association,
    aurora,
    id_of,
    section_of,
    titles,
)
from tests.handlers.http.site import Answer, Caller, Choir, Site, make_choir, refused

EVENING = "2026-03-05T16:00:00Z"
TOM = "tom@x.example"


def put(caller: Caller, event_id: str, member_id: str, **halves: Any) -> Answer:
    return caller.call("participation.set", event_id=event_id, member_id=member_id, **halves)


def at(clock: Any, text: str, site: Site, *names: str) -> list[Caller]:
    """The people, signed in at that moment."""
    clock.at(text)
    return [site.sign_in("aurora", name) for name in names]


def test_an_answer_is_open_until_the_first_moment_and_attendance_from_it(site, clock):
    choir = aurora(site)
    anna = site.add_member(choir, "Anna")
    mari = site.sign_in("aurora", MARI)
    event_id, kadri_id = add_event(mari, EVENING), id_of(mari, "Kadri")

    kadri, tonu, jaan = at(clock, "2026-03-05T15:59:00Z", site, KADRI, TONU, JAAN)
    assert put(kadri, event_id, kadri_id, planned_status="late").status == 200
    assert refused(put(tonu, event_id, kadri_id, actual_status="present")) == (409, "event_not_started")
    assert refused(put(kadri, event_id, kadri_id, actual_status="present")) == (409, "event_not_started")
    assert refused(put(jaan, event_id, kadri_id, planned_status="no")) == (403, "forbidden")

    clock.at("2026-03-05T16:00:00Z")
    assert refused(put(kadri, event_id, kadri_id, planned_status="yes")) == (409, "rsvp_closed")
    assert refused(put(kadri, event_id, kadri_id, planned_status=None)) == (409, "rsvp_closed")
    assert refused(put(kadri, event_id, kadri_id, actual_status="present")) == (403, "forbidden")
    recorded = put(tonu, event_id, kadri_id, actual_status="present").json()
    assert (recorded["planned_status"], recorded["actual_status"]) == ("late", "present")
    assert (recorded["recorded_by"], recorded["recorded_at"]) == (id_of(tonu, "Tõnu"), "2026-03-05T16:00:00.000Z")
    assert refused(put(jaan, event_id, kadri_id, actual_status="absent")) == (403, "forbidden")
    assert put(tonu, event_id, kadri_id, planned_status="no").json()["actual_status"] == "present"

    site.sign_in("aurora", LIIS).done("organization.update", trust_individual_responsibility=True)
    assert put(kadri, event_id, kadri_id, planned_status="yes", actual_status="late").status == 200
    assert refused(put(kadri, event_id, anna, planned_status="yes")) == (403, "forbidden")
    assert refused(put(kadri, event_id, anna, actual_status="present")) == (403, "forbidden")


def test_moving_an_event_reopens_and_closes_answers(site, clock):
    aurora(site)
    mari = site.sign_in("aurora", MARI)
    event_id = add_event(mari, "2026-02-01T16:00:00Z")
    kadri, kadri_id = site.sign_in("aurora", KADRI), id_of(mari, "Kadri")
    assert refused(put(kadri, event_id, kadri_id, planned_status="yes")) == (409, "rsvp_closed")
    mari.done("event.update", event_id=event_id, starts_at="2026-02-06T16:00:00Z")
    assert put(kadri, event_id, kadri_id, planned_status="yes").status == 200
    mari.done("event.update", event_id=event_id, starts_at="2026-02-01T16:00:00Z")
    assert refused(put(kadri, event_id, kadri_id, planned_status="no")) == (409, "rsvp_closed")


def test_the_two_halves_are_kept_apart_and_cleared_apart(site, clock):
    aurora(site)
    (tonu,) = at(clock, "2026-03-05T12:00:00Z", site, TONU)
    event_id, own = add_event(site.sign_in("aurora", MARI), "2026-03-05T12:00:01Z"), id_of(tonu, "Tõnu")
    first = put(tonu, event_id, own, planned_status="no", planned_notes=" ill ").json()
    assert (first["planned_status"], first["planned_notes"], first["planned_at"]) == (
        "no", "ill", "2026-03-05T12:00:00.000Z",
    )  # fmt: skip
    clock.tick(60)
    there = put(tonu, event_id, own, actual_status="present").json()
    assert (there["id"], there["planned_status"], there["actual_status"]) == (first["id"], "no", "present")
    assert (there["created_at"], there["updated_at"]) == ("2026-03-05T12:00:00.000Z", "2026-03-05T12:01:00.000Z")
    kept = put(tonu, event_id, own, planned_status="maybe").json()
    assert (kept["planned_notes"], kept["actual_status"]) == ("ill", "present")
    gone = put(tonu, event_id, own, planned_status=None).json()
    assert [gone[name] for name in ("planned_status", "planned_at", "planned_notes")] == [None] * 3
    assert gone["actual_status"] == "present"
    gone = put(tonu, event_id, own, actual_status=None).json()
    assert [gone[name] for name in ("actual_status", "recorded_at", "recorded_by")] == [None] * 3


def test_a_role_token_records_as_nobody_and_owns_no_row(site, clock):
    choir = aurora(site)
    mari = site.sign_in("aurora", MARI)
    event_id, kadri_id = add_event(mari, "2026-02-01T16:00:00Z"), id_of(mari, "Kadri")
    conductor = site.guest("aurora").with_token(site.api_token(choir, "conductor"))
    recorded = put(conductor, event_id, kadri_id, actual_status="present").json()
    assert (recorded["actual_status"], recorded["recorded_by"]) == ("present", None)
    member = site.guest("aurora").with_token(site.api_token(choir, "member"))
    assert refused(put(member, event_id, kadri_id, planned_status="yes")) == (403, "forbidden")


def many(site: Site, choir: Choir, count: int) -> list[str]:
    """So many roster people."""
    return [site.add_member(choir, f"Singer {number:02d}") for number in range(count)]


def test_a_summary_counts_every_member_once(site, clock):
    choir = make_choir(site, "aurora", owner=LIIS)
    site.add_member(choir, "Mari", MARI, ["conductor"])
    people = many(site, choir, 28)
    mari = site.sign_in("aurora", MARI)
    event_id = add_event(mari, "2026-02-05T11:00:00Z")
    for status, some in (
        ("yes", people[:18]),
        ("no", people[18:22]),
        ("maybe", people[22:25]),
        ("late", people[25:26]),
    ):
        for member_id in some:
            assert put(mari, event_id, member_id, planned_status=status).status == 200
    summary = mari.done("participation.summary", event_id=event_id)
    assert [summary[name] for name in ("members", "yes", "no", "maybe", "late", "no_response")] == [30, 18, 4, 3, 1, 4]
    clock.tick(3600)
    mari = site.sign_in("aurora", MARI)
    entries = [
        *({"member_id": member_id, "actual_status": "present"} for member_id in people[:19]),
        *({"member_id": member_id, "actual_status": "absent"} for member_id in people[19:25]),
        *({"member_id": member_id, "actual_status": "late"} for member_id in people[25:27]),
    ]
    assert mari.done("participation.set_attendance_bulk", event_id=event_id, entries=entries) == {"written": 27}
    put(mari, event_id, people[0], planned_status=None)
    summary = mari.done("participation.summary", event_id=event_id)
    assert [summary[name] for name in ("present", "absent", "late_arrivals", "not_recorded")] == [19, 6, 2, 3]
    assert (summary["yes"], summary["no_response"]) == (17, 5)
    site.sign_in("aurora", LIIS).done("member.remove", member_id=people[1])
    summary = mari.done("participation.summary", event_id=event_id)
    assert [summary[name] for name in ("members", "yes", "present", "no_response")] == [29, 16, 18, 5]
    assert len(mari.done("participation.list", event_id=event_id)) == 29


def test_one_bad_entry_refuses_the_whole_attendance_list(site, clock):
    choir = aurora(site)
    other = make_choir(site, "harmonia")
    stranger = site.add_member(other, "Stranger")
    mari, tonu, jaan = (site.sign_in("aurora", name) for name in (MARI, TONU, JAAN))
    event_id, later = add_event(mari, "2026-02-05T09:00:00Z"), add_event(mari, "2026-02-06T09:00:00Z")
    people = many(site, choir, 2)

    def bulk(caller: Caller, *entries: Any, event: str = event_id) -> Answer:
        return caller.call("participation.set_attendance_bulk", event_id=event, entries=list(entries))

    good = [{"member_id": member_id, "actual_status": "present"} for member_id in people]
    assert refused(bulk(mari, *good, {"member_id": stranger, "actual_status": "present"})) == (404, "not_found")
    assert refused(bulk(mari, *good, {"member_id": people[0], "actual_status": "yes"})) == (400, "invalid_input")
    assert refused(bulk(mari, *good, good[0])) == (400, "invalid_input")
    assert refused(bulk(mari, *good, {"member_id": people[0]})) == (400, "invalid_input")
    assert refused(bulk(mari, *good, "Anna")) == (400, "invalid_input")
    assert refused(bulk(mari)) == (400, "invalid_input")
    assert refused(bulk(mari, *[good[0]] * 501)) == (400, "invalid_input")
    assert refused(bulk(jaan, *good)) == (403, "forbidden")
    assert refused(bulk(mari, *good, event=later)) == (409, "event_not_started")
    assert refused(bulk(mari, *good, event="nothing")) == (404, "not_found")
    assert mari.rows("participation") == []
    assert bulk(tonu, *good).json() == {"written": 2}
    assert bulk(tonu, {"member_id": people[0], "actual_status": None}).json() == {"written": 1}
    stored = mari.rows(f"participation?member_id=eq.{people[0]}&select=actual_status,recorded_at,recorded_by")
    assert stored == [{"actual_status": None, "recorded_at": None, "recorded_by": None}]


def matrix(site: Site, clock: Any) -> tuple[Caller, list[str], list[str]]:
    """Mari, three events and four members (two altos, a tenor, one without section): 5 present, 2 late, 1 absent."""
    choir = make_choir(site, "aurora", owner=LIIS)
    people = [
        site.add_member(choir, "Mari", MARI, ["conductor"], sections=["Alto"]),
        site.add_member(choir, "Õie", sections=["Alto"]),
        site.add_member(choir, "Tom", sections=["Tenor"]),
        choir.owner,
    ]
    mari = site.sign_in("aurora", MARI)
    people[3] = mari.rows(f"members?id=not.in.({','.join(people[:3])})&select=id")[0]["id"]
    events = [add_event(mari, f"2026-02-0{day}T16:00:00Z") for day in (1, 2, 3)]
    cells = (
        ("present", "late", None),
        ("present", "present", "absent"),
        ("present", "late", None),
        ("present", None, None),
    )
    for member_id, statuses in zip(people, cells, strict=True):
        for event_id, status in zip(events, statuses, strict=True):
            if status:
                assert put(mari, event_id, member_id, actual_status=status).status == 200
    return mari, people, events


def test_the_roster_shows_every_cell_and_rounds_half_up(site, clock):
    mari, people, events = matrix(site, clock)
    shown = mari.done("roster.view")
    assert shown["average_attendance"] == 63
    assert [event["id"] for event in shown["events"]] == events
    assert [row["member_id"] for row in shown["members"]] == people
    assert {len(row["cells"]) for row in shown["members"]} == {3}
    empty = shown["members"][0]["cells"][2]
    assert [empty[name] for name in ("planned", "actual", "recorded_at")] == [None] * 3
    assert [row["section"] and row["section"]["name"] for row in shown["members"]] == ["Alto", "Alto", "Tenor", None]


def test_the_roster_of_a_section_is_of_its_primary_singers(site, clock):
    mari, people, _ = matrix(site, clock)
    liis = site.sign_in("aurora", LIIS)
    liis.done("member.assign_section", member_id=people[2], section_id=section_of(mari, "Alto"))
    shown = mari.done("roster.view", section_id=section_of(mari, "Alto"))
    assert [row["display_name"] for row in shown["members"]] == ["Mari", "Õie"]
    assert shown["average_attendance"] == 60
    unknown = mari.done("roster.view", section_id="nothing")
    assert (unknown["members"], unknown["average_attendance"], unknown["section_stats"]) == ([], 0, [])


def test_section_lines_count_answers_of_active_sections(site, clock):
    mari, people, events = matrix(site, clock)
    for member_id, status in ((people[0], "yes"), (people[1], "late"), (people[2], "no"), (people[3], "yes")):
        assert put(mari, events[0], member_id, planned_status=status).status == 200
    lines = mari.done("roster.view")["section_stats"]
    assert [
        (line["section"]["name"], line["total"], line["yes"], line["late"], line["responded"]) for line in lines
    ] == [
        ("Alto", 2, 1, 1, 2),
        ("Tenor", 1, 0, 0, 1),
    ]
    site.sign_in("aurora", LIIS).done("section.activate", section_id=section_of(mari, "Tenor"), is_active=False)
    shown = mari.done("roster.view")
    assert [line["section"]["name"] for line in shown["section_stats"]] == ["Alto"]
    assert len(shown["members"]) == 4


def test_a_cell_says_who_may_change_it(site, clock):
    mari, people, _ = matrix(site, clock)
    add_event(mari, "2026-03-01T16:00:00Z")

    def flags(caller: Caller, member_id: str) -> list[tuple[bool, bool]]:
        row = next(row for row in caller.done("roster.view")["members"] if row["member_id"] == member_id)
        return [(cell["planned_editable"], cell["actual_editable"]) for cell in row["cells"]]

    assert flags(mari, people[2]) == [(True, True)] * 3 + [(True, False)]
    liis = site.sign_in("aurora", LIIS)
    assert flags(liis, people[3]) == [(False, False)] * 3 + [(True, False)]
    assert flags(liis, people[0]) == [(False, False)] * 4
    liis.done("organization.update", trust_individual_responsibility=True)
    assert flags(liis, people[3]) == [(True, True)] * 3 + [(True, False)]


def test_the_roster_takes_a_span_a_season_or_the_season_of_today(site, clock):
    mari, _, events = matrix(site, clock)
    liis = site.sign_in("aurora", LIIS)
    autumn, winter = (
        liis.done("season.create", name=day, start_date=day)["id"] for day in ("2025-09-01", "2026-02-02")
    )

    def shown(**asked: str) -> list[str]:
        return [event["id"] for event in mari.done("roster.view", **asked)["events"]]

    assert shown() == shown(season_id=winter) == events[1:]
    assert shown(season_id=autumn) == events[:1]
    assert shown(start="2026-02-01T16:00:00Z", end="2026-02-02T16:00:00Z") == events[:2]
    assert shown(start="2026-02-01T16:00:00.001Z", end="2026-02-02T15:59:59.999Z") == []
    for asked in ({"start": EVENING}, {"end": EVENING}, {"start": EVENING, "end": EVENING, "season_id": winter}):
        assert refused(mari.call("roster.view", **asked)) == (400, "invalid_input")
    assert refused(mari.call("roster.view", season_id="nothing")) == (404, "not_found")


def test_a_roster_person_who_registers_keeps_her_record(site, clock):
    aurora(site)
    jaan, mari = site.sign_in("aurora", JAAN), site.sign_in("aurora", MARI)
    anna = jaan.done("member.add_roster", name="Anna Tamm", sections=["Alto"])["id"]
    event_id = add_event(mari, "2026-02-03T16:00:00Z")
    assert put(mari, event_id, anna, actual_status="present").status == 200
    invite = jaan.done("invite.create", roster_member_id=anna)
    clock.at("2026-02-07T09:59:00Z")
    session = site.session("aurora", "anna@x.example", invite_token=invite["token"])
    person = site.guest("aurora").with_token(session["access_token"])
    assert person.rows("participation?select=member_id,actual_status") == [
        {"member_id": anna, "actual_status": "present"}
    ]


def test_a_conductor_conducts_in_her_own_choir_only(site):
    association(site)
    mari, there = site.sign_in("aurora", MARI), site.sign_in("meretuul", MERETUUL)
    invite = there.done("invite.create", name="Mari")
    mari.at("meretuul").done("invite.accept", token=invite["token"])
    event = {"title": "Rehearsal", "starts_at": EVENING, "event_type": "rehearsal"}
    assert mari.call("event.create_many", events=[event]).status == 200
    assert refused(mari.at("meretuul").call("event.create_many", events=[event])) == (403, "forbidden")
    assert mari.at("meretuul").done("event.list") == []


def test_a_merge_keeps_what_was_recorded_for_both(site, clock):
    choirs = association(site)
    liis, there = site.sign_in("aurora", LIIS), site.sign_in("meretuul", MERETUUL)
    welcome = there.done("invite.create", name="Tom", sections=["Bass"])
    token = site.session("meretuul", TOM, invite_token=welcome["token"])["access_token"]
    tom, survivor = site.guest("meretuul").with_token(token), id_of(there, "Tom")
    thomas = liis.done("member.add_roster", name="Thomas", sections=["Tenor"], roles=["section_leader"])["id"]
    mari = site.sign_in("aurora", MARI)
    events = [add_event(mari, f"2026-02-{day:02d}T16:00:00Z") for day in range(10, 21)]
    # The twelfth is a joint one, for which both of them have a record.
    joint = add_event(site.sign_in("union", choirs["union"].owner), "2026-02-06T16:00:00Z")
    for event_id in (*events, joint):
        assert put(mari, event_id, thomas, planned_status="yes", planned_notes="roster").status == 200
    assert put(tom, joint, survivor, planned_status="late").status == 200
    liis, mari, tom = (*at(clock, "2026-02-06T16:00:00Z", site, LIIS, MARI), site.sign_in("meretuul", TOM))
    assert put(mari, joint, thomas, actual_status="present").status == 200
    invite = liis.done("invite.create", roster_member_id=thomas)
    merged = tom.at("aurora").done("invite.accept", token=invite["token"])
    assert merged == {"member_id": survivor, "outcome": "merged"}
    rows = mari.rows("participation?select=member_id,event_id,planned_status,planned_notes,actual_status")
    assert (len(rows), {row.pop("member_id") for row in rows}) == (12, {survivor})
    both = {"event_id": joint, "planned_status": "late", "planned_notes": None, "actual_status": "present"}
    assert both in rows
    assert sum(row["planned_notes"] == "roster" for row in rows) == 11


def test_an_umbrella_sees_concerts_and_sums_and_no_rehearsal_or_person(site, clock):
    choirs = association(site)
    union, mari = site.sign_in("union", choirs["union"].owner), site.sign_in("aurora", MARI)
    kinds = ["rehearsal"] * 9 + ["retreat"] + ["concert"] * 2
    events = [
        add_event(mari, f"2026-03-{day:02d}T16:00:00Z", f"{kind} {day}", event_type=kind, description="secret")
        for day, kind in enumerate(kinds, start=1)
    ]
    public = union.done("umbrella.public_events")
    assert titles(public) == ["concert 11", "concert 12"]
    assert "secret" not in str(public)
    for event_id in (events[0], events[11]):
        for verb in ("event.get", "participation.list", "participation.summary", "repertoire.get"):
            assert refused(union.call(verb, event_id=event_id)) == (404, "not_found")
    assert refused(union.call("member.get", member_id=id_of(mari, "Kadri"))) == (404, "not_found")
    assert union.rows("events") == union.rows("participation") == []


def end_affiliation(site: Site, choirs: dict[str, Choir], slug: str) -> None:
    ended = "UPDATE affiliations SET left_at = :now WHERE collective_id = :id AND left_at IS NULL"
    site.vault_write(choirs["union"], lambda tx: tx.execute(ended, id=choirs[slug].entry.scope, now=site.clock().text))


def test_a_joint_event_is_answered_by_each_choirs_own_rules(site, clock):
    choirs = association(site)
    union, there = site.sign_in("union", choirs["union"].owner), site.sign_in("meretuul", MERETUUL)
    for name in ("Bass 1", "Bass 2"):
        site.add_member(choirs["meretuul"], name)
    joint = add_event(union, "2026-03-05T16:00:00Z", "Song festival", event_type="festival")
    mari, kadri = site.sign_in("aurora", MARI), site.sign_in("aurora", KADRI)
    kadri_id, bass = id_of(mari, "Kadri"), id_of(there, "Bass 1")
    assert titles(kadri.done("shared.events")) == ["Song festival"]
    assert titles(kadri.done("event.list")) == []
    assert kadri.done("event.get", event_id=joint)["title"] == "Song festival"
    assert refused(mari.call("event.update", event_id=joint, title="x")) == (404, "not_found")
    assert mari.send("DELETE", f"/rest/v1/events?id=eq.{joint}").status in (200, 204)
    assert refused(mari.call("repertoire.add_work", event_id=joint, work_id="x")) == (404, "not_found")
    assert put(kadri, joint, kadri_id, planned_status="yes").status == 200
    # She is on the umbrella's board as well, whose own people's answers it does not read either.
    board = union.done("invite.create", name="Kadri")
    kadri.at("union").done("invite.accept", token=board["token"])
    assert len(kadri.rows("participation")) == 1
    assert refused(put(mari, joint, bass, planned_status="yes")) == (404, "not_found")
    assert refused(put(there, joint, bass, planned_status="yes")) == (403, "forbidden")
    union_id = union.rows("members?select=id")[0]["id"]
    assert refused(put(union, joint, union_id, planned_status="yes")) == (404, "not_found")
    assert refused(union.call("participation.list", event_id=joint)) == (404, "not_found")
    assert refused(union.call("roster.view")) == (404, "not_found")
    assert union.rows("participation") == []

    clock.at("2026-03-05T16:00:00Z")
    mari, kadri, union = (
        site.sign_in("aurora", MARI), site.sign_in("aurora", KADRI), site.sign_in("union", choirs["union"].owner),
    )  # fmt: skip
    assert put(mari, joint, kadri_id, actual_status="present").status == 200
    assert refused(put(kadri, joint, kadri_id, planned_status="no")) == (409, "rsvp_closed")
    here = mari.done("participation.summary", event_id=joint)
    assert [here[name] for name in ("members", "yes", "no_response", "present", "not_recorded")] == [5, 1, 4, 1, 4]
    sums = union.done("participation.summary", event_id=joint)
    assert [sums[name] for name in ("members", "yes", "no_response", "present", "not_recorded")] == [8, 1, 7, 1, 7]

    end_affiliation(site, choirs, "aurora")
    assert refused(kadri.call("event.get", event_id=joint)) == (404, "not_found")
    assert refused(put(mari, joint, kadri_id, actual_status="absent")) == (404, "not_found")
    assert kadri.done("shared.events") == kadri.rows("events") == kadri.rows("participation") == []
    assert union.done("participation.summary", event_id=joint)["members"] == 3


@pytest.mark.parametrize("verb", ["participation.list", "participation.summary", "event.get"])
def test_guests_and_strangers_see_nothing_of_an_event(site, verb):
    aurora(site)
    make_choir(site, "harmonia")
    event_id = add_event(site.sign_in("aurora", MARI), EVENING)
    assert site.guest("aurora").call(verb, event_id=event_id).status == 401
    stranger = site.sign_in("harmonia", "owner@harmonia.example")
    assert refused(stranger.call(verb, event_id=event_id)) == (404, "not_found")
