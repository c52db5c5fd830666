"""What a choir asks for over a year of real size, in the engine with its guard: its season first, then its library."""

from pathlib import Path

from benchmarks.charter_reads import filled_vault, read_line
from benchmarks.choir_year import NOW, Collective, fill
from benchmarks.table import Line
from db.clock import Moment, timestamp_ms
from db.vault.vault import Vault
from domain.choir.charter import CHOIR

MOMENT = Moment(timestamp_ms(NOW))


def choir_reads(folder: Path) -> list[Line]:
    """The median of each read, and the longest of them. There is no reference to hold it against."""
    vault, year, seconds = filled_vault(folder, CHOIR, fill, MOMENT)
    try:
        choir = year.collectives[0]
        filled = Line("a year of three choirs written in one commit", f"{seconds:.1f} s", "", "", "")
        who, asked = (choir.conductor, choir.org_id), (*_season(choir), *_library(vault, choir))
        return [filled, *(read_line(vault, CHOIR, who, verb, args, MOMENT) for verb, args in asked)]
    finally:
        vault.close()


Asked = tuple[tuple[str, dict[str, str]], ...]


def _season(choir: Collective) -> Asked:
    season, event = {"season_id": choir.seasons[0]}, {"event_id": choir.events[3]}
    year = {"start": "2025-09-01T00:00:00.000Z", "end": "2026-09-01T00:00:00.000Z"}
    return (
        ("member.list", {}),
        ("season.events", season),
        ("event.list", {}),
        ("participation.list", event),
        ("participation.summary", event),
        ("roster.view", season),
        ("roster.view", year),
        ("repertoire.get", season),
        ("repertoire.coverage", season),
        ("repertoire.suggestions", event),
        ("materials.what_to_bring", event),
    )


_EDITION = "SELECT edition_id FROM physical_copies WHERE id = :id"


def _library(vault: Vault, choir: Collective) -> Asked:
    season, event = {"season_id": choir.seasons[1]}, {"event_id": choir.events[3]}
    edition = {"edition_id": str(vault.read(lambda tx: tx.value(_EDITION, id=choir.copies[0])).value)}
    return (
        ("work.list", {}),
        ("work.search", {"q": "composer 1"}),
        ("edition.list", {}),
        ("copy.list", edition),
        ("copy.history", edition),
        ("member.copies", {"member_id": choir.members[3]}),
        ("report.inventory", {}),
        ("report.demand", {}),
        ("report.mismatches", {}),
        ("report.missing", season),
        ("report.missing", event),
        ("report.collection", season),
        ("takedown.list", {}),
        ("catalogue.public_domain", {}),
    )
