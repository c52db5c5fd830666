"""Riverside Concert Band: sixty members, their users, one concert of eight pieces and the parts of First Suite.

Written straight into the tables of a founded band, so that a test begins where its story begins. Sam is its owner.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from db.clock import Moment
from db.transaction import WriteTx
from domain.band.users import add_user, grant_role

HOST = "riverside.example"
_GROUPS: tuple[tuple[str, str, int], ...] = (
    # section, primary instrument, how many
    ("Woodwinds", "Piccolo", 1),
    ("Woodwinds", "Flute", 6),
    ("Woodwinds", "Oboe", 1),
    ("Woodwinds", "Bassoon", 2),
    ("Woodwinds", "B♭ Clarinet", 10),
    ("Woodwinds", "Bass Clarinet", 2),
    ("Woodwinds", "Alto Saxophone", 4),
    ("Woodwinds", "Tenor Saxophone", 2),
    ("Woodwinds", "Baritone Saxophone", 2),
    ("Brass", "Trumpet", 8),
    ("Brass", "French Horn", 4),
    ("Brass", "Trombone", 5),
    ("Brass", "Bass Trombone", 1),
    ("Brass", "Euphonium", 3),
    ("Brass", "Tuba", 3),
    ("Percussion", "Percussion", 5),
    ("Percussion", "Timpani", 1),
)
_NOT_ACTIVE = {
    7: "LEAVE_OF_ABSENCE",
    59: "LEAVE_OF_ABSENCE",
    30: "PENDING",
    38: "AUDITION",
    47: "INACTIVE",
    54: "ALUMNI",
}
_LEADERS = {11, 31}
_NO_USER = {20}
_STAFF = {"Ada": "ADMIN", "Dana": "DIRECTOR"}
PROGRAMME: tuple[tuple[str, int], ...] = (
    ("The Star-Spangled Banner", 95),
    ("First Suite in E-flat", 660),
    ("Irish Tune from County Derry", 240),
    ("Lincolnshire Posy", 960),
    ("American Patrol", 225),
    ("Second Suite in F", 690),
    ("Sea Songs", 240),
    ("The Stars and Stripes Forever", 215),
)
_PARTS: tuple[tuple[str, str, int], ...] = (
    # name of the part, instrument, how many of them (0: one without a number)
    ("Piccolo", "Piccolo", 0),
    ("Flute", "Flute", 2),
    ("Oboe", "Oboe", 0),
    ("Bassoon", "Bassoon", 2),
    ("Clarinet", "B♭ Clarinet", 3),
    ("Bass Clarinet", "Bass Clarinet", 0),
    ("Alto Sax", "Alto Saxophone", 2),
    ("Tenor Sax", "Tenor Saxophone", 0),
    ("Baritone Sax", "Baritone Saxophone", 0),
    ("Trumpet", "Trumpet", 3),
    ("Horn", "French Horn", 4),
    ("Trombone", "Trombone", 2),
    ("Bass Trombone", "Bass Trombone", 0),
    ("Euphonium", "Euphonium", 0),
    ("Tuba", "Tuba", 0),
    ("Percussion", "Percussion", 2),
    ("Timpani", "Timpani", 0),
)


@dataclass(slots=True)
class Riverside:
    """Ids by the names of the story: members and their users by number, pieces by title, E1 the Spring Concert."""

    members: dict[int, str] = field(default_factory=dict[int, str])
    users: dict[str, str] = field(default_factory=dict[str, str])
    pieces: dict[str, str] = field(default_factory=dict[str, str])
    parts: dict[str, str] = field(default_factory=dict[str, str])
    e1: str = ""


def email(who: str) -> str:
    """The address of `M16`, `Dana` …"""
    return f"{who.lower()}@{HOST}"


def _people() -> Iterator[tuple[int, str, str]]:
    """Number, section and primary instrument of every member."""
    number = 0
    for section, instrument, count in _GROUPS:
        for _ in range(count):
            number += 1
            yield number, section, instrument


def build(tx: WriteTx, now: Moment) -> Riverside:
    """Fill the founded band."""
    band = Riverside()
    band.users["Sam"] = tx.value("SELECT id FROM users")
    for name, role in _STAFF.items():
        band.users[name] = _user(tx, name, now, role)
    for number, section, instrument in _people():
        _add_member(tx, band, number, section, instrument, now)
    tx.insert("system_settings", id=now.new_id(), key="email_notifications_enabled", value="true", updated_at=now.text)
    _add_music(tx, band, now)
    return band


def _user(tx: WriteTx, name: str, now: Moment, *roles: str) -> str:
    user_id = add_user(tx, email=email(name), name=name, verified=True, now=now)
    for role in roles:
        grant_role(tx, user_id, role, assigned_by=None, now=now)
    return user_id


def _add_member(tx: WriteTx, band: Riverside, number: int, section: str, instrument: str, now: Moment) -> None:
    name, status = f"M{number:02d}", _NOT_ACTIVE.get(number, "ACTIVE")
    roles = ["MUSICIAN"] if status in ("ACTIVE", "LEAVE_OF_ABSENCE") else []
    roles += ["SECTION_LEADER"] if number in _LEADERS else []
    roles += ["LIBRARIAN"] if number == 21 else []
    has_user = (bool(roles) or number == 54) and number not in _NO_USER
    if has_user:
        band.users[name] = _user(tx, name, now, *roles)
    band.members[number] = now.new_id()
    tx.insert(
        "members",
        id=band.members[number],
        user_id=band.users.get(name),
        first_name=name,
        last_name="Player",
        status=status,
        join_date=f"20{number // 12:02d}-{number % 12 + 1:02d}-01T00:00:00.000Z",
        leave_date="2016-03-31T00:00:00.000Z" if number == 54 else None,
    )
    tx.insert(
        "member_instruments",
        id=now.new_id(),
        member_id=band.members[number],
        instrument_id=tx.value("SELECT id FROM instruments WHERE name = :name", name=instrument),
        is_primary=1,
    )
    tx.insert(
        "member_sections",
        id=now.new_id(),
        member_id=band.members[number],
        section_id=tx.value("SELECT id FROM sections WHERE name = :name", name=section),
        is_leader=int(number in _LEADERS),
    )


def _add_music(tx: WriteTx, band: Riverside, now: Moment) -> None:
    holst, venue = now.new_id(), now.new_id()
    tx.insert("persons", id=holst, first_name="Gustav", last_name="Holst", full_name="Holst, Gustav")
    tx.insert("venues", id=venue, name="Memorial Hall")
    for title, seconds in PROGRAMME:
        band.pieces[title] = now.new_id()
        composer = holst if "Suite" in title else None
        tx.insert("music_pieces", id=band.pieces[title], title=title, duration=seconds, composer_id=composer)
    for name, instrument, count in _PARTS:
        for part_name in [f"{name} {one}" for one in range(1, count + 1)] or [name]:
            _add_part(tx, band, part_name, instrument, optional=False, now=now)
    _add_part(tx, band, "String Bass", "String Bass", optional=True, now=now)
    band.e1 = now.new_id()
    tx.insert(
        "events",
        id=band.e1,
        title="Spring Concert",
        type="CONCERT",
        start_time="2026-05-01T19:00:00.000Z",
        end_time="2026-05-01T21:00:00.000Z",
        call_time="2026-05-01T18:00:00.000Z",
        dress_code="Concert black",
        venue_id=venue,
        is_published=1,
    )
    for place, (title, _) in enumerate(PROGRAMME):
        tx.insert("event_music", id=now.new_id(), event_id=band.e1, piece_id=band.pieces[title], sort_order=place)


def _add_part(tx: WriteTx, band: Riverside, name: str, instrument: str, *, optional: bool, now: Moment) -> None:
    band.parts[name] = now.new_id()
    tx.insert(
        "music_parts",
        id=band.parts[name],
        piece_id=band.pieces["First Suite in E-flat"],
        instrument_id=tx.value("SELECT id FROM instruments WHERE name = :name", name=instrument),
        part_name=name,
        is_optional=int(optional),
    )
