"""Who may download a music file: each line of the table at every door, links, and the log of what was handed out."""

import logging
from dataclasses import dataclass

import pytest

from db.transaction import WriteTx
from domain.band.files import downloads as log
from domain.band.users import add_user
from tests.domain.band.band_site import BandSite
from tests.domain.band.riverside import email
from tests.domain.band.shelf import (
    FILES,
    FIRST,
    MP3,
    PDF,
    POSY,
    downloads,
    fetch,
    key,
    link,
    put,
    refused,
    stored,
    told,
)

STRICT = {"settings": {"strict_part_download": True}}


@dataclass
class Shelf:
    """Files of First Suite and of Lincolnshire Posy; M16 holds Clarinet 2 of First Suite. Paths with their bucket."""

    band: BandSite
    second: str
    first: str
    licence: str
    score: str
    posy: str
    recording: str


def seat(band: BandSite) -> None:
    piece = band.ids.pieces[FIRST]
    given = {"piece_id": piece, "member_ids": [band.ids.members[16]], "part_name": "Clarinet 2"}
    assert band.done("M21", "music.assign", **given)["created"] == 1


@pytest.fixture
def shelf(riverside):
    parts = riverside.ids.parts
    made = Shelf(
        riverside,
        second=stored(riverside, "Clarinet 2.pdf", part_id=parts["Clarinet 2"]),
        first=stored(riverside, "Clarinet 1.pdf", part_id=parts["Clarinet 1"]),
        licence=stored(riverside, "licence.pdf", file_type="LICENSING"),
        score=stored(riverside, "score.pdf"),
        posy=stored(riverside, "posy.pdf", POSY),
        recording=stored(riverside, "march.mp3", POSY, MP3, "audio/mpeg", is_public=True),
    )
    seat(riverside)
    return made


def ask(shelf: Shelf, who: str, file_id: str) -> tuple[int, str | None]:
    """What the file's own door says, and the verb with it."""
    answer = told(fetch(shelf.band, who, key(shelf.band, file_id)))
    verdict = shelf.band.done(who, "file.access", file_id=file_id)
    assert (verdict["allowed"], verdict["reason"]) == (answer[0] == 200, answer[1])
    return answer


def test_a_file_that_is_not_there_or_whose_piece_is_in_the_trash_is_not_found(shelf):
    band, path = shelf.band, key(shelf.band, shelf.score)
    assert refused(fetch(band, "M21", path.replace(shelf.score, shelf.posy))) == (404, "not_found")
    opened = link(band, "M21", path)
    band.done("M21", "music.delete", piece_id=band.ids.pieces[FIRST])
    for who in ("M21", "Sam", "M16", ""):
        assert refused(fetch(band, who, path)) == (404, "not_found")
    assert refused(band.caller("").send("GET", opened)) == (404, "not_found")
    assert band.refused("M21", "file.access", file_id=shelf.score) == (404, "not_found")
    band.done("M21", "music.restore", piece_id=band.ids.pieces[FIRST])
    assert fetch(band, "M21", path).body == PDF


@pytest.mark.parametrize(
    ("who", "reason"), [("", "public_file_anonymous"), ("M54", "public_file"), ("Sam", "public_file")]
)
def test_a_public_file_is_for_everybody_before_anything_else_is_asked(shelf, who, reason):
    shelf.band.done("Dana", "music.archive", piece_id=shelf.band.ids.pieces[POSY])
    assert ask(shelf, who, shelf.recording) == (200, reason)


def test_a_guest_is_asked_to_sign_in(shelf):
    assert ask(shelf, "", shelf.score) == (401, "not_signed_in")


@pytest.mark.parametrize("who", ["Sam", "Ada", "M21"])
def test_who_keeps_the_library_has_every_file(shelf, who):
    for file_id in (shelf.posy, shelf.licence, shelf.score):
        assert ask(shelf, who, file_id) == (200, "admin_access")


def test_the_permission_for_all_opens_every_file(shelf):
    assert ask(shelf, "Dana", shelf.licence) == (200, "download_all_permission")


def test_without_a_permission_to_download_nothing_is_open(shelf):
    assert ask(shelf, "M54", shelf.score) == (403, "no_download_permission")


