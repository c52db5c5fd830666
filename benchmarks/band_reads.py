"""What a band of real size asks for, in the engine with its guard: director, librarian, player and visitor."""

from pathlib import Path
from typing import Any

from benchmarks.band_season import DIRECTOR, LIBRARIAN, NOW, PLAYER, Season, fill
from benchmarks.charter_reads import filled_vault, read_line
from benchmarks.table import Line
from db.clock import Moment, timestamp_ms
from db.transaction import WriteTx
from domain.band.charter import BAND
from domain.charter import Founding

MOMENT = Moment(timestamp_ms(NOW))
_YEAR = {"from": "2026-01-01T00:00:00.000Z", "to": "2026-12-31T23:59:59.999Z"}


def band_reads(folder: Path) -> list[Line]:
    """The median of each read, and the longest of them. There is no reference to hold it against."""
    vault, season, seconds = filled_vault(folder, BAND, _found_and_fill, MOMENT)
    try:
        filled = Line("a band of 80 with 1,200 pieces in one commit", f"{seconds:.1f} s", "", "", "")
        asked = _asked(season)
        return [filled, *(read_line(vault, BAND, (who, ""), verb, args, MOMENT) for who, verb, args in asked)]
    finally:
        vault.close()


def _found_and_fill(tx: WriteTx) -> Season:
    assert BAND.found is not None
    BAND.found(tx, Founding("season", "Season", "owner@season.example"), MOMENT)
    return fill(tx)


def _asked(season: Season) -> tuple[tuple[str, str, dict[str, Any]], ...]:
    event, piece = {"event_id": season.events[100]}, {"piece_id": season.pieces[3]}
    return (
        (DIRECTOR, "member.roster", {}),
        (LIBRARIAN, "music.search", {}),
        (LIBRARIAN, "music.search", {"q": "festive suite"}),
        (LIBRARIAN, "music.search", {"q": "composer 1"}),
        (PLAYER, "music.search", {"q": "festive"}),
        (LIBRARIAN, "part.list", piece),
        (LIBRARIAN, "music.desk", {}),
        (LIBRARIAN, "assignment.list", {}),
        (LIBRARIAN, "assignment.list", {"overdue": 1}),
        (PLAYER, "me.music", {}),
        ("", "event.list", {"upcoming": 1}),
        ("", "event.get", event),
        (DIRECTOR, "report.event_attendance", event),
        (DIRECTOR, "report.attendance", _YEAR),
        (DIRECTOR, "report.attendance", {}),
        (DIRECTOR, "report.attendance_by_section", _YEAR),
        (PLAYER, "report.member_attendance", {}),
        ("", "site.search", {"q": "band"}),
        (PLAYER, "me.notifications", {}),
    )
