"""Gaps in a log: what is missing, and what was pruned on purpose."""

import pytest

from db.history.verification import gaps
from db.log.commit_log import COMMIT_LEVEL, RANGE_LEVEL, SNAPSHOT_LEVEL, LogObject
from db.log.ltx import TXID


def commits(*numbers: int) -> list[LogObject]:
    return [kept(COMMIT_LEVEL, number, number) for number in numbers]


def kept(level: int, low: int, high: int) -> LogObject:
    return LogObject(f"{level}/{low}-{high}", level, TXID(low), TXID(high), 100, 0)


def snapshot(upto: int) -> LogObject:
    return kept(SNAPSHOT_LEVEL, 1, upto)


@pytest.mark.parametrize(
    ("objects", "missing"),
    [
        (commits(1), []),
        (commits(1, 2, 3), []),
        (commits(1, 3), [(2, 2)]),
        (commits(1, 2, 5, 6, 9), [(3, 4), (7, 8)]),
        (commits(2, 3), [(1, 1)]),
        ([snapshot(3), *commits(4, 5)], []),
        ([snapshot(3), *commits(5)], [(4, 4)]),
        ([snapshot(3), *commits(3)], []),
        ([snapshot(3), *commits(1, 3)], [(2, 2)]),
        ([snapshot(3), snapshot(6), *commits(4, 5, 6, 7)], []),
        ([*commits(1), kept(RANGE_LEVEL, 2, 5), *commits(5, 6)], []),
        ([snapshot(4), kept(RANGE_LEVEL, 2, 5), *commits(6)], []),
        ([*commits(1), kept(RANGE_LEVEL, 2, 5), *commits(7)], [(6, 6)]),
    ],
)
def test_a_gap_is_what_no_file_holds_though_later_ones_are_there(objects, missing):
    assert [finding.message for finding in gaps(objects)] == [
        f"commits {low:016x} to {high:016x} are missing" for low, high in missing
    ]


def test_a_log_without_commits_is_no_log():
    assert [finding.check for finding in gaps([])] == ["chain"]
