"""Pictures and documents of pages, and photos of members: what is taken, measured, shown and kept."""

import pytest

from tests.domain.band.pictures import gif, jpeg, png, webp
from tests.domain.band.shelf import FILES, PDF, fetch, put, refused

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def asset(band, body=b"", kind="image/png", who="Dana", name="hall.png", **said):
    """Put an asset that must be taken; its row."""
    answer = put(band, who, f"assets/{name}", body or png(640, 480), kind, **said)
    assert answer.status == 200, answer.text
    (row,) = band.stored("SELECT * FROM media_assets WHERE id = :id", id=answer.json()["Id"])
    return row


def test_an_asset_is_described_measured_and_kept_under_a_key_of_its_own(riverside):
    row = asset(riverside, title=" Hall ", alt_text="the hall at night", caption="c", tags=["hall", "2026"])
    assert row == {
        "id": row["id"],
        "file_name": "hall.png",
        "file_size": len(png(640, 480)),
        "mime_type": "image/png",
        "storage_key": f"assets/{row['id']}.png",
        "storage_url": None,
        "title": "Hall",
        "alt_text": "the hall at night",
        "caption": "c",
        "tags": '["hall", "2026"]',
        "width": 640,
        "height": 480,
        "uploaded_at": "2026-04-10T12:00:00.000Z",
        "uploaded_by": riverside.ids.users["Dana"],
    }
    (shown,) = riverside.rows("Dana", "media_assets?select=title,tags,width")
    assert shown == {"title": "Hall", "tags": ["hall", "2026"], "width": 640}
    assert riverside.rows("M16", "media_assets") == []


