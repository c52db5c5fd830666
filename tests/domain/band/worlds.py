"""Small bands made by chance, as plain rows: who there is, with which roles, and one of everything they might see."""

import random
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment
from db.transaction import WriteTx
from domain.band.permissions import ROLES
from domain.band.users import add_user, grant_role

PAST, SOON, FUTURE = "2026-01-01T00:00:00.000Z", "2026-04-10T12:00:00.001Z", "2999-01-01T00:00:00.000Z"
NOW = "2026-04-10T12:00:00.000Z"
PEOPLE = 6
Rows = list[dict[str, Any]]


@dataclass
class World:
    """Rows by table, as they were inserted, and the names of the roles that each user holds now."""

    rows: dict[str, Rows] = field(default_factory=dict[str, Rows])
    held: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    users: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, table: str) -> Rows:
        """The rows of a table."""
        return self.rows.setdefault(table, [])


def make_world(tx: WriteTx, seed: int, now: Moment) -> World:
    """Fill a founded band by chance."""
    chance, world = random.Random(seed), World()

    def add(table: str, **values: Any) -> str:
        values = {"id": now.new_id(), **values}
        tx.insert(table, **values)
        world.of(table).append(values)
        return str(values["id"])

    def maybe(value: Any, odds: float = 0.3) -> Any:
        return value if chance.random() < odds else None

    sections = [row["id"] for row in tx.rows("SELECT id FROM sections ORDER BY sort_order")]
    instruments = [row["id"] for row in tx.rows("SELECT id FROM instruments ORDER BY sort_order LIMIT 4")]
    members = _people(tx, world, chance, add, maybe, now)
    for member_id in members:
        for section_id in chance.sample(sections, chance.randrange(3)):
            add("member_sections", member_id=member_id, section_id=section_id, is_leader=chance.randrange(2))
        add("member_instruments", member_id=member_id, instrument_id=chance.choice(instruments))
    for number in range(4):
        piece = add("music_pieces", title=f"P{number}", deleted_at=maybe(PAST))
        part = add("music_parts", piece_id=piece, instrument_id=chance.choice(instruments), part_name="A")
        for member_id in chance.sample(members, 2):
            status = chance.choice(("ASSIGNED", "PICKED_UP", "OVERDUE", "RETURNED"))
            add("music_assignments", piece_id=piece, member_id=member_id, part_id=part, part_name="A", status=status,
                picked_up_at=PAST, returned_at=PAST if status == "RETURNED" else None)  # fmt: skip
    for number in range(4):
        venue = add("venues", name=f"V{number}")
        event = add("events", title=f"E{number}", type="CONCERT", start_time=SOON, end_time=FUTURE, call_time=PAST,
                    dress_code="Black", venue_id=maybe(venue, 0.8), is_published=int(chance.random() < 0.7),
                    deleted_at=maybe(PAST))  # fmt: skip
        add("event_music", event_id=event, piece_id=world.of("music_pieces")[number]["id"], notes="n")
        for _ in range(2):
            section = maybe(chance.choice(sections), 0.5)
            add("event_notes", event_id=event, content="x", target_section=section,
                is_public=0 if section else chance.randrange(2))  # fmt: skip
        for member_id in chance.sample(members, 3):
            add("attendance", event_id=event, member_id=member_id, status="PRESENT", marked_at=PAST)
    _content(chance, add, maybe, list(world.users.values()))
    return world


def _people(tx: WriteTx, world: World, chance: random.Random, add: Any, maybe: Any, now: Moment) -> list[str]:
    members: list[str] = []
    for number in range(PEOPLE):
        name = f"P{number}"
        user_id = add_user(tx, email=f"{name.lower()}@riverside.example", name=name, verified=True, now=now)
        world.users[name], held = user_id, set[str]()
        for role in chance.sample([role for role in ROLES if role != "PUBLIC"], chance.randrange(3)):
            expires_at = maybe(PAST) or maybe(FUTURE)
            grant_role(tx, user_id, role, assigned_by=None, now=now, expires_at=expires_at)
            if expires_at != PAST:
                held.add(role)
        world.held[name] = held
        status = chance.choice(("ACTIVE", "LEAVE_OF_ABSENCE", "PENDING", "INACTIVE"))
        members.append(add("members", user_id=maybe(user_id, 0.8), first_name=name, last_name="Player", status=status,
                           notes="private", emergency_name=tx.value(
                               "SELECT personal_seal('members.emergency_name', 'Mum')"),
                           deleted_at=maybe(PAST, 0.15)))  # fmt: skip
    return members


def _content(chance: random.Random, add: Any, maybe: Any, users: list[str]) -> None:
    for number in range(5):
        status = chance.choice(("DRAFT", "PUBLISHED", "PUBLISHED", "ARCHIVED"))
        page = add("pages", title=f"G{number}", slug=f"g{number}", content='"x"', status=status,
                   published_at=chance.choice((PAST, NOW, SOON)), deleted_at=maybe(PAST, 0.2))  # fmt: skip
        add("page_versions", page_id=page, version=1, content="{}")
    for number in range(6):
        roles = chance.choice(("[]", '["MUSICIAN"]', '["PUBLIC"]', '["ADMIN","LIBRARIAN"]'))
        add("announcements", title=f"N{number}", content="x", target_roles=roles, created_by=chance.choice(users),
            status=chance.choice(("DRAFT", "PUBLISHED", "PUBLISHED")), published_at=chance.choice((PAST, NOW, SOON)),
            expires_at=chance.choice((None, NOW, SOON)))  # fmt: skip
        add("user_notifications", user_id=chance.choice(users), type="SYSTEM", title="x", message="x")
