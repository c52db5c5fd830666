"""Handing files out: ranges, what a client has already, attachments, and what a browser may do with them."""

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.handlers.http.asgi_client import Answer
from tests.handlers.storage.desk import FILES, PDF, Desk, ask, fetch, refused, stored

BODY = bytes(range(200)) * 3


@pytest.fixture
def path(desk: Desk) -> str:
    path = f"{desk.bucket()}/folder/a.bin"
    stored(desk.operator, path, BODY, "application/x-any", cache_control="3600")
    return path


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, 600),
        ("bytes=-50", 550, 600),
        ("bytes=-6000", 0, 600),
        ("bytes=599-", 599, 600),
        ("bytes=590-9999", 590, 600),
    ],
)
def test_a_range_is_that_part_of_the_file(desk, path, wanted, start, end):
    got = fetch(desk.operator, path, range=wanted)
    assert (got.status, got.body) == (206, BODY[start:end])
    assert got.header("content-range") == f"bytes {start}-{end - 1}/600"
    assert got.header("content-length") == str(end - start)


@pytest.mark.parametrize("wanted", ["bytes=600-", "bytes=600-700", "bytes=-0", "bytes=9999999-"])
def test_a_range_beyond_the_file_is_refused_with_its_length(desk, path, wanted):
    got = fetch(desk.operator, path, range=wanted)
    assert refused(got) == (416, "range_not_satisfiable")
    assert got.header("content-range") == "bytes */600"


@pytest.mark.parametrize("wanted", ["bytes=", "bytes=-", "bytes=9-3", "rows=0-1", "bytes=0-1,4-5", "bytes=x-1", ""])
def test_what_is_no_single_range_gets_the_whole_file(desk, path, wanted):
    got = fetch(desk.operator, path, range=wanted)
    assert (got.status, got.body) == (200, BODY)
    assert got.header("accept-ranges") == "bytes"


def test_head_tells_the_same_and_sends_no_byte_and_no_part(desk, path):
    whole = fetch(desk.operator, path)
    for more in ({}, {"range": "bytes=0-9"}):
        got = desk.operator.send("HEAD", f"{FILES}/object/{path}", **more)
        assert (got.status, got.body, got.header("content-length")) == (200, b"", "600")
        assert got.header("etag") == whole.header("etag")


def test_a_client_that_has_the_content_gets_no_byte_of_it(desk, path):
    tag = fetch(desk.operator, path).header("etag")
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        got = fetch(desk.operator, path, if_none_match=known)
        assert (got.status, got.body, got.header("etag")) == (304, b"", tag)
    assert fetch(desk.operator, path, if_none_match='"other"').status == 200


def test_a_client_that_has_todays_file_gets_no_byte_of_it(desk, path, clock):
    changed = fetch(desk.operator, path).header("last-modified")
    assert parsedate_to_datetime(changed).timestamp() * 1000 == clock.ms
    assert fetch(desk.operator, path, if_modified_since=changed).status == 304
    assert fetch(desk.operator, path, if_modified_since="Mon, 02 Feb 2026 00:00:00 GMT").status == 200
    assert fetch(desk.operator, path, if_modified_since="yesterday").status == 200
    # The tag decides where there are both. Source: RFC 9110, 13.1.3.
    assert fetch(desk.operator, path, if_modified_since=changed, if_none_match='"other"').status == 200


def test_a_part_is_sent_only_for_the_content_it_goes_with(desk, path):
    tag, changed = (fetch(desk.operator, path).header(name) for name in ("etag", "last-modified"))
    for held in (tag, changed):
        assert fetch(desk.operator, path, range="bytes=0-9", if_range=held).status == 206
    assert fetch(desk.operator, path, range="bytes=0-9", if_range='"other"').status == 200


