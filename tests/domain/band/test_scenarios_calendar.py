"""Riverside's calendar told over HTTP: programme, notes, roll call, figures and who marks whom; scenarios 9 to 13."""

import sqlite3

import pytest

from tests.domain.band.riverside import PROGRAMME


def pieces(band, *titles):
    return [{"piece_id": band.ids.pieces[title]} for title in titles]


def rehearsal(band, start="2026-04-07T19:00:00Z", end="2026-04-07T21:00:00Z", kind="REHEARSAL"):
    event_id = band.done("Dana", "event.create", title="E2", type=kind, start_time=start, end_time=end)["id"]
    band.done("Dana", "event.publish", event_id=event_id)
    return event_id


def active(band, section="%"):
    rows = band.stored(
        "SELECT m.id FROM members AS m JOIN member_sections AS p ON p.member_id = m.id"
        " JOIN sections AS s ON s.id = p.section_id WHERE m.status = 'ACTIVE' AND s.name LIKE :section"
        " ORDER BY m.first_name",
        section=section,
    )
    return [row["id"] for row in rows]


def sheet(band):
    """44 PRESENT, 3 LATE, 2 LEFT_EARLY, 3 EXCUSED, 2 ABSENT: four of the brass and one drummer are not there."""
    others = iter(["LATE"] * 3 + ["LEFT_EARLY"] * 2 + ["EXCUSED"] * 3 + ["ABSENT"] * 2)
    return [
        {"member_id": member_id, "status": next(others) if place < missing else "PRESENT"}
        for section, missing in (("Woodwinds", 5), ("Brass", 4), ("Percussion", 1))
        for place, member_id in enumerate(active(band, section))
    ]


def test_9_an_encore_is_played_twice_and_times_stand_in_order(riverside):
    e1 = riverside.ids.e1
    assert riverside.done("", "event.get", event_id=e1)["programme"]["total_seconds"] == 3325
    items = pieces(riverside, *(title for title, _ in PROGRAMME), "American Patrol")
    written = riverside.done("Dana", "programme.replace", event_id=e1, items=items)
    assert (len(written["items"]), written["total_seconds"]) == (9, 3550)
    assert len(riverside.rows("Dana", "event_music")) == 8
    assert len(riverside.rows("M16", "events")[0]["program_order"]) == 9
    again = riverside.ids.pieces["Sea Songs"]
    assert riverside.refused("Dana", "programme.add", event_id=e1, piece_id=again) == (409, "already_in_programme")
    ids = [row["id"] for row in riverside.rows("Dana", "event_music?order=sort_order")]
    assert riverside.refused("Dana", "programme.reorder", event_id=e1, ids=ids[:7])[0] == 400
    for given in ({"end_time": "2026-05-01T19:00:00Z"}, {"call_time": "2026-05-01T19:30:00Z"}):
        answer = riverside.call("Dana", "event.update", event_id=e1, **given)
        assert (answer.status, answer.json()["details"]) == (400, next(iter(given)))
    with pytest.raises(sqlite3.IntegrityError, match="check_event_times"):
        riverside.write(lambda tx: tx.execute("UPDATE events SET end_time = start_time"))


def test_10_a_note_is_seen_by_those_it_is_meant_for(riverside):
    e1, brass, dana = riverside.ids.e1, riverside.named("sections", "Brass"), riverside.caller("Dana")
    for note in ({"is_public": 1}, {}, {"target_section": brass}):
        assert dana.add("event_notes", {"event_id": e1, "content": "x", **note}).status == 201
    cards = {who: riverside.done(who, "event.get", event_id=e1) for who in ("", "M16", "M31", "Dana")}
    assert {who: len(card["notes"]) for who, card in cards.items()} == {"": 1, "M16": 2, "M31": 3, "Dana": 3}
    assert {who: len(riverside.rows(who, "event_notes")) for who in cards} == {"": 1, "M16": 2, "M31": 3, "Dana": 3}
    assert "call_time" not in cards[""]
    assert set(cards[""]["programme"]["items"][0]) == {"title", "composer", "arranger"}
    assert riverside.rows("", "events?select=call_time,dress_code,program_order")[0] == {
        "call_time": None, "dress_code": None, "program_order": None,
    }  # fmt: skip
    assert cards["M16"]["call_time"] == "2026-05-01T18:00:00.000Z"
    refused = dana.add("event_notes", {"event_id": e1, "content": "x", "is_public": 1, "target_section": brass})
    assert (refused.status, refused.json()["code"]) == (400, "note_visibility_conflict")


