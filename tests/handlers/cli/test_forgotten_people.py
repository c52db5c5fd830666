"""Whoever was forgotten stays so, by whichever way an earlier state comes back: restore, rows, undo, archive."""

import pytest

from db.transaction import Actor
from domain.band.charter import BAND
from handlers.jobs.people import tend_people
from handlers.tenant.provisioning import owner_of
from tests.handlers.cli.conftest import Shell

SQL = "INSERT INTO members (id, first_name, last_name, notes, status) VALUES ('m1', 'Hilde', 'Quast', 'late', 'ALUMNI')"
SHOWN = "SELECT first_name, last_name, notes FROM members WHERE id = 'm1'"
KNOWN = [{"first_name": "Hilde", "last_name": "Quast", "notes": "late"}]
FORGOTTEN = [{"first_name": "DELETED", "last_name": "USER", "notes": None}]
PASSPHRASE = "correct horse battery"
TWICE = f"{PASSPHRASE}\n{PASSPHRASE}\n"


@pytest.fixture
def band(shell: Shell) -> Shell:
    """A band with one member."""
    shell.ok("tenants", "create", "brass", "--charter", "band", "--name", "Brass", "--owner", "sam@brass.example")
    shell.write(SQL, "brass")
    return shell


def forget(shell, open_services):
    """Forget the member; the bookmark of before."""
    before = shell.ok("bookmark", "brass").strip()
    services = open_services()
    entry = services.entry("brass")
    verb = BAND.verb("member.anonymise")
    with services.vault(entry) as vault:
        owner, now = owner_of(services, entry), services.clock()
        actor = Actor("operator", "operator", "r-forget", "member.anonymise")
        vault.write(lambda tx: verb.run(tx, owner, {"member_id": "m1"}, now), actor, now)
    services.close()
    assert shell.rows(SHOWN, "brass") == FORGOTTEN
    return before


def test_the_register_outside_the_vault_knows_ids_and_times_only(band, open_services):
    forget(band, open_services)
    services = open_services()
    rows = services.registry_read(lambda tx: [dict(row) for row in tx.rows("SELECT * FROM forgotten_people")])
    assert [(row["vault_id"], row["table_name"], row["row_key"]) for row in rows] == [
        (services.entry("brass").id, "members", "m1")
    ]
    assert set(rows[0]) == {"vault_id", "table_name", "row_key", "forgotten_at"}


def test_23_a_restore_forgets_again_in_the_same_commit_and_signs_everybody_out(band, open_services):
    before = forget(band, open_services)
    done = band.json("restore", "brass", "--at", before, "--yes")
    assert done["sessions_ended"] == 0
    assert band.rows(SHOWN, "brass") == FORGOTTEN
    assert "Hilde" not in band.ok("sql", "brass", "SELECT old_values, new_values FROM vaultry_audit", "--json")
    (newest, *_) = band.json("history", "brass", "--limit", "1")
    assert newest["bookmark"] == done["bookmark"]
    assert band.json("verify", "brass")


def test_rows_brought_back_and_requests_undone_bring_nobody_back(band, open_services):
    before = forget(band, open_services)
    band.json("restore", "brass", "--at", before, "--table", "members", "--yes")
    assert band.rows(SHOWN, "brass") == FORGOTTEN
    band.run("undo", "brass", "r-forget", "--yes", "--force")
    assert band.rows(SHOWN, "brass") == FORGOTTEN


def test_an_archive_of_before_is_refused_and_one_made_then_forgets_on_arrival(band, open_services, tmp_path):
    early = str(tmp_path / "early.vaultry")
    band.ok("archive", "brass", early, typed=TWICE)
    before = forget(band, open_services)
    late = str(tmp_path / "late.vaultry")
    told = band.refused("archive", "brass", late, "--at", before, typed=TWICE)
    assert "were forgotten since" in told
    band.ok("import-archive", early, "--slug", "again", typed=f"{PASSPHRASE}\n")
    assert band.rows(SHOWN, "again") == FORGOTTEN


def test_what_the_register_could_not_be_told_at_once_is_told_by_maintenance(band, open_services, monkeypatch):
    monkeypatch.setattr("handlers.services.Services._tell_forgotten", lambda *_: None)
    forget(band, open_services)
    services = open_services()
    entry, now = services.entry("brass"), services.clock()
    with services.vault(entry) as vault:
        assert tend_people(services, vault, entry, now, now) == {"registered": 1, "wiped": 1}
        assert tend_people(services, vault, entry, now, now) == {}
