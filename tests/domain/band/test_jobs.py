"""The band's jobs: each does its work once, however often it runs, and whichever way the clock jumps between."""

import pytest

from domain.band.charter import BAND

DUE = {"start_time": "2026-04-11T10:00:00Z", "end_time": "2026-04-11T12:00:00Z"}
JUMPS = ("2026-04-11T09:30:00.000Z", "2026-05-20T03:00:00.000Z", "2026-04-12T13:00:00.000Z",
         "2026-04-10T12:00:00.000Z", "2026-05-20T03:00:00.000Z")  # fmt: skip
# What each job leaves behind in a band where everything is due; jobs of other rooms have proofs of their own.
LEAVES = {
    "content.publish": "SELECT count(*) FROM pages WHERE status = 'PUBLISHED'",
    "announcements.expire": "SELECT count(*) FROM announcements WHERE status = 'ARCHIVED'",
    "events.remind": "SELECT count(*) FROM user_notifications WHERE type = 'EVENT_REMINDER'",
    "attendance.remind": "SELECT count(*) FROM user_notifications WHERE type = 'ATTENDANCE_REMINDER'",
    "assignments.overdue": "SELECT count(*) FROM music_assignments WHERE status = 'OVERDUE'",
}


def content_of(band):
    """Every row of the band's own tables, and what is to be sent."""
    names = band.stored("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '[a-z]*'"
                        " AND name NOT GLOB '*_fts*' AND name NOT GLOB '*_tri*' AND name NOT GLOB 'vaultry_*'"
                        " AND name NOT GLOB 'sqlite_*'")  # fmt: skip
    tables = {row["name"]: band.stored(f"SELECT * FROM {row['name']} ORDER BY 1, 2") for row in names}
    return tables | {"outbox": band.stored("SELECT id, next_attempt_at FROM vaultry_outbox ORDER BY id")}


def make_everything_due(band):
    """A page and an announcement planned for tomorrow, a rehearsal then, parts that are due, news that end."""
    page = band.done("Dana", "page.create", title="x", slug="x", raw_markdown="x")["id"]
    band.done("Ada", "page.schedule", page_id=page, scheduled_for="2026-04-11T09:00:00Z")
    for plan in ({"expires_at": "2026-04-11T18:00:00Z"}, {}):
        made = band.done("Ada", "announcement.create", title="x", content="x", is_urgent=True, **plan)["id"]
        band.done("Ada", "announcement.schedule", announcement_id=made, publish_at="2026-04-11T09:00:00Z")
    event = band.done("Dana", "event.create", title="x", type="REHEARSAL", **DUE)["id"]
    band.done("Dana", "event.publish", event_id=event)
    piece = band.ids.pieces["First Suite in E-flat"]
    band.done("M21", "music.assign_by_instrument", piece_id=piece, due_date="2026-04-11")


@pytest.mark.parametrize("name", [job.name for job in BAND.jobs])
def test_a_job_has_no_second_effect_and_a_clock_that_jumps_undoes_none(riverside, name):
    make_everything_due(riverside)
    for at in JUMPS:
        riverside.at(at)
        assert riverside.job(name) == 0
        once = content_of(riverside)
        assert riverside.job(name) == 0
        assert content_of(riverside) == once, at
    if name in LEAVES:
        # Nothing ends that another job has not published before.
        assert riverside.value(LEAVES[name]) > 0 or name == "announcements.expire"


def test_all_of_them_together_in_the_order_of_a_week(riverside):
    make_everything_due(riverside)
    jobs = list(LEAVES)
    for at in ("2026-04-11T09:30:00.000Z", "2026-04-12T12:30:00.000Z", "2026-04-10T12:00:00.000Z"):
        riverside.at(at)
        for _ in range(2):
            riverside.job(*jobs)
    left = {name: riverside.value(sql) for name, sql in LEAVES.items()}
    # One of two announcements has ended; 53 players were reminded an hour before, and then, the clock being back, a day
    # before; Dana is asked for the attendance once.
    assert left == {"content.publish": 1, "announcements.expire": 1, "events.remind": 106, "attendance.remind": 1,
                    "assignments.overdue": 54}  # fmt: skip
    assert riverside.value("SELECT count(*) FROM user_notifications WHERE type = 'ANNOUNCEMENT'") == 118
    assert riverside.value("SELECT count(*) FROM vaultry_outbox WHERE kind = 'mail'") == 118