def test_11_a_roll_call_gives_the_figures_of_the_band_and_its_sections(riverside):
    e2 = rehearsal(riverside)
    riverside.at("2026-04-06T10:00:00.000Z")
    assert riverside.done("M05", "event.rsvp", event_id=e2, status="MAYBE")["status"] == "EXCUSED"
    riverside.at("2026-04-07T21:30:00.000Z")
    assert riverside.done("Dana", "attendance.initialise", event_id=e2) == {"count": 53}
    records = sheet(riverside)
    assert riverside.done("Dana", "attendance.mark_sheet", event_id=e2, records=records) == {"count": 54}
    stats = riverside.done("Dana", "report.event_attendance", event_id=e2)
    assert [stats[name] for name in ("present", "late", "left_early", "excused", "absent")] == [44, 3, 2, 3, 2]
    assert stats["attendance_rate"] == 81
    sections = riverside.done("Dana", "report.attendance_by_section", event_id=e2)
    assert [(one["name"], one["present"], one["total"], one["attendance_rate"], one["member_count"])
            for one in sections] == [("Brass", 17, 21, 81, 24), ("Percussion", 4, 5, 80, 6),
                                     ("Woodwinds", 23, 28, 82, 30)]  # fmt: skip
    before = riverside.stored("SELECT * FROM attendance ORDER BY id")
    twice = riverside.refused("Dana", "attendance.mark_sheet", event_id=e2, records=[*records, records[1]])
    assert twice[0] == 400
    assert riverside.stored("SELECT * FROM attendance ORDER BY id") == before
    assert riverside.done("Dana", "attendance.mark_sheet", event_id=e2, records=records[:53]) == {"count": 53}
    gone = records[53]["member_id"]
    assert riverside.rows("Dana", f"attendance?event_id=eq.{e2}&member_id=eq.{gone}") == []


def test_12_halves_are_rounded_up_and_nothing_is_nothing(riverside):
    sectional = rehearsal(riverside, kind="SECTIONAL")
    marks = [{"member_id": one, "status": "PRESENT" if place < 5 else "ABSENT"}
             for place, one in enumerate(active(riverside)[:8])]  # fmt: skip
    riverside.done("Dana", "attendance.mark_sheet", event_id=sectional, records=marks)
    assert riverside.done("Dana", "report.event_attendance", event_id=sectional)["attendance_rate"] == 63
    m12, now = riverside.ids.members[12], riverside.clock()

    def forty(tx):
        tx.execute("DELETE FROM attendance")
        for number in range(40):
            event_id, day = now.new_id(), f"2025-{number // 20 + 1:02d}-{number % 20 + 1:02d}"
            tx.insert("events", id=event_id, title="R", type="REHEARSAL", start_time=f"{day}T19:00:00.000Z",
                      end_time=f"{day}T21:00:00.000Z", is_published=1)  # fmt: skip
            status = "PRESENT" if number < 33 else "LATE" if number < 36 else "ABSENT"
            tx.insert("attendance", id=now.new_id(), event_id=event_id, member_id=m12, status=status)

    riverside.write(forty)
    for who, member_id in (("Dana", m12), ("M12", None)):
        stats = riverside.done(who, "report.member_attendance", member_id=member_id)
        assert (stats["total"], stats["attendance_rate"], stats["punctuality_rate"]) == (40, 83, 90)
    assert riverside.done("M13", "report.member_attendance")["attendance_rate"] == 0


def test_13_who_marks_whom_and_when_an_answer_is_locked(riverside):
    e1, e2, members = riverside.ids.e1, rehearsal(riverside), riverside.ids.members

    def mark(who, number, status, event_id=e2, **more):
        return riverside.call(
            who, "attendance.mark", event_id=event_id, member_id=members[number], status=status, **more
        )

    assert mark("M31", 33, "LATE").status == 200
    outside = mark("M31", 16, "LATE")
    assert (outside.status, outside.json()["code"]) == (403, "out_of_scope")
    assert mark("M31", 31, "PRESENT").status == 200
    assert riverside.done("M16", "event.rsvp", event_id=e1, status="NO")["status"] == "ABSENT"
    assert mark("Dana", 16, "EXCUSED", e1).status == 200
    assert riverside.refused("M16", "event.rsvp", event_id=e1, status="YES") == (409, "attendance_locked")
    assert riverside.refused("M17", "event.rsvp", event_id=e1, status="LEFT_EARLY")[0] == 400
    tomorrow = mark("Dana", 16, "LATE", e1, marked_at="2026-04-11T12:00:00Z")
    assert (tomorrow.status, tomorrow.json()["code"]) == (400, "marked_in_future")
    with pytest.raises(sqlite3.IntegrityError, match="marked_in_future"):
        riverside.write(lambda tx: tx.execute("UPDATE attendance SET marked_at = '2999-01-01T00:00:00.000Z'"))
    riverside.done("Dana", "event.cancel", event_id=e1)
    cancelled = mark("Dana", 16, "PRESENT", e1)
    assert (cancelled.status, cancelled.json()["code"]) == (409, "event_cancelled")


def test_answers_are_counted_by_the_minute(riverside):
    e1 = riverside.ids.e1
    for number in range(10):
        riverside.done("M16", "event.rsvp", event_id=e1, status=("YES", "NO")[number % 2])
    answer = riverside.call("M16", "event.rsvp", event_id=e1, status="YES")
    assert (answer.status, answer.header("retry-after")) == (429, "60")
    assert riverside.call("M17", "event.rsvp", event_id=e1, status="YES").status == 200
    riverside.at("2026-04-10T12:01:00.001Z")
    assert riverside.call("M16", "event.rsvp", event_id=e1, status="YES").status == 200