@pytest.mark.parametrize(
    ("body", "kind", "size", "end"),
    [
        (jpeg(30, 20), "image/jpeg", (30, 20), ".jpg"),
        (gif(30, 20), "image/gif", (30, 20), ".gif"),
        (webp(30, 20, b"VP8X"), "image/webp", (30, 20), ".webp"),
        (SVG, "image/svg+xml", (None, None), ".svg"),
        (PDF, "application/pdf", (None, None), ".pdf"),
        (b"PK\x03\x04" + bytes(30), DOCX, (None, None), ".docx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(30), "application/vnd.ms-excel", (None, None), ".xls"),
        (b"\xff\xd8\xff" + bytes(30), "image/jpeg", (None, None), ".jpg"),
    ],
)
def test_pictures_are_measured_and_documents_are_not(riverside, body, kind, size, end):
    row = asset(riverside, body, kind)
    assert (row["width"], row["height"]) == size
    assert row["storage_key"].endswith(end)
    assert fetch(riverside, "", row["storage_key"]).body == body


@pytest.mark.parametrize(
    ("who", "body", "kind", "said", "status", "code"),
    [
        ("Dana", b"ID3" + bytes(40), "audio/mpeg", {}, 400, "unsupported_media_type"),
        ("Dana", b"<html>", "text/html", {}, 400, "unsupported_media_type"),
        ("Dana", PDF, "image/png", {}, 400, "content_mismatch"),
        ("Dana", b"", "image/svg+xml", {}, 400, "invalid"),
        ("Dana", png(1, 1), "image/png", {"title": "x" * 256}, 400, "invalid_input"),
        ("Dana", png(1, 1), "image/png", {"alt_text": "x" * 501}, 400, "invalid_input"),
        ("Dana", png(1, 1), "image/png", {"caption": "x" * 1001}, 400, "invalid_input"),
        ("Dana", png(1, 1), "image/png", {"width": 3}, 400, "invalid_input"),
        ("M16", png(1, 1), "image/png", {}, 403, "42501"),
        ("", png(1, 1), "image/png", {}, 401, "42501"),
    ],
)
def test_what_is_no_asset_is_refused_and_leaves_nothing(riverside, who, body, kind, said, status, code):
    assert refused(put(riverside, who, "assets/a.png", body, kind, **said)) == (status, code)
    assert (
        riverside.value("SELECT count(*) FROM media_assets")
        == riverside.value("SELECT count(*) FROM vaultry_files")
        == 0
    )


def test_text_at_its_limit_is_taken_and_can_be_changed(riverside):
    row = asset(riverside, title="t" * 255, alt_text="a" * 500, caption="c" * 1000)
    change = riverside.caller("Dana").send(
        "PATCH", f"/rest/v1/media_assets?id=eq.{row['id']}", {"alt_text": None, "tags": ["new"]}
    )
    assert change.status == 204, change.text
    (now,) = riverside.rows("Dana", "media_assets?select=alt_text,tags,title")
    assert now == {"alt_text": None, "tags": ["new"], "title": "t" * 255}
    refusal = riverside.caller("Dana").send("PATCH", f"/rest/v1/media_assets?id=eq.{row['id']}", {"width": 5})
    assert refusal.status in (400, 403)


def test_a_picture_with_a_script_in_it_runs_nothing(riverside):
    answer = fetch(riverside, "", f"{asset(riverside, SVG, 'image/svg+xml')['storage_key']}")
    assert answer.header("content-security-policy") == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("content-type") == "image/svg+xml"


@pytest.mark.parametrize(
    "use",
    [
        {"og_image": "https://x.example/storage/v1/object/public/{key}"},
        {"content": {"html": '<img src="/{key}">'}},
        {"raw_markdown": "![hall]({key})"},
    ],
)
def test_an_asset_that_a_page_shows_stays(riverside, use):
    row = asset(riverside)
    filled = {
        name: {"html": value["html"].format(key=row["storage_key"])} if isinstance(value, dict)
        else value.format(key=row["storage_key"])
        for name, value in use.items()
    }  # fmt: skip
    page = riverside.done("Dana", "page.create", **{"title": "Hall", "slug": "hall", "content": "-", **filled})["id"]
    door = f"{FILES}/object/{row['storage_key']}"
    assert riverside.caller("Dana").send("DELETE", door).status == 403
    for _ in range(2):
        assert refused(riverside.caller("Ada").send("DELETE", door)) == (409, "in_use")
        if _ == 0:
            riverside.done("Ada", "page.delete", page_id=page)
    riverside.done("Ada", "page.restore", page_id=page)
    riverside.done("Dana", "page.update", page_id=page, og_image=None, content="-", raw_markdown=None)
    assert riverside.caller("Ada").send("DELETE", door).status == 200
    assert (
        riverside.value("SELECT count(*) FROM media_assets")
        == riverside.value("SELECT count(*) FROM vaultry_files")
        == 0
    )


def test_an_asset_keeps_its_content(riverside):
    path = asset(riverside)["storage_key"]
    answer = put(riverside, "Dana", path, png(9, 9), "image/png", method="PUT")
    assert refused(answer) == (409, "already_exists")


def photo(band, who, member, body, kind="image/png", method="PUT", name="me.png"):
    return put(band, who, f"photos/{band.ids.members[member]}/{name}", body, kind, method=method)


def profile(band, member):
    return band.value("SELECT profile_photo FROM members WHERE id = :id", id=band.ids.members[member])


def test_a_member_has_one_photo_the_last_one(riverside):
    assert photo(riverside, "M16", 16, png(8, 8)).status == 200
    assert photo(riverside, "M16", 16, jpeg(9, 9), "image/jpeg", name="better.jpg").status == 200
    at = f"photos/{riverside.ids.members[16]}/better.jpg"
    assert profile(riverside, 16) == at
    assert [found["name"] for found in riverside.stored("SELECT name FROM vaultry_files")] == [at.partition("/")[2]]
    assert photo(riverside, "M16", 16, jpeg(7, 7), "image/jpeg", name="better.jpg").status == 200
    assert fetch(riverside, "M16", at).body == jpeg(7, 7)
    assert riverside.caller("M16").send("DELETE", f"{FILES}/object/{at}").status == 200
    assert profile(riverside, 16) is None


def test_a_photo_is_put_by_the_person_and_seen_by_whoever_sees_the_member(riverside):
    for who in ("Dana", "M17", "Sam", ""):
        assert photo(riverside, who, 16, png(8, 8)).status in (401, 403, 404), who
    assert photo(riverside, "M16", 16, png(8, 8)).status == 200
    path = f"photos/{riverside.ids.members[16]}/me.png"
    seen = {who: fetch(riverside, who, path).status for who in ("M16", "M11", "M31", "Dana", "M17", "")}
    assert seen == {"M16": 200, "M11": 200, "M31": 404, "Dana": 200, "M17": 404, "": 404}


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (PDF, "application/pdf", 400, "unsupported_media_type"),
        (SVG, "image/svg+xml", 400, "unsupported_media_type"),
        (png(1, 1), "image/jpeg", 400, "content_mismatch"),
        (png(1, 1).ljust((5 << 20) + 1, b"\0"), "image/png", 413, "file_too_large"),
    ],
)
def test_what_is_no_photo_is_refused(riverside, body, kind, status, code):
    assert refused(photo(riverside, "M16", 16, body, kind)) == (status, code)
    assert profile(riverside, 16) is None


def test_a_photo_of_five_megabytes_is_taken(riverside):
    assert photo(riverside, "M16", 16, png(1, 1).ljust(5 << 20, b"\0")).status == 200
