"""API Gateway's events: what reaches the application is what the same request gives behind a server of our own."""

import asyncio
import json
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from mangum import Mangum
from starlette.requests import Request as Asked
from starlette.responses import Response

from handlers.http.gateway_event import LONGEST_ANSWER_BYTES, GatewayEvent
from tests.gateway import HOST, KINDS, Request, http_api_1, http_api_2, rest_api


async def show(scope, receive, send) -> None:
    """An application that answers with the request it got."""
    asked = Asked(scope, receive)
    got = {
        "method": asked.method,
        "path": scope["path"],
        "url_path": asked.url.path,
        "query": parse_qsl(asked.url.query, keep_blank_values=True),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in asked.headers.raw],
        "cookies": asked.cookies,
        "body": (await asked.body()).hex(),
    }
    await Response(json.dumps(got), media_type="application/json")(scope, receive, send)


def invoke(app, event: dict[str, Any]) -> dict[str, Any]:
    return Mangum(app, lifespan="off", custom_handlers=[GatewayEvent])(event, SimpleNamespace())


def got_from(event: dict[str, Any]) -> dict[str, Any]:
    return json.loads(invoke(show, event)["body"])


@pytest.fixture(autouse=True, scope="module")
def loop() -> Iterator[None]:
    """The event loop that Mangum takes, and by itself would leave open."""
    mine = asyncio.new_event_loop()
    asyncio.set_event_loop(mine)
    yield
    asyncio.set_event_loop(None)
    mine.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The same application behind uvicorn."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(show, lifespan="off", log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listener.close()


def got_by_uvicorn(port: int, request: Request) -> dict[str, Any]:
    """Sent byte by byte: a client of the usual kind would encode some of it anew."""
    length = [("content-length", str(len(request.body)))] if request.body else []
    headers = [("host", HOST), *request.headers, *length, ("connection", "close")]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{request.method} {request.target} HTTP/1.1\r\n{head}\r\n".encode() + request.body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def values_of(got: dict[str, Any], name: str) -> list[str]:
    """The values of a header as a list, whether they came apart or joined by commas."""
    return [part.strip() for known, value in got["headers"] if known == name for part in value.split(",")]


TARGETS = (
    "/choir/rest/v1/works",
    "/choir/rest/v1/works?select=id,title&order=title.asc",
    "/choir/rest/v1/works?select=a%2Cb",
    "/choir/rest/v1/works?year=gte.1900&year=lt.2000&title=ilike.*mass*&year=neq.1950",
    "/choir/rest/v1/works?or=(title.eq.%26,subtitle.is.null)",
    "/choir/rest/v1/works?title=eq.a+b",
    "/choir/rest/v1/works?title=eq.a%20b",
    "/choir/rest/v1/works?title=eq.1%2B1",
    "/choir/rest/v1/works?title=eq.100%25&note=eq.%2541",
    "/choir/rest/v1/works?tags=cs.%7Ba%2Cb%7D",
    "/choir/rest/v1/works?empty=&bare&a=",
    "/choir/rest/v1/works?title=eq.a=b=c",
    "/choir/rest/v1/works?%C3%A4%5B%5D=%C3%B6",
    "/choir/rest/v1/works?title=in.(%22x%2Cy%22,z)",
    "/choir/rest/v1/works?title=eq.a;b",
    "/choir/rest/v1/works?",
    "/choir/rest/v1/a%2Fb",
    "/choir/rest/v1/sp%20ace/pl+us",
    "/choir/rest/v1/100%2541",
    "/choir/rest/v1/G%C3%B6tter",
    "/choir//rest/v1/works/",
    "/",
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_path_and_query_are_those_a_server_of_our_own_gets(port, kind, target):
    request = Request("GET", target)
    got, wanted = got_from(kind(request)), got_by_uvicorn(port, request)
    assert (got["path"], got["url_path"]) == (wanted["path"], wanted["url_path"])
    if kind is http_api_2:
        assert got["query"] == wanted["query"]
    # Shape 1.0 has lost the order of different names; the values of one name keep theirs.
    assert by_name(got["query"]) == by_name(wanted["query"])


def by_name(query: list[list[str]]) -> dict[str, list[str]]:
    return {name: [value for known, value in query if known == name] for name, _ in query}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_headers_and_body_are_those_a_server_of_our_own_gets(port, kind):
    headers = [
        ("Prefer", "count=exact"),
        ("prefer", "return=minimal"),
        ("Accept", "application/json, text/csv"),
        ("X-Empty", ""),
        ("Cookie", "a=1; b=2"),
        ("Cookie", "c=3"),
        ("Authorization", "Bearer abc"),
    ]
    request = Request("POST", "/choir/rest/v1/works", headers, bytes(range(256)))
    got, wanted = got_from(kind(request)), got_by_uvicorn(port, request)
    for name in ("prefer", "accept", "x-empty", "authorization", "host"):
        assert values_of(got, name) == values_of(wanted, name), name
    assert got["cookies"] == {"a": "1", "b": "2", "c": "3"} == wanted["cookies"]
    assert (got["method"], got["body"]) == (wanted["method"], wanted["body"]) == ("POST", bytes(range(256)).hex())


def test_a_body_of_text_arrives_as_utf_8():
    event = http_api_2(Request("POST", "/")) | {"body": '{"title":"Götter"}', "isBase64Encoded": False}
    assert bytes.fromhex(got_from(event)["body"]).decode() == '{"title":"Götter"}'


@pytest.mark.parametrize("kind", [http_api_2, http_api_1], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("target", "wanted"),
    [("/choir/rest/v1/works", "/choir/rest/v1/works"), ("/live/rest/v1/a", "/live/rest/v1/a"), ("/", "/")],
)
def test_the_stage_of_an_http_api_is_no_part_of_the_path(kind, target, wanted):
    assert got_from(kind(Request("GET", target), stage="live"))["path"] == wanted


def test_a_vault_called_like_the_stage_of_a_rest_api_keeps_its_name():
    assert got_from(rest_api(Request("GET", "/live/rest/v1/works"), stage="live"))["path"] == "/live/rest/v1/works"


@pytest.mark.parametrize("path", ["/live", "/live/"])
def test_the_address_of_a_stage_alone_is_the_root(path):
    assert got_from(http_api_2(Request("GET", "/")) | stage_path(path))["path"] == "/"


def stage_path(path: str) -> dict[str, Any]:
    http = {"method": "GET", "path": path, "sourceIp": "192.0.2.1"}
    return {"rawPath": path, "requestContext": {"http": http, "requestId": "x=", "stage": "live"}}


def test_a_request_without_an_id_gets_that_of_the_gateway():
    assert values_of(got_from(http_api_2(Request("GET", "/"))), "x-request-id") == ["JKJaXmPLvHcESHA"]
    chosen = Request("GET", "/", [("X-Request-Id", "mine-1")])
    assert [values_of(got_from(kind(chosen)), "x-request-id") for kind in KINDS] == [["mine-1"]] * 3


pairs = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))))


