"""A choir's library over HTTP: who reads scores, complaints, numbered copies, loans and the reports about them."""

import pytest

from tests.handlers.http.shelves import (
    JAAN,
    KADRI,
    LIIS,
    MARI,
    TONU,
    copies,
    edition,
    lend,
    make_aurora,
    make_neighbour,
    programme,
    section,
)
from tests.handlers.http.site import make_choir, refused
from tests.handlers.storage.desk import PDF, fetch, put

BOARD = "board@harmonia.example"
COMPLAINT = {"claimant_name": "C. Laimant", "claimant_email": "c@rights.example", "reason": "It is mine."}


def harmonia(site):
    """Four editions: two in the public domain, one of them without a file, one licensed, one owned."""
    choir = make_choir(site, "harmonia", owner=BOARD)
    site.add_member(choir, "Lea", "lea@harmonia.example", ["librarian"])
    lea = site.sign_in("harmonia", "lea@harmonia.example")
    made = {
        "free": edition(lea, "Sicut cervus", license_type="public_domain"),
        "fileless": edition(lea, "Ave verum", license_type="public_domain"),
        "licensed": edition(lea, "Nocturne", license_type="licensed"),
        "owned": edition(lea, "Our song"),
    }
    for name in ("free", "licensed", "owned"):
        assert put(lea, f"scores/{made[name]}/score.pdf", PDF).status == 200
    return choir, lea, made


def test_guests_read_what_is_in_the_public_domain_and_has_a_file(site):
    _, lea, made = harmonia(site)
    guest = site.guest("harmonia")
    assert [line["title"] for line in guest.done("catalogue.public_domain")] == ["Ave verum", "Sicut cervus"]
    place = guest.done("file.read", edition_id=made["free"])
    assert (place["file_name"], place["file_size"]) == ("score.pdf", len(PDF))
    assert fetch(guest, f"{place['bucket']}/{place['path']}").body == PDF
    assert refused(guest.call("file.read", edition_id=made["licensed"])) == (401, "not_authenticated")
    assert refused(guest.call("file.read", edition_id=made["owned"])) == (401, "not_authenticated")
    assert refused(guest.call("file.read", edition_id=made["fileless"])) == (404, "not_found")
    assert fetch(guest, f"scores/{made['licensed']}/score.pdf").status >= 400
    place = lea.done("file.read", edition_id=made["licensed"])
    assert fetch(lea, f"{place['bucket']}/{place['path']}").body == PDF


def test_a_change_of_the_licence_counts_from_the_next_request(site):
    _, lea, made = harmonia(site)
    guest = site.guest("harmonia")
    lea.done("edition.update", edition_id=made["licensed"], license_type="public_domain")
    assert guest.call("file.read", edition_id=made["licensed"]).status == 200
    lea.done("edition.update", edition_id=made["licensed"], license_type="licensed")
    assert refused(guest.call("file.read", edition_id=made["licensed"])) == (401, "not_authenticated")


def test_an_approved_complaint_takes_the_edition_down_for_everybody(site):
    choir, lea, made = harmonia(site)
    guest, owner = site.guest("harmonia"), site.sign_in("harmonia", BOARD)
    about = {"edition_id": made["free"], **COMPLAINT}
    for attestation in ({}, {"attestation": False}, {"attestation": "true"}, {"attestation": 1}):
        assert refused(guest.call("takedown.submit", **about, **attestation)) == (400, "invalid_input")
    complaint = guest.done("takedown.submit", **about, attestation=True)
    assert complaint["status"] == "pending"
    assert refused(lea.call("takedown.process", id=complaint["id"], action="approve")) == (403, "forbidden")
    assert refused(guest.call("takedown.process", id=complaint["id"], action="approve")) == (401, "not_authenticated")
    listed = owner.done("takedown.list", status="pending")
    assert [(line["id"], line["claimant_email"]) for line in listed] == [(complaint["id"], "c@rights.example")]
    decided = owner.done("takedown.process", id=complaint["id"], action="approve", notes="Agreed.")
    assert (decided["status"], decided["resolution_notes"]) == ("approved", "Agreed.")
    assert [line["title"] for line in guest.done("catalogue.public_domain")] == ["Ave verum"]
    for caller in (guest, lea, owner):
        assert refused(caller.call("file.read", edition_id=made["free"])) == (410, "taken_down")
        assert fetch(caller, f"scores/{made['free']}/score.pdf").status >= 400
    assert refused(owner.call("takedown.process", id=complaint["id"], action="approve")) == (409, "already_processed")
    assert refused(lea.call("edition.delete", edition_id=made["free"])) == (409, "in_use")
    work_id = lea.done("edition.get", edition_id=made["free"])["work_id"]
    assert refused(lea.call("work.delete", work_id=work_id)) == (409, "in_use")
    assert refused(lea.send("DELETE", f"/rest/v1/editions?id=eq.{made['free']}")) == (409, "in_use")
    assert refused(guest.call("takedown.submit", **about, attestation=True)) == (404, "not_found")
    assert COMPLAINT["claimant_email"] not in str(site.vault_rows(choir, "SELECT * FROM takedowns"))


