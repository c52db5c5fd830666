"""Erasing a deleted tenant: nothing of it is left, nobody else's is touched, and a kill at any step changes neither."""

import json
from pathlib import Path

import pytest

from db.clock import Moment
from db.errors import Conflict, Gone, NotFound, VaultError
from db.log.commit_log import CommitLog
from db.log.ltx import decode
from db.registry.directory import delete_vault, undelete_vault
from db.registry.erasures import KIND, find_erasure, list_erasures
from db.registry.signed_documents import read_document
from db.transaction import Actor
from handlers.tenant.provisioning import find_tenant, fork_tenant
from handlers.tenant.purging import purge, purge_due
from tests.handlers.http.site import Clock, make_choir, make_site

OPERATOR = Actor("operator", "operator", "test", "tenants.purge")
STEPS = ("begin", "key", "objects", "copies", "certificate", "sweep")
SECRETS = (b"Unrepeatable Requiem", b"Zebedee Quux")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def site(tmp_path):
    made = make_site(tmp_path, Clock())
    yield made
    made.services.close()


def furnish(site, slug: str):
    """A choir with values that are found nowhere else, a token, a session, and a file beside its log."""
    choir = make_choir(site, slug)
    site.add_member(choir, "Zebedee Quux", f"z@{slug}.example", ["librarian"])
    door = site.sign_in(slug, f"z@{slug}.example")
    door.add("works", [{"title": "Unrepeatable Requiem"}])
    site.api_token(choir, "member")
    site.services.site.store.put(
        f"vaults/{choir.entry.id}/files/score.pdf", b"Unrepeatable Requiem, scanned", timestamp_ms=1, op="test"
    )
    return choir


def delete(site, choir) -> None:
    now = site.clock()
    site.services.registry_write(lambda tx: delete_vault(tx, choir.entry.id, now), OPERATOR, now)