def test_an_attachment_has_its_own_name_or_the_one_asked_for(desk):
    stored(desk.operator, f"{desk.bucket()}/noodid/P%C3%BCha.pdf", PDF)
    url = f"{FILES}/object/notes/noodid/P%C3%BCha.pdf"
    assert desk.operator.send("GET", url).header("content-disposition") is None
    own = desk.operator.send("GET", f"{url}?download=").header("content-disposition")
    assert own == "attachment; filename=\"P_ha.pdf\"; filename*=UTF-8''P%C3%BCha.pdf"
    chosen = desk.operator.send("GET", f"{url}?download=a%22%0D%0Ab.pdf").header("content-disposition")
    assert chosen == "attachment; filename=\"a_b.pdf\"; filename*=UTF-8''a%22b.pdf"


@pytest.mark.parametrize(
    ("body", "declared", "inert"),
    [
        (b"<script>1</script>", "text/html", False),
        (b"<svg onload='x()'/>", "image/svg+xml", False),
        (PDF, "application/pdf", True),
        (b"words", "text/plain", True),
    ],
)
def test_a_browser_runs_nothing_that_is_in_a_file(desk, body, declared, inert):
    path = f"{desk.bucket()}/a"
    stored(desk.operator, path, body, declared)
    got = fetch(desk.operator, path)
    assert got.header("x-content-type-options") == "nosniff"
    assert ("sandbox" in (got.header("content-security-policy") or "")) is not inert


def test_only_a_public_bucket_is_for_shared_caches(desk, path):
    assert fetch(desk.operator, path).header("cache-control") == "private, no-cache"
    ask(desk.operator, "bucket/notes", {"public": True}, "PUT")
    assert desk.guest.send("GET", f"{FILES}/object/public/{path}").header("cache-control") == "public, max-age=3600"
    ask(desk.operator, "bucket/notes", {"public": False}, "PUT")
    assert refused(desk.guest.send("GET", f"{FILES}/object/public/{path}")) == (404, "not_found")


def test_a_file_without_a_byte_is_a_file(desk):
    path = f"{desk.bucket()}/empty"
    stored(desk.operator, path, b"", "text/plain")
    got = fetch(desk.operator, path)
    assert (got.status, got.body, got.header("content-length")) == (200, b"", "0")
    assert refused(fetch(desk.operator, path, range="bytes=0-")) == (416, "range_not_satisfiable")


def test_a_content_that_the_store_has_lost_is_an_error_and_not_half_a_file(desk, path):
    store = desk.site.services.site.store
    store.delete([desk.prefix + key for key in desk.objects()], op="test:lose")
    assert refused(fetch(desk.operator, path)) == (500, "file_corrupt")


def test_a_content_that_was_cut_short_is_an_error_too(desk, path):
    for key in desk.objects():
        (file,) = desk.site.folder.glob(f"store/**/{key.rpartition('/')[2]}")
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1])
    assert refused(fetch(desk.operator, path)) == (500, "file_corrupt")


def test_images_are_not_transformed_and_that_is_said(desk, path):
    assert refused(desk.operator.send("GET", f"{FILES}/render/image/public/{path}")) == (403, "feature_not_enabled")
    assert refused(desk.operator.send("DELETE", f"{FILES}/cdn/{path}")) == (403, "feature_not_enabled")


def part_of(body: bytes, got: Answer) -> bytes | None:
    """What the answer says it is a part of the body."""
    place = (got.header("content-range") or "").removeprefix("bytes ").partition("/")[0].split("-")
    return body[int(place[0]) : int(place[1]) + 1] if got.status == 206 else body


def test_any_range_header_is_answered_by_a_part_the_whole_or_a_refusal(desk, path):
    ranges = st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True)

    @given(ranges | st.text("bytes=-, 0123x", max_size=12))
    def check(wanted: str) -> None:
        got = fetch(desk.operator, path, range=wanted)
        assert got.status in (200, 206, 416)
        if got.status != 416:
            assert got.body == part_of(BODY, got)

    check()
