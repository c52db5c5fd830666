"""The band's own refusals, one by one, over HTTP: the call that earns each, its status and its code.

Codes of the platform (a body that is no JSON, a token that is none) have tables of their own.
"""

import json
from collections.abc import Iterator

import pytest

from tests.domain.band.band_site import BandSite, Story
from tests.handlers.http.site import error_of

OVER = {"start_time": "2026-04-07T19:00:00Z", "end_time": "2026-04-07T21:00:00Z"}

# who, verb or method and path, arguments; status, code. `$name` is an id of the scene.
TABLE: list[tuple[str, str, dict[str, object], int, str]] = [
    ("", "me.music", {}, 401, "not_authenticated"),
    ("", "me.permissions", {}, 401, "not_authenticated"),
    ("", "me.notifications", {}, 401, "not_authenticated"),
    ("M16", "event.create", {"title": "x", "type": "SOCIAL", **OVER}, 403, "forbidden"),
    ("M16", "me.update_member", {"status": "ALUMNI"}, 403, "forbidden"),
    ("M31", "attendance.mark", {"event_id": "$e1", "member_id": "$m16", "status": "LATE"}, 403, "out_of_scope"),
    ("M16", "report.member_attendance", {"member_id": "$m31"}, 403, "out_of_scope"),
    ("M31", "announcement.archive", {"announcement_id": "$announcement"}, 403, "out_of_scope"),
    ("M31", "message.send", {"subject": "x", "body": "x", "recipients": "all"}, 403, "out_of_scope"),
    ("M16", "event.get", {"event_id": "$draft_event"}, 404, "not_found"),
    ("M16", "attendance.mark", {"event_id": "$draft_event", "member_id": "$m16", "status": "LATE"}, 404, "not_found"),
    ("M16", "part.list", {"piece_id": "$piece"}, 404, "not_found"),
    ("", "site.read", {"slug": "draft"}, 404, "not_found"),
    ("Dana", "member.update", {"member_id": "$trashed", "first_name": "x"}, 404, "not_found"),
    ("Sam", "user.create", {"email": "ADA@riverside.example"}, 409, "email_taken"),
    ("Dana", "page.create", {"title": "x", "slug": "draft"}, 409, "slug_taken"),
    ("M21", "POST music_pieces", {"title": "x", "catalog_number": "RCB-1"}, 409, "catalog_number_taken"),
    ("M21", "part.create", {"piece_id": "$first", "instrument_id": "$tuba", "part_name": "TUBA"}, 409, "name_taken"),
    ("Dana", "POST sections", {"name": "Brass"}, 409, "name_taken"),
    ("Dana", "POST instruments", {"name": "Tuba", "family": "Brass"}, 409, "name_taken"),
    ("M21", "POST persons", {"first_name": "GUSTAV", "last_name": "holst"}, 409, "name_taken"),
    ("Sam", "permission.create", {"name": "music.edit"}, 409, "name_taken"),
    ("Sam", "role.grant", {"user_id": "$dana", "role": "DIRECTOR"}, 409, "role_already_assigned"),
    ("Sam", "role.revoke", {"user_id": "$sam", "role": "SUPER_ADMIN"}, 409, "last_super_admin"),
    ("Sam", "user.delete", {"user_id": "$sam"}, 409, "own_account"),
    ("Dana", "member.link_user", {"member_id": "$m20", "user_id": "$u16"}, 409, "member_already_linked"),
    ("Dana", "member.set_status", {"member_id": "$m16", "status": "AUDITION"}, 409, "invalid_transition"),
    ("Dana", "event.publish", {"event_id": "$e1"}, 409, "invalid_transition"),
    ("M21", "music.unarchive", {"piece_id": "$piece"}, 409, "invalid_transition"),
    ("Dana", "DELETE sections?name=eq.Brass", {}, 409, "in_use"),
    ("Ada", "member.delete", {"member_id": "$trashed"}, 409, "already_deleted"),
    ("Ada", "member.restore", {"member_id": "$m16"}, 409, "not_deleted"),
    ("M21", "music.restore", {"piece_id": "$long_gone"}, 409, "restore_window_closed"),
    ("Ada", "member.restore", {"member_id": "$forgotten"}, 409, "anonymised"),
    ("Ada", "member.delete", {"member_id": "$forgotten"}, 409, "anonymised"),
    ("M21", "music.assign", {"piece_id": "$long_gone", "member_ids": ["$m16"]}, 409, "piece_unavailable"),
    ("Dana", "programme.add", {"event_id": "$e1", "piece_id": "$piece"}, 409, "already_in_programme"),
    ("M16", "event.rsvp", {"event_id": "$cancelled", "status": "YES"}, 409, "event_cancelled"),
    ("M16", "event.rsvp", {"event_id": "$over", "status": "YES"}, 409, "attendance_locked"),
    ("Dana", "page.update", {"page_id": "$page", "version": 7, "title": "x"}, 409, "version_conflict"),
    ("Dana", "event.create", {"title": "x", "type": "PICNIC", **OVER}, 400, "invalid_input"),
    ("Dana", "event.create", {"title": "x", "type": "SOCIAL", **OVER, "id": "mine"}, 400, "invalid_input"),
    ("Dana", "event.update", {"event_id": "$e1", "start_time": "2026-05-01T19:00:00"}, 400, "invalid_input"),
    ("Dana", "page.create", {"title": "x", "slug": "A"}, 400, "bad_slug"),
    ("Dana", "page.create", {"title": "x", "slug": "events/x"}, 400, "reserved_slug"),
    ("Ada", "page.schedule", {"page_id": "$page", "scheduled_for": "2026-04-10T12:00:00Z"}, 400, "schedule_in_past"),
    ("Ada", "page.publish", {"page_id": "$page"}, 400, "empty_page"),
    ("Dana", "POST event_notes", {"event_id": "$e1", "content": "x", "is_public": 1, "target_section": "$brass"},
     400, "note_visibility_conflict"),
    ("Dana", "attendance.mark", {"event_id": "$e1", "member_id": "$m16", "status": "LATE",
                                 "marked_at": "2026-04-10T12:00:00.001Z"}, 400, "marked_in_future"),
    ("M21", "music.assign_sections", {"piece_id": "$first", "section_ids": ["nobody"]}, 400, "no_active_members"),
    ("Sam", "role.grant_to_members", {"member_ids": ["$m20"], "role": "STAFF"}, 400, "no_linked_accounts"),
    ("M21", "part.update", {"part_id": "$flute", "file_id": "elsewhere"}, 400, "file_of_other_piece"),
    ("Dana", "message.send", {"subject": "x", "body": "x", "recipients": []}, 400, "empty_recipients"),
    ("Dana", "message.send", {"subject": "x", "body": "x", "recipients": ["nobody"]}, 400, "unknown_recipient"),
]  # fmt: skip


