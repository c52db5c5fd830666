"""Files of an S3 store: long ones handed out and taken in by S3 itself, by addresses that this process signs."""

import hashlib
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import Clock, Site, make_site
from tests.handlers.storage.desk import FILES, PDF, Desk, ask, fetch, open_desk, refused, stored
from tests.handlers.storage.test_resumable import BODY, add, begun, stands
from tests.moto_s3 import MotoS3, moto_s3

LONG = PDF * 4


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as s3, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        yield s3


@pytest.fixture
def site(tmp_path, clock: Clock, s3: MotoS3) -> Iterator[Site]:
    site = make_site(
        tmp_path,
        clock,
        store=s3.url(f"files/{tmp_path.name}"),
        secret="s" * 40,
        mail_from="post@choirs.example",
        cache=str(tmp_path / "cache"),
        file_redirect_bytes="5000",
    )
    yield site
    site.services.close()


@pytest.fixture
def desk(site: Site) -> Desk:
    return open_desk(site)


def follow(answer: Answer, **headers: str) -> httpx.Response:
    """Go where the answer leads, as nobody in particular."""
    assert answer.status == 302, answer.text
    assert answer.body == b""
    return httpx.get(answer.header("location") or "", headers=headers, trust_env=False)


def test_short_files_come_from_us_and_long_ones_from_s3(desk):
    short, long = f"scores/{desk.owned}/a.pdf", f"scores/{desk.free}/b.pdf"
    stored(desk.librarian, short, PDF)
    stored(desk.librarian, long, LONG)
    assert fetch(desk.singer, short).body == PDF
    got = follow(fetch(desk.singer, long))
    assert (got.status_code, got.content) == (200, LONG)
    assert got.headers["content-type"] == "application/pdf"
    part = follow(fetch(desk.singer, long, range="bytes=100-9000"), range="bytes=100-9000")
    assert (part.status_code, part.content) == (206, LONG[100:9001])
    assert fetch(desk.singer, long, range="bytes=0-9").body == LONG[:10]
    head = desk.singer.send("HEAD", f"{FILES}/object/{long}")
    assert (head.status, head.header("content-length")) == (200, str(len(LONG)))
    named = fetch(desk.singer, f"{long}?download=c.pdf")
    assert 'filename="c.pdf"' in follow(named).headers["content-disposition"]


def test_a_link_leads_anybody_to_s3(desk):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, LONG)
    link = FILES + ask(desk.librarian, f"object/sign/{path}", {"expiresIn": 60})["signedURL"]
    assert follow(desk.guest.send("GET", link)).content == LONG
    assert refused(fetch(desk.guest, path)) == (401, "not_authenticated")


def direct(desk: Desk, path: str, body: bytes, **more: object) -> dict[str, object]:
    """Where the librarian may put a file past us."""
    return ask(desk.librarian, f"object/upload/direct/{path}", {"size": len(body), **more})


def put_there(told: dict, body: bytes, **more: str) -> httpx.Response:
    return httpx.put(told["url"], content=body, headers={**told["headers"], **more}, trust_env=False)


def complete(desk: Desk, path: str, told: dict) -> Answer:
    return desk.guest.send("PUT", f"{FILES}/object/upload/direct/{path}", {"token": told["token"]})


@pytest.mark.parametrize("sha256", [None, hashlib.sha256(LONG).hexdigest()])
def test_a_long_file_goes_straight_to_s3_and_becomes_a_file(desk, sha256):
    path = f"scores/{desk.owned}/a.pdf"
    told = direct(desk, path, LONG, sha256=sha256)
    assert refused(complete(desk, path, told)) == (404, "upload_not_found")
    assert put_there(told, LONG).status_code == 200
    assert refused(fetch(desk.librarian, path)) == (404, "not_found")
    assert complete(desk, path, told).json()["Key"] == path
    assert follow(fetch(desk.singer, path)).content == LONG
    # Its answer was lost: it is given again, and nothing happens twice.
    assert complete(desk, path, told).json()["Key"] == path
    assert ask(desk.singer, f"object/info/{path}", method="GET")["version"] == "1"


