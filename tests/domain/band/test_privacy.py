"""Forgetting a member: what goes, what stays, and that nothing brings them back. Over HTTP, and in every byte."""

import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from db.audit.links import chain_head, verify_links
from db.clock import Moment
from db.errors import CorruptLog, NotFound
from db.history.points import current_database_file, restore
from db.log.commit_log import CommitLog
from db.log.retention import Retention, tend
from handlers.tenant.forgetting import settling
from handlers.tenant.provisioning import fork_tenant
from handlers.upkeep.rounds import run_due
from tests.domain.band.riverside import email
from tests.handlers.http.site import OPERATOR

PERSONAL = {
    "first_name": "Hildegund",
    "last_name": "Quastenberger",
    "email": "hildegund.q@wald.example",
    "phone": "+41 79 555 43 21",
    "emergency_name": "Theodulf Quastenberger",
    "emergency_phone": "+41 31 777 88 99",
    "emergency_email": "theodulf@wald.example",
    "notes": "allergic to rosin",
}


def people_job(band):
    """Register, wipe, prune, as maintenance would."""
    deadline = Moment(band.clock.ms + 86_400_000)
    report = run_due(band.site.services, jobs=["people"], vaults=[band.tenant.entry.id], deadline=deadline, force=True)
    assert report.failed == 0, report.failures
    return report.jobs["people"].sums


def made_up(band, member_id=None, **values):
    """Give a member these values, M16 where none is named, one change after another, so that each leaves traces."""
    member_id = member_id or band.ids.members[16]
    for name, value in (PERSONAL | values).items():
        band.done("Dana", "member.update", member_id=member_id, **{name: value})
    return member_id


def row_of(band, table, row_id):
    return band.stored(f"SELECT * FROM {table} WHERE id = :id", id=row_id)[0]


def audit_text(band):
    return json.dumps(band.stored("SELECT old_values, new_values FROM vaultry_audit"), ensure_ascii=False)


def chain_holds(band):
    with band.site.services.vault(band.tenant.entry) as vault:
        last, wrong = verify_links(vault, band.site.services.keyring, 0, 1_000_000)
        return wrong is None and last == chain_head(vault).seq


def file_bytes(band, folder):
    """The database file at the newest commit."""
    with band.site.services.vault(band.tenant.entry) as vault:
        current_database_file(vault, folder / "now.sqlite")
    return (folder / "now.sqlite").read_bytes()


def log_bytes(band):
    """Every page that the log still holds."""
    log = CommitLog(band.site.services.site.store, band.tenant.entry.id)
    return b"".join(bytes(page) for reader in log.open_each(log.list_all()) for _, page in reader.pages())


def found_in(data, values):
    return [value for value in values if value.encode() in data]


def test_20_exactly_the_declared_columns_change(riverside):
    member_id, user_id = made_up(riverside), riverside.ids.users["M16"]
    before, user_before = row_of(riverside, "members", member_id), row_of(riverside, "users", user_id)
    riverside.at("2026-04-11T12:00:00.000Z")
    assert riverside.done("Ada", "member.anonymise", member_id=member_id) == {"id": member_id, "user_id": user_id}
    after, user_after = row_of(riverside, "members", member_id), row_of(riverside, "users", user_id)
    at = "2026-04-11T12:00:00.000Z"
    gone = dict.fromkeys(("email", "email_hash", "phone", "emergency_name", "emergency_phone", "emergency_email",
                          "notes", "profile_photo"))  # fmt: skip
    named = {"first_name": "DELETED", "last_name": "USER", "deleted_at": at, "updated_at": at}
    assert after == {**before, **gone, **named}
    assert user_after["name"] == "DELETED USER"
    assert (user_after["image"], user_after["email_verified"], user_after["deleted_at"]) == (None, None, at)
    assert user_after["email_hash"] != user_before["email_hash"]
    assert riverside.value("SELECT count(*) FROM user_roles WHERE user_id = :id", id=user_id) == 0
    assert riverside.value("SELECT count(*) FROM member_instruments WHERE member_id = :id", id=member_id) == 1
    assert riverside.refused("Ada", "member.anonymise", member_id=member_id) == (409, "already_anonymised")
    assert riverside.refused("Ada", "member.restore", member_id=member_id) == (409, "anonymised")
    assert riverside.call("M16", "me.permissions").json()["permissions"] == []
    # The address is free again.
    assert riverside.done("Sam", "user.create", email=email("M16"))["id"] != user_id


