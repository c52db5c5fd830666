"""The sweep: what may be removed from the store, what is only reported, and what is nobody's business."""

import pytest

from db.vault.opening import create_vault, vault_exists
from domain.charters import CHARTERS
from tests.handlers.jobs.upkeep_site import DAY_MS, OPERATOR

ORPHAN = "orphan-1"


def interrupted(upkeep, *, commits: int = 1) -> None:
    """A vault whose making was interrupted before it entered the directory."""
    kind = upkeep.services.kind(CHARTERS["choir"])
    vault = create_vault(upkeep.services.site, ORPHAN, kind)
    for number in range(commits - 1):
        vault.write(
            lambda tx, number=number: tx.insert(
                "vaultry_settings", key=f"k{number}", value="v", updated_at=upkeep.clock().text
            ),
            OPERATOR,
        )
    vault.close()


def sums(upkeep) -> dict[str, int]:
    return upkeep.round("sweep", force=True).jobs["sweep"].sums


def test_a_bare_log_that_nobody_owns_is_reported_after_a_day_and_removed_after_a_week(upkeep, caplog):
    interrupted(upkeep)
    upkeep.clock.ms += DAY_MS - 1
    assert sums(upkeep) == {}
    upkeep.clock.ms += 1
    assert sums(upkeep) == {"orphans": 1}
    assert ORPHAN in caplog.text
    upkeep.clock.ms += 6 * DAY_MS - 1
    assert sums(upkeep) == {"orphans": 1}
    assert vault_exists(upkeep.services.site.store, ORPHAN)
    upkeep.clock.ms += 1
    assert sums(upkeep) == {"orphans_removed": 1}
    assert not vault_exists(upkeep.services.site.store, ORPHAN)
    assert sums(upkeep) == {}


def test_a_log_that_holds_more_than_its_beginning_is_never_removed(upkeep):
    interrupted(upkeep, commits=2)
    upkeep.clock.ms += 100 * DAY_MS
    assert sums(upkeep) == {"orphans": 1}
    assert vault_exists(upkeep.services.site.store, ORPHAN)


@pytest.mark.parametrize("deleted", [False, True])
def test_the_vault_of_a_tenant_is_no_orphan_even_when_it_is_deleted(upkeep, deleted):
    from db.registry.directory import delete_vault

    entry = upkeep.choir()
    if deleted:
        upkeep.services.registry_write(lambda tx: delete_vault(tx, entry.id, upkeep.clock()), OPERATOR, upkeep.clock())
    upkeep.clock.ms += 20 * DAY_MS
    assert sums(upkeep) == {}


def test_what_a_killed_writer_left_in_staging_goes_after_a_day(upkeep):
    left = upkeep.folder / "staging" / "left"
    left.write_bytes(b"half an object")
    made_ms = int(left.stat().st_ctime * 1000)
    upkeep.clock.ms = made_ms + DAY_MS - 1000
    sums(upkeep)
    assert left.exists()
    upkeep.clock.ms = made_ms + DAY_MS + 1000
    assert sums(upkeep) == {"staged_removed": 1}
    assert not left.exists()