def test_without_a_part_of_the_piece_its_files_are_closed(shelf):
    assert ask(shelf, "M17", shelf.score) == (403, "not_assigned_to_piece")
    assert ask(shelf, "M16", shelf.posy) == (403, "not_assigned_to_piece")


def test_licences_and_archived_pieces_are_not_released(shelf):
    assert ask(shelf, "M16", shelf.licence) == (403, "not_released")
    shelf.band.done("M21", "music.archive", piece_id=shelf.band.ids.pieces[FIRST])
    assert ask(shelf, "M16", shelf.second) == (403, "not_released")


def test_a_part_opens_the_whole_piece_unless_the_band_is_strict(shelf):
    for file_id in (shelf.second, shelf.first, shelf.score):
        assert ask(shelf, "M16", file_id) == (200, "assigned_to_piece")
    shelf.band.done("Sam", "settings.update", **STRICT)
    assert ask(shelf, "M16", shelf.first) == (403, "other_part")
    assert ask(shelf, "M16", shelf.second) == (200, "assigned_to_piece")
    assert ask(shelf, "M16", shelf.score) == (200, "assigned_to_piece")


def test_a_part_given_by_its_name_alone_is_the_part_of_that_name(shelf):
    shelf.band.done("Sam", "settings.update", **STRICT)
    shelf.band.write(lambda tx: tx.execute("UPDATE music_assignments SET part_id = NULL, part_name = 'CLARINET 2'"))
    assert ask(shelf, "M16", shelf.second) == (200, "assigned_to_piece")
    assert ask(shelf, "M16", shelf.first) == (403, "other_part")


def test_scenario_five(shelf):
    band, second = shelf.band, key(shelf.band, shelf.second)
    assert told(fetch(band, "M16", second)) == (200, "assigned_to_piece")
    (row,) = downloads(band)
    assert (row["file_id"], row["user_id"]) == (shelf.second, band.ids.users["M16"])
    assert told(fetch(band, "M16", key(band, shelf.posy))) == (403, "not_assigned_to_piece")
    assert told(fetch(band, "M16", key(band, shelf.licence))) == (403, "not_released")
    assert len(downloads(band)) == 1
    assert told(fetch(band, "M16", key(band, shelf.first)))[0] == 200
    band.done("Sam", "settings.update", **STRICT)
    assert told(fetch(band, "M16", key(band, shelf.first))) == (403, "other_part")
    public = band.caller("").send("GET", f"{FILES}/object/public/{key(band, shelf.recording)}")
    assert told(public) == (200, "public_file_anonymous")
    assert downloads(band)[-1]["user_id"] is None
    opened = link(band, "M16", second, expiresIn=60)
    short = band.caller("M16").send("POST", f"{FILES}/object/sign/{second}", {"expiresIn": 30})
    assert (short.status, short.json()["code"]) == (400, "invalid_input")
    band.clock.tick(61)
    assert refused(band.caller("").send("GET", opened)) == (410, "download_link_expired")
    assignment = band.value("SELECT id FROM music_assignments")
    band.done("M21", "assignment.pick_up", assignment_id=assignment)
    assert told(fetch(band, "M16", second))[0] == 200
    band.done("M21", "assignment.return", assignment_id=assignment)
    assert told(fetch(band, "M16", second)) == (403, "not_assigned_to_piece")


@pytest.mark.parametrize(
    "door", ["object/{}", "object/authenticated/{}", "object/public/{}", "object/info/{}", "object/info/public/{}"]
)
def test_no_door_opens_what_the_table_refuses(shelf, door):
    path = key(shelf.band, shelf.posy)
    answer = shelf.band.caller("M16").send("GET", f"{FILES}/{door.format(path)}")
    assert answer.status in (401, 403, 404)
    assert b"%PDF" not in answer.body
    assert downloads(shelf.band) == []


def test_no_link_is_signed_for_what_one_may_not_read(shelf):
    band, mine, other = shelf.band, key(shelf.band, shelf.score), key(shelf.band, shelf.posy)
    one = band.caller("M16").send("POST", f"{FILES}/object/sign/{other}", {"expiresIn": 60})
    assert (one.status, one.json()["details"]) == (403, "not_assigned_to_piece")
    paths = [path.partition("/")[2] for path in (mine, other)]
    several = band.caller("M16").send("POST", f"{FILES}/object/sign/music", {"expiresIn": 60, "paths": paths}).json()
    assert [line["signedURL"] is None for line in several] == [False, True]


