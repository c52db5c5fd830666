"""The API function under the real Lambda runtime client: cold, warm, failing."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import KINDS, Request
from tests.lambda_runtime import FunctionError, InitError, LambdaRuntime, ProcessEnded, http_event

SMALL = """
import os
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if event.get("crash"):
        raise ValueError("as asked")
    return {"calls": calls, "pid": os.getpid(), "event": event, "left": context.get_remaining_time_in_millis() > 0}
"""


# The real door with two routes that show what reached them: the call as it was read, and a crash of our own making.
PROBE = """
import json
from handlers.rest import tables as rest
from handlers.rest import verbs
from handlers.http.reply import Reply

def show(services, call):
    return Reply(200, json.dumps({"query": list(call.query), "body": call.body.decode(), "table": call.path["table"]}))

def crash(services, call):
    raise RuntimeError("a row of somebody")

rest.serve_table, verbs.serve_verb = show, crash
from handlers.api import handler
"""


def small_function(folder, source: str = SMALL) -> LambdaRuntime:
    (folder / "small.py").write_text(source)
    return LambdaRuntime("small.handler", path=folder)


def test_the_runtime_keeps_one_process_warm(tmp_path):
    with small_function(tmp_path) as runtime:
        first, second = runtime.invoke({"a": 1}), runtime.invoke({"a": "ä"})
        pid = runtime.pid
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["pid"] == second["pid"] == pid
    assert second["event"] == {"a": "ä"}
    assert first["left"]


def test_the_runtime_reports_an_exception_and_goes_on(tmp_path):
    with small_function(tmp_path) as runtime:
        with pytest.raises(FunctionError) as caught:
            runtime.invoke({"crash": True})
        assert caught.value.body["errorType"] == "ValueError"
        assert runtime.invoke({})["calls"] == 2


def test_the_runtime_tells_a_failed_start_from_a_failed_call(tmp_path):
    with small_function(tmp_path, "import nothing_of_that_name\n") as runtime, pytest.raises(InitError):
        runtime.invoke({})


def test_the_runtime_notices_a_process_that_ends(tmp_path):
    source = "import os\ndef handler(event, context): os._exit(3)\n"
    with small_function(tmp_path, source) as runtime, pytest.raises(ProcessEnded, match="exit code 3"):
        runtime.invoke({})


def test_an_event_joins_repeated_keys_as_the_gateway_does():
    event = http_event("GET", "/x", query="a=1&b=%2C&a=2&c=")
    assert event["queryStringParameters"] == {"a": "1,2", "b": ",", "c": ""}
    assert event["rawQueryString"] == "a=1&b=%2C&a=2&c="


def environment(folder: Path) -> dict[str, str]:
    return {
        "VAULTRY_STORE": (folder / "store").as_uri(),
        "VAULTRY_CACHE": str(folder / "cache"),
        "VAULTRY_SECRET": "test-secret-" * 4,
        "VAULTRY_BASE_URL": "https://api.vaultry.example",
    }


@pytest.fixture(scope="module")
def function(tmp_path_factory) -> Iterator[LambdaRuntime]:
    """The API function over an empty store."""
    with LambdaRuntime("handlers.api.handler", environment(tmp_path_factory.mktemp("lambda"))) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def probe(tmp_path_factory) -> Iterator[LambdaRuntime]:
    """The API function with the two routes of PROBE."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe.py").write_text(PROBE)
    with LambdaRuntime("probe.handler", environment(folder), path=folder) as runtime:
        yield runtime


def body_of(response: dict[str, Any]) -> Any:
    raw = response["body"]
    return json.loads(base64.b64decode(raw) if response.get("isBase64Encoded") else raw)


def test_the_first_and_a_warm_request_are_answered_by_one_process(function):
    pid = function.pid
    answers = [function.invoke(http_event("GET", "/healthz")) for _ in range(2)]
    assert [(answer["statusCode"], body_of(answer)["status"]) for answer in answers] == [(200, "ok")] * 2
    assert function.pid == pid