@given(pairs, st.sampled_from([quote, quote_plus]))
def test_every_name_and_value_survives_the_shape_that_decodes_them(query, encoding):
    target = f"/?{urlencode(query, quote_via=encoding)}"
    handled = GatewayEvent(rest_api(Request("GET", target)), SimpleNamespace(), {})
    assert by_name(parse_qsl(handled.scope["query_string"].decode(), keep_blank_values=True)) == by_name(query)


@given(st.text(st.characters(codec="utf-8", exclude_characters="?#")))
def test_every_path_is_decoded_once(path):
    request = Request("GET", f"/{quote(path)}")
    for kind in KINDS:
        assert GatewayEvent(kind(request), SimpleNamespace(), {}).scope["path"] == f"/{path}"


# Left for the body with its quotes; the rest is for status and headers.
ROOM = LONGEST_ANSWER_BYTES - 16_384


def answering(body: bytes, *headers: tuple[str, str], status: int = 200):
    async def answer(scope, receive, send) -> None:
        response = Response(body, status)
        for name, value in headers:
            response.headers.append(name, value)
        await response(scope, receive, send)

    return answer


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_text_is_answered_as_text_and_bytes_as_base64(kind):
    event = kind(Request("GET", "/"))
    text = invoke(answering("Götter,1\n".encode(), ("content-type", "text/csv")), event)
    assert (text["body"], text["isBase64Encoded"]) == ("Götter,1\n", False)
    raw = invoke(answering(b"\xff\xd8\xff", ("content-type", "image/jpeg")), event)
    assert (b64decode(raw["body"]), raw["isBase64Encoded"]) == (b"\xff\xd8\xff", True)


def headers_of(answer: dict[str, Any]) -> dict[str, list[str]]:
    if "multiValueHeaders" in answer:
        return answer["multiValueHeaders"]
    return {name: [value] for name, value in answer["headers"].items()} | {"set-cookie": answer.get("cookies", [])}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_headers_of_an_answer_keep_every_value(kind):
    given_headers = [
        ("vary", "Origin"),
        ("vary", "Prefer"),
        ("set-cookie", "a=1, b"),
        ("set-cookie", "c=2"),
        ("x", "ö"),
    ]
    answer = invoke(answering(b"", *given_headers, status=204), kind(Request("DELETE", "/")))
    headers = headers_of(answer)
    assert answer["statusCode"] == 204
    assert ", ".join(headers["vary"]) == "Origin, Prefer"
    assert headers["set-cookie"] == ["a=1, b", "c=2"]
    assert headers["x"] == ["ö"]
    assert "content-type" not in headers


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("byte", "count", "fits"),
    [
        (b"x", ROOM - 2, True),
        (b"x", ROOM - 1, False),
        (b'"', ROOM // 2 - 1, True),
        (b'"', ROOM // 2, False),
        (b"\xff", ROOM * 3 // 4, True),
        (b"\xff", ROOM * 3 // 4 + 1, False),
    ],
)
def test_an_answer_longer_than_lambda_takes_is_a_413_of_ours(kind, byte, count, fits):
    answer = invoke(answering(byte * count, ("x-request-id", "r-1"), ("etag", "x")), kind(Request("GET", "/")))
    assert (answer["statusCode"] == 200) is fits
    assert len(json.dumps(answer, ensure_ascii=False).encode()) <= LONGEST_ANSWER_BYTES
    if not fits:
        assert set(json.loads(answer["body"])) == {"code", "message", "details", "hint"}
        assert headers_of(answer)["x-request-id"] == ["r-1"]
        assert "etag" not in headers_of(answer)


def test_a_write_whose_answer_is_too_long_is_told_that_it_was_carried_out():
    body = b"x" * LONGEST_ANSWER_BYTES
    told = [invoke(answering(body), http_api_2(Request(method, "/")))["body"] for method in ("GET", "POST")]
    assert ["carried out" in text for text in told] == [False, True]


def test_an_event_of_another_service_is_left_to_others():
    assert not GatewayEvent.infer({"Records": []}, SimpleNamespace(), {})
    assert not GatewayEvent.infer({"requestContext": {"elb": {}}}, SimpleNamespace(), {})
