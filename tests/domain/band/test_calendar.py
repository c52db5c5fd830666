"""The band's calendar: what is played, who sees which note, who marks whom, and the figures of it."""

from functools import partial

import pytest

from db.errors import Conflict, Forbidden, Invalid, NotFound
from tests.domain.band.riverside import PROGRAMME, build


@pytest.fixture
def band(stage):
    stage.story = build(stage.tx, stage.now)
    return stage


def refused_code(kind, call):
    with pytest.raises(kind) as refused:
        call()
    return refused.value.code


def rehearsal(band, start="2026-04-07T19:00:00Z", end="2026-04-07T21:00:00Z", kind="REHEARSAL"):
    event_id = band.call("event.create", "Dana", title="Rehearsal", type=kind, start_time=start, end_time=end)["id"]
    band.call("event.publish", "Dana", event_id=event_id)
    return event_id


def active(band):
    return [row[0] for row in band.rows("SELECT id FROM members WHERE status = 'ACTIVE' ORDER BY first_name")]


def sheet(members, **counts):
    statuses = [status.upper() for status, count in counts.items() for _ in range(count)]
    return [{"member_id": member, "status": status} for member, status in zip(members, statuses, strict=True)]


def test_an_encore_is_played_twice_and_listed_once(band):
    e1, pieces = band.story.e1, band.story.pieces
    assert band.call("event.get", "", event_id=e1)["programme"]["total_seconds"] == 3325
    titles = [title for title, _ in PROGRAMME] + ["American Patrol"]
    written = band.call("programme.replace", "Dana", event_id=e1, items=[{"piece_id": pieces[one]} for one in titles])
    assert (len(written["items"]), written["total_seconds"]) == (9, 3550)
    assert band.value("SELECT count(*) FROM event_music WHERE event_id = ?", e1) == 8
    assert band.value("SELECT json_array_length(program_order) FROM events WHERE id = ?", e1) == 9
    again = partial(band.call, "programme.add", "Dana", event_id=e1, piece_id=pieces["Sea Songs"])
    assert refused_code(Conflict, again) == "already_in_programme"
    ids = [row[0] for row in band.rows("SELECT id FROM event_music ORDER BY sort_order")]
    with pytest.raises(Invalid, match="1 of 8"):
        band.call("programme.reorder", "Dana", event_id=e1, ids=ids[1:])
    band.call("programme.reorder", "Dana", event_id=e1, ids=ids[::-1])
    assert [row[0] for row in band.rows("SELECT id FROM event_music ORDER BY sort_order")] == ids[::-1]
    band.call("programme.remove", "Dana", event_id=e1, event_music_id=ids[3])
    assert band.rows("SELECT sort_order FROM event_music ORDER BY sort_order") == [(place,) for place in range(7)]


def test_times_stand_in_order_in_the_verb_and_in_the_database(band):
    e1 = band.story.e1
    with pytest.raises(Invalid, match="end_time"):
        band.call("event.update", "Dana", event_id=e1, end_time="2026-05-01T19:00:00Z")
    with pytest.raises(Invalid, match="call_time"):
        band.call("event.update", "Dana", event_id=e1, call_time="2026-05-01T19:30:00Z")
    with pytest.raises(Invalid) as refused, band.transaction():
        band.connection.execute("UPDATE events SET end_time = start_time")
    assert refused.value.code == "23514"


def test_a_note_is_seen_by_those_it_is_meant_for(band):
    e1, brass = band.story.e1, band.named("sections", "Brass")
    for number, (public, section) in enumerate([(1, None), (0, None), (0, brass)]):
        band.tx.insert("event_notes", id=f"n{number}", event_id=e1, content="x", is_public=public,
                       target_section=section)  # fmt: skip
    seen = {who: len(band.call("event.get", who, event_id=e1)["notes"]) for who in ("", "M16", "M31", "Dana")}
    assert seen == {"": 1, "M16": 2, "M31": 3, "Dana": 3}
    assert "call_time" not in band.call("event.get", "", event_id=e1)
    assert band.call("event.get", "M16", event_id=e1)["call_time"] == "2026-05-01T18:00:00.000Z"


