"""The choir's rules against models of a few lines: rights, orders, numbers of copies, attendance, any way they come."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.errors import Forbidden, Invalid, VaultError
from domain.choir.charter import CHOIR
from domain.choir.event.roster import average_attendance
from domain.choir.permissions import ROLES, UMBRELLA_ROLES
from domain.errors import Duplicate
from tests.domain.choir.stage import Stage
from tests.domain.choir.test_permission_matrix import EVERYBODY, HELD, UMBRELLA_EXTRA

LIIS, TOM = "liis@aurora.example", "tom@x.example"


@contextmanager
def staged() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    try:
        yield stage, stage.choir(owner=LIIS)
    finally:
        stage.close()


def union_of(roles: Sequence[str], *, registered: bool, member: bool, umbrella: bool = False) -> set[str]:
    """What the matrix says: the union of the roles held here; nothing for a guest, whatever is stored."""
    if not registered or not member:
        return set()
    held = set(EVERYBODY).union(*(HELD[role] for role in roles))
    return held | UMBRELLA_EXTRA if umbrella and set(roles) & set(UMBRELLA_ROLES) else held


ROLE_SETS = st.sets(st.sampled_from(ROLES))


@settings(max_examples=40, deadline=None)
@given(here=ROLE_SETS, there=ROLE_SETS, at_umbrella=st.sets(st.sampled_from(UMBRELLA_ROLES)), joins=st.booleans())
def test_rights_are_the_union_of_the_roles_held_in_the_organization_in_effect(here, there, at_umbrella, joins):
    with staged() as (stage, aurora):
        meretuul = stage.choir("meretuul", owner="m@x.example")
        union = stage.choir("union", owner="u@x.example", kind="umbrella")
        tom = stage.singer(aurora, "Tom", email=TOM, roles=sorted(here))
        roster_only = stage.singer(aurora, "Roster", roles=sorted(here))
        if joins:
            stage.join(meretuul, tom, sorted(there))
            stage.join(union, tom, sorted(at_umbrella))
        expected = {
            aurora: union_of(sorted(here), registered=True, member=True),
            meretuul: union_of(sorted(there), registered=True, member=joins),
            union: union_of(sorted(at_umbrella), registered=True, member=joins, umbrella=True),
        }
        for org, held in expected.items():
            assert stage.as_person(org, TOM).permissions == held
        assert stage.rows("SELECT * FROM grants WHERE principal_id = ?", roster_only) == []
        assert stage.as_person(stage.choir("harmonia", owner="h@x.example"), TOM).permissions == frozenset()


@settings(max_examples=15, deadline=None)
@given(roles=ROLE_SETS)
def test_a_verb_lets_in_exactly_those_whose_roles_hold_one_of_its_permissions(roles):
    with staged() as (stage, aurora):
        stage.singer(aurora, "Tom", email=TOM, roles=sorted(roles))
        held = union_of(sorted(roles), registered=True, member=True)
        for verb in CHOIR.verbs:
            if verb.allow:
                refused = False
                try:
                    stage.call(verb.name, TOM, aurora)
                except Forbidden as exc:
                    refused = exc.message == verb.name
                except VaultError:
                    pass
                assert refused is not bool(held & set(verb.allow)), verb.name


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["section", "voice"]))
def test_only_a_whole_order_numbers_sections_and_voices_from_one(data, kind):
    with staged() as (stage, org):
        table = f"{kind}s"
        ids = [row["id"] for row in stage.call(f"{kind}.list", LIIS, org)]
        before = stage.rows(f"SELECT id, display_order FROM {table} ORDER BY id")
        wished = data.draw(st.one_of(
            st.permutations(ids),
            st.lists(st.sampled_from([*ids, "stranger"]), max_size=len(ids) + 2),
        ))  # fmt: skip
        if sorted(wished) == sorted(ids):
            assert stage.call(f"{kind}.reorder", LIIS, org, ids=list(wished)) == {"ordered": 13}
            listed = stage.call(f"{kind}.list", LIIS, org)
            assert [(row["id"], row["display_order"]) for row in listed] == [
                (entry_id, place) for place, entry_id in enumerate(wished, start=1)
            ]
        else:
            with pytest.raises(Invalid):
                stage.call(f"{kind}.reorder", LIIS, org, ids=list(wished))
            assert stage.rows(f"SELECT id, display_order FROM {table} ORDER BY id") == before


def batch_by_rule(taken: set[str], prefix: str, count: int, start: int | None) -> list[str]:
    """The numbers of a batch, worked out as people would."""
    series = re.compile(rf"{re.escape(prefix)}-([0-9]+)" if prefix else r"([0-9]+)")
    if start is None:
        start = 1 + max((int(match[1]) for number in taken if (match := series.fullmatch(number))), default=0)
    digits = max(2, len(str(start + count - 1)))
    return [f"{prefix}-{n:0{digits}}" if prefix else f"{n:0{digits}}" for n in range(start, start + count)]


BATCHES = st.tuples(
    st.sampled_from([None, "", "M", "M-", "m", "A-B"]), st.integers(1, 12), st.none() | st.integers(0, 120)
)
SINGLES = st.sampled_from(["7", "07", "M-9", "M-1a", "x", "m-50", "A-B-3"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(BATCHES, SINGLES), max_size=6))
def test_batches_number_copies_as_people_would_or_make_none(steps):
    with staged() as (stage, org):
        work = stage.call("work.create", LIIS, org, title="x")["id"]
        edition = stage.call("edition.create", LIIS, org, work_id=work, name="x")["id"]
        taken: set[str] = set()
        for step in steps:
            if isinstance(step, str):
                wanted, verb, args = [step], "copy.add", {"copy_number": step}
            else:
                prefix, count, start = step
                wanted = batch_by_rule(taken, (prefix or "").removesuffix("-"), count, start)
                verb, args = "copy.add_batch", {"prefix": prefix, "count": count, "start_number": start}
            if taken & set(wanted):
                with pytest.raises(Duplicate):
                    stage.call(verb, LIIS, org, edition_id=edition, **args)
            else:
                stage.call(verb, LIIS, org, edition_id=edition, **args)
                taken |= set(wanted)
            listed = [copy["copy_number"] for copy in stage.call("copy.list", LIIS, org, edition_id=edition)]
            assert sorted(listed) == sorted(taken)


@given(st.lists(st.sampled_from(["present", "absent", "late", None]), max_size=60))
def test_attendance_is_the_share_of_those_present_among_what_was_recorded_half_up(cells):
    recorded = [cell for cell in cells if cell is not None]
    if not recorded:
        assert average_attendance(cells) == 0
        return
    exact = Fraction(100 * recorded.count("present"), len(recorded))
    assert average_attendance(cells) == floor(exact + Fraction(1, 2))
