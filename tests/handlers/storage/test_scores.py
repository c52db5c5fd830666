"""The files of editions: who reads them by licence, membership and take-down, at every door; and their limits."""

import pytest

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import Caller, make_choir, make_sister
from tests.handlers.storage.desk import FILES, PDF, PNG, Desk, ask, fetch, put, refused, stored
from tests.handlers.storage.test_resumable import add, begin, begun, stands

SINGLE, CHUNK, MOST = 2_097_152, 1_992_294, 9_961_470
COMPLAINT = {"claimant_name": "C", "claimant_email": "c@x.example", "reason": "mine", "attestation": True}
# Every door at which a file is read, below the prefix of the storage; {} is bucket and name.
DOORS = ("object/{}", "object/authenticated/{}", "object/public/{}", "object/info/{}", "object/info/public/{}")


def take_down(desk: Desk, edition_id: str) -> None:
    owner = desk.site.sign_in(desk.choir.slug, desk.choir.owner)
    complaint = desk.guest.done("takedown.submit", edition_id=edition_id, **COMPLAINT)["id"]
    owner.done("takedown.process", id=complaint, action="approve")


def score(desk: Desk, edition_id: str) -> str:
    path = f"scores/{edition_id}/a.pdf"
    stored(desk.librarian, path, PDF)
    return path


def door(caller: Caller, form: str, path: str, method: str = "GET", **headers: str) -> Answer:
    return caller.send(method, f"{FILES}/{form.format(path)}", **headers)


def of_length(size: int) -> bytes:
    return PDF.ljust(size, b"\n")


@pytest.mark.parametrize("form", DOORS)
def test_what_was_taken_down_is_gone_for_everybody_at_every_door(desk, form):
    path = score(desk, desk.free)
    take_down(desk, desk.free)
    for caller in (desk.guest, desk.singer, desk.librarian):
        answer = door(caller, form, path)
        assert refused(answer) == (410, "taken_down")
        assert answer.json()["error"] == "taken_down"
        assert "copyright" in answer.json()["message"]
        assert door(caller, form, path, "HEAD").status == 410
        assert door(caller, form, path, range="bytes=0-3").status == 410


def test_a_copy_that_a_client_has_is_not_confirmed_after_a_takedown(desk):
    path = score(desk, desk.free)
    tag = fetch(desk.singer, path).header("etag")
    take_down(desk, desk.free)
    assert fetch(desk.singer, path, if_none_match=tag).status == 410


def test_links_of_before_a_takedown_open_nothing_and_new_ones_are_not_signed(desk):
    path = score(desk, desk.free)
    link = ask(desk.singer, f"object/sign/{path}", {"expiresIn": 60})["signedURL"]
    take_down(desk, desk.free)
    assert refused(desk.guest.send("GET", f"{FILES}{link}")) == (410, "taken_down")
    assert refused(desk.singer.send("POST", f"{FILES}/object/sign/{path}", {"expiresIn": 60})) == (410, "taken_down")
    several = ask(desk.singer, "object/sign/scores", {"expiresIn": 60, "paths": [path.removeprefix("scores/")]})
    assert (several[0]["signedURL"], bool(several[0]["error"])) == (None, True)


def test_nothing_is_put_moved_or_copied_where_an_edition_was_taken_down(desk):
    path = score(desk, desk.free)
    take_down(desk, desk.free)
    assert refused(put(desk.librarian, path, PDF, x_upsert="true")) == (410, "taken_down")
    assert refused(begin(desk.librarian, "scores", f"{desk.free}/b.pdf")) == (410, "taken_down")
    name = path.removeprefix("scores/")
    wish = {"bucketId": "scores", "sourceKey": name, "destinationKey": f"{desk.owned}/a.pdf"}
    for way in ("move", "copy"):
        assert refused(desk.librarian.send("POST", f"{FILES}/object/{way}", wish)) == (410, "taken_down")
    assert ask(desk.singer, "object/list-v2/scores", {})["objects"] == []


@pytest.mark.parametrize("licence", ["licensed", "owned"])
@pytest.mark.parametrize("form", DOORS)
def test_a_guest_is_asked_to_sign_in_for_what_is_not_free(desk, form, licence):
    path = score(desk, desk.owned)
    desk.librarian.done("edition.update", edition_id=desk.owned, license_type=licence)
    # Whether it is there, a guest is not told: clients take nothing but 404 for "no".
    hidden = (404, "not_found") if "info" in form else (401, "not_authenticated")
    assert refused(door(desk.guest, form, path)) == hidden
    assert door(desk.guest, form, path, "HEAD").status == 404
    assert door(desk.singer, form, path).status == (200 if "public" not in form else hidden[0])


def test_a_licence_takes_effect_on_the_next_request(desk):
    path = score(desk, desk.free)
    assert fetch(desk.guest, path).body == PDF
    desk.librarian.done("edition.update", edition_id=desk.free, license_type="licensed")
    assert refused(fetch(desk.guest, path)) == (401, "not_authenticated")
    desk.librarian.done("edition.update", edition_id=desk.free, license_type="public_domain")
    assert fetch(desk.guest, path).body == PDF


def test_an_edition_without_a_file_and_one_of_another_choir_are_not_found(desk):
    other = make_choir(desk.site, "harmonia")
    foreign = desk.site.sign_in("harmonia", other.owner).done("work.create", title="W")["id"]
    made = desk.site.sign_in("harmonia", other.owner).done("edition.create", work_id=foreign, name="E")["id"]
    for edition_id in (desk.free, made, "nobody"):
        for form in DOORS:
            assert refused(door(desk.guest, form, f"scores/{edition_id}/a.pdf")) == (404, "not_found")


