"""Where the daily anchors of the audit chains go: below the store's prefix, or into a store of their own."""

import json
import os
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from db.clock import Moment
from db.errors import Invalid
from domain.charter import Founding
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import provision
from handlers.upkeep.rounds import run_due
from tests.handlers.http.site import OPERATOR, Clock
from tests.moto_s3 import clean_environment

DAY_S = 86_400


def anchored(environ: dict[str, str], clock: Clock) -> str:
    """The vault of a new tenant whose audit chain was anchored."""
    services = Services(Settings.from_env(environ), clock=clock)
    try:
        entry = provision(services, "choir", Founding("aurora", "Aurora", "owner@aurora.example"), OPERATOR).entry
        clock.tick(DAY_S)
        deadline = Moment(clock.ms + 60_000)
        report = run_due(services, jobs=["audit"], vaults=[entry.id], deadline=deadline, force=True)
        assert (report.runs, report.failed) == (1, 0)
    finally:
        services.close()
    return entry.id


def anchors_in(folder: Path) -> list[str]:
    return [json.loads(path.read_text())["vault"] for path in folder.glob("anchors/*/*.json")]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_anchors_are_kept_with_the_logs_unless_they_have_a_store_of_their_own(tmp_path, clock):
    vault_id = anchored({"VAULTRY_STORE": (tmp_path / "store").as_uri()}, clock)
    assert anchors_in(tmp_path / "store") == [vault_id]


def test_anchors_with_a_store_of_their_own_are_kept_there_only(tmp_path, clock):
    environ = {"VAULTRY_STORE": (tmp_path / "store").as_uri(), "VAULTRY_ANCHORS": (tmp_path / "locked").as_uri()}
    vault_id = anchored(environ, clock)
    assert anchors_in(tmp_path / "locked") == [vault_id]
    assert anchors_in(tmp_path / "store") == []


def test_a_put_into_a_bucket_that_locks_carries_the_checksum_it_asks_for(tmp_path, clock, monkeypatch):
    # S3 without one: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock
    # parameters". moto asks for another header, so the request itself is looked at.
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", "SHA256")
    with bucket_of_one_put() as (endpoint, puts):
        address = f"s3://locked?region=us-east-1&endpoint={endpoint}"
        vault_id = anchored({"VAULTRY_STORE": (tmp_path / "store").as_uri(), "VAULTRY_ANCHORS": address}, clock)
    ((path, headers, body),) = puts
    assert path == f"/locked/anchors/2026-02-06/{vault_id}.json"
    assert headers["if-none-match"] == "*"
    assert headers["x-amz-checksum-sha256"] == b64encode(sha256(body).digest()).decode()


@contextmanager
def bucket_of_one_put() -> Iterator[tuple[str, list[tuple[str, Message, bytes]]]]:
    """A server that takes every put and keeps it, and its address."""
    puts: list[tuple[str, Message, bytes]] = []

    class Takes(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            puts.append((self.path, self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("ETag", '"x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output stays theirs."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Takes) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", puts
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("address", ["gs://bucket", "s3://", "s3://bucket/x?versions=1", "anchors"])
def test_an_address_of_another_form_is_refused_by_its_own_name(tmp_path, address):
    with pytest.raises(Invalid, match="VAULTRY_ANCHORS") as refused:
        Settings.from_env({"VAULTRY_STORE": tmp_path.as_uri(), "VAULTRY_ANCHORS": address})
    assert refused.value.field == "VAULTRY_ANCHORS"
