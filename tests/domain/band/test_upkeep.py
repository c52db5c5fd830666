"""What a band's vault keeps and for how long, what it tells of itself, who comes in: scenarios 21, 22 and 24."""

import csv
import io
import sqlite3

import pytest

from db.clock import years_before
from db.personal import PersonalCipher
from domain.band.people import arrival
from tests.domain.band.riverside import build, email
from tests.domain.band.test_privacy import chain_holds, people_job
from tests.handlers.http.site import error_of


def alumnus(band, name, left):
    member_id = band.done("Dana", "member.create", first_name=name, last_name="Gone", status="ALUMNI", leave_date=left)
    return member_id["id"]


def first_name(band, member_id):
    return band.value("SELECT first_name FROM members WHERE id = :id", id=member_id)


def test_21_alumni_of_ten_years_ago_are_forgotten_and_later_ones_are_not(riverside):
    later = alumnus(riverside, "Later", "2016-04-02")
    riverside.at("2026-04-01T03:00:00.000Z")
    riverside.job("retention")
    m54 = riverside.ids.members[54]
    assert first_name(riverside, m54) == "DELETED"
    assert riverside.value("SELECT name FROM users WHERE id = :id", id=riverside.ids.users["M54"]) == "DELETED USER"
    assert first_name(riverside, later) == "Later"
    before = riverside.stored("SELECT * FROM members ORDER BY id")
    riverside.job("retention")
    riverside.at("2020-01-01T00:00:00.000Z")
    riverside.job("retention")
    assert riverside.stored("SELECT * FROM members ORDER BY id") == before


def test_21_the_moment_itself_is_kept(riverside):
    exactly = alumnus(riverside, "Exactly", "2016-04-11T03:00:00.000Z")
    riverside.at("2026-04-11T03:00:00.000Z")
    riverside.job("retention")
    assert first_name(riverside, exactly) == "Exactly"
    riverside.at("2026-04-11T03:00:00.001Z")
    riverside.job("retention")
    assert first_name(riverside, exactly) == "DELETED"


@pytest.mark.parametrize(
    ("text", "years", "then"),
    [
        ("2028-02-29T03:00:00.000Z", 10, "2018-02-28T03:00:00.000Z"),
        ("2028-02-29T03:00:00.000Z", 8, "2020-02-29T03:00:00.000Z"),
        ("2104-02-29T03:00:00.000Z", 4, "2100-02-28T03:00:00.000Z"),
        ("2026-03-01T03:00:00.000Z", 1, "2025-03-01T03:00:00.000Z"),
    ],
)
def test_years_are_calendar_years(text, years, then):
    assert years_before(text, years) == then


def test_21_audit_rows_of_seven_years_ago_go_and_the_chain_holds(riverside):
    riverside.at("2033-03-01T12:00:00.001Z")
    riverside.done("Dana", "member.update", member_id=riverside.ids.members[1], first_name="New")
    founded = riverside.value("SELECT count(*) FROM vaultry_audit WHERE at < '2026-03-01T12:00:00.001Z'")
    assert founded > 500
    assert people_job(riverside)["audit_pruned"] == founded
    assert riverside.value("SELECT count(*) FROM vaultry_audit WHERE at < '2026-03-01T12:00:00.001Z'") == 0
    assert chain_holds(riverside)
    assert people_job(riverside) == {}
    # Whoever takes more away is found out.
    riverside.done("Dana", "member.update", member_id=riverside.ids.members[1], first_name="Newer")
    assert chain_holds(riverside)
    with (
        riverside.site.services.vault(riverside.tenant.entry) as vault,
        pytest.raises(sqlite3.IntegrityError, match="audit_append_only"),
    ):
        vault.alter(lambda writer: writer.execute("DELETE FROM vaultry_audit WHERE seq > 0") is not None)


def test_21_downloads_of_a_year_ago_go(riverside):
    piece = riverside.ids.pieces["Sea Songs"]

    def downloads(tx):
        file = {"id": "f1", "piece_id": piece, "file_name": "x.pdf", "file_type": "OTHER", "file_size": 1}
        tx.insert("music_files", **file, mime_type="application/pdf", storage_key="music/x")
        for name, at in (("old", "2025-04-01T02:59:59.999Z"), ("kept", "2025-04-01T03:00:00.000Z")):
            tx.insert("file_downloads", id=name, file_id="f1", downloaded_at=at)

    riverside.write(downloads)
    riverside.at("2026-04-01T03:00:00.000Z")
    riverside.job("retention")
    assert riverside.stored("SELECT id FROM file_downloads") == [{"id": "kept"}]