def test_an_address_takes_one_content_once(desk):
    path = f"scores/{desk.owned}/a.pdf"
    told = direct(desk, path, LONG)
    assert put_there(told, LONG).status_code == 200
    assert put_there(told, LONG[::-1]).status_code == 412
    assert {"If-None-Match", "Content-Length"} <= set(told["headers"])
    signed = httpx.URL(told["url"]).params["X-Amz-SignedHeaders"].split(";")
    assert {"content-length", "host", "if-none-match"} <= set(signed)


def test_what_was_put_must_be_what_was_announced(desk):
    path = f"scores/{desk.owned}/a.pdf"
    told = direct(desk, path, LONG, sha256=hashlib.sha256(b"another").hexdigest())
    desk.site.services.site.store.put(key_of(desk, told), LONG, timestamp_ms=0, op="test:put")
    assert refused(complete(desk, path, told)) == (400, "content_differs")
    told = direct(desk, path, LONG)
    desk.site.services.site.store.put(key_of(desk, told), LONG + b"x", timestamp_ms=0, op="test:put")
    assert refused(complete(desk, path, told)) == (400, "content_differs")
    told = direct(desk, path, LONG, contentType="image/png")
    put_there(told, LONG)
    assert refused(complete(desk, path, told)) == (400, "content_mismatch")
    assert refused(fetch(desk.librarian, path)) == (404, "not_found")


def key_of(desk: Desk, told: dict) -> str:
    """The key that an address leads to."""
    return desk.prefix + "files/" + httpx.URL(told["url"]).path.rpartition("/")[2]


def test_a_content_that_is_there_already_is_kept_once(desk):
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", LONG)
    path = f"scores/{desk.free}/b.pdf"
    told = direct(desk, path, LONG)
    put_there(told, LONG)
    assert complete(desk, path, told).status == 200
    assert len(desk.objects()) == 1
    assert complete(desk, path, told).json()["Key"] == path


def test_an_address_is_for_those_who_may_put_the_file(desk):
    path = f"scores/{desk.owned}/a.pdf"
    for caller, status in ((desk.singer, 403), (desk.guest, 401)):
        answer = caller.send("POST", f"{FILES}/object/upload/direct/{path}", {"size": 10})
        assert answer.status == status
    wish = {"size": 10**9}
    assert refused(desk.librarian.send("POST", f"{FILES}/object/upload/direct/{path}", wish)) == (413, "file_too_large")
    told = direct(desk, path, LONG)
    put_there(told, LONG)
    assert refused(complete(desk, f"scores/{desk.free}/a.pdf", told)) == (403, "link_invalid")


@pytest.mark.parametrize("wish", [{}, {"size": 0}, {"size": "9"}, {"size": 9, "sha256": "x"}, {"size": True}])
def test_an_address_needs_the_length(desk, wish):
    answer = desk.librarian.send("POST", f"{FILES}/object/upload/direct/scores/{desk.owned}/a.pdf", wish)
    assert answer.status == 400


def test_an_upload_in_parts_works_on_s3_too(desk):
    url = begun(desk.librarian, "scores", f"{desk.owned}/a.pdf", BODY[:1000])
    assert stands(desk.librarian, url) == 1000
    assert add(desk.librarian, url, 1000, BODY[1000:]).status == 204
    assert follow(fetch(desk.singer, f"scores/{desk.owned}/a.pdf")).content == BODY


def test_what_nothing_needs_is_removed_from_s3(desk, clock):
    # S3 has a clock of its own.
    clock.ms = round(time.time() * 1000)
    stored(desk.operator, f"{desk.bucket()}/a.pdf", PDF)
    ask(desk.operator, "object/notes", {"prefixes": ["a.pdf"]}, "DELETE")
    assert desk.maintain() == {}
    clock.tick(32 * 86_400)
    assert desk.maintain() == {"forgotten": 1, "objects": 1}
    assert desk.objects() == []
