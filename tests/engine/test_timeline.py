"""What a log says of its commits: which audit rows each brought, after folding, pruning, restores and forks as well."""

import random
import threading

import pytest

from db.errors import NotFound
from db.history.points import fork, restore
from db.history.timeline import entry_of, list_history
from db.log.retention import Retention, make_ranges, make_snapshot
from db.transaction import Actor
from db.vault.vault import Vault
from tests.engine.desk import note, open_desk
from tests.engine.history_desk import DESK, OPERATOR, Desk

HOUR_MS = 3_600_000
LONG = ["", "x" * 10, "y" * 3000, "z" * 40_000]


def audit_rows(vault: Vault) -> int:
    return vault.read(lambda tx: tx.value("SELECT coalesce(max(seq), 0) FROM vaultry_audit")).value


def unaudited(vault: Vault, number: int) -> None:
    """A commit that leaves no audit row."""
    row = ("x", number, "step", "0" * 64, "2026-01-01T00:00:00.000Z")
    vault.alter(lambda writer: bool(writer.execute("INSERT INTO vaultry_migrations VALUES (?, ?, ?, ?, ?, NULL)", row)))


def busy_desk(folder, tmp_path, commits: int = 120) -> tuple[Desk, dict[int, int]]:
    """A desk after many commits of all sizes, and how far the audit log had come at each."""
    desk = Desk(folder, tmp_path)
    chance = random.Random(7)
    came = {desk.vault.head.txid: audit_rows(desk.vault)}
    for number in range(commits):
        desk.clock.ms += 1000
        if chance.random() < 0.2:
            unaudited(desk.vault, number + 1)
        else:
            texts = [chance.choice(LONG) for _ in range(chance.choice([1, 1, 2, 30]))]

            def work(tx, number=number, texts=texts):
                for place, text in enumerate(texts):
                    tx.insert("requests", id=f"{number}-{place}", note=text)

            desk.vault.write(work, Actor("mari", "person", f"r{number}", "desk.add"))
        came[desk.vault.head.txid] = audit_rows(desk.vault)
    return desk, came


def check(vault: Vault, came: dict[int, int]) -> list[tuple[str, int, int]]:
    """Every entry against the states; what kind of entries there are."""
    entries = list_history(vault, 10_000)
    assert [entry.first for entry in entries[:-1]] == [entry.last + 1 for entry in entries[1:]]
    assert entries[0].last == vault.head.txid
    for entry in entries:
        first = 1 if entry.kind == "beginning" else came[entry.first - 1] + 1
        assert (entry.audit_first, entry.audit_last) == (first, came[entry.last]), entry
        rows = sum(count for work in entry.works for by in work.tables.values() for count in by.values())
        assert rows == (0 if entry.kind == "beginning" else entry.audit_last - entry.audit_first + 1)
    return [(entry.kind, entry.first, entry.last) for entry in entries]


def test_each_commit_has_the_audit_rows_that_its_state_has_more_than_the_one_before(folder, tmp_path):
    desk, came = busy_desk(folder, tmp_path)
    kinds = check(desk.vault, came)
    assert kinds[-1] == ("beginning", 1, 1)
    assert {kind for kind, *_ in kinds[:-1]} == {"commit"}


def test_commits_folded_into_ranges_share_an_entry_and_keep_their_requests_in_order(folder, tmp_path):
    desk, came = busy_desk(folder, tmp_path)
    log, now_ms = desk.vault.log, desk.clock.ms + 48 * HOUR_MS
    make_ranges(log, log.list_all(), now_ms, Retention(range_commits=25))
    # Pruning may stop halfway through a range.
    log.delete([found for found in log.list_level(0) if 1 < found.max_txid <= 60])
    kinds = check(desk.vault, came)
    assert kinds[-5:] == [
        ("commit", 77, 77),
        ("range", 52, 76),
        ("range", 27, 51),
        ("range", 2, 26),
        ("beginning", 1, 1),
    ]
    entry = next(entry for entry in list_history(desk.vault, 1000) if entry.last == 51)
    requests = [work.request_id for work in entry.works]
    assert requests == sorted(requests, key=lambda text: int(text[1:]))
    assert len(set(requests)) == len(requests) > 10
    assert entry.pages is not None


