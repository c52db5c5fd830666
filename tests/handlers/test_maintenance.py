"""Rounds of maintenance: what is due, what is noted, what one bad vault does to the others."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.clock import Moment
from db.errors import MigrationFailed, NotFound, StoreUnavailable
from db.registry.directory import find_vault, suspend_vault
from db.vault.cache_discard import discard_copies, has_copy
from handlers.jobs import declared
from handlers.jobs.declared import chosen_jobs, declared_jobs
from handlers.jobs.job import Job
from handlers.jobs.scheduler import Scheduler
from handlers.upkeep import rounds as maintenance
from handlers.upkeep.rounds import plan, run_batch, run_due
from tests.handlers.jobs.upkeep_site import ALL, DAY_MS, HOUR_MS, OPERATOR, Upkeep, upkeep_site

# The jobs of the choir charter, each of which runs on every choir.
OF_CHOIRS = ("choir.invites.purge", "choir.figures.count", "choir.files.check")


@pytest.fixture
def upkeep(tmp_path: Path) -> Iterator[Upkeep]:
    with upkeep_site(tmp_path / "store") as site:
        yield site


def use_jobs(monkeypatch, *jobs: Job) -> None:
    """Declare these jobs in place of all others."""
    monkeypatch.setattr(declared, "PLATFORM_JOBS", jobs)
    monkeypatch.setattr(declared, "CHARTERS", {})


def counting_job(seen: list[str], name: str = "count", *, fails: frozenset[str] = frozenset(), **more) -> Job:
    """A job that notes where it ran, and fails on some vaults with an error that quotes a row."""

    def work(services, vault, entry, now, deadline):
        if vault.id in fails:
            raise ValueError("Anna Tamm")
        seen.append(vault.id)
        return {"ran": 1}

    return Job(name, 86_400, "vault", work, "Count.", **more)


def test_every_job_runs_on_every_vault_and_a_second_round_finds_nothing_due(upkeep):
    upkeep.choir("aaa"), upkeep.choir("bbb")
    first = upkeep.round()
    assert (first.vaults, first.failed, first.left) == (3, 0, [])
    assert {name: totals.done for name, totals in first.jobs.items()} == {
        **dict.fromkeys(("outbox", "tokens", "log", "audit", "statistics", "integrity", "optimise"), 3),
        **dict.fromkeys(("keys", "sweep"), 1),
        **dict.fromkeys(OF_CHOIRS, 2),
    }
    before = upkeep.services.registry.bookmark
    second = upkeep.round()
    assert (second.vaults, second.runs) == (0, 0)
    assert upkeep.services.registry.bookmark == before


def test_a_day_later_the_daily_jobs_are_due_and_the_weekly_ones_are_not(upkeep):
    upkeep.choir()
    upkeep.round()
    upkeep.clock.ms += DAY_MS
    weekly = {"integrity", "optimise", "choir.files.check"}
    assert upkeep.round().jobs.keys() == {*ALL, *OF_CHOIRS} - weekly - {"retention"}


def test_one_commit_of_the_registry_notes_many_vaults(upkeep, monkeypatch):
    use_jobs(monkeypatch, counting_job([]), counting_job([], "other"))
    for number in range(5):
        upkeep.choir(f"choir-{number}")
    before = upkeep.services.registry.head.txid
    upkeep.round("count", "other")
    # One for the registry itself, one for the five.
    assert upkeep.services.registry.head.txid - before == 2


def test_a_round_leaves_no_vault_open_and_no_copy_on_the_disk(upkeep):
    entry = upkeep.choir()
    discard_copies(upkeep.services.site.cache, entry.id)
    assert upkeep.round().failed == 0
    assert upkeep.services.pool.open_ids() == []
    assert not has_copy(upkeep.services.site.cache, entry.id)


def test_a_round_leaves_open_what_was_open(upkeep):
    entry = upkeep.choir()
    with upkeep.services.vault(entry):
        upkeep.round()
        assert upkeep.services.pool.open_ids() == [entry.id]
    assert has_copy(upkeep.services.site.cache, entry.id)


def test_a_vault_whose_log_is_corrupt_stops_no_other_and_is_named(upkeep):
    bad, good = upkeep.choir("bad"), upkeep.choir("good")
    discard_copies(upkeep.services.site.cache, bad.id)
    commit = upkeep.log_files(bad)[0]
    content = bytearray(commit.read_bytes())
    content[len(content) // 2] ^= 1
    commit.chmod(0o600)
    commit.write_bytes(content)
    report = upkeep.round()
    assert {outcome.vault_id for outcome in report.failures} == {bad.id}
    assert all(outcome.error.startswith("corrupt_log: ") for outcome in report.failures)
    assert report.failed == len(report.failures) == 7 + len(OF_CHOIRS)
    assert upkeep.run(bad, "audit").outcome == "failed"
    assert upkeep.run(good, "audit").outcome == "ok"


def test_a_job_that_fails_stops_no_other_and_is_tried_again_soon(upkeep, monkeypatch, caplog):
    bad, good = upkeep.choir("bad"), upkeep.choir("good")
    seen: list[str] = []
    use_jobs(monkeypatch, counting_job([], "first", fails=frozenset({bad.id})), counting_job(seen, "second"))
    report = upkeep.round("first", "second")
    assert sorted(seen) == sorted(["registry", bad.id, good.id])
    ((failed, job, error),) = [(outcome.vault_id, outcome.job, outcome.error) for outcome in report.failures]
    assert (failed, job, error) == (bad.id, "first", "ValueError")
    assert "JobFailed" in caplog.text
    # Nor does the log repeat what the error quoted.
    assert "Anna" not in caplog.text
    upkeep.clock.ms += HOUR_MS
    assert upkeep.round("first", "second").jobs.keys() == {"first"}


def test_two_rounds_at_once_do_nothing_twice(upkeep):
    entries = [upkeep.choir(f"choir-{number}") for number in range(4)]
    for entry in entries:
        upkeep.write(entry, _expired_invite())
    other = upkeep.another()
    reports = []
    rounds = [
        threading.Thread(target=lambda services=services: reports.append(upkeep.round(services=services)))
        for services in (upkeep.services, other)
    ]
    for thread in rounds:
        thread.start()
    for thread in rounds:
        thread.join()
    other.close()
    assert [report.failures for report in reports] == [[], []]
    assert sum(report.jobs["choir.invites.purge"].sums.get("rows", 0) for report in reports) == 4
    for entry in entries:
        assert upkeep.run(entry, "audit").outcome == "ok"
    assert upkeep.round().runs == 0


def test_a_vault_that_was_looked_after_meanwhile_is_not_looked_after_again(upkeep, monkeypatch):
    entry = upkeep.choir()
    seen: list[str] = []
    use_jobs(monkeypatch, counting_job(seen))
    batches = plan(upkeep.services, upkeep.clock())
    upkeep.round("count")
    for batch in batches:
        assert run_batch(upkeep.services, batch, Moment(upkeep.clock.ms + DAY_MS)).runs == 0
    assert sorted(seen) == sorted(["registry", entry.id])


def test_no_job_begins_after_the_deadline_and_what_is_left_is_told(upkeep, monkeypatch):
    entries = [upkeep.choir(f"choir-{number}") for number in range(3)]
    seen: list[str] = []

    def slow(services, vault, entry, now, deadline):
        seen.append(vault.id)
        upkeep.clock.ms += 60_000
        return {}

    use_jobs(monkeypatch, replace(counting_job([]), work=slow))
    deadline = Moment(upkeep.clock.ms + 3 * 60_000 - 1)
    report = upkeep.round("count", deadline=deadline, workers=1)
    assert seen == ["registry", entries[0].id, entries[1].id]
    assert report.left == [entries[2].id]
    # The next round goes on with what was left, and with nothing else.
    report = upkeep.round("count")
    assert seen[3:] == [entries[2].id]
    assert report.left == []


def test_a_deadline_between_two_jobs_of_a_vault_leaves_the_second_due(upkeep, monkeypatch):
    entry = upkeep.choir()

    def slow(services, vault, entry, now, deadline):
        upkeep.clock.ms += 60_000
        return {}

    seen: list[str] = []
    use_jobs(monkeypatch, replace(counting_job([], "first"), work=slow), counting_job(seen, "second"))
    report = upkeep.round("first", "second", vaults=[entry.id], deadline=Moment(upkeep.clock.ms + 1))
    assert (report.jobs.keys(), report.left, seen) == ({"first"}, [entry.id], [])
    assert upkeep.round("first", "second", vaults=[entry.id]).jobs.keys() == {"second"}


def test_the_registrys_own_jobs_leave_half_of_the_time_to_the_vaults(upkeep, monkeypatch):
    entry = upkeep.choir()
    deadlines: dict[str, int] = {}

    def note(services, vault, entry, now, deadline):
        deadlines[vault.id] = deadline.ms - upkeep.clock.ms
        return {}

    use_jobs(monkeypatch, replace(counting_job([]), work=note))
    upkeep.round("count", deadline=Moment(upkeep.clock.ms + 10_000))
    assert deadlines == {"registry": 5_000, entry.id: 10_000}


def test_a_round_that_is_stopped_notes_what_was_done(upkeep, monkeypatch):
    entries = [upkeep.choir(f"choir-{number}") for number in range(3)]
    seen: list[str] = []
    use_jobs(monkeypatch, counting_job(seen))
    report = upkeep.round("count", workers=1, stopped=lambda: len(seen) == 2)
    assert (report.vaults, len(report.left)) == (2, 2)
    assert upkeep.run(entries[0], "count").outcome == "ok"


def test_the_plan_opens_no_vault_and_has_the_registry_first(upkeep, monkeypatch):
    monkeypatch.setattr(maintenance, "BATCH_VAULTS", 2)
    entries = [upkeep.choir(f"choir-{number}") for number in range(5)]
    batches = plan(upkeep.services, upkeep.clock())
    assert batches[0] == ["registry"]
    assert [len(batch) for batch in batches[1:]] == [2, 2, 1]
    assert sorted(vault_id for batch in batches[1:] for vault_id in batch) == sorted(entry.id for entry in entries)
    assert upkeep.services.pool.open_ids() == []


def test_a_batch_runs_what_is_due_in_its_vaults_alone(upkeep):
    one, two = upkeep.choir("one"), upkeep.choir("two")
    report = run_batch(upkeep.services, [two.id, "no-such-vault"], Moment(upkeep.clock.ms + DAY_MS))
    assert (report.vaults, report.failed, report.left) == (1, 0, [])
    assert [batch for batch in plan(upkeep.services, upkeep.clock()) if two.id in batch] == []
    assert one.id in plan(upkeep.services, upkeep.clock())[1]


def test_a_vault_suspended_since_it_was_planned_is_left_alone(upkeep):
    entry = upkeep.choir()
    upkeep.services.registry_write(lambda tx: suspend_vault(tx, entry.id, upkeep.clock()), OPERATOR, upkeep.clock())
    assert run_batch(upkeep.services, [entry.id], Moment(upkeep.clock.ms + DAY_MS)).runs == 0


def test_force_runs_what_is_not_due(upkeep, monkeypatch):
    seen: list[str] = []
    use_jobs(monkeypatch, counting_job(seen))
    entry = upkeep.choir()
    for _ in range(2):
        upkeep.round("count", force=True)
    assert sorted(seen) == sorted(["registry", entry.id] * 2)


def test_a_job_that_is_not_declared_is_refused_with_those_that_are(upkeep):
    with pytest.raises(NotFound, match="there are: audit, "):
        run_due(upkeep.services, jobs=["nope"], deadline=upkeep.clock())


def test_retention_stands_for_the_jobs_of_the_charters():
    assert [job.name for job in chosen_jobs(["retention"])] == [job.name for job in declared_jobs() if job.charter]
    assert {job.name for job in chosen_jobs(["retention"])} >= set(OF_CHOIRS)


def test_job_names_are_unique_and_every_job_says_what_it_does():
    jobs = declared_jobs()
    assert len({job.name for job in jobs}) == len(jobs)
    assert all(job.summary.endswith(".") and job.every_s >= 60 for job in jobs)


def test_the_guide_names_every_job():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "maintenance.md").read_text()
    assert [job.name for job in declared_jobs() if f"| `{job.name}` |" not in page] == []


def test_the_end_of_a_round_is_told_even_when_nothing_was_due(upkeep, caplog):
    caplog.set_level("INFO", logger="vaultry")
    upkeep.round("keys")
    caplog.clear()
    upkeep.round("keys")
    assert '"event":"RoundEnded","vaults":0,"runs":0,"failed":0,"left":0' in caplog.text


def test_a_server_looks_at_the_outbox_of_open_vaults_every_minute_and_notes_only_news(upkeep):
    upkeep.clock.ms += HOUR_MS
    entry = upkeep.choir()
    scheduler = Scheduler(upkeep.services)
    scheduler.round()
    with upkeep.services.vault(entry):
        before = upkeep.services.registry.bookmark
        upkeep.clock.ms += 60_000
        scheduler.round()
        assert upkeep.services.registry.bookmark == before
        upkeep.write(entry, _mail(upkeep))
        upkeep.clock.ms += 60_000
        scheduler.round()
    assert upkeep.run(entry, "outbox").report == {"delivered": 1}
    assert len(list((upkeep.folder / "outbox").glob("*.eml"))) == 1


def test_what_a_request_asked_for_is_due_though_its_vault_is_closed(upkeep):
    entry = upkeep.choir()
    upkeep.round()
    with upkeep.services.vault(entry) as vault:
        vault.write(lambda tx: tx.execute(_mail(upkeep)), OPERATOR)
    upkeep.services.pool.close_all()
    before = upkeep.services.registry.bookmark
    with upkeep.services.vault(entry) as vault:
        vault.write(lambda tx: tx.execute("UPDATE members SET nickname = 'n'"), OPERATOR)
    # Asked for once is enough.
    assert upkeep.services.registry.bookmark == before
    upkeep.clock.ms += 1000
    report = upkeep.round()
    assert (report.vaults, report.jobs["outbox"].sums) == (1, {"delivered": 1})


def test_the_scheduler_stops_when_it_is_told_to(upkeep):
    scheduler = Scheduler(upkeep.services)
    scheduler.start()
    scheduler.stop()


def test_a_round_whose_note_is_lost_is_done_again_without_a_second_effect(upkeep, monkeypatch):
    entry = upkeep.choir()
    upkeep.write(entry, _mail(upkeep), _expired_invite())
    note = upkeep.services.registry_write
    monkeypatch.setattr(upkeep.services, "registry_write", _refused)
    with pytest.raises(StoreUnavailable):
        upkeep.round(vaults=[entry.id])
    monkeypatch.setattr(upkeep.services, "registry_write", note)
    report = upkeep.round(vaults=[entry.id])
    assert (report.failed, report.left) == (0, [])
    assert report.jobs["outbox"].sums == {}
    assert report.jobs["choir.invites.purge"].sums == {}
    assert len(list((upkeep.folder / "outbox").glob("*.eml"))) == 1
    assert upkeep.run(entry, "audit").outcome == "ok"


def test_a_vault_that_takes_no_writes_is_read_all_the_same(upkeep, monkeypatch):
    entry = upkeep.choir()
    upkeep.write(entry, _expired_invite())
    with upkeep.services.vault(entry) as vault:
        monkeypatch.setattr(vault, "refusal", MigrationFailed("choir/0008_x: no such table"))
        report = upkeep.round(vaults=[entry.id])
    assert sorted(outcome.job for outcome in report.failures) == ["choir.invites.purge", "tokens"]
    assert report.failures[0].error == "migration_failed: choir/0008_x: no such table"
    assert upkeep.run(entry, "audit").outcome == "ok"
    known = upkeep.services.registry_read(lambda tx: find_vault(tx, entry.id), current=True)
    assert known.refusal is not None


def test_a_round_tells_the_directory_where_each_vault_stands(upkeep):
    entry = upkeep.choir()
    upkeep.round("statistics")
    known = upkeep.services.registry_read(lambda tx: find_vault(tx, entry.id), current=True)
    with upkeep.services.vault(entry) as vault:
        assert (known.bookmark, known.size_bytes) == (vault.bookmark, vault.local_bytes)
    assert known.schema["kernel"] >= 6


def _refused(*args: object) -> None:
    raise StoreUnavailable("refused by the test")


def _mail(upkeep: Upkeep) -> str:
    now = upkeep.clock().text
    return (
        "INSERT INTO vaultry_outbox (id, kind, payload, created_at, next_attempt_at) VALUES ('m-1', 'mail', "
        f"""'{{"to": "anna@club.example", "subject": "s", "text": "t"}}', '{now}', '{now}')"""
    )


def _expired_invite() -> str:
    return (
        "INSERT INTO invites (id, org_id, token, name, invited_by, created_at, expires_at) "
        "SELECT 'i', o.id, printf('%064d', 1), 'Anna', (SELECT id FROM members LIMIT 1), "
        "'2025-01-01T00:00:00.000Z', '2025-01-03T00:00:00.000Z' FROM organizations AS o LIMIT 1"
    )
