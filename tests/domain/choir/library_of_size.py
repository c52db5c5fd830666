"""An association's library of real size, the same for the same seed: three collectives, 400 works, 1,500 copies."""

import random

from db.principal import guest
from tests.domain.choir.stage import Stage

WORKS, COPIES, MEMBERS, LOANS, COMPLAINTS = 400, 1500, 120, 1100, 90
SLUGS = ("aurora", "meretuul", "harmonia")
SECTIONS = ("Soprano", "Alto", "Tenor", "Baritone", "Bass")
CONDITIONS = ("good", "good", "good", "fair", "poor", "lost")
DAY = "2026-01-12T10:00:00.000Z"


def fill(stage: Stage, seed: int = 7) -> dict[str, str]:
    """The ids of the organizations by subdomain; `owner@{subdomain}.example` owns each. Closed loans make history."""
    chance = random.Random(seed)
    stage.connection.execute("BEGIN")
    orgs = {slug: stage.choir(slug, owner=f"owner@{slug}.example") for slug in SLUGS}
    orgs["union"] = stage.choir("union", owner="owner@union.example", kind="umbrella")
    for number, slug in enumerate(SLUGS):
        stage.tx.insert("affiliations", id=f"affiliation-{number}", collective_id=orgs[slug],
                        umbrella_id=orgs["union"], joined_at=DAY)  # fmt: skip
    people = {slug: _people(stage, orgs[slug], slug, MEMBERS // 3, chance) for slug in SLUGS}
    editions = [_edition(stage, number, orgs[SLUGS[number % 3]], chance) for number in range(WORKS)]
    for number in range(COPIES):
        place = number % WORKS
        stage.tx.insert("physical_copies", id=f"copy-{number}", edition_id=editions[place],
                        copy_number=f"M-{number // WORKS + 1:02d}", condition=chance.choice(CONDITIONS),
                        created_at=DAY)  # fmt: skip
        _lend(stage, number, people[SLUGS[place % 3]], chance)
    _plan(stage, orgs, editions)
    stage.connection.execute("COMMIT")
    for number in range(COMPLAINTS):
        complaint = {"edition_id": editions[number], "claimant_name": "C", "claimant_email": "c@x.example"}
        stage.call("takedown.submit", guest(orgs[SLUGS[number % 3]]), **complaint, reason="mine", attestation=True)
    return orgs


def _people(stage: Stage, org: str, slug: str, count: int, chance: random.Random) -> list[str]:
    """So many members, one in five of them roster-only, each in one or two sections."""
    made: list[str] = []
    for number in range(count):
        email = None if number % 5 == 0 else f"{slug}-{number}@x.example"
        member_id = stage.singer(org, f"{slug} {number:03d}", email=email)
        for place, name in enumerate(chance.sample(SECTIONS, 1 + number % 2)):
            stage.tx.insert("member_sections", member_id=member_id, section_id=stage.entry(org, name),
                            is_primary=int(place == 0))  # fmt: skip
        made.append(member_id)
    return made


def _edition(stage: Stage, number: int, org: str, chance: random.Random) -> str:
    """An edition of a work of its own; every third is meant for two sections."""
    stage.tx.insert("works", id=f"work-{number}", org_id=org, title=f"Work {chance.randrange(10**6):06d}",
                    composer=f"Composer {number % 40}", created_at=DAY)  # fmt: skip
    edition_id = f"edition-{number}"
    stage.tx.insert("editions", id=edition_id, work_id=f"work-{number}", name="Choir score", file_size=1000 + number,
                    license_type=chance.choice(("public_domain", "owned", "licensed")), created_at=DAY)  # fmt: skip
    for name in chance.sample(SECTIONS, 2) if number % 3 == 0 else ():
        stage.tx.insert("edition_sections", edition_id=edition_id, section_id=stage.entry(org, name))
    return edition_id


def _lend(stage: Stage, number: int, people: list[str], chance: random.Random) -> None:
    """A closed loan, and for most copies an open one."""
    loan = {"copy_id": f"copy-{number}", "assigned_at": DAY, "created_at": DAY}
    stage.tx.insert("copy_assignments", id=f"closed-{number}", member_id=chance.choice(people),
                    returned_at=DAY, **loan)  # fmt: skip
    lost = stage.value("SELECT condition FROM physical_copies WHERE id = ?", f"copy-{number}") == "lost"
    if number < LOANS and not lost:
        stage.tx.insert("copy_assignments", id=f"open-{number}", member_id=chance.choice(people), **loan)


def _plan(stage: Stage, orgs: dict[str, str], editions: list[str]) -> None:
    """A season and a concert of 30 works for each collective."""
    for place, slug in enumerate(SLUGS):
        stage.tx.insert("seasons", id=f"season-{slug}", org_id=orgs[slug], name="Spring", start_date=DAY[:10])
        stage.tx.insert("events", id=f"event-{slug}", org_id=orgs[slug], title="Concert", starts_at=DAY,
                        event_type="concert")  # fmt: skip
        for position, number in enumerate(range(place, 90, 3)):
            for kind in ("season", "event"):
                item = f"{kind}-{number}"
                stage.connection.execute(
                    f"INSERT INTO {kind}_works (id, {kind}_id, work_id, display_order) VALUES (?, ?, ?, ?)",
                    (item, f"{kind}-{slug}", f"work-{number}", position),
                )
                stage.connection.execute(
                    f"INSERT INTO {kind}_work_editions (id, {kind}_work_id, edition_id, is_primary)"
                    " VALUES (?, ?, ?, 1)",
                    (item, item, editions[number]),
                )
