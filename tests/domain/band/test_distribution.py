"""Sharing the parts of a piece out: examples, and what holds for every band."""

from hypothesis import given
from hypothesis import strategies as st

from domain.band.music.distribution import Part, Player, distribute, part_number, part_order, seat
from domain.band.music.handing_out import OPEN, STATUSES, after


def part(name: str, instrument: str = "clarinet", order: int = 8, *, optional: bool = False) -> Part:
    return Part(f"id of {name}", name, instrument, order, optional)


def player(number: int, *instruments: str, leads: bool = False) -> Player:
    joined = f"20{number:02d}-01-01T00:00:00.000Z"
    return Player(f"p{number:02d}", instruments or ("clarinet",), leads, joined, f"Name {number:02d}", "A")


def test_ten_clarinets_on_three_parts_play_four_three_and_three():
    parts = [part("Clarinet 3"), part("Clarinet 1"), part("Clarinet 2")]
    shared = distribute(parts, [player(number) for number in range(1, 11)])
    names = [shared.parts[f"p{number:02d}"].name[-1] for number in range(1, 11)]
    assert "".join(names) == "1111222333"


def test_a_leader_sits_first_and_who_never_joined_last():
    joined, leader = player(1), player(30, leads=True)
    unknown = Player("px", ("clarinet",), False, None, "Aa", "A")
    shared = distribute([part("Clarinet 1"), part("Clarinet 2"), part("Clarinet 3")], [unknown, joined, leader])
    assert [shared.parts[one].name[-1] for one in (leader.id, joined.id, "px")] == ["1", "2", "3"]


def test_a_player_whose_first_instrument_is_not_written_for_plays_another():
    shared = distribute([part("Oboe", "oboe", 3)], [player(1, "flute", "oboe"), player(2, "kazoo")])
    assert shared.parts["p01"].name == "Oboe"
    assert shared.without_part == ("p02",)


def test_an_optional_part_is_played_only_when_asked_for_and_never_missing():
    parts = [part("String Bass", "bass", 40, optional=True), part("Tuba", "tuba", 28)]
    bass = player(1, "bass")
    assert distribute(parts, [bass]).without_part == ("p01",)
    asked = distribute(parts, [bass], include_optional=True)
    assert asked.parts["p01"].name == "String Bass"
    assert [one.name for one in asked.uncovered] == ["Tuba"]
    assert [one.name for one in distribute(parts, [], include_optional=True).uncovered] == ["Tuba"]


def test_parts_follow_the_score_then_their_number():
    names = ["Horn 10", "Horn 2", "Horn", "Flute 1"]
    parts = [part(name, name.split()[0], {"Flute": 2}.get(name.split()[0], 23)) for name in names]
    assert [one.name for one in sorted(parts, key=part_order)] == ["Flute 1", "Horn", "Horn 2", "Horn 10"]
    assert [part_number(name) for name in ("Clarinet 2", "Timpani", "E♭ 3 Clarinet")] == [2, 0, 0]


@given(st.integers(1, 60), st.integers(1, 12))
def test_seats_are_even_in_order_and_favour_the_first_parts(players, parts):
    seats = [seat(index, players, parts) for index in range(players)]
    assert seats == sorted(seats)
    assert set(seats) == set(range(min(players, parts)))
    sizes = [seats.count(one) for one in range(min(players, parts))]
    assert max(sizes) - min(sizes) <= 1


_INSTRUMENTS = ("flute", "oboe", "horn", "tuba")


@given(
    st.lists(st.tuples(st.sampled_from(_INSTRUMENTS), st.integers(0, 4), st.booleans()), max_size=10, unique=True),
    st.lists(st.tuples(st.permutations(_INSTRUMENTS), st.integers(1, 4), st.booleans()), max_size=20),
    st.booleans(),
)
def test_everybody_has_one_part_of_an_own_instrument_or_is_named_as_having_none(written, people, optional):
    parts = [Part(f"{name}{number}{flag}", f"{name} {number}", name, _INSTRUMENTS.index(name), flag)
             for name, number, flag in written]  # fmt: skip
    players = [player(index, *order[:count], leads=leads) for index, (order, count, leads) in enumerate(people)]
    shared = distribute(parts, players, include_optional=optional)
    assert set(shared.parts) | set(shared.without_part) == {one.id for one in players}
    assert not set(shared.parts) & set(shared.without_part)
    offered = [one for one in parts if optional or not one.optional]
    for one in players:
        if one.id in shared.parts:
            first = next(name for name in one.instruments if any(part.instrument_id == name for part in offered))
            assert shared.parts[one.id].instrument_id == first
    played = {one.id for one in shared.parts.values()}
    assert {one.id for one in shared.uncovered} == {one.id for one in offered if not one.optional} - played


def test_what_was_returned_lost_or_damaged_stays_so():
    for status in set(STATUSES) - set(OPEN):
        assert [after(status, step) for step in ("pick_up", "overdue", "return", "damaged", "lost")] == [None] * 5
    assert after("ASSIGNED", "return") is None
    assert after("OVERDUE", "return") == "RETURNED"
