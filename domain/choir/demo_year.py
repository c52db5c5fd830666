"""A year of the demo choir: seasons, rehearsals, what was sung, who came, who has which copy. Knows verbs; no file.

Played by the charter's own verbs, each at its moment, around the moment of founding: the same figures every time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

from db.clock import Moment, timestamp_ms
from db.principal import Principal, find_principal
from db.transaction import Row, WriteTx
from domain.choir import editions, settings
from domain.choir.event import events, participation
from domain.choir.library import copies, loans
from domain.choir.repertoire import picks, programme
from domain.choir.season import seasons

WEEKS_BACK, WEEKS_AHEAD = 40, 8
# So long before its first day a season is planned.
WEEKS_BEFORE = 5
TUESDAY, SATURDAY = 1, 5
WORKS_OF_SEASON, WORKS_OF_CONCERT = 8, 6
COPIES = 34
# Of a season that is over so many copies are still somewhere.
KEPT = 4
_AFTER_MS = 2 * 3600 * 1000

_SCORES = """
SELECT w.id AS work_id, e.id AS edition_id
  FROM works AS w JOIN editions AS e ON e.id = (
       SELECT id FROM editions WHERE work_id = w.id AND edition_type = 'vocal_score' AND voicing = 'SATB'
        ORDER BY name LIMIT 1)
 WHERE w.org_id = :org_id ORDER BY w.composer, w.title
"""
_SINGERS = """
SELECT m.id, m.name FROM members AS m JOIN member_organizations AS o ON o.member_id = m.id
 WHERE o.org_id = :org_id ORDER BY m.name
"""
_HIGH_VOICES = """
SELECT w.id AS work_id, e.id AS edition_id FROM editions AS e JOIN works AS w ON w.id = e.work_id
 WHERE w.org_id = :org_id AND e.voicing = 'SA' ORDER BY w.title LIMIT 1
"""
_HIGH_SECTIONS = "SELECT id FROM sections WHERE org_id = :org_id AND name IN ('Soprano', 'Alto') ORDER BY id"


@dataclass(frozen=True, slots=True)
class _Season:
    """A season of the calendar and its last days. concert, retreat: the days of them."""

    name: str
    first: date
    last: date
    concert: date
    retreat: date


@dataclass(frozen=True, slots=True)
class _Stage:
    """Who acts for whom. begin: the moment of founding."""

    tx: WriteTx
    conductor: Principal
    singers: Sequence[Row]
    begin: Moment

    def on(self, day: date, at: str = "10:00") -> Moment:
        """A moment of that day, in UTC."""
        return Moment(timestamp_ms(f"{day.isoformat()}T{at}:00Z"), self.begin.random_bytes)


def play(tx: WriteTx, owner: Principal, conductor: str, now: Moment) -> None:
    """Fill the choir's calendar. conductor: the normalised address of the member who acts."""
    lookup = str(tx.value("SELECT personal_lookup(:email)", email=conductor))
    mari = find_principal(tx, conductor, lookup, owner.scope)
    if mari is None:
        raise AssertionError("the demo's conductor is registered first")
    stage = _Stage(tx, mari, tx.rows(_SINGERS, org_id=owner.scope), now)
    settings.update(tx, owner, {"conductor_id": mari.id}, now)
    for_high_voices = _mean_for_high_voices(tx, owner, now)
    scores = tx.rows(_SCORES, org_id=owner.scope)
    today = date.fromisoformat(now.text[:10])
    span = today - timedelta(weeks=WEEKS_BACK), today + timedelta(weeks=WEEKS_BEFORE)
    for number, season in enumerate(_calendar(*span)):
        first = number * WORKS_OF_SEASON % (len(scores) - WORKS_OF_SEASON)
        _play_season(stage, owner, season, [*scores[first : first + WORKS_OF_SEASON], *for_high_voices])


def _calendar(first: date, last: date) -> Iterator[_Season]:
    """The seasons of the days from `first` to `last`: one begins in January, one in September."""
    for year in range(first.year - 1, last.year + 1):
        spring = _Season(f"Spring {year}", date(year, 1, 10), date(year, 5, 31), date(year, 5, 23), date(year, 3, 14))
        autumn = _Season(f"Autumn {year}", date(year, 9, 1), date(year, 12, 18), date(year, 12, 12), date(year, 10, 17))
        yield from (season for season in (spring, autumn) if season.last >= first and season.first <= last)


