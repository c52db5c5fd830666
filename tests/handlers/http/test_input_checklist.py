"""The checklist of bad input, row by row over HTTP: status, code and the field that is named; the vault stays the same.

Its last two rows, which two people bring about at once, are in test_invite_races.py and test_loan_races.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from db.history.digest import content_digest
from tests.handlers.http.planning import LIIS, MERETUUL, add_event, association, id_of
from tests.handlers.http.shelves import copies, edition
from tests.handlers.http.site import Caller, Choir, Clock, Site, error_of, make_site, refused
from tests.handlers.storage.desk import PNG, put

BOARD = "owner@union.example"


@dataclass(frozen=True)
class Checklist:
    """Liis holds every role at Aurora, so that only the input is to blame; ids of what the rows are about."""

    site: Site
    vault: Choir
    liis: Caller
    board: Caller
    ids: dict[str, Any]

    def digest(self) -> str:
        """Of every row of the vault."""
        with self.site.services.vault(self.vault.entry) as vault:
            return vault.read_raw(lambda connection, _: content_digest(connection)).value.digest

    def filled(self, value: Any) -> Any:
        """`$name` replaced by the id of that name."""
        if isinstance(value, str) and value.startswith("$"):
            return self.ids[value[1:]]
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return value


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checklist]:
    site = make_site(tmp_path_factory.mktemp("checklist"), Clock())
    choirs = association(site)
    liis, there = site.sign_in("aurora", LIIS), site.sign_in("meretuul", MERETUUL)
    own = next(member["id"] for member in liis.done("member.list") if member["email_id"] == LIIS)
    for role in ("librarian", "conductor"):
        liis.done("role.grant", member_id=own, role=role)
    site.add_member(choirs["aurora"], "Anna Tamm")
    score = edition(liis, "100 % Bach", license_type="public_domain")
    edition(liis, "100 times Bach")
    ids = {
        "kadri": id_of(liis, "Kadri"), "stranger": there.done("member.add_roster", name="Stranger")["id"],
        "alto": liis.rows("sections?name=eq.Alto&select=id")[0]["id"],
        "foreign_alto": there.rows("sections?name=eq.Alto&select=id")[0]["id"],
        "twelve": [row["id"] for row in liis.rows("sections?select=id")][:12],
        "event": add_event(liis, "2026-01-20T16:00:00Z"), "edition": score, "copy": copies(liis, score)[0],
        "work": liis.done("edition.get", edition_id=score)["work_id"],
    }  # fmt: skip
    yield Checklist(site, choirs["union"], liis, site.sign_in("union", BOARD), ids)
    site.services.close()


def organization(**changed: str) -> dict[str, str]:
    return {"name": "X", "subdomain": "new-choir", "type": "collective", "contact_email": "a@x.example", **changed}


def events(*entries: dict[str, Any]) -> dict[str, Any]:
    rehearsal = {"title": "Rehearsal", "starts_at": "2026-03-05T18:00:00Z", "event_type": "rehearsal"}
    return {"events": [{**rehearsal, **entry} for entry in entries]}


COMPLAINT = {"edition_id": "$edition", "claimant_name": "C", "claimant_email": "c@x.example", "reason": "Mine."}
NAMES = ("ab", "x" * 31, "-coro", "my_choir")
# Who asks ('' = a guest), verb, arguments, status, code, the field that is named.
ROWS: list[tuple[str, str, dict[str, Any], int, str, str | None]] = [
    *(("", "organization.check_subdomain", {"subdomain": name}, 400, "invalid_input", "subdomain") for name in NAMES),
    *(("board", "organization.register", organization(subdomain=name), 400, "invalid_input", "subdomain")
      for name in NAMES),
    ("board", "organization.register", organization(subdomain="STATUS"), 409, "duplicate", "reserved"),
    ("board", "organization.register", organization(type="choir"), 400, "invalid_input", "type"),
    ("board", "organization.register", organization(contact_email="anna@tamm"), 400, "invalid_input", "contact_email"),
    ("liis", "member.add_roster", {"name": "  "}, 400, "invalid_input", "name"),
    ("liis", "member.add_roster", {"name": "ANNA TAMM"}, 409, "duplicate", "name"),
    ("liis", "member.add_roster", {"name": "B", "email_contact": "anna@tamm"}, 400, "invalid_input", "email_contact"),
    ("liis", "organization.update", {"contact_email": "anna@tamm"}, 400, "invalid_input", "contact_email"),
    ("liis", "role.grant", {"member_id": "$kadri", "role": "singer"}, 400, "invalid_input", "role"),
    ("liis", "member.add_roster", {"name": "B", "roles": ["singer"]}, 400, "invalid_input", "roles"),
    ("liis", "member.assign_section", {"member_id": "$kadri", "section_id": "$foreign_alto"}, 404, "not_found",
     "section_id"),
    ("liis", "member.add_roster", {"name": "B", "section_ids": ["$alto", "$foreign_alto"]}, 404, "not_found",
     "section_id"),
    ("liis", "section.reorder", {"ids": "$twelve"}, 400, "invalid_input", "ids"),
    ("liis", "section.activate", {"section_id": "$alto", "is_active": "yes"}, 400, "invalid_input", "is_active"),
    *(("liis", "season.create", {"name": "X", "start_date": day}, 400, "invalid_input", "start_date")
      for day in ("2026-13-01", "2026-02-30", "1.9.2026")),
    ("liis", "event.create_many", events({}, {"starts_at": "2026-03-05T18:00:00"}), 400, "invalid_input", "starts_at"),
    ("liis", "event.create_many", events({}, {"ends_at": "2026-03-05T17:59:00Z"}), 400, "invalid_input", "ends_at"),
    ("liis", "event.create_many", events({}, {"event_type": "party"}), 400, "invalid_input", "event_type"),
    ("liis", "event.create_many", events(), 400, "invalid_input", "events"),
    ("liis", "edition.create", {"work_id": "$work", "name": "x", "edition_type": "score"}, 400, "invalid_input",
     "edition_type"),
    ("liis", "edition.create", {"work_id": "$work", "name": "x", "license_type": "cc"}, 400, "invalid_input",
     "license_type"),
    *(("liis", "copy.add_batch", {"edition_id": "$edition", "count": count}, 400, "invalid_input", "count")
      for count in (0, 101, 2.5)),
    ("liis", "copy.add_batch", {"edition_id": "$edition", "count": 1, "start_number": -1}, 400, "invalid_input",
     "start_number"),
    *(("liis", "copy.bulk_return", {"assignment_ids": ids}, 400, "invalid_input", "assignment_ids")
      for ids in ("abc", [1, 2])),
    ("liis", "participation.set", {"event_id": "$event", "member_id": "$kadri", "planned_status": "present"}, 400,
     "invalid_input", "planned_status"),
    ("liis", "participation.set", {"event_id": "$event", "member_id": "$kadri", "actual_status": "yes"}, 400,
     "invalid_input", "actual_status"),
    ("liis", "participation.set", {"event_id": "$event", "member_id": "$stranger", "planned_status": "yes"}, 404,
     "not_found", "member_id"),
    ("", "takedown.submit", {**COMPLAINT, "attestation": "true"}, 400, "invalid_input", "attestation"),
    ("liis", "roster.view", {"start": "2026-01-01T00:00:00Z"}, 400, "invalid_input", "end"),
    *(("liis", "settings.update", {"default_event_duration": value, "locale": "et-EE"}, 400, "invalid_input",
       "default_event_duration") for value in (0, "two hours")),
]  # fmt: skip


@pytest.mark.parametrize(("who", "verb", "args", "status", "code", "field"), ROWS, ids=lambda value: str(value)[:30])
def test_bad_input_is_refused_by_name_and_leaves_every_row_as_it_was(scene, who, verb, args, status, code, field):
    callers = {"liis": scene.liis, "board": scene.board, "": scene.site.guest("aurora")}
    before = scene.digest()
    answer = callers[who].call(verb, **{name: scene.filled(value) for name, value in args.items()})
    assert (*refused(answer), error_of(answer)["details"]) == (status, code, field)
    assert scene.digest() == before


def test_an_image_under_the_name_of_a_score_is_refused(scene):
    before = scene.digest()
    answer = put(scene.liis, f"scores/{scene.ids['edition']}/score.pdf", PNG)
    assert (answer.status, answer.json()["code"]) == (400, "content_mismatch")
    assert scene.digest() == before


def test_a_reserved_name_is_no_mistake_and_not_available(scene):
    before = scene.digest()
    asked = scene.site.guest("aurora").done("organization.check_subdomain", subdomain="STATUS")
    assert asked == {"available": False, "reason": "reserved"}
    assert scene.digest() == before


def test_a_percent_sign_in_a_search_is_itself(scene):
    found = scene.liis.done("work.search", q="100 %")
    assert [work["title"] for work in found] == ["100 % Bach"]
    assert scene.liis.done("work.search", q="%times%") == []


def test_a_change_would_show_in_the_digest(scene):
    before = scene.digest()
    scene.liis.done("work.update", work_id=scene.ids["work"], lyricist="x")
    assert scene.digest() != before
