"""A year of an association, the same for the same seed: choirs, singers, library, seasons, events, who came.

Fills an empty choir vault through its tables, so that their constraints and triggers check every row. Tests and
benchmarks share it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.choir_library import SECTIONS, add_complaints, add_copies, add_works
from db.clock import Moment, timestamp, timestamp_ms
from db.transaction import WriteTx
from domain.charter import Founding
from domain.choir.founding import found
from domain.choir.membership import add_membership, add_person

NOW = "2026-02-05T10:00:00.000Z"
SEASONS = (("Autumn", "2025-09-01"), ("Spring", "2026-01-12"))
FIRST_EVENT = datetime(2025, 9, 2, 15, tzinfo=UTC)
BOARD = "union@year.example"


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of each, over all collectives together; two seasons each."""

    collectives: int = 3
    members: int = 120
    events: int = 90
    works: int = 400
    copies: int = 1500
    complaints: int = 90
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
    copies: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Year:
    """An association: the umbrella's id and its choirs. BOARD signs in to the umbrella."""

    umbrella_id: str
    collectives: tuple[Collective, ...]


def fill(tx: WriteTx, seed: int = 1, size: Size | None = None) -> Year:
    """Everything, in one transaction."""
    size, chance = size or Size(), random.Random(seed)
    now = Moment(timestamp_ms(NOW), chance.randbytes)
    umbrella_id = found(tx, Founding("union", "Union", BOARD, {"type": "umbrella"}), now)
    collectives = tuple(_collective(tx, umbrella_id, number, now) for number in range(size.collectives))
    _people(tx, collectives, size.members, chance, now)
    for number, choir in enumerate(collectives):

        def share(total: int, number: int = number) -> int:
            """This choir's part of the total; the first ones take what is left over."""
            return total // len(collectives) + (number < total % len(collectives))

        choir.works.extend(add_works(tx, choir.org_id, share(size.works), chance, now))
        _seasons(tx, choir, size, chance, now)
        _events(tx, choir, share(size.events), size, chance, now)
        _participation(tx, choir, chance, now)
        choir.copies.extend(add_copies(tx, choir.org_id, share(size.copies), choir.members[1:], chance, now))
        add_complaints(tx, choir.works[: share(size.complaints)], now)
    return Year(umbrella_id, collectives)


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


def _people(tx: WriteTx, collectives: Sequence[Collective], count: int, chance: random.Random, now: Moment) -> None:
    """Of ten people one is roster-only and in one choir, three are in all choirs but one, six in every choir.

    The conductors are members already and sing in their own choir only.
    """
    for number in range(count):
        turn = collectives[number // 10 % len(collectives)]
        roster_only, misses_one = number % 10 == 0, number % 10 in (1, 2, 3) and len(collectives) > 1
        email = None if roster_only else f"singer{number}@year.example"
        member_id = add_person(tx, now, name=f"Singer {number:04d}", email_id=email)
        for choir in collectives:
            if (choir is turn) if roster_only else not (misses_one and choir is turn):
                _place(tx, choir, member_id, chance, now)


def _place(tx: WriteTx, choir: Collective, member_id: str, chance: random.Random, now: Moment) -> None:
    """Let the person sing in the choir, in a section and now and then in a second one."""
    add_membership(tx, choir.org_id, member_id, None, now)
    choir.members.append(member_id)
    for place, name in enumerate(chance.sample(SECTIONS, 2 if chance.random() < 0.2 else 1)):
        section_id = f"{choir.org_id}-{name}"
        tx.insert("member_sections", member_id=member_id, section_id=section_id, is_primary=int(place == 0))


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
