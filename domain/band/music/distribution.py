"""Which player gets which part of a piece. Knows players, seats and parts as data; no table and no clock.

A player belongs to one instrument of the piece; the players of an instrument sit in order, section leaders first, and
its parts are shared out evenly from the front. Ten clarinets on three parts play 4, 3 and 3.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_TRAILING_NUMBER = re.compile(r"(\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Part:
    """One playable part. instrument_order: the place of its instrument in a score."""

    id: str
    name: str
    instrument_id: str
    instrument_order: int
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Player:
    """One candidate. instruments: ids, the primary one first, the others by their place in a score.

    leads: a section leader. joined: 24 characters of UTC, or None, which sits last.
    """

    id: str
    instruments: tuple[str, ...]
    leads: bool
    joined: str | None
    last_name: str
    first_name: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """parts: the part of each player, by the player's id. without_part: ids of players for whom the piece has none.

    uncovered: parts that must be played and that nobody plays, in part order.
    """

    parts: Mapping[str, Part]
    without_part: tuple[str, ...]
    uncovered: tuple[Part, ...] = field(default=())


def part_number(name: str) -> int:
    """The number at the end of a part's name; 0 for none."""
    match = _TRAILING_NUMBER.search(name)
    return int(match[1]) if match else 0


def part_order(part: Part) -> tuple[int, int, str]:
    """The sort key of parts inside a piece: as in a score, then by number, then by name."""
    return part.instrument_order, part_number(part.name), part.name


def _seat_order(player: Player) -> tuple[bool, bool, str, str, str, str]:
    return not player.leads, player.joined is None, player.joined or "", player.last_name, player.first_name, player.id


def seat(index: int, players: int, parts: int) -> int:
    """The part, from 0, of the player who sits at `index` of so many players, with so many parts to share."""
    return index if players <= parts else index * parts // players


def distribute(parts: Sequence[Part], players: Sequence[Player], *, include_optional: bool = False) -> Distribution:
    """Share the parts out. A player whose primary instrument the piece lacks plays the first other one it has."""
    wanted = sorted((part for part in parts if include_optional or not part.optional), key=part_order)
    written = {part.instrument_id for part in wanted}
    groups: dict[str, list[Player]] = {}
    without: list[str] = []
    for player in sorted(players, key=_seat_order):
        instrument = next((one for one in player.instruments if one in written), None)
        if instrument is None:
            without.append(player.id)
        else:
            groups.setdefault(instrument, []).append(player)
    given: dict[str, Part] = {}
    for instrument, seated in groups.items():
        shared = [part for part in wanted if part.instrument_id == instrument]
        for index, player in enumerate(seated):
            given[player.id] = shared[seat(index, len(seated), len(shared))]
    played = {part.id for part in given.values()}
    uncovered = tuple(part for part in wanted if not part.optional and part.id not in played)
    return Distribution(given, tuple(without), uncovered)