def test_22_a_deleted_user_is_out_at_once_and_the_log_keeps_the_name(riverside):
    sam, m12 = riverside.ids.users["Sam"], riverside.ids.users["M12"]
    assert riverside.refused("Sam", "user.delete", user_id=sam) == (409, "own_account")
    riverside.done("M12", "me.update_member", phone="+41 1")
    riverside.at("2026-05-01T22:00:00.000Z")
    riverside.done("Dana", "attendance.mark", event_id=riverside.ids.e1, member_id=riverside.ids.members[12],
                   status="PRESENT")  # fmt: skip
    riverside.done("Sam", "user.delete", user_id=m12, hard=True)
    (member,) = riverside.stored("SELECT user_id, first_name FROM members WHERE id = :id", id=riverside.ids.members[12])
    assert member == {"user_id": None, "first_name": "M12"}
    assert riverside.value("SELECT count(*) FROM attendance") == 1
    assert riverside.value("SELECT count(*) FROM user_notifications WHERE user_id = :id", id=m12) == 0
    assert riverside.refused("M12", "me.update_member", phone="+41 2")[0] == 403
    (row,) = riverside.done("Ada", "audit.list", user_name="m12", entity_type="Member")
    assert (row["user_id"], row["user_name"], row["new_values"]) == (None, "M12", {"phone": "[redacted]"})


def test_the_audit_log_is_told_in_the_words_of_the_band(riverside):
    m16 = riverside.ids.members[16]
    riverside.done("Dana", "member.set_status", member_id=m16, status="LEAVE_OF_ABSENCE")
    riverside.done("Dana", "member.update", member_id=m16, first_name="Ann", email="ann@x.example")
    riverside.done("Sam", "role.grant", user_id=riverside.ids.users["Dana"], role="STAFF")
    riverside.done("Sam", "settings.update", settings={"address": "x" * 150, "smtp_password": "hush"})
    riverside.done("Ada", "member.anonymise", member_id=m16)
    rows = riverside.done("Ada", "audit.list", date_from="2026-04-10")
    told = [(row["user_name"], row["action"], row["entity_type"]) for row in rows]
    assert ("Dana", "STATUS_CHANGE", "Member") in told
    assert ("Sam", "GRANT_ROLE", "UserRole") in told
    (forgotten,) = riverside.done("Ada", "audit.list", action="ANONYMISE", entity_type="Member", entity_id=m16,
                                  user_name="ada", limit=1)  # fmt: skip
    assert (forgotten["old_values"], forgotten["new_values"]) == (None, None)
    changed = next(row for row in rows if row["entity_id"] == m16 and (row["new_values"] or {}).get("email"))
    assert changed["new_values"] == {"first_name": "[redacted]", "email": "[redacted]", "email_hash": "[redacted]"}
    values = [row["new_values"]["value"] for row in rows if row["entity_type"] == "SystemSetting"]
    assert sorted(values) == ["[redacted]", "x" * 100]
    assert len(riverside.done("Ada", "audit.list")) == 50
    assert error_of(riverside.call("Ada", "audit.list", limit=101))["code"] == "invalid_input"
    assert riverside.refused("Dana", "audit.list") == (403, "forbidden")
    older = riverside.done("Ada", "audit.list", limit=2, before=rows[0]["id"])
    assert [row["id"] for row in older] == [row["id"] for row in rows[1:3]]
    figures = riverside.done("Ada", "audit.stats", days=30)
    assert {"name": "STATUS_CHANGE", "count": 1} in riverside.done("Ada", "audit.stats", days=1)["action"]
    assert figures["total"] >= len(rows)


def test_an_export_of_the_log_is_noted_in_it(riverside):
    made = riverside.done("Ada", "audit.export", entity_type="Member", format="csv")
    lines = list(csv.reader(io.StringIO(made["csv"])))
    assert made["file_name"] == "audit-export-2026-04-10.csv"
    assert (len(lines), lines[0][:4]) == (61, ["ID", "Timestamp", "User ID", "User Name"])
    assert made["csv"].startswith('"ID","Timestamp"')
    newest = riverside.done("Ada", "audit.list", limit=1)[0]
    assert (newest["action"], newest["new_values"]["rows"]) == ("EXPORT", 60)


