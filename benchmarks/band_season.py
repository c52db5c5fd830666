"""A band of real size, the same for the same seed: players, library with parts, years of events, who holds what.

Fills a founded band's vault through its tables, so that their constraints and triggers check every row. Tests and
benchmarks share it.
"""

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from db.clock import Moment, timestamp_ms
from db.transaction import WriteTx
from domain.band.first_run import INSTRUMENTS
from domain.band.users import add_user, grant_role

NOW = "2026-04-10T12:00:00.000Z"
FIRST_EVENT = datetime(2021, 9, 6, 19, tzinfo=UTC)
HOST = "season.example"
DIRECTOR, LIBRARIAN, PLAYER = f"director@{HOST}", f"librarian@{HOST}", f"player7@{HOST}"
_FAMILY_SECTION = {"Woodwind": "Woodwinds", "Brass": "Brass", "Percussion": "Percussion"}
_FIRST = ("Festive", "Second", "American", "Northern", "Solemn", "Dancing", "Old", "Silver", "Irish", "Grand")
_LAST = ("Suite", "Overture", "March", "Fantasia", "Dances", "Hymn", "Rhapsody", "Songs", "Prelude", "Variations")
_GENRES = ("March", "Concert", "Film", "Jazz", None)
_MARKS = ("PRESENT",) * 8 + ("LATE", "EXCUSED", "ABSENT", "LEFT_EARLY")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of each. parts: over all pieces together; marks: of attendance."""

    members: int = 80
    pieces: int = 1200
    parts: int = 14_000
    events: int = 300
    marks: int = 20_000
    composers: int = 200
    assignments: int = 2_400
    pages: int = 40
    announcements: int = 60


@dataclass(frozen=True, slots=True)
class Season:
    """The ids of what the band has, in the order in which it was added."""

    members: list[str] = field(default_factory=list[str])
    users: list[str] = field(default_factory=list[str])
    pieces: list[str] = field(default_factory=list[str])
    events: list[str] = field(default_factory=list[str])
    assignments: list[str] = field(default_factory=list[str])
    pages: list[str] = field(default_factory=list[str])


def fill(tx: WriteTx, seed: int = 1, size: Size | None = None) -> Season:
    """Everything, in one transaction."""
    size, chance, season = size or Size(), random.Random(seed), Season()
    now = Moment(timestamp_ms(NOW), chance.randbytes)
    for email, role in ((DIRECTOR, "DIRECTOR"), (LIBRARIAN, "LIBRARIAN")):
        grant_role(tx, _user(tx, email, now), role, assigned_by=None, now=now)
    _players(tx, season, size.members, now)
    _library(tx, season, size, chance, now)
    _calendar(tx, season, size, chance, now)
    _assignments(tx, season, size.assignments, chance, now)
    _content(tx, season, size, now)
    return season


def _user(tx: WriteTx, email: str, now: Moment) -> str:
    return add_user(tx, email=email, name=email.partition("@")[0], verified=True, now=now)


def _players(tx: WriteTx, season: Season, count: int, now: Moment) -> None:
    """Everybody plays; the first of each section leads it, every tenth is away."""
    sections = {row["name"]: row["id"] for row in tx.rows("SELECT id, name FROM sections")}
    instruments = {row["name"]: row["id"] for row in tx.rows("SELECT id, name FROM instruments")}
    seats = [(name, _FAMILY_SECTION[family]) for family in _FAMILY_SECTION for name in INSTRUMENTS[family]]
    led = set[str]()
    for number in range(count):
        instrument, section = seats[number % len(seats)]
        user_id, member_id = _user(tx, f"player{number}@{HOST}", now), now.new_id()
        grant_role(tx, user_id, "MUSICIAN", assigned_by=None, now=now)
        if section not in led:
            grant_role(tx, user_id, "SECTION_LEADER", assigned_by=None, now=now)
        status = "LEAVE_OF_ABSENCE" if number % 10 == 9 else "ACTIVE"
        tx.insert("members", id=member_id, user_id=user_id, first_name=f"First{number:02d}",
                  last_name=f"Last{number % 37:02d}", status=status, join_date="2015-01-01T00:00:00.000Z")  # fmt: skip
        tx.insert("member_instruments", id=now.new_id(), member_id=member_id, instrument_id=instruments[instrument],
                  is_primary=1)  # fmt: skip
        tx.insert("member_sections", id=now.new_id(), member_id=member_id, section_id=sections[section],
                  is_leader=int(section not in led))  # fmt: skip
        led.add(section)
        season.members.append(member_id)
        season.users.append(user_id)


def _library(tx: WriteTx, season: Season, size: Size, chance: random.Random, now: Moment) -> None:
    instruments = [row["id"] for row in tx.rows("SELECT id FROM instruments ORDER BY sort_order")]
    composers = [now.new_id() for _ in range(size.composers)]
    for number, composer in enumerate(composers):
        tx.insert("persons", id=composer, first_name=f"Given{number}", last_name=f"Composer{number:03d}",
                  full_name=f"Composer{number:03d}, Given{number}")  # fmt: skip
    for number in range(size.pieces):
        piece_id = now.new_id()
        title = f"{chance.choice(_FIRST)} {chance.choice(_LAST)} {number}"
        tx.insert("music_pieces", id=piece_id, title=title, composer_id=chance.choice(composers),
                  duration=chance.randrange(60, 1200), genre=chance.choice(_GENRES), catalog_number=f"C-{number:05d}",
                  difficulty=f"GRADE_{chance.randrange(1, 7)}", is_archived=int(number % 12 == 11),
                  tags=json.dumps([chance.choice(("easter", "parade", "youth"))]))  # fmt: skip
        for place in range(size.parts // size.pieces + (number < size.parts % size.pieces)):
            tx.insert("music_parts", id=now.new_id(), piece_id=piece_id, instrument_id=instruments[place % 29],
                      part_name=f"Part {place + 1}")  # fmt: skip
        season.pieces.append(piece_id)


def _calendar(tx: WriteTx, season: Season, size: Size, chance: random.Random, now: Moment) -> None:
    """A rehearsal every six days, every eighth a concert with a programme; marks only of what is over."""
    moment = FIRST_EVENT
    for number in range(size.events):
        event_id, concert = now.new_id(), number % 8 == 7
        tx.insert("events", id=event_id, title=f"{'Concert' if concert else 'Rehearsal'} {number}",
                  type="CONCERT" if concert else "REHEARSAL", start_time=f"{moment:%Y-%m-%dT%H:%M:%S.000Z}",
                  end_time=f"{moment + timedelta(hours=2):%Y-%m-%dT%H:%M:%S.000Z}", is_published=1)  # fmt: skip
        for place in range(8 if concert else 0):
            piece_id = season.pieces[(number * 8 + place) % len(season.pieces)]
            tx.insert("event_music", id=now.new_id(), event_id=event_id, piece_id=piece_id, sort_order=place)
        season.events.append(event_id)
        moment += timedelta(days=6)
    over = [event_id for event_id in season.events if _is_over(tx, event_id)]
    per_event = -(-size.marks // len(over))
    left = size.marks
    for event_id in over:
        for member_id in chance.sample(season.members, min(per_event, left)):
            tx.insert("attendance", id=now.new_id(), event_id=event_id, member_id=member_id,
                      status=chance.choice(_MARKS), marked_at="2026-04-01T08:00:00.000Z")  # fmt: skip
        left -= min(per_event, left)


def _is_over(tx: WriteTx, event_id: str) -> bool:
    return bool(tx.value("SELECT end_time < :now FROM events WHERE id = :id", now=NOW, id=event_id))


def _assignments(tx: WriteTx, season: Season, count: int, chance: random.Random, now: Moment) -> None:
    """Most have come back; of the newest three hundred most are out."""
    for number in range(count):
        assignment_id, out = now.new_id(), count - number <= 300
        part = tx.row("SELECT id, part_name FROM music_parts WHERE piece_id = :id ORDER BY part_name LIMIT 1",
                      id=season.pieces[number % len(season.pieces)])  # fmt: skip
        assert part is not None
        status = chance.choice(("ASSIGNED", "PICKED_UP", "OVERDUE")) if out else "RETURNED"
        tx.insert("music_assignments", id=assignment_id, piece_id=season.pieces[number % len(season.pieces)],
                  member_id=season.members[number % len(season.members)], part_id=part["id"],
                  part_name=part["part_name"], status=status, due_date="2026-05-01T19:00:00.000Z",
                  picked_up_at=None if status == "ASSIGNED" else NOW, returned_at=None if out else NOW,
                  assigned_at=f"2026-0{1 + out}-01T00:00:{number % 60:02d}.000Z")  # fmt: skip
        season.assignments.append(assignment_id)


def _content(tx: WriteTx, season: Season, size: Size, now: Moment) -> None:
    for number in range(size.pages):
        page_id = now.new_id()
        tx.insert("pages", id=page_id, title=f"Concert report {number}", slug=f"news/report-{number}", content='""',
                  raw_markdown=f"The band played piece {number}.", status="PUBLISHED",
                  published_at=f"2025-0{number % 9 + 1}-01T08:00:00.000Z")  # fmt: skip
        season.pages.append(page_id)
    for number in range(size.announcements):
        announcement_id = now.new_id()
        tx.insert("announcements", id=announcement_id, title=f"News {number}", content="x", status="PUBLISHED",
                  published_at=f"2025-0{number % 9 + 1}-01T08:00:00.000Z")  # fmt: skip
        for user_id in season.users:
            tx.insert("user_notifications", id=now.new_id(), user_id=user_id, type="ANNOUNCEMENT",
                      title=f"News {number}", message="x", announcement_id=announcement_id,
                      dedupe_key=f"ann:{announcement_id}:{user_id}", created_at=now.text)  # fmt: skip