def test_an_unpublished_event_is_not_there_for_who_does_not_plan(band):
    band.call("event.unpublish", "Dana", event_id=band.story.e1)
    for who in ("", "M16"):
        with pytest.raises(NotFound):
            band.call("event.get", who, event_id=band.story.e1)
        assert band.call("event.list", who) == []
    assert band.call("event.get", "Dana", event_id=band.story.e1)["is_published"] == 0


def test_a_roll_call_gives_the_figures_of_the_band_and_its_sections(band):
    e2 = rehearsal(band)
    band.at = "2026-04-06T10:00:00.000Z"
    assert band.call("event.rsvp", "M05", event_id=e2, status="MAYBE")["status"] == "EXCUSED"
    band.at = "2026-04-10T12:00:00.000Z"
    assert band.call("attendance.initialise", "Dana", event_id=e2) == {"count": 53}
    # The story: 17 of 21 brass, 4 of 5 percussion and 23 of 28 woodwinds are there.
    missing = {"Woodwinds": 5, "Brass": 4, "Percussion": 1}
    others = iter(["LATE"] * 3 + ["LEFT_EARLY"] * 2 + ["EXCUSED"] * 3 + ["ABSENT"] * 2)
    records = []
    for section, count in missing.items():
        rows = band.rows("SELECT m.id FROM members m JOIN member_sections p ON p.member_id = m.id JOIN sections s"
                         " ON s.id = p.section_id WHERE s.name = ? AND m.status = 'ACTIVE'", section)  # fmt: skip
        for index, (member_id,) in enumerate(rows):
            records.append({"member_id": member_id, "status": next(others) if index < count else "PRESENT"})
    assert band.call("attendance.mark_sheet", "Dana", event_id=e2, records=records) == {"count": 54}
    stats = band.call("report.event_attendance", "Dana", event_id=e2)
    assert (stats["total"], stats["present"], stats["attendance_rate"]) == (54, 44, 81)
    sections = band.call("report.attendance_by_section", "Dana", event_id=e2)
    assert [(one["name"], one["attendance_rate"], one["member_count"]) for one in sections] == [
        ("Brass", 81, 24), ("Percussion", 80, 6), ("Woodwinds", 82, 30),
    ]  # fmt: skip
    with pytest.raises(Invalid):
        band.call("attendance.mark_sheet", "Dana", event_id=e2, records=[*records, records[0]])
    assert band.value("SELECT count(*) FROM attendance") == 54
    kept = band.value("SELECT id FROM attendance WHERE member_id = ?", records[0]["member_id"])
    assert band.call("attendance.mark_sheet", "Dana", event_id=e2, records=records[:53]) == {"count": 53}
    assert band.value("SELECT id FROM attendance WHERE member_id = ?", records[0]["member_id"]) == kept
    assert band.value("SELECT count(*) FROM attendance WHERE member_id = ?", records[53]["member_id"]) == 0


def test_halves_are_rounded_up_and_nothing_is_nothing(band):
    sectional = rehearsal(band, kind="SECTIONAL")
    records = sheet(active(band)[:8], present=5, absent=3)
    band.call("attendance.mark_sheet", "Dana", event_id=sectional, records=records)
    assert band.call("report.event_attendance", "Dana", event_id=sectional)["attendance_rate"] == 63
    m12 = band.story.members[12]
    band.tx.execute("DELETE FROM attendance")
    for number in range(40):
        day = f"2025-{number // 20 + 1:02d}-{number % 20 + 1:02d}"
        event_id = rehearsal(band, f"{day}T19:00:00Z", f"{day}T21:00:00Z")
        status = "PRESENT" if number < 33 else "LATE" if number < 36 else "ABSENT"
        band.call("attendance.mark", "Dana", event_id=event_id, member_id=m12, status=status)
    stats = band.call("report.member_attendance", "M12")
    assert (stats["total"], stats["attendance_rate"], stats["punctuality_rate"]) == (40, 83, 90)
    assert band.call("report.member_attendance", "M13")["attendance_rate"] == 0
    with pytest.raises(Forbidden) as refused:
        band.call("report.member_attendance", "M13", member_id=m12)
    assert refused.value.code == "out_of_scope"