def test_a_complaint_of_another_choir_does_not_exist_here(site):
    aurora = make_aurora(site)
    other = make_neighbour(aurora)
    about = {"edition_id": edition(other, license_type="public_domain"), **COMPLAINT, "attestation": True}
    complaint = site.guest("meretuul").done("takedown.submit", **about)
    jaan = aurora.as_(JAAN)
    assert refused(jaan.call("takedown.process", id=complaint["id"], action="approve")) == (404, "not_found")
    assert jaan.done("takedown.list") == jaan.rows("takedowns") == []
    assert refused(aurora.guest.call("takedown.submit", **about)) == (404, "not_found")
    assert len(other.done("takedown.list")) == 1


def test_a_rejected_complaint_changes_nothing_and_others_stay_pending(site):
    _, lea, made = harmonia(site)
    guest, owner = site.guest("harmonia"), site.sign_in("harmonia", BOARD)
    first, second, third = (
        guest.done("takedown.submit", edition_id=made["free"], **COMPLAINT, attestation=True)["id"] for _ in range(3)
    )
    owner.done("takedown.process", id=first, action="reject")
    assert lea.call("file.read", edition_id=made["free"]).status == 200
    owner.done("takedown.process", id=second, action="approve")
    assert [line["id"] for line in owner.done("takedown.list", status="pending")] == [third]
    assert owner.done("takedown.process", id=third, action="approve")["status"] == "approved"
    assert refused(owner.call("takedown.list", status="open")) == (400, "invalid_input")


def test_admins_and_owners_hear_of_a_complaint_and_not_from_whom(site):
    aurora = make_aurora(site)
    made = edition(aurora.as_(MARI), license_type="public_domain")
    aurora.guest.done("takedown.submit", edition_id=made, **COMPLAINT, attestation=True)
    with site.services.vault(aurora.choir.entry) as vault:
        site.services.deliver(vault)
    for email in (LIIS, JAAN):
        text = site.mails(email)[-1].get_content()
        assert "Locus iste" in text
        assert "c@rights.example" not in text
    for email in (MARI, TONU, KADRI):
        assert not [mail for mail in site.mails(email) if "complaint" in mail["Subject"]]


def numbers(caller, edition_id):
    return [copy["copy_number"] for copy in caller.done("copy.list", edition_id=edition_id)]


def test_a_batch_goes_on_where_its_series_ended(site):
    mari = make_aurora(site).as_(MARI)
    made = edition(mari)
    first = mari.done("copy.add_batch", edition_id=made, count=25, prefix="M")
    assert [first[0]["copy_number"], first[-1]["copy_number"], len(first)] == ["M-01", "M-25", 25]
    second = mari.done("copy.add_batch", edition_id=made, count=80, prefix="M-")
    assert [second[0]["copy_number"], second[-1]["copy_number"], len(second)] == ["M-026", "M-105", 80]
    third = mari.done("copy.add_batch", edition_id=made, count=3)
    assert [line["copy_number"] for line in third] == ["01", "02", "03"]
    again = mari.call("copy.add_batch", edition_id=made, count=5, start_number=100, prefix="M")
    assert refused(again) == (409, "duplicate")
    listed = numbers(mari, made)
    assert len(listed) == 108
    assert listed[:5] == ["01", "02", "03", "M-01", "M-02"]
    assert listed[27:30] == ["M-25", "M-026", "M-027"]


