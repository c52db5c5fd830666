"""A year of an association, the same for the same seed: choirs, singers, works, seasons, events, who came.

Fills an empty choir vault through its tables, so that their constraints and triggers check every row.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from db.clock import Moment, timestamp, timestamp_ms
from db.transaction import WriteTx
from domain.charter import Founding
from domain.choir.founding import found
from domain.choir.membership import add_membership, add_person

NOW = "2026-02-05T10:00:00.000Z"
SEASONS = (("Autumn", "2025-09-01"), ("Spring", "2026-01-12"))
FIRST_EVENT = datetime(2025, 9, 2, 15, tzinfo=UTC)
SECTIONS = ("soprano", "alto", "tenor", "baritone", "bass")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of each, over all collectives together; two seasons each."""

    collectives: int = 3
    members: int = 120
    events: int = 90
    works: int = 400
    season_works: int = 20
    event_works: int = 8


@dataclass(frozen=True, slots=True)
class Collective:
    """The ids of what one choir has. conductor: the address to sign in with."""

    org_id: str
    conductor: str
    members: list[str] = field(default_factory=list[str])
    seasons: list[str] = field(default_factory=list[str])
    events: list[str] = field(default_factory=list[str])
    works: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Year:
    """An association: the umbrella's id and its choirs."""

    umbrella_id: str
    collectives: tuple[Collective, ...]


def fill(tx: WriteTx, seed: int = 1, size: Size | None = None) -> Year:
    """Everything, in one transaction. Half of the members sing in every choir, the others in all but one."""
    size, chance = size or Size(), random.Random(seed)
    now = Moment(timestamp_ms(NOW), chance.randbytes)
    umbrella_id = found(tx, Founding("union", "Union", "union@year.example", {"type": "umbrella"}), now)
    collectives = tuple(_collective(tx, umbrella_id, number, now) for number in range(size.collectives))
    _people(tx, collectives, size, chance, now)
    for number, choir in enumerate(collectives):
        _library(tx, choir, _share(size.works, len(collectives), number), chance, now)
        _seasons(tx, choir, size, chance, now)
        _events(tx, choir, _share(size.events, len(collectives), number), size, chance, now)
        _participation(tx, choir, chance, now)
    return Year(umbrella_id, collectives)


def _share(total: int, parts: int, number: int) -> int:
    """One part of the total; the first ones take what is left over."""
    return total // parts + (number < total % parts)


def _collective(tx: WriteTx, umbrella_id: str, number: int, now: Moment) -> Collective:
    conductor = f"conductor{number}@year.example"
    org_id = found(
        tx, Founding(f"choir{number}", f"Choir {number}", conductor, {"owner_name": f"Conductor {number}"}), now
    )
    owner = tx.value("SELECT member_id FROM member_organizations WHERE org_id = :org_id", org_id=org_id)
    for role in ("conductor", "librarian"):
        tx.insert("member_roles", member_id=owner, org_id=org_id, role=role)
    tx.insert("affiliations", id=now.new_id(), collective_id=org_id, umbrella_id=umbrella_id, joined_at=now.text)
    return Collective(org_id, conductor, [owner])


def _people(tx: WriteTx, collectives: Sequence[Collective], size: Size, chance: random.Random, now: Moment) -> None:
    """The conductors are members already and sing in their own choir only."""
    for number in range(size.members):
        # A roster-only person is of one choir, so whoever sings in several can sign in.
        member_id = add_person(tx, now, name=f"Singer {number:04d}", email_id=f"singer{number}@year.example")
        absent = None if number % 2 == 0 else collectives[(number // 2) % len(collectives)]
        for choir in collectives:
            if choir is not absent or len(collectives) == 1:
                add_membership(tx, choir.org_id, member_id, None, now)
                choir.members.append(member_id)
                section_id = f"{choir.org_id}-{chance.choice(SECTIONS)}"
                tx.insert("member_sections", member_id=member_id, section_id=section_id, is_primary=1)


def _library(tx: WriteTx, choir: Collective, count: int, chance: random.Random, now: Moment) -> None:
    """Each work has a score for everybody and a part for one section."""
    for number in range(count):
        work_id = now.new_id()
        title = f"{chance.choice(('Ave', 'Locus', 'Õhtu', 'Sanctus'))} {number:03d}"
        tx.insert("works", id=work_id, org_id=choir.org_id, title=title, composer=f"Composer {number % 40}")
        for name, edition_type in (("Score", "vocal_score"), ("Part", "part")):
            edition_id = now.new_id()
            tx.insert("editions", id=edition_id, work_id=work_id, name=name, edition_type=edition_type)
            if edition_type == "part":
                section_id = f"{choir.org_id}-{chance.choice(SECTIONS)}"
                tx.insert("edition_sections", edition_id=edition_id, section_id=section_id)
        choir.works.append(work_id)


_PICK_SEASON = """
INSERT INTO season_work_editions (id, season_work_id, edition_id, is_primary)
SELECT :item_id || '.' || name, :item_id, id, name = 'Score' FROM editions WHERE work_id = :work_id
"""
_PICK_EVENT = """
INSERT INTO event_work_editions (id, event_work_id, edition_id, is_primary)
SELECT :item_id || '.' || name, :item_id, id, name = 'Score' FROM editions WHERE work_id = :work_id
"""


def _seasons(tx: WriteTx, choir: Collective, size: Size, chance: random.Random, now: Moment) -> None:
    for name, start_date in SEASONS:
        season_id = now.new_id()
        tx.insert("seasons", id=season_id, org_id=choir.org_id, name=name, start_date=start_date)
        choir.seasons.append(season_id)
        for position, work_id in enumerate(chance.sample(choir.works, min(size.season_works, len(choir.works)))):
            item_id = now.new_id()
            tx.insert("season_works", id=item_id, season_id=season_id, work_id=work_id, display_order=position)
            tx.execute(_PICK_SEASON, item_id=item_id, work_id=work_id)


def _events(tx: WriteTx, choir: Collective, count: int, size: Size, chance: random.Random, now: Moment) -> None:
    """One every ten days, each fifth of them a concert."""
    for number in range(count):
        starts = FIRST_EVENT + timedelta(days=10 * number)
        event_id, kind = now.new_id(), "concert" if number % 5 == 4 else "rehearsal"
        starts_at = timestamp(int(starts.timestamp()) * 1000)
        tx.insert("events", id=event_id, org_id=choir.org_id, title=f"{kind} {number}", starts_at=starts_at,
                  event_type=kind)  # fmt: skip
        choir.events.append(event_id)
        for position, work_id in enumerate(chance.sample(choir.works, min(size.event_works, len(choir.works)))):
            item_id = now.new_id()
            tx.insert("event_works", id=item_id, event_id=event_id, work_id=work_id, display_order=position)
            tx.execute(_PICK_EVENT, item_id=item_id, work_id=work_id)


def _participation(tx: WriteTx, choir: Collective, chance: random.Random, now: Moment) -> None:
    """A record for every singer and event; whether she came is known of what has started."""
    for event_id in choir.events:
        started = tx.value("SELECT starts_at <= :now FROM events WHERE id = :id", now=now.text, id=event_id)
        for member_id in choir.members[1:]:
            planned = chance.choice(("yes", "yes", "yes", "no", "maybe", "late", None))
            actual = chance.choice(("present", "present", "present", "absent", "late", None)) if started else None
            tx.insert("participation", id=now.new_id(), member_id=member_id, event_id=event_id,
                      planned_status=planned, planned_at=planned and now.text,
                      actual_status=actual, recorded_at=actual and now.text)  # fmt: skip