def found(band, name):
    return next(one for one in band.done("Sam", "admin.integrity") if one["name"] == name)


def test_24_an_index_that_was_dropped_is_reported_and_made_again(riverside):
    with riverside.site.services.vault(riverside.tenant.entry) as vault:
        vault.alter(lambda writer: writer.execute("DROP INDEX idx_events_start_time") is not None)
    assert found(riverside, "indexes")["sample_ids"] == ["idx_events_start_time"]
    assert riverside.done("Sam", "admin.repair", check="indexes") == {"check": "indexes", "repaired": 1}
    assert found(riverside, "indexes")["count"] == 0
    assert riverside.refused("Sam", "admin.repair", check="sqlite")[0] == 400
    assert riverside.refused("Ada", "admin.integrity") == (403, "forbidden")


def test_24_a_member_of_no_user_is_found_and_those_who_run_the_band_are_told_once_a_day(riverside):
    def insert(writer):
        writer.execute("INSERT INTO members (id, user_id, first_name, last_name) VALUES ('lost', 'nobody', 'A', 'B')")
        return True

    with riverside.site.services.vault(riverside.tenant.entry) as vault:
        vault.alter(insert, foreign_keys=False)
    assert found(riverside, "members_without_their_user")["sample_ids"] == ["lost"]
    assert found(riverside, "foreign_keys")["count"] == 1
    for _ in range(2):
        riverside.job("integrity.check")
    sent = riverside.stored("SELECT user_id, title FROM user_notifications")
    assert sent == [{"user_id": riverside.ids.users["Sam"], "title": "The vault has errors"}]
    assert riverside.site.client.request("GET", "/healthz").status == 200


def test_values_that_do_not_open_and_hashes_of_other_addresses_are_found(stage):
    band = build(stage.tx, stage.now)
    other = PersonalCipher(bytes(range(32))).seal("members.phone", "+41 1")
    stage.tx.execute("UPDATE members SET phone = :other WHERE id = :id", other=other, id=band.members[1])
    stage.tx.execute("UPDATE users SET email_hash = 'h1:x' WHERE id = :id", id=band.users["M02"])
    found = {one["name"]: one for one in stage.call("admin.integrity", "Sam")}
    assert found["unreadable_values"]["sample_ids"] == [band.members[1]]
    assert found["email_hashes"]["sample_ids"] == [band.users["M02"]]
    assert stage.call("admin.repair", "Sam", check="email_hashes")["repaired"] == 1
    assert stage.value("SELECT count(*) FROM users WHERE email_hash = 'h1:x'") == 0


def test_an_invited_user_is_verified_by_signing_in(riverside):
    user_id = riverside.done("Sam", "user.create", email="new@riverside.example", name="New One")["id"]
    assert riverside.value("SELECT email_verified FROM users WHERE id = :id", id=user_id) is None
    caller = riverside.site.sign_in("riverside", "new@riverside.example")
    assert caller.done("me.permissions")["roles"] == []
    assert riverside.value("SELECT email_verified FROM users WHERE id = :id", id=user_id) is not None
    assert riverside.value("SELECT count(*) FROM members WHERE user_id = :id", id=user_id) == 0


@pytest.mark.parametrize(("approval", "status", "roles"), [("true", "PENDING", 0), ("false", "ACTIVE", 1)])
def test_whoever_registers_while_that_is_open_is_a_member(stage, approval, status, roles):
    stage.call("settings.update", "Sam", settings={"allow_public_registration": "true", "require_approval": approval})
    for _ in range(2):
        assert arrival.expects(stage.tx, "mia@x.example") == (stage.value("SELECT count(*) FROM members") == 0)
        arrival.enter(stage.tx, "mia@x.example", "Mia van der Berg", stage.now)
    member = stage.rows("SELECT first_name, last_name, status FROM members")
    assert member == [("Mia", "van der Berg", status)]
    assert stage.value("SELECT count(*) FROM user_roles AS u JOIN members AS m ON m.user_id = u.user_id") == roles


def test_nobody_registers_while_it_is_closed(riverside):
    with pytest.raises(AssertionError, match="registration_closed"):
        riverside.site.sign_in("riverside", "stranger@x.example")
    assert riverside.value("SELECT count(*) FROM users") == 59
    assert email("M16")