def test_the_inventory_counts_a_lost_copy_as_lost_wherever_it_is(site):
    aurora = make_aurora(site)
    mari = aurora.as_(MARI)
    made = edition(mari)
    ids = copies(mari, made, 25)
    loans = [lend(mari, copy_id, aurora.ids["Kadri"]) for copy_id in ids[:20]]
    for copy_id in (ids[0], ids[24]):
        mari.done("copy.update", copy_id=copy_id, condition="lost")

    def figures():
        line = mari.done("report.inventory")[0]
        return [line[name] for name in ("total", "lost", "assigned", "available")]

    assert figures() == [25, 2, 19, 4]
    refusal = mari.call("copy.assign", copy_id=ids[24], member_id=aurora.ids["Kadri"])
    assert refused(refusal) == (409, "copy_lost")
    mari.done("copy.return", copy_id=ids[0], assignment_id=loans[0])
    assert figures() == [25, 2, 19, 4]
    mari.done("copy.update", copy_id=ids[0], condition="poor")
    assert figures() == [25, 1, 19, 5]
    assert lend(mari, ids[0], aurora.ids["Kadri"])


def test_missing_copies_count_each_registered_singer_of_the_listed_sections_once(site):
    aurora = make_aurora(site)
    mari, jaan = aurora.as_(MARI), aurora.as_(JAAN)
    s1, s2 = section(jaan, "Soprano I"), section(jaan, "Soprano II")
    sopranos = [
        site.add_member(aurora.choir, f"Soprano {n:02d}", f"s{n}@x.example", section_ids=[s1 if n % 2 else s2])
        for n in range(10)
    ]
    for n in range(2):
        site.add_member(aurora.choir, f"Roster {n}", section_ids=[s1])
    jaan.done("member.assign_section", member_id=sopranos[0], section_id=s1)
    part = edition(mari, name="Soprano part", edition_type="part", section_ids=[s1, s2])
    score = edition(mari, "Os justi", name="Full score", edition_type="full_score")
    event = mari.done("event.create_many", events=[{
        "title": "Concert", "starts_at": "2026-03-05T16:00:00Z", "event_type": "concert"}])[0]["id"]  # fmt: skip
    programme(mari, {"event_id": event}, part, score)
    shelf = copies(mari, part, 10)
    for copy_id, member_id in zip(shelf, sopranos[:7], strict=False):
        lend(mari, copy_id, member_id)
    report = mari.done("report.missing", event_id=event)
    assert (report["total_missing"], report["edition_count"]) == (3, 1)
    assert [line["member"] for line in report["lines"]] == ["Soprano 07", "Soprano 09", "Soprano 08"]
    assert [line["section"] for line in report["lines"]] == ["Soprano I", "Soprano I", "Soprano II"]
    mari.done("copy.update", copy_id=shelf[0], condition="lost")
    report = mari.done("report.missing", event_id=event)
    assert report["total_missing"] == 4
    # In both sections, primary in the second.
    assert report["lines"][-2]["member"] == "Soprano 00"
    assert report["lines"][-2]["section"] == "Soprano II"
    demand = {line["edition"]: line for line in mari.done("report.demand")}
    wanted = ("needed", "usable", "shortage")
    assert [demand["Soprano part"][name] for name in wanted] == [12, 9, 3]
    assert [demand["Full score"][name] for name in wanted] == [17, 0, 17]


def test_a_collection_shrinks_by_what_comes_back_and_passes_over_the_rest(site):
    aurora = make_aurora(site)
    mari, jaan = aurora.as_(MARI), aurora.as_(JAAN)
    anna = site.add_member(aurora.choir, "Anna")
    first, second, elsewhere = (edition(mari, title) for title in ("Locus iste", "Os justi", "Unplanned"))
    season = jaan.done("season.create", name="Spring", start_date="2026-01-12")["id"]
    jaan.done("season.create", name="Autumn", start_date="2025-09-01")
    programme(mari, {"season_id": season}, first, second)
    a, b = copies(mari, first, 3), copies(mari, second, 3)
    lend(mari, copies(mari, elsewhere)[0], aurora.ids["Kadri"])
    who = [anna, anna, aurora.ids["Tõnu"], aurora.ids["Tõnu"], aurora.ids["Kadri"]]
    loans = [lend(mari, copy_id, member) for copy_id, member in zip([*a[:2], a[2], *b[:2]], who, strict=True)]
    closed = lend(mari, b[2], anna)
    mari.done("copy.return", copy_id=b[2], assignment_id=closed)
    report = mari.done("report.collection")
    assert (report["season_id"], report["total_outstanding"], report["member_count"]) == (season, 5, 3)
    assert [(member["member"], len(member["loans"])) for member in report["members"]] == [
        ("Anna", 2), ("Kadri", 1), ("Tõnu", 2)]  # fmt: skip
    jaan.done("member.remove", member_id=anna)
    assert mari.done("report.collection")["members"][0]["former_member"] is True
    ids = [*loans[:4], closed, "unknown"]
    assert mari.done("copy.bulk_return", assignment_ids=ids) == {"returned": 4}
    report = mari.done("report.collection", season_id=season)
    assert (report["total_outstanding"], report["member_count"]) == (1, 1)
    assert report["members"][0]["loans"][0]["copy_number"] == "02"
    assert mari.done("copy.bulk_return", assignment_ids=[]) == {"returned": 0}


