"""The audit job: the chain is verified, its head anchored outside, and a rewritten chain refused."""

import json

import pytest

from db.clock import Moment
from db.registry.audit_anchors import find_anchor
from handlers.jobs import audit
from handlers.jobs.audit import anchor_key
from tests.handlers.jobs.upkeep_site import DAY_MS


@pytest.fixture
def choir(upkeep):
    entry = upkeep.choir()
    upkeep.round("audit")
    return entry


def anchor(upkeep, entry):
    return upkeep.services.registry_read(lambda tx: find_anchor(tx, entry.id), current=True)


def failure(upkeep, entry) -> str:
    """What the audit job says is wrong with the vault; '' = nothing."""
    report = upkeep.round("audit", vaults=[entry.id], force=True)
    return report.failures[0].error if report.failures else ""


def rewrite(upkeep, entry, *statements: str) -> None:
    """Change the audit log as nobody can through the engine."""
    triggers = ("vaultry_audit_is_append_only_update", "vaultry_audit_is_append_only_delete")
    upkeep.alter(entry, *(f"DROP TRIGGER IF EXISTS {name}" for name in triggers), *statements)


def test_the_head_is_anchored_in_the_registry_and_as_an_object_of_the_day(upkeep, choir):
    kept = anchor(upkeep, choir)
    found = upkeep.object(anchor_key(choir.id, upkeep.clock()))
    assert (found["seq"], found["mac"], found["vault"]) == (kept.seq, kept.mac, choir.id)
    assert found["anchored_at"][:10] in anchor_key(choir.id, upkeep.clock())
    assert upkeep.run(choir, "audit").report == {"audit_rows": kept.seq, "anchored": 1}


def test_a_second_run_anchors_nothing_new(upkeep, choir):
    before = anchor(upkeep, choir)
    assert failure(upkeep, choir) == ""
    assert anchor(upkeep, choir) == before
    assert upkeep.run(choir, "audit").report == {"audit_rows": before.seq}


def test_a_chain_that_grew_is_anchored_again_the_next_day(upkeep, choir):
    before, first_day = anchor(upkeep, choir), anchor_key(choir.id, upkeep.clock())
    upkeep.write(choir, "UPDATE members SET nickname = 'n'")
    upkeep.clock.ms += DAY_MS
    assert failure(upkeep, choir) == ""
    assert anchor(upkeep, choir).seq > before.seq
    assert upkeep.object(first_day)["seq"] == before.seq
    assert upkeep.object(anchor_key(choir.id, upkeep.clock()))["seq"] == anchor(upkeep, choir).seq


def test_a_chain_that_grew_within_the_day_moves_the_registrys_anchor_and_leaves_the_object(upkeep, choir):
    before = anchor(upkeep, choir)
    upkeep.write(choir, "UPDATE members SET nickname = 'n'")
    assert failure(upkeep, choir) == ""
    assert anchor(upkeep, choir).seq > before.seq
    assert upkeep.object(anchor_key(choir.id, upkeep.clock()))["seq"] == before.seq


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE vaultry_audit SET actor = 'nobody' WHERE seq = 2", "audit row 2 was changed"),
        ("UPDATE vaultry_audit SET new_values = NULL WHERE seq = 5", "audit row 5 was changed"),
        ("DELETE FROM vaultry_audit WHERE seq = 1", "audit row 1 is missing"),
        ("DELETE FROM vaultry_audit WHERE seq = 3", "audit row 3 is missing"),
    ],
)
def test_a_changed_or_missing_row_is_named(upkeep, choir, statement, what):
    rewrite(upkeep, choir, statement)
    assert failure(upkeep, choir) == f"audit_broken: {what}"


@pytest.mark.parametrize("stretch", [1, 2, 3])
def test_a_changed_row_is_found_wherever_a_stretch_ends(upkeep, choir, monkeypatch, stretch):
    monkeypatch.setattr(audit, "_LINKS", stretch)
    assert failure(upkeep, choir) == ""
    rewrite(upkeep, choir, "UPDATE vaultry_audit SET verb = 'x' WHERE seq = 4")
    assert failure(upkeep, choir) == "audit_broken: audit row 4 was changed"


def test_a_chain_cut_short_is_refused_though_every_link_holds(upkeep, choir):
    before = anchor(upkeep, choir)
    # Another day, so that no object of the same day tells.
    upkeep.clock.ms += DAY_MS
    rewrite(upkeep, choir, f"DELETE FROM vaultry_audit WHERE seq = {before.seq}")
    assert failure(upkeep, choir) == f"anchor_lost: audit row {before.seq}, which was anchored, is gone"
    # Nothing is anchored until somebody has looked, and what was anchored stays to be looked at.
    assert anchor(upkeep, choir) == before
    assert upkeep.run(choir, "audit").report["audit_rows"] == before.seq


def test_a_chain_rewritten_by_whoever_has_the_key_is_refused(upkeep, choir):
    before = anchor(upkeep, choir)
    upkeep.clock.ms += DAY_MS
    rewrite(upkeep, choir, f"DELETE FROM vaultry_audit WHERE seq >= {before.seq - 1}")
    for number in range(3):
        upkeep.write(choir, f"UPDATE members SET nickname = 'other {number}'")
    assert failure(upkeep, choir) == f"anchor_lost: audit row {before.seq}, which was anchored, is another"


def test_an_object_of_the_day_that_is_not_of_this_chain_is_refused(upkeep):
    entry = upkeep.choir()
    key = anchor_key(entry.id, upkeep.clock())
    body = json.dumps({"vault": entry.id, "seq": 2, "mac": "0" * 64}).encode()
    upkeep.services.site.store.put(key, body, timestamp_ms=upkeep.clock.ms, op="test:put")
    assert failure(upkeep, entry) == "anchor_lost: audit row 2, which was anchored, is another"
    assert anchor(upkeep, entry) is None


def test_a_run_out_of_time_goes_on_where_it_stopped(upkeep, monkeypatch):
    entry = upkeep.choir()
    monkeypatch.setattr(audit, "_LINKS", 10)
    deadline = Moment(upkeep.clock.ms + 100)
    verified: list[int] = []

    def slow(vault, keyring, after, limit):
        verified.append(after)
        upkeep.clock.ms += 60
        return verify_links(vault, keyring, after, limit)

    verify_links = audit.verify_links
    monkeypatch.setattr(audit, "verify_links", slow)
    upkeep.round("audit", vaults=[entry.id], deadline=deadline)
    run = upkeep.run(entry, "audit")
    assert (verified, run.report, run.outcome) == ([0, 10], {"verified_to": 20}, "ok")
    assert anchor(upkeep, entry) is None
    # It is due again at once, without waiting for tomorrow.
    upkeep.round("audit", vaults=[entry.id])
    assert verified[:3] == [0, 10, 20]
    assert anchor(upkeep, entry).seq == upkeep.run(entry, "audit").report["audit_rows"]


def test_the_registrys_own_chain_is_anchored_too(upkeep, choir):
    assert upkeep.run(None, "audit").report["anchored"] == 1
    assert upkeep.object(anchor_key("registry", upkeep.clock()))["vault"] == "registry"
