"""Statistics, integrity, the planner's figures: what each says of a vault, and that saying it twice changes nothing."""

import pytest

from db.schema.tables import WORTH_ANALYSING
from tests.handlers.jobs.upkeep_site import DAY_MS


@pytest.fixture
def choir(upkeep):
    return upkeep.choir()


def add_works(upkeep, entry, count: int) -> None:
    upkeep.write(
        entry,
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        "INSERT INTO works (id, org_id, title) "
        "SELECT 'w' || i, (SELECT id FROM organizations LIMIT 1), 'Work ' || i FROM n",
    )


def test_statistics_count_rows_bytes_and_commits(upkeep, choir):
    add_works(upkeep, choir, 7)
    upkeep.round("statistics")
    report = upkeep.run(choir, "statistics").report
    assert report["rows.works"] == 7
    assert report["rows"] == sum(value for name, value in report.items() if name.startswith("rows."))
    assert report["bytes"] > 100_000
    assert report["commits"] == upkeep.txid(choir)


def test_commits_are_counted_from_one_run_to_the_next(upkeep, choir):
    upkeep.round("statistics")
    upkeep.clock.ms += DAY_MS
    add_works(upkeep, choir, 1)
    upkeep.round("statistics")
    assert upkeep.run(choir, "statistics").report["commits"] == 1
    upkeep.round("statistics", force=True)
    assert upkeep.run(choir, "statistics").report["commits"] == 0


def test_the_directory_is_told_once_what_did_not_change(upkeep, choir):
    upkeep.round("statistics")
    rows = "SELECT count(*) FROM vaultry_audit"
    before = upkeep.services.registry_read(lambda tx: tx.value(rows), current=True)
    upkeep.round("statistics", force=True)
    assert upkeep.services.registry_read(lambda tx: tx.value(rows), current=True) == before


def test_looking_at_a_vault_never_writes_it(upkeep, choir):
    before = upkeep.txid(choir)
    for _ in range(2):
        upkeep.round("statistics", "integrity", "optimise", "audit", "outbox", "tokens", "retention", force=True)
    assert upkeep.txid(choir) == before


def test_a_reference_that_leads_nowhere_fails_the_integrity_job_and_no_other(upkeep, choir):
    upkeep.alter(
        choir,
        "INSERT INTO works (id, org_id, title, created_at) VALUES ('w', 'gone', 'Secret', '2026-01-01T00:00:00.000Z')",
    )
    report = upkeep.round("integrity", "statistics")
    ((job, error),) = [(outcome.job, outcome.error) for outcome in report.failures]
    assert (job, error) == (
        "integrity",
        "vault_damaged: 1 tables; works: 1 rows refer to rows that are not there",
    )
    assert upkeep.run(choir, "integrity").outcome == "failed"


def test_the_planners_figures_are_renewed_once_when_they_are_off(upkeep, choir):
    add_works(upkeep, choir, WORTH_ANALYSING)
    before = upkeep.txid(choir)
    assert upkeep.round("optimise").jobs["optimise"].sums == {"analysed": 1}
    assert upkeep.txid(choir) == before + 1
    assert upkeep.round("optimise", force=True).jobs["optimise"].sums == {}
    assert upkeep.txid(choir) == before + 1


def test_a_small_vault_needs_no_figures(upkeep, choir):
    # Each leaves a row in the audit log, which has some already.
    add_works(upkeep, choir, WORTH_ANALYSING - 100)
    before = upkeep.txid(choir)
    upkeep.round("optimise", vaults=[choir.id])
    assert upkeep.txid(choir) == before