def test_a_loan_survives_registration_and_a_merge(site, clock):
    aurora = make_aurora(site)
    jaan, mari = aurora.as_(JAAN), aurora.as_(MARI)
    made = edition(mari)
    ids = copies(mari, made, 4, prefix="M")
    anna = jaan.done("member.add_roster", name="Anna Tamm", sections=["Alto"])["id"]
    lend(mari, ids[3], anna)
    invite = jaan.done("invite.create", roster_member_id=anna)
    session = site.session("aurora", "anna@x.example", invite_token=invite["token"])
    person = site.guest("aurora").with_token(session["access_token"])
    assert [copy["copy_number"] for copy in person.done("member.copies", member_id=anna)] == ["M-04"]
    roster = jaan.done("member.add_roster", name="Anne")["id"]
    for copy_id in ids[:2]:
        mari.done("copy.return", copy_id=copy_id, assignment_id=lend(mari, copy_id, roster))
    lend(mari, ids[2], roster)
    invite = jaan.done("invite.create", roster_member_id=roster)
    assert person.done("invite.accept", token=invite["token"])["member_id"] == anna
    assert [copy["copy_number"] for copy in person.done("member.copies", member_id=anna)] == ["M-03", "M-04"]
    history = mari.done("copy.history", edition_id=made)
    assert len(history) == 4
    assert {line["holder"] for line in history} == {"Anna Tamm"}


def test_a_loan_to_somebody_of_another_section_is_made_and_reported(site):
    aurora = make_aurora(site)
    mari, kadri = aurora.as_(MARI), aurora.as_(KADRI)
    bass = edition(mari, name="Bass part", section_ids=[section(aurora.as_(JAAN), "Bass")])
    copy_id = copies(mari, bass)[0]
    loan = mari.done("copy.assign", copy_id=copy_id, member_id=aurora.ids["Kadri"], notes="until Easter")
    assert loan["warning"] == "section_mismatch"
    assert [line["holder"] for line in mari.done("report.mismatches")] == ["Kadri"]
    holder = mari.done("copy.holders", edition_id=bass)[0]
    assert (holder["holder"], holder["assigner"], holder["notes"]) == ("Kadri", "Mari", "until Easter")
    assert refused(kadri.call("report.mismatches")) == (403, "forbidden")


@pytest.mark.parametrize(("email", "sees"), [(MARI, True), (KADRI, True), (TONU, False)])
def test_who_has_a_copy_shows_to_the_desk_and_to_the_holder(site, email, sees):
    aurora = make_aurora(site)
    mari, kadri = aurora.as_(MARI), aurora.ids["Kadri"]
    made = edition(mari)
    copy_id = copies(mari, made)[0]
    lend(mari, copy_id, kadri)
    caller = aurora.as_(email)
    assert (caller.done("copy.get", copy_id=copy_id)["holder"] == "Kadri") is sees
    assert (len(caller.rows("copy_assignments")) == 1) is sees
    own = caller.call("member.copies", member_id=kadri)
    assert own.status == (200 if sees else 403)
    assert len(caller.rows("physical_copies")) == 1
    assert aurora.guest.rows("physical_copies") == aurora.guest.rows("copy_assignments") == []


