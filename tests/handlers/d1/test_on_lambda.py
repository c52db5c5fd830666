"""Imports and exports in a process that stands still between requests: nothing goes on behind an answer."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.clock import Moment, system_moment
from handlers.services import Services
from handlers.settings import Settings
from handlers.upkeep.rounds import run_batch
from tests.handlers.d1.desk import DATABASES, Desk
from tests.handlers.d1.transfers import begin_export, fetch, ingest, md5, poll, upload
from tests.handlers.http.site import Site
from tests.lambda_runtime import LambdaRuntime, http_event

TEXT = b"CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT);\nINSERT INTO t VALUES (1, 'a;b'), (2, 'c');\n"
COUNT = "SELECT count(*) AS n FROM t"


def environment(folder: Path) -> dict[str, str]:
    return {
        "VAULTRY_STORE": f"file:{folder / 'store'}",
        "VAULTRY_SECRET": "test-secret-" * 4,
        "VAULTRY_CACHE": str(folder / "cache"),
        "VAULTRY_BASE_URL": "https://choirs.example",
    }


def open_desk(folder: Path, *, freezes: bool) -> Desk:
    services = Services(Settings.from_env(environment(folder)), clock=system_moment, freezes=freezes)
    site = Site(folder, system_moment, services)
    return Desk(site, site.api_token(None))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = open_desk(tmp_path, freezes=True)
    desk.create()
    yield desk
    assert not [known.name for known in threading.enumerate() if known.name.startswith("database-job")]
    desk.site.services.close()


def maintain(desk: Desk) -> None:
    """A round of maintenance on what is due in a moment, as the queue hands it out."""
    later = Moment(desk.site.clock().ms + 2_000)
    desk.site.services.clock = lambda: later
    run_batch(desk.site.services, ["registry"], Moment(later.ms + 60_000))


def test_the_request_that_begins_a_job_does_it(desk):
    upload(desk, "shop", TEXT)
    assert ingest(desk, "shop", TEXT)["status"] == "complete"
    assert desk.query("shop", COUNT) == [{"n": 2}]
    assert b"INSERT" in fetch(desk, begin_export(desk, "shop"))


def test_what_takes_longer_than_a_request_is_done_by_maintenance(desk, monkeypatch):
    upload(desk, "shop", TEXT)
    before = desk.done("GET", "/shop/time_travel/bookmark")
    with monkeypatch.context() as patched:
        patched.setattr("handlers.d1.jobs.IN_REQUEST_S", 0)
        told = ingest(desk, "shop", TEXT)
        assert told["status"] == "active"
        # Polling begins nothing anew, and changes nothing.
        body = {"action": "poll", "current_bookmark": told["at_bookmark"]}
        assert desk.done("POST", "/shop/import", body)["status"] == "active"
    assert desk.done("GET", "/shop/time_travel/bookmark") == before
    maintain(desk)
    assert poll(desk, "shop", told)["status"] == "complete"
    assert desk.query("shop", COUNT) == [{"n": 2}]


def test_a_job_that_is_never_done_ends_after_a_day(desk, monkeypatch):
    upload(desk, "shop", TEXT)
    monkeypatch.setattr("handlers.d1.jobs.IN_REQUEST_S", 0)
    told = ingest(desk, "shop", TEXT)
    tomorrow = Moment(desk.site.clock().ms + 86_400_000)
    desk.site.services.clock = lambda: tomorrow
    run_batch(desk.site.services, ["registry"], Moment(tomorrow.ms + 60_000))
    done = poll(desk, "shop", told)
    assert (done["status"], "within a day" in done["error"]) == ("error", True)


def test_wranglers_way_through_the_function_itself(tmp_path):
    """Under the real runtime client, as API Gateway sends its requests."""
    desk = open_desk(tmp_path, freezes=False)
    desk.create()
    with LambdaRuntime("handlers.api.handler", {**environment(tmp_path), "VAULTRY_CACHE": str(tmp_path / "f")}) as run:

        def ask(method: str, path: str, body: bytes, query: str = "") -> Any:
            headers = {"authorization": f"Bearer {desk.token}", "content-type": "application/json"}
            return run.invoke(http_event(method, path, headers=headers, body=body, query=query))

        def step(**body: str) -> Any:
            answer = ask("POST", f"{DATABASES}/shop/import", json.dumps(body).encode())
            assert answer["statusCode"] == 200, answer
            return json.loads(answer["body"])["result"]

        begun = step(action="init", etag=md5(TEXT))
        path, _, query = begun["upload_url"].removeprefix("https://choirs.example").partition("?")
        put = ask("PUT", path, TEXT, query)
        assert (put["statusCode"], put["headers"]["etag"]) == (200, f'"{md5(TEXT)}"')
        told = step(action="ingest", etag=md5(TEXT), filename=begun["filename"])
    assert told["status"] == "complete"
    assert desk.query("shop", COUNT) == [{"n": 2}]
    desk.site.services.close()