def test_20_marks_of_the_past_stay_and_what_was_written_about_the_person_goes(riverside):
    member_id, piece = riverside.ids.members[31], riverside.ids.pieces["Sea Songs"]
    given = riverside.done("Dana", "music.assign", piece_id=piece, member_ids=[member_id], notes="his own mute")
    assert given
    riverside.at("2026-05-01T21:30:00.000Z")
    riverside.done("Dana", "attendance.mark", event_id=riverside.ids.e1, member_id=member_id, status="LATE",
                   notes="missed his bus")  # fmt: skip
    riverside.done("M31", "message.send", subject="Hello", body="Hi", recipients=[riverside.ids.users["M32"]])
    riverside.done("Ada", "member.anonymise", member_id=member_id)
    assert riverside.stored("SELECT status, notes FROM attendance") == [{"status": "LATE", "notes": None}]
    assert riverside.stored("SELECT status, notes FROM music_assignments") == [{"status": "ASSIGNED", "notes": None}]
    assert riverside.value("SELECT sender_name FROM messages") == "DELETED USER"
    text = audit_text(riverside)
    assert not [told for told in ("his own mute", "missed his bus", "M31") if told in text]
    assert chain_holds(riverside)


def test_the_audit_log_tells_names_until_the_person_is_forgotten(riverside):
    member_id = made_up(riverside)
    assert "Hildegund" not in audit_text(riverside)
    told = riverside.done("Dana", "member.data", member_id=member_id)
    assert any((change["new_values"] or {}).get("first_name") == "Hildegund" for change in told["changes"])
    riverside.done("Ada", "member.anonymise", member_id=member_id)
    told = riverside.done("Dana", "member.data", member_id=member_id)
    assert {(change["new_values"] or {}).get("first_name") for change in told["changes"]} <= {None, "[redacted]"}
    assert chain_holds(riverside)


def test_an_account_that_is_kept_stays_as_it_is(riverside):
    member_id, user_id = riverside.ids.members[16], riverside.ids.users["M16"]
    before = row_of(riverside, "users", user_id)
    done = riverside.done("Ada", "member.anonymise", member_id=member_id, keep_account=True)
    assert done == {"id": member_id, "user_id": None}
    assert row_of(riverside, "users", user_id) == before


def test_the_last_super_administrator_is_not_forgotten(riverside):
    sam = riverside.ids.users["Sam"]
    member_id = riverside.done("Ada", "member.create", first_name="Sam", last_name="Runner", user_id=sam)["id"]
    assert riverside.refused("Ada", "member.anonymise", member_id=member_id) == (409, "last_super_admin")
    assert row_of(riverside, "members", member_id)["first_name"] == "Sam"


def test_nothing_of_the_person_is_left_in_a_byte_once_points_in_time_have_gone(riverside, tmp_path):
    member_id = made_up(riverside)
    values = [*PERSONAL.values(), email("M16")]
    riverside.done("Ada", "announcement.publish", announcement_id=riverside.done(
        "Ada", "announcement.create", title="Bus", content="17:00", is_urgent=True)["id"])  # fmt: skip
    assert found_in(json.dumps(riverside.stored("SELECT payload FROM vaultry_outbox")).encode(), [email("M16")])
    riverside.done("Ada", "member.anonymise", member_id=member_id)
    # The request itself told the register.
    assert people_job(riverside) == {"wiped": 2}
    assert people_job(riverside) == {}
    assert found_in(file_bytes(riverside, tmp_path), values) == []
    assert found_in(log_bytes(riverside), ["Hildegund"]) == ["Hildegund"]
    riverside.at("2026-07-01T12:00:00.000Z")
    with riverside.site.services.vault(riverside.tenant.entry) as vault:
        vault.write(lambda tx: tx.note("later", {}), OPERATOR, riverside.clock())
        tend(vault, riverside.clock.ms, Retention(points_days=30, commits_hours=24))
    assert found_in(log_bytes(riverside), values) == []
    assert chain_holds(riverside)


_NAMES = st.text(st.characters(categories=["L"]), min_size=6, max_size=30).map("Ø{}".format)


_PERSON = st.fixed_dictionaries(
    {
        **dict.fromkeys(("first_name", "last_name", "notes", "emergency_name"), _NAMES),
        "email": st.from_regex("[a-z]{8,20}", fullmatch=True).map("{}@wald.example".format),
    }
)


