"""Reminders before events and after rehearsals nobody was marked for. Safe to repeat: each is made once.

Two windows before an event, one hour and twenty-four, that do not overlap: an event made at short notice gives one.
A new start gives new reminders.
"""

from db.clock import Moment
from db.transaction import WriteTx
from domain.band.notices import notify
from domain.charter import CharterJob

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
EVERY_S = 15 * 60

_COMING = """
SELECT id, title, start_time, location FROM events
 WHERE is_cancelled = 0 AND is_published = 1 AND deleted_at IS NULL AND start_time > :after AND start_time <= :until
 ORDER BY start_time, id
"""
# Whoever said no is left alone.
_TO_REMIND = """
SELECT u.id FROM members AS m JOIN users AS u ON u.id = m.user_id AND u.deleted_at IS NULL
 WHERE m.status = 'ACTIVE' AND m.deleted_at IS NULL
   AND NOT EXISTS (
        SELECT 1 FROM attendance WHERE event_id = :event_id AND member_id = m.id AND status = 'ABSENT')
 ORDER BY u.id
"""


def remind(tx: WriteTx, now: Moment) -> int:
    """Remind of events that start within an hour, and of those within a day; how many notifications were made."""
    hour, day = now.later(seconds=_HOUR_S), now.later(seconds=_DAY_S)
    return _remind(tx, "1h", now.text, hour, now) + _remind(tx, "24h", hour, day, now)


def _remind(tx: WriteTx, window: str, after: str, until: str, now: Moment) -> int:
    made = 0
    for event in tx.rows(_COMING, after=after, until=until):
        said = [event["title"], event["start_time"][:16].replace("T", " ") + " UTC", event["location"]]
        for user in tx.rows(_TO_REMIND, event_id=event["id"]):
            made += notify(
                tx,
                user["id"],
                "EVENT_REMINDER",
                event["title"],
                ", ".join(part for part in said if part),
                dedupe_key=f"evt:{event['id']}:{window}:{event['start_time']}:{user['id']}",
                now=now,
                event_id=event["id"],
            )
    return made


_UNMARKED = """
SELECT e.id, e.title FROM events AS e
 WHERE e.is_cancelled = 0 AND e.is_published = 1 AND e.deleted_at IS NULL
   AND e.type IN ('REHEARSAL', 'SECTIONAL', 'CONCERT')
   AND e.start_time > :long_ago AND e.end_time > :week_ago AND e.end_time <= :day_ago
   AND NOT EXISTS (SELECT 1 FROM attendance WHERE event_id = e.id)
 ORDER BY e.end_time, e.id
"""
_STAFF = """
SELECT DISTINCT u.id FROM held_roles AS held JOIN users AS u ON u.id = held.user_id AND u.deleted_at IS NULL
 WHERE held.type IN ('DIRECTOR', 'STAFF') ORDER BY u.id
"""
# No event lasts longer; it lets the index on start_time find the events that ended lately.
_LONGEST_S = 31 * _DAY_S


def remind_of_attendance(tx: WriteTx, now: Moment) -> int:
    """Ask directors and staff for the attendance of events of the last week that have none; how many were asked."""
    made = 0
    week_ago, day_ago = now.later(seconds=-7 * _DAY_S), now.later(seconds=-_DAY_S)
    long_ago = now.later(seconds=-7 * _DAY_S - _LONGEST_S)
    staff = [row["id"] for row in tx.rows(_STAFF)]
    for event in tx.rows(_UNMARKED, long_ago=long_ago, week_ago=week_ago, day_ago=day_ago):
        for user_id in staff:
            made += notify(
                tx,
                user_id,
                "ATTENDANCE_REMINDER",
                "Attendance is missing",
                event["title"],
                dedupe_key=f"att:{event['id']}:{user_id}",
                now=now,
                event_id=event["id"],
            )
    return made


JOBS = (
    CharterJob("events.remind", EVERY_S, remind, "Remind players of events that begin within a day or an hour."),
    CharterJob("attendance.remind", 86400, remind_of_attendance, "Ask staff for attendance that nobody wrote down."),
)