def _next(day: date, weekday: int) -> date:
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def _play_season(stage: _Stage, owner: Principal, season: _Season, scores: Sequence[Row]) -> None:
    """Everything of one season: the repertoire and its copies first, then event by event."""
    tx, today = stage.tx, date.fromisoformat(stage.begin.text[:10])
    planned = stage.on(season.first - timedelta(days=14))
    made = seasons.create(tx, owner, {"name": season.name, "start_date": season.first.isoformat()}, planned)
    _choose(stage, {"season_id": made["id"]}, scores, planned)
    for event in _plan_events(stage, season, today + timedelta(weeks=WEEKS_AHEAD)):
        if event["event_type"] == "concert":
            _choose(stage, {"event_id": event["id"]}, scores[-WORKS_OF_CONCERT:], planned)
        _take_attendance(stage, event)
    if season.first <= today:
        _lend(stage, season, scores[:2], over=season.last < today)


def _choose(stage: _Stage, where: dict[str, str], scores: Sequence[Row], now: Moment) -> None:
    for score in scores:
        item = programme.add_work(stage.tx, stage.conductor, {**where, "work_id": score["work_id"]}, now)
        pick = {**where, "item_id": item["id"], "edition_id": score["edition_id"]}
        picks.add_edition(stage.tx, stage.conductor, pick, now)


def _plan_events(stage: _Stage, season: _Season, until: date) -> list[dict[str, str]]:
    """The events of the season up to that day: a rehearsal each Tuesday, a retreat, a concert."""
    day, wanted = _next(season.first, TUESDAY), list[dict[str, str]]()
    while day <= min(season.last, until):
        wanted.append(_event("Rehearsal", "rehearsal", "Town hall", day, "16:00", "18:30"))
        day += timedelta(weeks=1)
    wanted.append(
        _event("Weekend in the country", "retreat", "Manor", _next(season.retreat, SATURDAY), "08:00", "16:00")
    )
    wanted.append(
        _event(f"{season.name} concert", "concert", "St. John's", _next(season.concert, SATURDAY), "17:00", "18:30")
    )
    planned = stage.on(season.first - timedelta(days=14))
    return events.create_many(stage.tx, stage.conductor, {"events": wanted}, planned)


def _event(title: str, kind: str, place: str, day: date, start: str, end: str) -> dict[str, str]:
    at = {"starts_at": f"{day.isoformat()}T{start}:00.000Z", "ends_at": f"{day.isoformat()}T{end}:00.000Z"}
    return {"title": title, "event_type": kind, "location": place, **at}


def _take_attendance(stage: _Stage, event: dict[str, str]) -> None:
    """Note who came to what is over, and who said what about the next weeks."""
    starts_ms = timestamp_ms(event["starts_at"])
    over = starts_ms + _AFTER_MS <= stage.begin.ms
    now = Moment(starts_ms + _AFTER_MS, stage.begin.random_bytes) if over else stage.begin
    for singer in stage.singers:
        said = _said(singer["name"], event["starts_at"])
        halves = {"planned_status": said[0], "actual_status": said[1]} if over else {"planned_status": said[0]}
        if any(halves.values()):
            args = {"event_id": event["id"], "member_id": singer["id"], **halves}
            participation.set_one(stage.tx, stage.conductor, args, now)


def _said(name: str, starts_at: str) -> tuple[str | None, str | None]:
    """What a singer answers and does: some come always, some now and then; the same in every demo of that day."""
    zeal, luck = 72 + crc32(name.encode()) % 25, crc32(f"{name} {starts_at[:10]}".encode()) % 100
    if luck < zeal:
        return ("yes" if luck % 5 else None, "present")
    if luck % 3 == 0:
        return ("late", "late")
    return ("no" if luck % 2 else "maybe", "absent")


def _lend(stage: _Stage, season: _Season, scores: Sequence[Row], *, over: bool) -> None:
    """Copies of two works in everybody's hands; when the season is over, most of them back and one lost."""
    start, end = stage.on(season.first), stage.on(min(season.last, date.fromisoformat(stage.begin.text[:10])))
    for score in scores:
        batch = {"edition_id": score["edition_id"], "count": COPIES, "prefix": "A", "condition": "good"}
        made = copies.add_batch(stage.tx, stage.conductor, batch, start)
        lent = [
            loans.assign(stage.tx, stage.conductor, {"copy_id": copy["id"], "member_id": singer["id"]}, start)
            for copy, singer in zip(made, stage.singers, strict=False)
        ]
        if over:
            back = {"assignment_ids": [loan["id"] for loan in lent[KEPT:]]}
            loans.bulk_return(stage.tx, stage.conductor, back, end)
            copies.update(stage.tx, stage.conductor, {"copy_id": made[-1]["id"], "condition": "lost"}, end)


def _mean_for_high_voices(tx: WriteTx, owner: Principal, now: Moment) -> list[Row]:
    """A score for two upper voices, which is meant for the sections that sing them."""
    scores = tx.rows(_HIGH_VOICES, org_id=owner.scope)
    sections = [row["id"] for row in tx.rows(_HIGH_SECTIONS, org_id=owner.scope)]
    for score in scores:
        editions.update(tx, owner, {"edition_id": score["edition_id"], "section_ids": sections}, now)
    return scores
