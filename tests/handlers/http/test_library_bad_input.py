"""What the library, the settings and the association refuse over HTTP, with which status, naming which field."""

from typing import Any

import pytest

from domain.choir.score_files import MOST_BYTES
from tests.handlers.http.shelves import JAAN, KADRI, MARI, copies, edition, lend, make_aurora, make_neighbour
from tests.handlers.http.site import Site, error_of, refused
from tests.handlers.storage.desk import PDF, PNG, put

# In arguments, the names of the scene's rows stand for their ids.
LIBRARY: list[tuple[str, dict[str, Any], int, str, str | None]] = [
    ("edition.create", {"work_id": "WORK", "name": "x", "edition_type": "score"}, 400, "invalid_input", "edition_type"),
    ("edition.create", {"work_id": "WORK", "name": "x", "license_type": "cc"}, 400, "invalid_input", "license_type"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 0}, 400, "invalid_input", "count"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 101}, 400, "invalid_input", "count"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 2.5}, 400, "invalid_input", "count"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": "3"}, 400, "invalid_input", "count"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": True}, 400, "invalid_input", "count"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 1, "start_number": -1}, 400, "invalid_input", "start_number"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 1, "start_number": 1.5}, 400, "invalid_input",
     "start_number"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 1, "prefix": "P" * 199}, 400, "invalid_input", "prefix"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 1, "condition": "torn"}, 400, "invalid_input", "condition"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 1, "condition": None}, 400, "invalid_input", "condition"),
    ("copy.add_batch", {"edition_id": "FOREIGN_EDITION", "count": 1}, 404, "not_found", "edition_id"),
    ("copy.add_batch", {"edition_id": "EDITION", "count": 2, "start_number": 1}, 409, "duplicate", "copy_number"),
    ("copy.add", {"edition_id": "EDITION", "copy_number": " "}, 400, "invalid_input", "copy_number"),
    ("copy.add", {"edition_id": "EDITION", "copy_number": " 01 "}, 409, "duplicate", "copy_number"),
    ("copy.add", {"edition_id": "EDITION", "copy_number": "9", "acquired_at": "2026-02-30"}, 400, "invalid_input",
     "acquired_at"),
    ("copy.add", {"edition_id": "EDITION", "copy_number": "9", "acquired_at": "1.9.2026"}, 400, "invalid_input",
     "acquired_at"),
    ("copy.add", {"edition_id": "EDITION", "copy_number": "9", "notes": "x" * 4001}, 400, "invalid_input", "notes"),
    ("copy.update", {"copy_id": "COPY", "copy_number": "2"}, 400, "invalid_input", "copy_number"),
    ("copy.update", {"copy_id": "COPY", "condition": None}, 400, "invalid_input", "condition"),
    ("copy.update", {"copy_id": "COPY"}, 400, "invalid_input", None),
    ("copy.update", {"copy_id": "FOREIGN_COPY", "notes": "x"}, 404, "not_found", "copy_id"),
    ("copy.get", {"copy_id": "FOREIGN_COPY"}, 404, "not_found", "copy_id"),
    ("copy.list", {"edition_id": "FOREIGN_EDITION"}, 404, "not_found", "edition_id"),
    ("copy.delete", {"copy_id": "FOREIGN_COPY"}, 404, "not_found", "copy_id"),
    ("copy.assign", {"copy_id": "FOREIGN_COPY", "member_id": "KADRI"}, 404, "not_found", "copy_id"),
    ("copy.assign", {"copy_id": "COPY", "member_id": "STRANGER"}, 404, "not_found", "member_id"),
    ("copy.assign", {"copy_id": "OUT", "member_id": "KADRI"}, 409, "copy_on_loan", "copy_id"),
    ("copy.assign", {"copy_id": "LOST", "member_id": "KADRI"}, 409, "copy_lost", "copy_id"),
    ("copy.return", {"copy_id": "COPY", "assignment_id": "LOAN"}, 400, "invalid_input", "assignment_id"),
    ("copy.return", {"copy_id": "OUT", "assignment_id": "FOREIGN_LOAN"}, 404, "not_found", "assignment_id"),
    ("copy.bulk_return", {"assignment_ids": "abc"}, 400, "invalid_input", "assignment_ids"),
    ("copy.bulk_return", {"assignment_ids": [1, 2]}, 400, "invalid_input", "assignment_ids"),
    ("copy.bulk_return", {"assignment_ids": ["x"] * 501}, 400, "invalid_input", "assignment_ids"),
    ("copy.bulk_return", {}, 400, "invalid_input", "assignment_ids"),
    ("copy.history", {}, 400, "invalid_input", "copy_id"),
    ("copy.history", {"copy_id": "FOREIGN_COPY"}, 404, "not_found", "copy_id"),
    ("copy.holders", {"edition_id": "FOREIGN_EDITION"}, 404, "not_found", "edition_id"),
    ("member.copies", {"member_id": "STRANGER"}, 404, "not_found", "member_id"),
    ("report.inventory", {"edition_id": "FOREIGN_EDITION"}, 404, "not_found", "edition_id"),
    ("report.missing", {}, 400, "invalid_input", "season_id"),
    ("report.missing", {"season_id": "x", "event_id": "y"}, 400, "invalid_input", "season_id"),
    ("report.missing", {"event_id": "x"}, 404, "not_found", "event_id"),
    ("report.collection", {"season_id": "x"}, 404, "not_found", "season_id"),
    ("takedown.submit", {"edition_id": "EDITION", "claimant_name": " ", "claimant_email": "a@x.example", "reason": "r",
                         "attestation": True}, 400, "invalid_input", "claimant_name"),
    ("takedown.submit", {"edition_id": "EDITION", "claimant_name": "A", "claimant_email": "a@x", "reason": "r",
                         "attestation": True}, 400, "invalid_input", "claimant_email"),
    ("takedown.submit", {"edition_id": "EDITION", "claimant_name": "A", "claimant_email": "a@x.example", "reason": "",
                         "attestation": True}, 400, "invalid_input", "reason"),
    ("takedown.submit", {"edition_id": "EDITION", "claimant_name": "A", "claimant_email": "a@x.example", "reason": "r",
                         "attestation": "true"}, 400, "invalid_input", "attestation"),
    ("takedown.submit", {"edition_id": "FOREIGN_EDITION", "claimant_name": "A", "claimant_email": "a@x.example",
                         "reason": "r", "attestation": True}, 404, "not_found", "edition_id"),
    ("file.read", {"edition_id": "FOREIGN_EDITION"}, 404, "not_found", "edition_id"),
]  # fmt: skip
ADMIN: list[tuple[str, dict[str, Any], int, str, str | None]] = [
    ("settings.update", {"default_event_duration": 0}, 400, "invalid_input", "default_event_duration"),
    ("settings.update", {"default_event_duration": "two hours"}, 400, "invalid_input", "default_event_duration"),
    ("settings.update", {"default_event_duration": 2.5}, 400, "invalid_input", "default_event_duration"),
    ("settings.update", {"default_event_duration": True}, 400, "invalid_input", "default_event_duration"),
    ("settings.update", {"default_event_duration": "-5"}, 400, "invalid_input", "default_event_duration"),
    ("settings.update", {"default_event_duration": "٣"}, 400, "invalid_input", "default_event_duration"),
    ("settings.update", {"default_event_duration": None}, 400, "invalid_input", "default_event_duration"),
    ("settings.update", {"conductor_id": "STRANGER", "locale": "et-EE"}, 400, "invalid_input", "conductor_id"),
    ("settings.update", {"locale": "estonian"}, 400, "invalid_input", "locale"),
    ("settings.update", {"colour": "red", "locale": "et-EE"}, 400, "invalid_input", "colour"),
    ("settings.update", {}, 400, "invalid_input", None),
    ("preferences.update", {"language": "estonian"}, 400, "invalid_input", "language"),
    ("preferences.update", {"timezone": "Europe/Atlantis"}, 400, "invalid_input", "timezone"),
    ("preferences.update", {}, 400, "invalid_input", None),
    ("takedown.list", {"status": "open"}, 400, "invalid_input", "status"),
    ("takedown.process", {"id": "x", "action": "delete"}, 400, "invalid_input", "action"),
    ("takedown.process", {"id": "x", "action": "approve"}, 404, "not_found", "id"),
    ("affiliation.end", {}, 400, "invalid_input", "umbrella_id"),
    ("affiliation.end", {"umbrella_id": "x"}, 404, "not_found", None),
]