def test_what_is_kept_with_a_row_is_neither_copied_nor_moved_to_where_others_read_it(shelf):
    band, path = shelf.band, key(shelf.band, shelf.posy)
    assert band.caller("Sam").send("POST", f"{FILES}/bucket", {"id": "open", "public": True}).status == 200
    body = {
        "bucketId": "music",
        "sourceKey": path.partition("/")[2],
        "destinationBucket": "open",
        "destinationKey": "a",
    }
    for act in ("copy", "move"):
        assert refused(band.caller("Sam").send("POST", f"{FILES}/object/{act}", body)) == (400, "file_kept")
        assert band.caller("M16").send("POST", f"{FILES}/object/{act}", body).status in (403, 404)
    assert fetch(band, "M21", path).status == 200


def test_links_hold_a_minute_to_a_day_and_an_hour_unless_told(shelf):
    band, path = shelf.band, key(shelf.band, shelf.score)
    for seconds in (59, 86_401, 0, -1, "soon", 1e9):
        answer = band.caller("M16").send("POST", f"{FILES}/object/sign/{path}", {"expiresIn": seconds})
        assert answer.status == 400, seconds
    day, hour = link(band, "M16", path, expiresIn=86_400), link(band, "M16", path)
    band.clock.tick(3599)
    assert band.caller("").send("GET", hour).status == 200
    band.clock.tick(1)
    assert band.caller("").send("GET", hour).status == 410
    band.clock.tick(82_799)
    assert band.caller("").send("GET", day).status == 200


def test_a_link_without_its_token_with_a_wrong_one_or_to_another_place_is_refused(shelf):
    band, path = shelf.band, key(shelf.band, shelf.score)
    guest, opened = band.caller(""), link(band, "M16", path)
    at, token = opened.split("?token=")
    assert refused(guest.send("GET", at)) == (401, "download_token_missing")
    assert refused(guest.send("GET", f"{at}?token=nonsense")) == (403, "download_token_invalid")
    assert refused(guest.send("GET", f"{at}?token={token[:-2]}xx")) == (403, "download_token_invalid")
    other = f"{FILES}/object/sign/{key(band, shelf.posy)}?token={token}"
    assert refused(guest.send("GET", other)) == (403, "download_token_invalid")
    for wrong in ("music/../x.pdf", "music/a/%2e%2e/b.pdf", "music/a%00b/c.pdf"):
        assert refused(guest.send("GET", f"{FILES}/object/sign/{wrong}?token={token}")) == (400, "bad_path")
    assert len(downloads(band)) == 0