def _ids(band: BandSite) -> dict[str, str]:
    """Everything the table needs, made by those who may."""
    story = band.ids
    made = {
        "e1": story.e1, "m16": story.members[16], "m20": story.members[20], "m31": story.members[31],
        "sam": story.users["Sam"], "dana": story.users["Dana"], "u16": story.users["M16"],
        "first": story.pieces["First Suite in E-flat"], "piece": story.pieces["Sea Songs"],
        "flute": story.parts["Flute 1"], "tuba": band.named("instruments", "Tuba"),
        "brass": band.named("sections", "Brass"), "trashed": story.members[54], "forgotten": story.members[47],
    }  # fmt: skip
    for name, title in (("draft_event", "Draft"), ("cancelled", "Cancelled"), ("over", "Over")):
        made[name] = band.done("Dana", "event.create", title=title, type="REHEARSAL", **OVER)["id"]
        if name != "draft_event":
            band.done("Dana", "event.publish", event_id=made[name])
    band.done("Dana", "event.cancel", event_id=made["cancelled"])
    made["page"] = band.done("Dana", "page.create", title="Draft", slug="draft")["id"]
    made["announcement"] = band.done("Ada", "announcement.create", title="x", content="x")["id"]
    gone = band.caller("M21").add("music_pieces", {"title": "x", "catalog_number": "RCB-1"})
    made["long_gone"] = gone.json()[0]["id"]
    band.write(lambda tx: tx.execute("UPDATE music_pieces SET deleted_at = '2026-03-11T11:59:59.999Z'"
                                     " WHERE catalog_number = 'RCB-1'"))  # fmt: skip
    band.done("Ada", "member.delete", member_id=made["trashed"])
    band.write(lambda tx: tx.execute("UPDATE members SET first_name = 'DELETED', last_name = 'USER', deleted_at = :now"
                                     " WHERE id = :id", id=made["forgotten"], now=band.clock().text))  # fmt: skip
    return made


@pytest.fixture(scope="module")
def scene(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BandSite, dict[str, str]]]:
    """One scene for the whole table: a refused call changes nothing, which the end of it holds."""
    band = BandSite(story, tmp_path_factory.mktemp("refusals"))
    made = _ids(band)
    before = band.caller("Dana").get("sections").header("x-d1-bookmark")
    yield band, made
    assert band.caller("Dana").get("sections").header("x-d1-bookmark") == before
    band.close()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[4]} {row[1]}")
def test_a_refusal_has_its_status_and_its_code(scene, row):
    who, asked, given, status, code = row
    band, made = scene
    text = json.dumps(given)
    for name in sorted(made, key=len, reverse=True):
        text = text.replace(f"${name}", made[name])
    method, _, path = asked.partition(" ")
    door = f"/rest/v1/{path}" if path else f"/rest/v1/rpc/{asked}"
    answer = band.caller(who).send(method if path else "POST", door, json.loads(text))
    assert (answer.status, error_of(answer)["code"]) == (status, code), answer.text