def test_what_is_out_keeps_copy_edition_and_work_from_being_deleted(site):
    aurora = make_aurora(site)
    mari = aurora.as_(MARI)
    made = edition(mari)
    work_id = mari.done("edition.get", edition_id=made)["work_id"]
    copy_id = copies(mari, made)[0]
    loan = lend(mari, copy_id, aurora.ids["Kadri"])
    attempts = [("copy.delete", {"copy_id": copy_id}), ("edition.delete", {"edition_id": made}),
                ("work.delete", {"work_id": work_id})]  # fmt: skip
    for verb, args in attempts:
        assert refused(mari.call(verb, **args)) == (409, "copy_on_loan")
    assert refused(mari.send("DELETE", f"/rest/v1/works?id=eq.{work_id}")) == (409, "copy_on_loan")
    mari.done("copy.return", copy_id=copy_id, assignment_id=loan)
    assert refused(mari.call("copy.return", copy_id=copy_id, assignment_id=loan)) == (409, "already_returned")
    for verb, args in attempts:
        assert mari.call(verb, **args).status == 200
    assert mari.rows("copy_assignments") == []


def test_a_choir_is_deleted_with_its_loans_and_complaints(site):
    aurora = make_aurora(site)
    mari, liis = aurora.as_(MARI), aurora.as_(LIIS)
    made = edition(mari)
    lend(mari, copies(mari, made)[0], aurora.ids["Kadri"])
    aurora.guest.done("takedown.submit", edition_id=made, **COMPLAINT, attestation=True)
    liis.done("organization.delete", subdomain="aurora")
    for table in ("works", "editions", "physical_copies", "copy_assignments", "takedowns"):
        assert site.vault_rows(aurora.choir, f"SELECT * FROM {table}") == []


def test_an_edition_that_was_taken_down_is_missed_by_nobody_and_still_asked_back(site):
    aurora = make_aurora(site)
    mari, jaan = aurora.as_(MARI), aurora.as_(JAAN)
    alto = section(jaan, "Alto")
    part = edition(mari, name="Alto part", section_ids=[alto])
    season = jaan.done("season.create", name="Spring", start_date="2026-01-12")["id"]
    programme(mari, {"season_id": season}, part)
    lend(mari, copies(mari, part)[0], aurora.ids["Tõnu"])
    assert mari.done("report.missing", season_id=season)["total_missing"] == 1
    complaint = aurora.guest.done("takedown.submit", edition_id=part, **COMPLAINT, attestation=True)["id"]
    jaan.done("takedown.process", id=complaint, action="approve")
    assert mari.done("report.missing", season_id=season)["total_missing"] == 0
    assert mari.done("report.collection", season_id=season)["total_outstanding"] == 1


def test_files_follow_the_roles_held_in_the_choir_at_whose_door_somebody_stands(site):
    aurora = make_aurora(site)
    mari, liis = aurora.as_(MARI), aurora.as_(LIIS)
    _, lea, made = harmonia(site)
    assert refused(mari.at("harmonia").call("file.read", edition_id=made["licensed"]))[0] in (401, 403)
    assert refused(site.guest("harmonia").call("file.read", edition_id=made["licensed"])) == (401, "not_authenticated")
    work = liis.done("work.create", title="Os justi")
    own = liis.done("edition.create", work_id=work["id"], name="Choir score")["id"]
    assert put(liis, f"scores/{own}/score.pdf", PDF).status == 403
    liis_id = next(member["id"] for member in liis.done("member.list") if member["email_id"] == LIIS)
    liis.done("role.grant", member_id=liis_id, role="librarian")
    assert put(liis, f"scores/{own}/score.pdf", PDF).status == 200
    assert mari.done("file.read", edition_id=own)["file_size"] == len(PDF)
    assert lea.call("file.read", edition_id=own).status == 404


def test_complaints_are_readable_rows_for_those_who_process_them_only(site):
    aurora = make_aurora(site)
    made = edition(aurora.as_(MARI), license_type="public_domain")
    aurora.guest.done("takedown.submit", edition_id=made, **COMPLAINT, attestation=True)
    assert aurora.as_(JAAN).rows("takedowns?select=claimant_name,claimant_email,status") == [
        {"claimant_name": "C. Laimant", "claimant_email": "c@rights.example", "status": "pending"}
    ]
    for caller in (aurora.as_(MARI), aurora.as_(KADRI), aurora.guest):
        assert caller.rows("takedowns") == []


def test_a_bulk_return_closes_nothing_of_another_choir(site):
    aurora = make_aurora(site)
    mari = aurora.as_(MARI)
    other = make_neighbour(aurora)
    singer = other.done("member.add_roster", name="Ott")["id"]
    foreign = lend(other, copies(other, edition(other))[0], singer)
    assert mari.done("copy.bulk_return", assignment_ids=[foreign]) == {"returned": 0}
    assert other.done("copy.bulk_return", assignment_ids=[foreign, foreign]) == {"returned": 1}