def scene(site: Site):
    """Aurora, with one copy here, one out and one lost, and another choir of the vault with one of each kind of row."""
    aurora = make_aurora(site)
    mari = aurora.as_(MARI)
    other = make_neighbour(aurora)
    own, foreign = edition(mari), edition(other)
    here, out, lost = copies(mari, own, 3)
    mari.done("copy.update", copy_id=lost, condition="lost")
    elsewhere = copies(other, foreign)[0]
    stranger = other.done("member.add_roster", name="Stranger")["id"]
    names = {
        "WORK": mari.done("edition.get", edition_id=own)["work_id"],
        "EDITION": own, "FOREIGN_EDITION": foreign,
        "COPY": here, "OUT": out, "LOST": lost, "FOREIGN_COPY": elsewhere,
        "KADRI": aurora.ids["Kadri"], "STRANGER": stranger,
        "LOAN": lend(mari, out, aurora.ids["Kadri"]), "FOREIGN_LOAN": lend(other, elsewhere, stranger),
    }  # fmt: skip
    return aurora, names


def written(site: Site, aurora: Any) -> Any:
    return site.vault_rows(aurora.choir, "SELECT seq FROM vaultry_audit ORDER BY seq DESC LIMIT 1")


@pytest.mark.parametrize(("email", "cases"), [(MARI, LIBRARY), (JAAN, ADMIN)], ids=["library", "administration"])
def test_a_verb_refuses_bad_input_names_the_field_and_writes_nothing(site, email, cases):
    aurora, names = scene(site)
    caller = aurora.as_(email)
    before = written(site, aurora)
    for verb, args, status, code, field in cases:
        given = {name: names.get(value, value) if isinstance(value, str) else value for name, value in args.items()}
        answer = caller.call(verb, **given)
        assert (verb, args, *refused(answer), error_of(answer)["details"]) == (verb, args, status, code, field)
    assert written(site, aurora) == before


