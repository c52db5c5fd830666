"""What a choir association does in a year, as its people would tell it, over HTTP: one story after the other.

Those that other modules tell are named with these in test_all_scenarios.py.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from db.clock import Moment
from db.errors import Conflict
from tests.handlers.http.planning import JAAN, KADRI, LIIS, MARI, MERETUUL, add_event, association, aurora, id_of
from tests.handlers.http.shelves import copies, edition, lend
from tests.handlers.http.site import Caller, Choir, Site, error_of, make_choir, make_site, refused
from tests.handlers.storage.desk import FILES, PDF, fetch, put
from tests.handlers.storage.test_resumable import add, begin, begun, stands

ANNA, TOM = "anna@x.example", "tom@x.example"
CONCERT = {"title": "Concert", "starts_at": "2026-03-05T16:00:00Z", "event_type": "concert"}


def test_a_choir_is_registered_once_with_owner_voices_sections_and_setting(site):
    door = make_choir(site, "other")
    asked = site.guest(door.slug).done("organization.check_subdomain", subdomain="harmonia")
    assert asked == {"available": True}
    choir = make_choir(site, "harmonia", owner="board@harmonia.example")
    owner = site.sign_in("harmonia", "board@harmonia.example")
    assert [row["type"] for row in owner.rows("organizations")] == ["collective"]
    assert owner.rows("members?select=name,email_id") == [
        {"name": "board@harmonia.example", "email_id": "board@harmonia.example"}
    ]
    assert [member["registered"] for member in owner.done("member.list")] == [True]
    assert owner.rows("member_roles?select=role") == [{"role": "owner"}]
    for table in ("voices", "sections"):
        assert (len(owner.rows(table)), len(owner.rows(f"{table}?is_active=eq.1"))) == (13, 5)
    assert len(owner.rows("sections?parent_section_id=not.is.null")) == 8
    assert owner.done("settings.get")["default_event_duration"] == "120"
    before = site.vault_rows(choir, "SELECT count(*) AS n FROM vaultry_audit")
    with pytest.raises(Conflict) as caught:
        make_choir(site, "Harmonia", owner="board@harmonia.example")
    assert caught.value.code == "duplicate"
    again = site.guest("other").done("organization.check_subdomain", subdomain=" Harmonia ")
    assert again == {"available": False, "reason": "taken"}
    assert site.vault_rows(choir, "SELECT count(*) AS n FROM vaultry_audit") == before


def test_reserved_and_malformed_names_are_told_apart(site):
    make_choir(site, "aurora")
    guest = site.guest("aurora")
    for name, answer in (
        ("docs", {"available": False, "reason": "reserved"}),
        ("STATUS", {"available": False, "reason": "reserved"}),
        ("choir--two", {"available": True}),
    ):
        assert guest.done("organization.check_subdomain", subdomain=name) == answer
    for name, rule in (("ha", "3 to 30"), ("h" * 31, "3 to 30"), ("harmonia-", "hyphen")):
        answer = guest.call("organization.check_subdomain", subdomain=name)
        assert refused(answer) == (400, "invalid_input")
        assert rule in error_of(answer)["message"].replace("–", " to "), error_of(answer)["message"]


def test_the_union_of_roles_counts_in_one_organization_only(site):
    association(site)
    mari, there = site.sign_in("aurora", MARI), site.sign_in("meretuul", MERETUUL)
    welcome = there.done("invite.create", name="Mari")
    mari_there = mari.at("meretuul")
    mari_there.done("invite.accept", token=welcome["token"])
    licensed = edition(there, "Meretuul's", license_type="licensed")
    there.done("role.grant", member_id=there.done("member.list")[0]["id"], role="librarian")
    owner_id = next(member["id"] for member in there.done("member.list") if member["email_id"] == MERETUUL)
    there.done("role.grant", member_id=owner_id, role="librarian")
    assert put(there, f"scores/{licensed}/score.pdf", PDF).status == 200
    own = edition(mari)
    assert mari.call("event.create_many", events=[CONCERT]).status == 200
    assert put(mari, f"scores/{own}/score.pdf", PDF).status == 200
    mari_id = id_of(there, "Mari")
    for role in [row["role"] for row in there.rows(f"member_roles?member_id=eq.{mari_id}")]:
        there.done("role.revoke", member_id=mari_id, role=role)
    assert refused(mari_there.call("event.create_many", events=[CONCERT])) == (403, "forbidden")
    assert put(mari_there, f"scores/{licensed}/other.pdf", PDF, x_upsert="true").status == 403
    assert [work["title"] for work in mari_there.done("work.list")] == ["Meretuul's"]
    place = mari_there.done("file.read", edition_id=licensed)
    assert fetch(mari_there, f"{place['bucket']}/{place['path']}").body == PDF
    outsider = site.guest("meretuul")
    assert refused(outsider.call("file.read", edition_id=licensed)) == (401, "not_authenticated")


def test_an_owner_is_not_a_librarian_until_she_makes_herself_one(site):
    aurora(site)
    liis, jaan = site.sign_in("aurora", LIIS), site.sign_in("aurora", JAAN)
    made = edition(liis)
    assert put(liis, f"scores/{made}/score.pdf", PDF).status == 403
    assert refused(liis.call("event.create_many", events=[CONCERT])) == (403, "forbidden")
    own = next(member["id"] for member in liis.done("member.list") if member["email_id"] == LIIS)
    liis.done("role.grant", member_id=own, role="librarian")
    assert put(liis, f"scores/{made}/score.pdf", PDF).status == 200
    kadri = id_of(jaan, "Kadri")
    assert refused(jaan.call("role.grant", member_id=kadri, role="owner")) == (403, "forbidden")


def test_a_roster_person_registers_with_her_section_her_record_and_her_copy(site, clock):
    clock.at("2026-02-01T10:00:00Z")
    aurora(site)
    jaan, mari = site.sign_in("aurora", JAAN), site.sign_in("aurora", MARI)
    anna = jaan.done("member.add_roster", name="Anna Tamm", sections=["Alto"])["id"]
    event = add_event(mari, "2026-02-03T16:00:00Z")
    made = edition(mari)
    shelf = copies(mari, made, 4, prefix="M")
    lend(mari, shelf[3], anna)
    clock.at("2026-02-03T16:00:00Z")
    mari = site.sign_in("aurora", MARI)
    mari.done("participation.set", event_id=event, member_id=anna, actual_status="present")
    clock.at("2026-02-05T10:00:00Z")
    jaan = site.sign_in("aurora", JAAN)
    invite = jaan.done("invite.create", roster_member_id=anna)
    assert invite["expires_at"] == "2026-02-07T10:00:00.000Z"
    assert invite["link_path"] == f"/invite/accept?token={invite['token']}"
    clock.at("2026-02-07T09:59:00Z")
    session = site.session("aurora", ANNA, invite_token=invite["token"])
    person = site.guest("aurora").with_token(session["access_token"])
    card = person.done("member.get", member_id=anna)
    assert (card["name"], card["email_id"], card["registered"]) == ("Anna Tamm", ANNA, True)
    assert card["sections"] == [{"id": card["section"]["id"], "name": "Alto", "is_primary": 1}]
    assert person.rows("participation?select=member_id,actual_status") == [
        {"member_id": anna, "actual_status": "present"}
    ]
    assert [copy["copy_number"] for copy in person.done("member.copies", member_id=anna)] == ["M-04"]
    assert site.sign_in("aurora", JAAN).rows("invites") == []
    assert refused(site.guest("aurora").call("invite.open", token=invite["token"])) == (404, "not_found")
    clock.tick(30 * 86400 - 1)
    door = site.guest("aurora")
    assert door.auth("token?grant_type=refresh_token", {"refresh_token": session["refresh_token"]}).status == 200


@dataclass(frozen=True)
class Merged:
    """Tom, who was Thomas on Aurora's roster: signed in at Aurora; the ids of both rows, and Aurora's owner."""

    tom: Caller
    survivor: str
    roster: str
    liis: Caller
    mari: Caller
    edition: str


def merged(site: Site, clock: Any) -> Merged:
    """Twelve records, one open and two closed loans, Tenor and section leader here; Bass at Meretuul."""
    association(site)
    liis, mari, there = (site.sign_in(*who) for who in (("aurora", LIIS), ("aurora", MARI), ("meretuul", MERETUUL)))
    welcome = there.done("invite.create", name="Tom", sections=["Bass"])
    token = site.session("meretuul", TOM, invite_token=welcome["token"])["access_token"]
    survivor = id_of(there, "Tom")
    roster = liis.done("member.add_roster", name="Thomas", sections=["Tenor"], roles=["section_leader"])["id"]
    for day in range(1, 13):
        event = add_event(mari, f"2026-01-{day:02d}T16:00:00Z")
        mari.done("participation.set", event_id=event, member_id=roster, planned_status="yes", actual_status="present")
    made = edition(mari)
    shelf = copies(mari, made, 3)
    loans = [lend(mari, copy_id, roster) for copy_id in shelf]
    for copy_id, loan in list(zip(shelf, loans, strict=True))[:2]:
        mari.done("copy.return", copy_id=copy_id, assignment_id=loan)
    invite = liis.done("invite.create", roster_member_id=roster)
    tom = site.guest("aurora").with_token(token)
    assert tom.done("invite.accept", token=invite["token"]) == {"member_id": survivor, "outcome": "merged"}
    return Merged(tom, survivor, roster, liis, mari, made)


def primaries(tom: Caller, member_id: str, slug: str) -> list[str]:
    rows = tom.at(slug).rows(f"member_sections?member_id=eq.{member_id}&is_primary=eq.1&select=sections(name)")
    return [row["sections"]["name"] for row in rows]


def test_a_merge_keeps_records_loans_roles_and_one_primary_in_each_choir(site, clock):
    after = merged(site, clock)
    tom, survivor = after.tom, after.survivor
    assert tom.rows(f"members?id=eq.{after.roster}") == []
    for slug in ("aurora", "meretuul"):
        assert len(tom.at(slug).rows(f"member_organizations?member_id=eq.{survivor}")) == 1
    assert tom.rows(f"member_organizations?member_id=eq.{survivor}&select=nickname") == [{"nickname": "Thomas"}]
    rows = tom.rows(f"participation?member_id=eq.{survivor}&select=planned_status,actual_status")
    assert rows == [{"planned_status": "yes", "actual_status": "present"}] * 12
    history = after.mari.done("copy.history", edition_id=after.edition)
    assert [line["member_id"] for line in history] == [survivor] * 3
    assert sorted(line["returned_at"] is None for line in history) == [False, False, True]
    assert tom.rows(f"member_roles?member_id=eq.{survivor}&select=role") == [{"role": "section_leader"}]
    assert [primaries(tom, survivor, slug) for slug in ("aurora", "meretuul")] == [["Tenor"], ["Bass"]]


def test_a_choir_has_one_primary_section_of_a_singer_and_promotes_no_other(site, clock):
    after = merged(site, clock)
    tom, survivor, liis = after.tom, after.survivor, after.liis
    baritone = liis.rows("sections?name=eq.Baritone&select=id")[0]["id"]
    liis.done("member.assign_section", member_id=survivor, section_id=baritone, is_primary=True)
    assert primaries(tom, survivor, "aurora") == ["Baritone"]
    assert primaries(tom, survivor, "meretuul") == ["Bass"]
    liis.done("member.unassign", member_id=survivor, section_id=baritone)
    assert primaries(tom, survivor, "aurora") == []
    assert liis.done("member.get", member_id=survivor)["section"]["name"] == "Tenor"


PIECE = 1_992_294


def upload_in_pieces(caller: Caller, path: str, size: int) -> list[int]:
    """Send a PDF of so many bytes piece by piece; the length of each piece that was taken."""
    body = PDF.ljust(size, b" ")
    bucket, name = path.split("/", 1)
    url, pieces = begun(caller, bucket, name, length=size, x_upsert="true"), []
    for start in range(0, size, PIECE):
        piece = body[start : start + PIECE]
        answer = add(caller, url, start, piece)
        assert answer.status == 204, answer.text
        assert int(answer.header("upload-offset") or 0) == start + len(piece)
        pieces.append(len(piece))
    return pieces


def test_a_score_comes_in_pieces_up_to_its_greatest_size_and_is_replaced_whole(site):
    choir = aurora(site)
    mari = site.sign_in("aurora", MARI)
    made = [edition(mari, title) for title in "ABCDE"]
    paths = [f"scores/{edition_id}/score.pdf" for edition_id in made]

    def size(number: int) -> int:
        return mari.done("file.read", edition_id=made[number])["file_size"]

    assert upload_in_pieces(mari, paths[0], 5_000_000) == [PIECE, PIECE, 1_015_412]
    assert put(mari, paths[1], PDF.ljust(2_097_152)).status == 200
    assert len(upload_in_pieces(mari, paths[2], 2_097_153)) == 2
    assert len(upload_in_pieces(mari, paths[3], 9_961_470)) == 5
    assert [size(number) for number in range(4)] == [5_000_000, 2_097_152, 2_097_153, 9_961_470]
    assert begin(mari, *paths[4].split("/", 1), length=9_961_471).status == 413
    assert put(mari, paths[4], PDF.ljust(9_961_471)).status == 413
    assert refused(mari.call("file.read", edition_id=made[4])) == (404, "not_found")
    # The same edition again, half the way, and then whole under one name.
    url = begun(mari, *paths[0].split("/", 1), PDF.ljust(PIECE), length=2_500_000, x_upsert="true")
    assert (stands(mari, url), size(0)) == (PIECE, 5_000_000)
    assert put(mari, paths[0], PDF.ljust(1_500_000), x_upsert="true").status == 200
    assert size(0) == 1_500_000
    assert mari.send("DELETE", url, tus_resumable="1.0.0").status == 204
    rows = site.vault_rows(choir, "SELECT size FROM vaultry_files WHERE row_key = :id", id=made[0])
    assert rows == [{"size": 1_500_000}]
    prefix = f"vaults/{choir.entry.id}/uploads/"
    # What is left of the uploads are notes of a few bytes, so that a client that asks again hears how they ended.
    assert sum(found.size for found in site.services.site.store.list(prefix, op="test:list")) < 10_000
    assert len(fetch(mari, paths[0]).body) == 1_500_000


def test_a_code_by_mail_signs_in_once_in_time_and_at_its_own_choir(tmp_path, clock):
    drawn: list[int] = []

    def now() -> Moment:
        def draw(count: int) -> bytes:
            return drawn.pop(0).to_bytes(count, "big") if count == 8 and drawn else Moment(0).random_bytes(count)

        return Moment(clock.ms, draw)

    site = make_site(tmp_path, now)
    try:
        _codes(site, clock, drawn)
    finally:
        site.services.close()


def _codes(site: Site, clock: Any, drawn: list[int]) -> None:
    site.add_member(make_choir(site, "aurora"), "Kadri", KADRI)
    site.add_member(make_choir(site, "harmonia"), "Jaan", JAAN)
    door = site.guest("aurora")

    def ask(at: str, email: str = KADRI) -> Any:
        clock.at(f"2026-02-06T{at}Z")
        return door.auth("otp", {"email": email})

    def verify(at: str, code: str, email: str = KADRI) -> Any:
        clock.at(f"2026-02-06T{at}Z")
        return door.auth("verify", {"type": "email", "email": email, "token": code})

    drawn.append(4217)
    assert ask("10:00:00").status == 200
    assert site.code(KADRI) == "004217"
    session = verify("10:04:59", "004217")
    assert session.status == 200
    assert refused(verify("10:04:59", "004217")) == (401, "code_used")
    assert ask("10:10:00").status == 200
    assert refused(verify("10:15:01", site.code(KADRI))) == (401, "code_expired")
    assert [ask(f"10:{minute}:00").status for minute in (16, 18, 20)] == [200] * 3
    sixth = ask("10:30:00")
    assert (*refused(sixth), error_of(sixth)["details"]) == (429, "rate_limited", "retry_after_minutes: 30")
    assert ask("11:00:00").status == 200
    counted = site.services.registry_read(lambda tx: tx.rows("SELECT count FROM email_rate_limits"), current=True)
    assert 1 in [row["count"] for row in counted]
    kadri = door.with_token(site.session("aurora", KADRI)["access_token"])
    assert refused(kadri.at("harmonia").auth("user", method="GET")) == (403, "wrong_audience")
    ask("11:20:00", "stranger@x.example")
    stranger = verify("11:20:01", site.code("stranger@x.example"), "stranger@x.example")
    assert refused(stranger) == (403, "not_registered")


def test_a_file_is_taken_away_by_librarians_and_only_where_there_is_one(site):
    aurora(site)
    mari, jaan, kadri = (site.sign_in("aurora", name) for name in (MARI, JAAN, KADRI))
    made = edition(mari)
    assert refused(mari.call("file.remove", edition_id=made)) == (400, "invalid_input")
    assert put(mari, f"scores/{made}/score.pdf", PDF).status == 200
    for caller in (jaan, kadri):
        assert refused(caller.call("file.remove", edition_id=made)) == (403, "forbidden")
    assert mari.done("file.remove", edition_id=made) == {"edition_id": made}
    told = mari.done("edition.get", edition_id=made)
    names = ("file_key", "file_name", "file_size", "file_uploaded_at", "file_uploaded_by")
    assert [told[name] for name in names] == [None] * 5
    assert fetch(mari, f"scores/{made}/score.pdf").status in (400, 404)
    assert refused(mari.call("file.read", edition_id=made)) == (404, "not_found")
    assert refused(mari.call("file.remove", edition_id="nothing")) == (404, "not_found")
    listed = mari.send("POST", f"{FILES}/object/list/scores", {"prefix": made})
    assert listed.json() == []


def test_what_is_stored_as_a_score_is_a_pdf_and_has_a_byte(site):
    choir: Choir = aurora(site)
    mari = site.sign_in("aurora", MARI)
    made = edition(mari)
    for body, kind in ((b"", "application/pdf"), (PDF, "image/png"), (b"PK\x03\x04" + PDF, "application/pdf"),
                       (b" " + PDF, "application/pdf")):  # fmt: skip
        assert put(mari, f"scores/{made}/score.pdf", body, kind).status == 400, (body[:9], kind)
    assert site.vault_rows(choir, "SELECT * FROM vaultry_files") == []
    assert refused(mari.call("file.read", edition_id=made)) == (404, "not_found")