def test_an_unknown_vault_is_a_404_with_an_error_body(function):
    answer = function.invoke(http_event("GET", "/nobody/rest/v1/works"))
    assert answer["statusCode"] == 404
    assert set(body_of(answer)) == {"code", "message", "details", "hint"}


def test_an_unknown_route_is_a_404_with_an_error_body(function):
    answer = function.invoke(http_event("GET", "/nowhere"))
    assert (answer["statusCode"], body_of(answer)["code"]) == (404, "no_route")


def test_repeated_and_encoded_query_keys_survive(probe):
    query = "a=eq.1&b=in.(%22x%2Cy%22,z)&a=lt.5&or=(c.eq.%26,d.is.null)&plus=1%2B1&space=a+b&empty=&e%5B%5D=%C3%A4"
    answer = probe.invoke(http_event("GET", "/choir/rest/v1/works", query=query))
    assert body_of(answer)["query"] == [
        ["a", "eq.1"],
        ["b", 'in.("x,y",z)'],
        ["a", "lt.5"],
        ["or", "(c.eq.&,d.is.null)"],
        ["plus", "1+1"],
        ["space", "a b"],
        ["empty", ""],
        ["e[]", "ä"],
    ]


FILTERS = "year=gte.1900&title=in.(%22x%2Cy%22,z)&year=lt.2000&select=a%2Cb&note=eq.1%2B1&or=(c.eq.%26,d.is.null)&e="


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_filters_of_a_request_are_exact_behind_every_kind_of_api(probe, kind):
    answer = probe.invoke(kind(Request("GET", f"/choir/rest/v1/works?{FILTERS}")))
    assert sorted(body_of(answer)["query"]) == [
        ["e", ""],
        ["note", "eq.1+1"],
        ["or", "(c.eq.&,d.is.null)"],
        ["select", "a,b"],
        ["title", 'in.("x,y",z)'],
        ["year", "gte.1900"],
        ["year", "lt.2000"],
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_request_leaves_one_line_of_json_that_names_no_tenant(probe, kind):
    before = len(probe.log)
    probe.invoke(kind(Request("GET", "/secret-choir/rest/v1/works?email=eq.anna@choir.example")))
    line = line_after(probe, before, "Served")
    assert (line["route"], line["status"]) == ("/{vault}/rest/v1/{table}", 200)
    assert line["request_id"] in ("JKJaXmPLvHcESHA", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    assert "secret-choir" not in probe.log
    assert "anna" not in probe.log


def line_after(runtime: LambdaRuntime, position: int, event: str) -> dict[str, Any]:
    """The first log line of an event after that position; waits until it was read from the process."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        whole = runtime.log[position:].rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines()]
        found = [line for line in lines if line["event"] == event]
        if found:
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(runtime.log)


def test_a_body_arrives_as_it_was_sent(probe):
    answer = probe.invoke(http_event("POST", "/choir/rest/v1/works", body='{"title":"Götter"}'.encode()))
    assert body_of(answer)["body"] == '{"title":"Götter"}'


def test_a_crash_is_a_500_that_quotes_nothing_and_the_next_request_is_served(probe):
    answer = probe.invoke(http_event("POST", "/choir/rest/v1/rpc/works.add", body=b"{}"))
    assert answer["statusCode"] == 500
    assert body_of(answer)["code"] == "internal"
    assert "somebody" not in json.dumps(answer)
    assert probe.invoke(http_event("GET", "/choir/rest/v1/works"))["statusCode"] == 200


def test_a_setting_that_is_wrong_stops_the_start_and_names_itself(tmp_path):
    environ = {**environment(tmp_path), "VAULTRY_MAX_ROW": "5"}
    with LambdaRuntime("handlers.api.handler", environ) as runtime, pytest.raises(InitError, match="VAULTRY_MAX_ROWS"):
        runtime.invoke(http_event("GET", "/healthz"))