WHO: list[tuple[str, dict[str, Any]]] = [
    ("copy.add", {"edition_id": "x", "copy_number": "1"}), ("copy.add_batch", {"edition_id": "x", "count": 1}),
    ("copy.update", {"copy_id": "x", "notes": "n"}), ("copy.delete", {"copy_id": "x"}),
    ("copy.assign", {"copy_id": "x", "member_id": "y"}), ("copy.return", {"copy_id": "x", "assignment_id": "y"}),
    ("copy.bulk_return", {"assignment_ids": []}), ("copy.history", {"copy_id": "x"}),
    ("copy.holders", {"edition_id": "x"}), ("report.inventory", {}), ("report.demand", {}), ("report.mismatches", {}),
    ("report.missing", {"event_id": "x"}), ("report.collection", {}), ("settings.get", {}),
    ("settings.update", {"locale": "et"}), ("takedown.list", {}), ("takedown.process", {"id": "x", "action": "reject"}),
    ("affiliation.create", {"collective_id": "x"}), ("affiliation.end", {}), ("affiliation.history", {}),
    ("affiliation.active", {}), ("umbrella.overview", {}), ("umbrella.public_events", {}),
    ("umbrella.storage_statement", {}),
]  # fmt: skip


def test_a_member_without_a_desk_and_a_guest_are_kept_out(site):
    aurora = make_aurora(site)
    kadri = aurora.as_(KADRI)
    for verb, args in WHO:
        assert (verb, *refused(kadri.call(verb, **args))) == (verb, 403, "forbidden")
        assert (verb, *refused(aurora.guest.call(verb, **args))) == (verb, 401, "not_authenticated")
    for verb in ("copy.list", "copy.get", "member.copies", "shared.works", "shared.events", "preferences.clear"):
        args = {"copy.list": {"edition_id": "x"}, "copy.get": {"copy_id": "x"}, "member.copies": {"member_id": "x"}}
        assert (verb, *refused(aurora.guest.call(verb, **args.get(verb, {})))) == (verb, 401, "not_authenticated")


def test_a_member_finds_no_copies_of_an_edition_that_was_taken_down(site):
    aurora, names = scene(site)
    site.vault_write(
        aurora.choir,
        lambda tx: tx.execute("UPDATE editions SET deleted_at = created_at WHERE id = :id", id=names["EDITION"]),
    )
    kadri, mari = aurora.as_(KADRI), aurora.as_(MARI)
    assert refused(kadri.call("copy.list", edition_id=names["EDITION"])) == (404, "not_found")
    assert refused(kadri.call("copy.get", copy_id=names["COPY"])) == (404, "not_found")
    assert kadri.rows("physical_copies") == []
    assert len(mari.done("copy.list", edition_id=names["EDITION"])) == 3
    assert mari.done("report.inventory")[0]["taken_down"] is True


def test_a_score_is_a_pdf_by_its_content_and_has_a_greatest_size(site):
    aurora, names = scene(site)
    mari, path = aurora.as_(MARI), f"scores/{names['EDITION']}/score.pdf"
    assert put(mari, path, PNG).status == 400
    assert put(mari, path, PDF.ljust(MOST_BYTES + 1)).status == 413
    assert refused(mari.call("file.read", edition_id=names["EDITION"])) == (404, "not_found")
    assert put(mari, path, PDF.ljust(MOST_BYTES)).status == 200
    assert mari.done("file.read", edition_id=names["EDITION"])["file_size"] == 9_961_470