def files_with(folder: Path, vault_id: str = "") -> list[str]:
    """The files below the folder that hold one of the secrets, the pages of the log unpacked."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and vault_id in str(path):
            body = path.read_bytes()
            bodies = [body, *(decode(body).pages.values() if path.suffix == ".ltx" else ())]
            if any(secret in part for part in bodies for secret in SECRETS):
                found.append(str(path))
    return found


def erase(site, choir, step=lambda _: None):
    return purge(site.services, find_tenant(site.services, choir.entry.id), OPERATOR, early=True, step=step)


def certificate(site, choir) -> dict:
    """What the signed certificate says; its signature holds."""
    erasure = site.services.registry_read(lambda tx: find_erasure(tx, choir.entry.id), current=True)
    assert erasure.document is not None
    return dict(site.services.registry_read(lambda tx: read_document(tx, KIND, erasure.document)).content)


def test_no_value_of_an_erased_vault_is_left_in_store_or_cache(site, tmp_path):
    choir = furnish(site, "aurora")
    delete(site, choir)
    assert len(files_with(tmp_path / "store")) >= 3
    erase(site, choir)
    assert files_with(tmp_path / "store") == []
    left = {path.name for path in (tmp_path / "store").rglob("*") if path.is_file() and choir.entry.id in str(path)}
    assert left == {"lock"}


@pytest.mark.parametrize("killed_at", STEPS)
def test_killed_at_any_step_it_is_finished_by_the_next_run_and_another_vault_stays(site, tmp_path, killed_at):
    choir, other = furnish(site, "aurora"), furnish(site, "bella")
    delete(site, choir)

    def step(name: str) -> None:
        if name == killed_at:
            raise Killed

    with pytest.raises(Killed):
        erase(site, choir, step)
    again = site.restart()
    try:
        if killed_at == "sweep":
            with pytest.raises(NotFound):
                find_tenant(again.services, choir.entry.id)
        else:
            erase(again, choir)
        told = certificate(again, choir)
        assert told["store"]["commits"]["objects"] > 3
        assert told["store"]["other"] == {"objects": 1, "bytes": 29}
        assert len(told["data_keys"]) == 1
        assert files_with(tmp_path / "store", choir.entry.id) == []
        assert len(again.services.registry_read(lambda tx: list_erasures(tx, again.services.keyring))) == 1
        rows = again.sign_in("bella", "z@bella.example").rows("works?select=title")
        assert rows == [{"title": "Unrepeatable Requiem"}]
        assert again.services.site.store.exists(f"vaults/{other.entry.id}/files/score.pdf", op="test")
    finally:
        again.services.close()


def test_killed_between_two_objects_it_goes_on_with_what_is_left(site, tmp_path):
    choir = furnish(site, "aurora")
    delete(site, choir)

    def step(name: str) -> None:
        if name == "objects":
            objects = CommitLog(site.services.site.store, choir.entry.id).list_level(0)
            site.services.site.store.delete([found.key for found in objects[:2]], op="test")
            raise Killed

    with pytest.raises(Killed):
        erase(site, choir, step)
    erase(site, choir)
    assert files_with(tmp_path / "store") == []


def test_the_certificate_counts_what_was_destroyed_and_names_nobody(site):
    choir = furnish(site, "aurora")
    delete(site, choir)
    objects = CommitLog(site.services.site.store, choir.entry.id).list_all()
    erasure = erase(site, choir)
    told = certificate(site, choir)
    assert told["store"]["commits"] == {"objects": len(objects), "bytes": sum(found.size for found in objects)}
    assert told["store"]["other"] == {"objects": 1, "bytes": 29}
    counted = ("slugs", "memberships", "sessions", "api_tokens", "email_codes", "one_time_links")
    assert [told["registry_rows"][table] for table in counted] == [1] * len(counted)
    assert (told["charter"], told["vault"], told["before_30_days"]) == ("choir", choir.entry.id, True)
    assert told["first_bookmark"] < told["last_bookmark"]
    assert told["certificate"] == erasure.id
    text = json.dumps(told)
    assert not any(word in text for word in ("aurora", "Aurora", "Zebedee", "@"))
    row = site.services.registry_read(lambda tx: dict(tx.row("SELECT * FROM erasures")))
    assert "aurora" not in json.dumps(row)


def test_the_registry_forgets_tokens_sessions_and_memberships(site):
    choir = furnish(site, "aurora")
    delete(site, choir)
    erase(site, choir)
    tables = ("vaults", "slugs", "memberships", "sessions", "refresh_tokens", "api_tokens", "email_codes")
    for table in tables:
        sql = f"SELECT count(*) FROM {table}"
        assert site.services.registry_read(lambda tx, sql=sql: tx.value(sql)) == 0, table
    make_choir(site, "aurora")


def test_once_begun_nothing_brings_the_vault_back(site):
    choir = furnish(site, "aurora")
    delete(site, choir)

    def step(name: str) -> None:
        if name == "key":
            raise Killed

    with pytest.raises(Killed):
        erase(site, choir, step)
    now = site.clock()
    with pytest.raises(Gone):
        site.services.registry_write(lambda tx: undelete_vault(tx, choir.entry.id, now), OPERATOR, now)


def test_a_vault_that_is_not_deleted_or_not_for_30_days_is_kept(site):
    choir = furnish(site, "aurora")
    with pytest.raises(Conflict):
        erase(site, choir)
    delete(site, choir)
    with pytest.raises(Conflict):
        purge(site.services, find_tenant(site.services, "aurora"), OPERATOR)
    assert site.services.registry_read(lambda tx: find_erasure(tx, choir.entry.id), current=True) is None


def test_a_fork_of_an_erased_vault_stays_readable_and_is_named_as_holding_the_key(site):
    choir = furnish(site, "aurora")
    made = fork_tenant(site.services, choir.entry, "fork", None, OPERATOR)
    delete(site, choir)
    erase(site, choir)
    assert certificate(site, choir)["data_key_held_by"] == [made.id]
    opened = "SELECT personal_open('members.email_id', email_id) AS email FROM members WHERE name = 'Zebedee Quux'"
    with site.services.vault(find_tenant(site.services, "fork")) as vault:
        assert vault.read(lambda tx: tx.value(opened)).value == "z@aurora.example"


def test_what_a_straggler_writes_after_the_erasure_is_swept_up(site, tmp_path):
    choir = furnish(site, "aurora")
    delete(site, choir)
    erase(site, choir)
    key = CommitLog(site.services.site.store, choir.entry.id).key(0, 99, 99)
    site.services.site.store.put(key, b"Unrepeatable Requiem", timestamp_ms=1, op="test")
    now = site.clock()
    assert purge_due(site.services, now, Moment(now.ms + 60_000))["swept"] == 1
    assert files_with(tmp_path / "store") == []


def test_maintenance_erases_what_was_deleted_30_days_ago_and_only_that(site, tmp_path):
    choir, young = furnish(site, "aurora"), furnish(site, "bella")
    delete(site, choir)
    site.clock.tick(86400)
    delete(site, young)
    site.clock.tick(29 * 86400 - 1)
    now = site.clock()
    assert purge_due(site.services, now, Moment(now.ms + 60_000))["purged"] == 0
    site.clock.tick(2)
    now = site.clock()
    assert purge_due(site.services, now, now) == {"purged": 0, "swept": 0, "left": 1}
    assert purge_due(site.services, now, Moment(now.ms + 60_000)) == {"purged": 1, "swept": 0, "left": 0}
    assert purge_due(site.services, now, Moment(now.ms + 60_000)) == {"purged": 0, "swept": 0, "left": 0}
    assert certificate(site, choir)["before_30_days"] is False
    assert files_with(tmp_path / "store", choir.entry.id) == []
    assert find_tenant(site.services, "bella").status == "deleted"


def test_maintenance_finishes_what_was_begun_early(site):
    choir = furnish(site, "aurora")
    delete(site, choir)

    def step(name: str) -> None:
        if name == "objects":
            raise Killed

    with pytest.raises(Killed):
        erase(site, choir, step)
    now = site.clock()
    assert purge_due(site.services, now, Moment(now.ms + 60_000))["purged"] == 1


def test_one_that_fails_stops_no_other(site, monkeypatch):
    broken, sound = furnish(site, "aurora"), furnish(site, "bella")
    delete(site, broken)
    delete(site, sound)
    site.clock.tick(31 * 86400)
    inner = site.services.site.store.delete

    def refuse(keys, *, op):
        if any(broken.entry.id in key for key in keys):
            raise VaultError("no", code="store_unavailable")
        inner(keys, op=op)

    monkeypatch.setattr(site.services.site.store, "delete", refuse)
    now = site.clock()
    with pytest.raises(VaultError, match="1 vaults could not be erased") as failed:
        purge_due(site.services, now, Moment(now.ms + 60_000))
    assert failed.value.code == "purge_failed"
    certificate(site, sound)


def test_a_vault_whose_log_is_damaged_is_erased_all_the_same(site, tmp_path):
    choir = furnish(site, "aurora")
    delete(site, choir)
    site.services.close()
    again = make_site(tmp_path, site.clock)
    objects = CommitLog(again.services.site.store, choir.entry.id).list_level(0)
    again.services.site.store.delete([objects[1].key], op="test")
    for copy in (tmp_path / "store" / "cache" / choir.entry.id).rglob("marker"):
        copy.unlink()
    try:
        erase(again, choir)
        assert certificate(again, choir)["data_keys"] == []
        assert files_with(tmp_path / "store") == []
    finally:
        again.services.close()