@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(_PERSON, _PERSON)
def test_whoever_is_forgotten_leaves_no_value_in_the_file(riverside, tmp_path, values, earlier):
    member_id = riverside.done("Dana", "member.create", **earlier)["id"]
    made_up(riverside, member_id=member_id, **values)
    stored = [str(value) for value in row_of(riverside, "members", member_id).values() if str(value).startswith("p1:")]
    riverside.done("Ada", "member.anonymise", member_id=member_id)
    people_job(riverside)
    left = file_bytes(riverside, tmp_path)
    assert len(stored) == 5
    assert found_in(left, [*values.values(), *earlier.values(), *stored]) == []
    assert chain_holds(riverside)


def go_back(band, at):
    services, entry = band.site.services, band.tenant.entry
    with services.vault(entry) as vault:
        charter = services.charter(entry)
        settle = settling(services, charter, vault)
        return restore(vault, services.site, at, OPERATOR, services.kind(charter).sets, settle=settle)


def test_23_a_restore_brings_pages_back_and_nobody_who_was_forgotten(riverside):
    member_id, user_id = made_up(riverside), riverside.ids.users["M16"]
    riverside.done("Dana", "page.create", title="Bus", slug="bus", content={"text": "17:00"})
    riverside.at("2026-04-10T14:31:00.000Z")
    riverside.done("Ada", "member.anonymise", member_id=member_id)
    riverside.at("2026-04-10T14:33:00.000Z")
    riverside.write(lambda tx: tx.execute("DELETE FROM pages"))
    # Every commit is a point of its own: one goes back to the last before then, not to the end of some interval.
    assert go_back(riverside, "2026-04-10T14:30:00.000Z").timestamp == "2026-04-10T12:00:00.000Z"
    assert riverside.value("SELECT count(*) FROM pages") == 1
    assert row_of(riverside, "members", member_id)["first_name"] == "DELETED"
    assert row_of(riverside, "users", user_id)["name"] == "DELETED USER"
    assert riverside.refused("Ada", "member.anonymise", member_id=member_id) == (409, "already_anonymised")
    assert "Hildegund" not in audit_text(riverside)
    assert chain_holds(riverside)


def test_23_what_is_not_kept_or_is_damaged_is_not_restored(riverside, tmp_path):
    riverside.done("Dana", "member.update", member_id=riverside.ids.members[1], first_name="Now")
    with pytest.raises(NotFound):
        go_back(riverside, "2026-02-01T12:00:00.000Z")
    objects = sorted((tmp_path / "store" / "vaults" / riverside.tenant.entry.id / "ltx").rglob("*.ltx"))
    damaged = bytearray(objects[0].read_bytes())
    damaged[200] ^= 1
    objects[0].chmod(0o644)
    objects[0].write_bytes(damaged)
    with pytest.raises(CorruptLog):
        go_back(riverside, "2026-03-20T12:00:00.000Z")
    assert row_of(riverside, "members", riverside.ids.members[1])["first_name"] == "Now"


def test_a_fork_of_an_earlier_state_forgets_them_too(riverside):
    member_id = made_up(riverside)
    services, entry = riverside.site.services, riverside.tenant.entry
    with services.vault(entry) as vault:
        before = vault.bookmark
    riverside.done("Ada", "member.anonymise", member_id=member_id)
    made = fork_tenant(services, entry, "riverside-then", before, OPERATOR)
    with services.vault(made) as vault:
        shown = vault.read(lambda tx: tx.value("SELECT first_name FROM members WHERE id = :id", id=member_id)).value
    assert shown == "DELETED"


@pytest.mark.parametrize("who", ["M16", "Dana"])
def test_everything_about_a_person_is_told_to_that_person_and_to_staff(riverside, who):
    member_id = made_up(riverside)
    told = (
        riverside.done("M16", "me.data") if who == "M16" else riverside.done("Dana", "member.data", member_id=member_id)
    )
    (row,) = told["rows"]["members"]
    assert (row["email"], row["emergency_name"]) == (PERSONAL["email"], PERSONAL["emergency_name"])
    assert ("notes" in row) == (who == "Dana")
    assert "allergic" not in json.dumps(told) or who == "Dana"
    assert "email_hash" not in row
    assert [one["email"] for one in told["rows"]["users"]] == [email("M16")]
    assert len(told["rows"]["member_instruments"]) == 1
    assert riverside.refused("M16", "member.data", member_id=member_id)[0] == 403
