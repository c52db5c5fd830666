"""What only the bucket does: metadata, and what each answer of the service means."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest

from db.errors import StoreUnavailable, TooLarge, VaultError
from db.stores.base import ObjectExists, ObjectStore, OutcomeUnknown
from db.stores.s3 import MAX_OBJECT_BYTES, SINGLE_PUT_BYTES, S3Store
from tests.moto_s3 import MotoS3, moto_s3

TIME_MS = 1_777_000_000_123


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as running:
        yield running


def put(store: ObjectStore, key: str, body: bytes = b"body") -> None:
    store.put(key, body, timestamp_ms=TIME_MS, op="test:put")


def keys(store: ObjectStore, prefix: str, after: str = "") -> list[str]:
    return [stored.key for stored in store.list(prefix, after=after, op="test:list")]


def test_the_metadata_carries_the_time_litestream_reads(s3: MotoS3) -> None:
    store = s3.store(prefix="metadata")
    put(store, "vaults/a/1")
    bucket = obstore.store.S3Store(
        s3.bucket,
        config={"endpoint": s3.endpoint, "access_key_id": "a", "secret_access_key": "b", "region": s3.region},
        client_options={"allow_http": True},
    )
    attributes = obstore.get(bucket, "metadata/vaults/a/1").attributes
    assert attributes["litestream-timestamp"] == "2026-04-24T03:06:40.123Z"


def large_file(tmp_path: Path, size: int = SINGLE_PUT_BYTES + 1) -> Path:
    body = tmp_path / "large"
    with body.open("wb") as file:
        file.truncate(size)
    return body


def test_a_large_object_is_staged_in_parts_and_nothing_of_that_stays(s3: MotoS3, tmp_path: Path) -> None:
    store = s3.store(prefix="large")
    store.put("vaults/a/1", large_file(tmp_path), timestamp_ms=TIME_MS, op="test:put")
    assert keys(store, "") == ["vaults/a/1"]
    assert keys(store, "staging/") == []
    store.put("vaults/a/2", bytes(SINGLE_PUT_BYTES + 1), timestamp_ms=TIME_MS, op="test:put")
    assert keys(store, "") == ["vaults/a/1", "vaults/a/2"]


def test_a_large_object_that_cannot_be_staged_was_not_made(tmp_path: Path) -> None:
    with scripted_s3(403) as (store, _), pytest.raises(StoreUnavailable, match="test:put: stage vaults/a/1") as caught:
        store.put("vaults/a/1", large_file(tmp_path), timestamp_ms=TIME_MS, op="test:put")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("size", [MAX_OBJECT_BYTES, MAX_OBJECT_BYTES + 1])
def test_an_object_larger_than_a_copy_takes_is_refused_before_anything_is_sent(tmp_path: Path, size: int) -> None:
    expected = TooLarge if size > MAX_OBJECT_BYTES else StoreUnavailable
    with scripted_s3(403) as (store, service):
        with pytest.raises(expected) as caught:
            store.put("vaults/a/1", large_file(tmp_path, size), timestamp_ms=TIME_MS, op="test:put")
        assert (service.count == 0) is (expected is TooLarge)
        if expected is TooLarge:
            assert str(MAX_OBJECT_BYTES) in caught.value.message


def test_stores_with_different_prefixes_do_not_see_each_other(s3: MotoS3) -> None:
    put(s3.store(prefix="one"), "vaults/a/1", b"one")
    put(s3.store(prefix="two"), "vaults/a/1", b"two")
    assert s3.store(prefix="one").get("vaults/a/1", op="test:get") == b"one"
    assert keys(s3.store(prefix="two"), "vaults/") == ["vaults/a/1"]


class Answers(BaseHTTPRequestHandler):
    """Answers each request with the next line of the script, then with its last; counts them."""

    protocol_version = "HTTP/1.1"
    script: list[int | str]
    count: int

    def answer(self) -> None:
        cls = type(self)
        step = cls.script[min(cls.count, len(cls.script) - 1)]
        cls.count += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if step == "hang":
            threading.Event().wait(1)
        if isinstance(step, str):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = b"<Error><Code>Scripted</Code><Message>status code: 412</Message></Error>" if step >= 300 else b"body"
        self.send_response(step)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Fri, 24 Apr 2026 03:06:40 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = answer  # noqa: N815 - the names http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        pass


@contextmanager
def scripted_s3(*script: int | str) -> Iterator[tuple[S3Store, type[Answers]]]:
    """A store whose service answers by script: a status, "drop" or "hang"."""
    handler = type("Scripted", (Answers,), {"script": list(script), "count": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        keys = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}
        yield S3Store("bucket", endpoint=endpoint, timeout_s=0.5, **keys), handler
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (412, ObjectExists),
        (409, OutcomeUnknown),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
        ("hang", OutcomeUnknown),
        ("drop", OutcomeUnknown),
        (400, StoreUnavailable),
        (401, StoreUnavailable),
        (403, StoreUnavailable),
        (404, StoreUnavailable),
        (429, StoreUnavailable),
    ],
)
def test_put_is_sent_once_and_its_failure_says_whether_it_may_have_happened(
    answer: int | str, expected: type[VaultError]
) -> None:
    with scripted_s3(answer) as (store, service):
        with pytest.raises(expected, match="test:put") as caught:
            put(store, "vaults/a/1")
        assert type(caught.value) is expected
        assert "\n" not in caught.value.message
        assert service.count == 1


def test_a_put_to_a_service_that_is_not_there_has_no_known_outcome() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        store = S3Store("bucket", endpoint=endpoint, access_key_id="a", secret_access_key="b", region="us-east-1")
        with pytest.raises(OutcomeUnknown):
            put(store, "vaults/a/1")


@pytest.mark.parametrize("answer", [500, 503, "drop"])
def test_a_read_that_fails_in_passing_is_repeated(answer: int | str) -> None:
    with scripted_s3(answer, 200) as (store, service):
        assert store.get("vaults/a/1", op="test:get") == b"body"
        assert service.count == 2


@pytest.mark.parametrize("answer", [403, 500, "drop"])
def test_a_read_that_keeps_failing_is_unavailable(answer: int | str) -> None:
    with scripted_s3(answer) as (store, service):
        with pytest.raises(StoreUnavailable, match="test:exists"):
            store.exists("vaults/a/1", op="test:exists")
        assert service.count <= 4
        with pytest.raises(StoreUnavailable, match="test:get"):
            store.get("vaults/a/1", op="test:get")
        with pytest.raises(StoreUnavailable, match="test:list"):
            store.list("vaults/", op="test:list")
        with pytest.raises(StoreUnavailable, match="test:delete"):
            store.delete(["vaults/a/1"], op="test:delete")