def test_a_link_is_not_judged_again_and_its_download_is_the_signers(shelf):
    band = shelf.band
    opened = link(band, "M16", key(band, shelf.score))
    assignment = band.value("SELECT id FROM music_assignments")
    band.done("M21", "assignment.remove", assignment_id=assignment)
    assert told(fetch(band, "M16", key(band, shelf.score)))[0] == 403
    answer = band.caller("M17").send("GET", opened, x_forwarded_for="203.0.113.7, 10.0.0.1", user_agent="Stand/1")
    assert (answer.status, answer.body) == (200, PDF)
    assert downloads(band) == [
        {"file_id": shelf.score, "user_id": band.ids.users["M16"], "ip_address": "203.0.113.7", "user_agent": "Stand/1"}
    ]


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"x_forwarded_for": " 198.51.100.4 ,10.0.0.1", "x_real_ip": "192.0.2.1"}, "198.51.100.4"),
        ({"x_real_ip": "192.0.2.1"}, "192.0.2.1"),
        ({"x_forwarded_for": "", "x_real_ip": ""}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_log_keeps_the_address_the_request_tells(shelf, headers, address):
    fetch(shelf.band, "M21", key(shelf.band, shelf.score), **headers)
    assert [row["ip_address"] for row in downloads(shelf.band)] == [address]


def test_only_answers_that_hand_out_bytes_are_logged(shelf):
    band, path = shelf.band, key(shelf.band, shelf.score)
    whole = fetch(band, "M21", path)
    assert fetch(band, "M21", path, if_none_match=whole.header("etag") or "").status == 304
    assert band.caller("M21").send("HEAD", f"{FILES}/object/{path}").status == 200
    assert fetch(band, "M21", path, range="bytes=9999999-").status == 416
    assert len(downloads(band)) == 1
    part = fetch(band, "M21", path, range="bytes=0-3")
    assert (part.status, part.body) == (206, b"%PDF")
    assert len(downloads(band)) == 2


def test_a_log_that_cannot_be_written_fails_no_download(shelf, monkeypatch, caplog):
    monkeypatch.setattr(log, "_NOTE", "INSERT INTO file_downloads (nothing) VALUES (:id)")
    with caplog.at_level(logging.ERROR, "vaultry"):
        answer = fetch(shelf.band, "M21", key(shelf.band, shelf.score))
    assert (answer.status, answer.body) == (200, PDF)
    assert downloads(shelf.band) == []
    assert any("note_handed_out" in record.getMessage() for record in caplog.records)


def test_downloads_are_counted_for_a_file_and_in_a_time(shelf):
    band = shelf.band
    for who in ("M16", "M21", "M21"):
        fetch(band, who, key(band, shelf.score))
    fetch(band, "", key(band, shelf.recording))
    counted = band.done("Dana", "file.downloads", file_id=shelf.score)
    last = "2026-04-10T12:00:00.000Z"
    assert counted == {"file_id": shelf.score, "downloads": 3, "users": 2, "last_downloaded_at": last}
    untouched = band.done("Dana", "file.downloads", file_id=shelf.posy)
    assert (untouched["downloads"], untouched["users"], untouched["last_downloaded_at"]) == (0, 0, None)
    band.clock.tick(1)
    fetch(band, "M21", key(band, shelf.score))
    lines = band.done("Dana", "report.downloads", to=last)
    assert [(line["file_name"], line["downloads"], line["users"]) for line in lines] == [
        ("score.pdf", 3, 2),
        ("march.mp3", 1, 0),
    ]
    later = band.done("Dana", "report.downloads", **{"from": "2026-04-10T12:00:01Z"})
    assert [(line["file_name"], line["downloads"]) for line in later] == [("score.pdf", 1)]
    for verb, given in (("file.downloads", {"file_id": shelf.score}), ("report.downloads", {})):
        assert band.refused("M21", verb, **given) == (403, "forbidden")


def test_an_attachment_is_called_what_the_file_is_called(shelf):
    answer = fetch(shelf.band, "M16", f"{key(shelf.band, shelf.second)}?download")
    assert 'filename="Clarinet 2.pdf"' in (answer.header("content-disposition") or "")


def test_a_token_without_a_person_goes_by_its_role(shelf):
    band, path = shelf.band, key(shelf.band, shelf.score)
    librarian = band.site.guest("riverside").with_token(band.site.api_token(band.tenant, "LIBRARIAN"))
    musician = band.site.guest("riverside").with_token(band.site.api_token(band.tenant, "MUSICIAN"))
    assert told(librarian.send("GET", f"{FILES}/object/{path}")) == (200, "download_all_permission")
    assert told(musician.send("GET", f"{FILES}/object/{path}")) == (403, "not_assigned_to_piece")
    assert [row["user_id"] for row in downloads(band)] == [None]


def test_a_role_that_ran_out_opens_nothing_any_more(shelf):
    band = shelf.band

    def add(tx: WriteTx) -> None:
        user_id = add_user(tx, email=email("Lea"), name="Lea", verified=True, now=band.clock())
        role = tx.value("SELECT id FROM roles WHERE type = 'LIBRARIAN'")
        tx.insert("user_roles", id=user_id, user_id=user_id, role_id=role, expires_at="2026-04-01T00:00:00.000Z")

    band.write(add)
    assert told(fetch(band, "Lea", key(band, shelf.score))) == (403, "no_download_permission")


def test_who_uploads_may_get_back_what_was_replaced_and_nobody_else(shelf):
    band, before = shelf.band, key(shelf.band, shelf.score)
    assert put(band, "M21", before, b"%PDF-1.4 second", method="PUT").status == 200
    kept = before.replace("music/", "replaced/")
    assert fetch(band, "M21", kept).body == PDF
    for who in ("M16", "Dana", ""):
        assert fetch(band, who, kept).status == 404
    assert refused(fetch(band, "M16", before)) == (404, "not_found")