def test_a_leader_marks_the_section_and_a_player_only_the_own_row(band):
    e2, members = rehearsal(band), band.story.members
    assert band.call("attendance.mark", "M31", event_id=e2, member_id=members[33], status="LATE")["status"] == "LATE"
    other = partial(band.call, "attendance.mark", "M16", event_id=e2, member_id=members[33], status="LATE")
    assert refused_code(Forbidden, other) == "out_of_scope"
    # The event is over: the lock holds for who has only the own row, not for a leader.
    band.call("attendance.mark", "M31", event_id=e2, member_id=members[31], status="PRESENT")
    own = partial(band.call, "attendance.mark", "M16", event_id=e2, member_id=members[16], status="PRESENT")
    assert refused_code(Conflict, own) == "attendance_locked"


def test_an_answer_is_locked_once_somebody_else_marked(band):
    e1, m16 = band.story.e1, band.story.members[16]
    assert band.call("event.rsvp", "M16", event_id=e1, status="NO")["status"] == "ABSENT"
    band.call("attendance.mark", "Dana", event_id=e1, member_id=m16, status="EXCUSED")
    answer = partial(band.call, "event.rsvp", "M16", event_id=e1, status="YES")
    assert refused_code(Conflict, answer) == "attendance_locked"
    with pytest.raises(Invalid):
        band.call("event.rsvp", "M16", event_id=e1, status="LEFT_EARLY")
    future = partial(band.call, "attendance.mark", "Dana", event_id=e1, member_id=m16, status="LATE",
                               marked_at="2026-04-11T12:00:00Z")  # fmt: skip
    assert refused_code(Invalid, future) == "marked_in_future"
    with pytest.raises(Conflict) as refused, band.transaction():
        band.connection.execute("UPDATE attendance SET marked_at = '2999-01-01T00:00:00.000Z'")
    assert refused.value.code == "marked_in_future"
    band.call("event.cancel", "Dana", event_id=e1)
    assert refused_code(Conflict, answer) == "event_cancelled"


def test_a_moved_or_cancelled_concert_is_told_once_to_every_active_member(band):
    e1 = band.story.e1
    band.call("event.update", "Dana", event_id=e1, title="Spring Gala")
    assert band.value("SELECT count(*) FROM user_notifications") == 0
    band.call("event.update", "Dana", event_id=e1, start_time="2026-05-01T19:30:00Z")
    assert band.value("SELECT count(*) FROM user_notifications WHERE type = 'SYSTEM'") == 53
    band.at = "2026-04-11T12:00:00.000Z"
    band.call("event.cancel", "Dana", event_id=e1)
    assert band.value("SELECT count(*) FROM user_notifications") == 106
    again = partial(band.call, "event.cancel", "Dana", event_id=e1)
    assert refused_code(Conflict, again) == "invalid_transition"


@pytest.mark.parametrize(
    ("kind", "columns"),
    [("detailed", 11), ("member-summary", 10), ("event-summary", 11)],
)
def test_attendance_leaves_as_a_table_and_the_audit_log_says_so(band, kind, columns):
    e2 = rehearsal(band)
    band.call("attendance.mark_sheet", "Dana", event_id=e2, records=sheet(active(band)[:8], present=5, late=3))
    rows = band.call("attendance.export", "Dana", kind=kind, event_type="REHEARSAL")
    assert [len(row) for row in rows] == [columns] * (1 if kind == "event-summary" else 8)
    if kind == "event-summary":
        assert (rows[0]["Total Records"], rows[0]["Present"], rows[0]["Attendance Rate (%)"]) == (8, 5, 63)
    assert band.tx.notes[-1][1]["kind"] == kind
    with pytest.raises(Forbidden):
        band.call("attendance.export", "M31", kind=kind)
