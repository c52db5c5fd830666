"""Imports and exports of an S3 store: the files go to S3 and come from it, at addresses that this process signs."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from db.clock import system_moment
from handlers.storage.presigned import S3Links
from tests.handlers.d1.desk import Desk, make_desk
from tests.handlers.d1.transfers import ORIGIN, ingest, md5, poll, run_export
from tests.moto_s3 import MotoS3, moto_s3

TEXT = b"CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT);\nINSERT INTO t VALUES (1, 'a;b'), (2, 'c');\n"


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as s3, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        yield s3


@pytest.fixture
def desk(tmp_path, s3: MotoS3) -> Iterator[Desk]:
    desk = make_desk(
        tmp_path,
        system_moment,
        store=s3.url(f"d1/{tmp_path.name}"),
        secret="s" * 40,
        mail_from="post@choirs.example",
        cache=str(tmp_path / "cache"),
        import_bytes="2000",
    )
    desk.create()
    yield desk
    desk.site.services.close()


def begin(desk: Desk, text: bytes) -> str:
    address: str = desk.done("POST", "/shop/import", {"action": "init", "etag": md5(text)})["upload_url"]
    return address


def put(address: str, text: bytes) -> httpx.Response:
    """As wrangler does: the length and no other header."""
    return httpx.put(address, content=text, headers={"content-type": ""}, trust_env=False)


def test_a_file_goes_to_s3_and_is_imported_from_there(desk, s3):
    address = begin(desk, TEXT)
    assert address.startswith(s3.endpoint)
    answer = put(address, TEXT)
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{md5(TEXT)}"')
    assert poll(desk, "shop", ingest(desk, "shop", TEXT))["status"] == "complete"
    assert desk.query("shop", "SELECT y FROM t") == [{"y": "a;b"}, {"y": "c"}]


def test_an_export_comes_from_s3_for_an_hour(desk, s3):
    desk.query("shop", "CREATE TABLE t (x); INSERT INTO t VALUES (7)")
    address = run_export(desk, "shop")["result"]["signed_url"]
    asked = parse_qs(urlsplit(address).query)
    assert (address.startswith(s3.endpoint), asked["X-Amz-Expires"]) == (True, ["3600"])
    assert b'INSERT INTO "t"' in httpx.get(address, trust_env=False).content
    # The signature is for this object alone; nothing is made public beside it.
    assert {"X-Amz-Signature", "X-Amz-Credential", "X-Amz-SignedHeaders"} <= set(asked)
    assert "x-amz-acl" not in asked


def test_what_clients_put_lies_outside_the_folder_of_the_logs(desk):
    path = urlsplit(begin(desk, TEXT)).path
    assert "/imports/" in path
    assert "/vaults/" not in path


def test_another_file_than_was_announced_is_not_imported(desk):
    """S3 takes whatever is put; what is imported is compared."""
    before = desk.done("GET", "/shop/time_travel/bookmark")
    put(begin(desk, TEXT), TEXT.replace(b"a;b", b"b;a"))
    done = poll(desk, "shop", ingest(desk, "shop", TEXT))
    assert done["status"] == "error"
    assert md5(TEXT) in done["error"]
    assert desk.done("GET", "/shop/time_travel/bookmark") == before


@pytest.mark.parametrize(("size", "taken"), [(1999, True), (2000, True), (2001, False)])
def test_a_file_over_the_limit_is_refused_though_s3_took_it(desk, size, taken):
    text = b"SELECT 1;".ljust(size)
    assert put(begin(desk, text), text).status_code == 200
    body = {"action": "ingest", "etag": md5(text), "filename": f"{md5(text)}.sql"}
    if taken:
        assert desk.done("POST", "/shop/import", body)["success"] is True
    else:
        assert "VAULTRY_IMPORT_BYTES" in desk.refused(413, 7413, "POST", "/shop/import", body)


def test_where_etags_are_no_md5_files_come_to_us(desk, monkeypatch):
    """As in a bucket with keys of KMS: wrangler would refuse its own upload."""
    monkeypatch.setattr(S3Links, "etags_are_md5", False)
    address = begin(desk, TEXT)
    assert address.startswith(ORIGIN)
    answer = desk.site.client.request("PUT", address.removeprefix(ORIGIN), body=TEXT)
    assert (answer.status, answer.header("etag")) == (200, f'"{md5(TEXT)}"')
    assert poll(desk, "shop", ingest(desk, "shop", TEXT))["status"] == "complete"


@pytest.mark.parametrize("kms", [True, False])
def test_what_etags_are_is_asked_by_a_put(kms):
    bodies: list[bytes] = []

    class Bucket(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("ETag", '"0123456789abcdef0123456789abcdef"' if kms else f'"{md5(bodies[0])}"')
            self.send_header("content-length", "0")
            self.end_headers()

        def do_DELETE(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Bucket) as server, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        links = S3Links("bucket", "prefix", f"http://127.0.0.1:{server.server_port}", "eu-central-1")
        assert (links.etags_are_md5, links.etags_are_md5) == (not kms, not kms)
        server.shutdown()
    assert len(bodies) == 1
