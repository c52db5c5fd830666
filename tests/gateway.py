"""What API Gateway makes of a request: the events of its three kinds. Knows what each of them decodes.

From the request line, so that the same request can go to a server of our own too.
Sources: handlers/http/gateway_event.py.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

HOST = "api.vaultry.example"
Event = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request as it goes over the wire. target: path and query, encoded. headers: without the host."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


def http_api_2(request: Request, stage: str = "$default") -> Event:
    """HTTP API, payload 2.0: one value for a name, joined by commas; cookies apart; the query as it was sent."""
    joined: dict[str, str] = {"host": HOST}
    for name, value in request.headers:
        if name.lower() != "cookie":
            joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    cookies = [part for name, value in request.headers if name.lower() == "cookie" for part in value.split("; ")]
    path = _with_stage(unquote(request.path), stage)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": joined,
        "requestContext": {
            "http": {"method": request.method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": stage,
        },
        **_body(request),
        **({"cookies": cookies} if cookies else {}),
    }


def http_api_1(request: Request, stage: str = "$default") -> Event:
    """HTTP API, payload 1.0."""
    return {**_shape_1(request, stage), "version": "1.0", "path": _with_stage(unquote(request.path), stage)}


def rest_api(request: Request, stage: str = "live") -> Event:
    """REST API: the path as it was sent, without the stage."""
    return {**_shape_1(request, stage), "path": request.path}


KINDS: tuple[Callable[[Request], Event], ...] = (http_api_2, http_api_1, rest_api)


def _shape_1(request: Request, stage: str) -> Event:
    headers: dict[str, list[str]] = {"Host": [HOST]}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return {
        "resource": "/{proxy+}",
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "stage": stage,
            "identity": {"sourceIp": "192.0.2.1"},
        },
        **_body(request),
    }


def _with_stage(path: str, stage: str) -> str:
    return path if stage == "$default" else f"/{stage}{path}"


def _body(request: Request) -> Event:
    """Binary media types are set to everything, so that every body comes as base64, or not at all."""
    if not request.body:
        return {"body": None, "isBase64Encoded": False}
    return {"body": b64encode(request.body).decode(), "isBase64Encoded": True}