def test_history_before_the_oldest_snapshot_is_one_beginning(folder, tmp_path):
    desk, came = busy_desk(folder, tmp_path, 30)
    taken = make_snapshot(desk.vault)
    came[taken] = audit_rows(desk.vault)
    for number in range(3):
        desk.write(f"later {number}")
        came[desk.vault.head.txid] = audit_rows(desk.vault)
    log = desk.vault.log
    log.delete([found for found in log.list_level(0) if found.max_txid <= taken])
    assert check(desk.vault, came) == [
        *(("commit", taken + after, taken + after) for after in (3, 2, 1)),
        ("beginning", 1, taken),
    ]


def test_every_audit_row_is_found_in_the_entry_that_brought_it(folder, tmp_path):
    desk, came = busy_desk(folder, tmp_path, 60)
    log = desk.vault.log
    make_ranges(log, log.list_all(), desk.clock.ms + 48 * HOUR_MS, Retention(range_commits=7))
    log.delete([found for found in log.list_level(0) if 1 < found.max_txid <= 30])
    for seq in range(1, audit_rows(desk.vault) + 1, 3):
        entry = entry_of(desk.vault, seq)
        assert came[entry.first - 1] < seq <= came[entry.last]
    with pytest.raises(NotFound):
        entry_of(desk.vault, audit_rows(desk.vault) + 1)


def test_works_that_shared_a_commit_are_told_apart(folder, tmp_path):
    desk = Desk(folder, tmp_path)
    begun, go = threading.Event(), threading.Event()

    def slow(tx):
        begun.set()
        go.wait(10)
        tx.insert("requests", id="slow", note=None)

    def write(request, work):
        desk.vault.write(work, Actor("mari", "person", request, "desk.add"))

    threads = [threading.Thread(target=write, args=("slow", slow))]
    threads[0].start()
    begun.wait(10)
    threads += [threading.Thread(target=write, args=(f"r{n}", note(f"row {n}"))) for n in range(3)]
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    entries = [entry for entry in list_history(desk.vault, 10) if entry.works]
    assert sorted(work.request_id for entry in entries for work in entry.works) == ["r0", "r1", "r2", "slow"]
    assert all(work.tables == {"requests": {"insert": 1}} for entry in entries for work in entry.works)


def test_a_restore_is_an_entry_and_those_before_it_stay_what_they_were(folder, tmp_path):
    desk, came = busy_desk(folder, tmp_path, 20)
    point = list_history(desk.vault, 100)[10]
    desk.clock.ms += 1000
    restore(desk.vault, desk.site, point.bookmark, OPERATOR)
    came[desk.vault.head.txid] = audit_rows(desk.vault)
    check(desk.vault, came)
    newest = list_history(desk.vault, 1)[0]
    assert [(work.verb, work.tables) for work in newest.works] == [("vault.restore", {"vault.restore": {"note": 1}})]


def test_a_fork_begins_with_what_it_inherited_and_numbers_its_own_commits(folder, tmp_path):
    desk, _ = busy_desk(folder, tmp_path, 20)
    inherited = audit_rows(desk.vault)
    forked, _ = fork(desk.vault, desk.site, DESK, "fork")
    forked.write(note("own"), Actor("mari", "person", "own", "desk.add"))
    own, beginning = list_history(forked, 10)
    assert (own.last, [work.request_id for work in own.works]) == (2, ["own"])
    assert (beginning.kind, beginning.last, beginning.audit_last) == ("beginning", 1, inherited)


def test_pages_of_a_table_that_looks_like_the_audit_log_are_not_taken_for_it(folder, tmp_path):
    desk, came = busy_desk(folder, tmp_path, 10)
    shape = "SELECT sql FROM sqlite_schema WHERE name = 'vaultry_audit'"

    def fake(writer) -> bool:
        """Rows with the numbers of audit rows that are yet to come."""
        writer.execute(writer.execute(shape).fetchone()[0].replace("vaultry_audit", "lookalike"))
        return bool(
            writer.execute(
                "INSERT INTO lookalike SELECT seq + 3, '2020-01-01T00:00:00.000Z', actor, actor_kind, request_id, "
                "verb, operation, table_name, row_key, old_values, new_values, mac FROM vaultry_audit"
            )
        )

    desk.vault.alter(fake)
    came[desk.vault.head.txid] = audit_rows(desk.vault)
    for number in range(5):
        desk.write(f"later {number}")
        came[desk.vault.head.txid] = audit_rows(desk.vault)
    check(desk.vault, came)


def test_history_is_that_of_any_process_that_has_the_vault(folder, tmp_path):
    desk, _ = busy_desk(folder, tmp_path, 5)
    other = open_desk(folder, tmp_path / "other", desk.clock)
    assert list_history(other, 100) == list_history(desk.vault, 100)