def test_a_score_of_the_umbrella_is_its_collectives_while_they_are_affiliated(site):
    union = make_choir(site, "union", type="umbrella")
    sister = make_sister(site, union, "meretuul", "m@meretuul.example")
    board, singer = site.sign_in("union", union.owner), site.sign_in("meretuul", sister.owner)
    work = board.done("work.create", title="Festival")["id"]
    made = board.done("edition.create", work_id=work, name="Score")["id"]
    path = f"scores/{made}/a.pdf"
    stored(board, path, PDF)
    assert fetch(singer, path).body == PDF
    complaint = site.guest("union").done("takedown.submit", edition_id=made, **COMPLAINT)["id"]
    assert refused(fetch(site.guest("meretuul"), path)) == (404, "not_found")
    board.done("takedown.process", id=complaint, action="approve")
    assert refused(fetch(singer, path)) == (410, "taken_down")
    board.done("affiliation.end", collective_id=sister.entry.scope, umbrella_id=union.entry.scope)
    assert refused(fetch(singer, path)) == (404, "not_found")


@pytest.mark.parametrize("size", [SINGLE - 1, SINGLE, SINGLE + 1, 3 * CHUNK, MOST])
def test_a_score_up_to_the_limit_comes_back_as_it_went(desk, size):
    path, body = f"scores/{desk.owned}/a.pdf", of_length(size)
    stored(desk.librarian, path, body)
    answer = fetch(desk.singer, path)
    assert (answer.header("content-length"), answer.body == body) == (str(size), True)
    assert desk.singer.done("file.read", edition_id=desk.owned)["file_size"] == size


def test_one_byte_more_is_refused_however_it_comes(desk):
    path = f"scores/{desk.owned}/a.pdf"
    for headers in ({}, {"content_length": "10"}):
        assert refused(put(desk.librarian, path, of_length(MOST + 1), **headers)) == (413, "file_too_large")
    assert refused(begin(desk.librarian, "scores", f"{desk.owned}/a.pdf", length=MOST + 1)) == (413, "file_too_large")
    assert refused(begin(desk.librarian, "notes", "a.pdf", length=MOST + 1)) == (404, "bucket_not_found")
    assert desk.objects() == []


def test_a_score_at_the_limit_comes_in_chunks_that_are_gone_on_with(desk):
    body = of_length(MOST)
    url = begun(desk.librarian, "scores", f"{desk.owned}/a.pdf", body[:CHUNK], length=MOST)
    for number in range(1, 5):
        assert stands(desk.librarian, url) == number * CHUNK
        part = body[number * CHUNK : (number + 1) * CHUNK]
        assert add(desk.librarian, url, number * CHUNK, part).status == 204
    assert fetch(desk.singer, f"scores/{desk.owned}/a.pdf").body == body


@pytest.mark.parametrize(
    ("body", "declared", "code"),
    [
        (b"", "application/pdf", "content_mismatch"),
        (b"", "text/plain;charset=UTF-8", "invalid_mime_type"),
        (PNG, "application/pdf", "content_mismatch"),
        (b" %PDF-1.7", "application/pdf", "content_mismatch"),
        (b"%PDF", "application/pdf", "content_mismatch"),
        (PDF, "text/plain", "invalid_mime_type"),
        (PDF, "application/octet-stream", "invalid_mime_type"),
        (PNG, "image/png", "invalid_mime_type"),
    ],
)
def test_a_score_is_a_pdf_by_its_type_and_by_its_first_bytes(desk, body, declared, code):
    path = f"scores/{desk.owned}/a.pdf"
    assert refused(put(desk.librarian, path, body, declared)) == (400, code)
    form = begin(desk.librarian, "scores", f"{desk.owned}/a.pdf", body, length=len(body), kind=declared)
    assert form.status == 400, form.text
    assert desk.librarian.rows(f"editions?id=eq.{desk.owned}&select=file_key") == [{"file_key": None}]


def test_a_score_in_chunks_that_is_none_is_refused_with_its_last_byte(desk):
    body = b"no pdf" * 100
    url = begun(desk.librarian, "scores", f"{desk.owned}/a.pdf", length=len(body))
    assert refused(add(desk.librarian, url, 0, body)) == (400, "content_mismatch")
    assert refused(fetch(desk.singer, f"scores/{desk.owned}/a.pdf")) == (404, "not_found")


def test_the_edition_has_who_put_its_file_and_when_and_loses_all_five(desk, clock):
    path, columns = f"scores/{desk.owned}/a.pdf", "file_key,file_name,file_size,file_uploaded_at,file_uploaded_by"
    stored(desk.librarian, path, of_length(SINGLE + 1))
    row = desk.librarian.rows(f"editions?id=eq.{desk.owned}&select={columns}")[0]
    mari = desk.librarian.rows("members?name=eq.Mari&select=id")[0]["id"]
    assert row == {"file_key": desk.owned, "file_name": "a.pdf", "file_size": SINGLE + 1,
                   "file_uploaded_at": clock().text, "file_uploaded_by": mari}  # fmt: skip
    stored(desk.librarian, path, PDF, x_upsert="true")
    rows = desk.site.vault_rows(desk.choir, "SELECT size FROM vaultry_files")
    assert [row["size"] for row in rows] == [len(PDF)]
    assert desk.librarian.send("DELETE", f"{FILES}/object/{path}").status == 200
    assert set(desk.librarian.rows(f"editions?id=eq.{desk.owned}&select={columns}")[0].values()) == {None}


def test_an_attachment_on_request_is_named_as_the_file(desk):
    path = score(desk, desk.owned)
    assert fetch(desk.singer, path).header("content-disposition") is None
    told = desk.singer.send("GET", f"{FILES}/object/{path}?download").header("content-disposition")
    assert told is not None
    assert told.startswith('attachment; filename="a.pdf"')
