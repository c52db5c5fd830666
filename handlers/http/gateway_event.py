"""API Gateway's events as ASGI requests, and answers in the shape the event wants. Knows payloads; no route, no rule.

What reaches the application is what a server of our own would have handed it for the same request. Three services send
two shapes, and they differ in what they decode (AWS, "payload format version"; captures of live events in the
repositories hotsock/voker and aws/aws-cdk):

| service, payload | path                | query                                      |
|------------------|---------------------|--------------------------------------------|
| HTTP API, 2.0    | decoded, with stage | as sent                                    |
| HTTP API, 1.0    | decoded, with stage | decoded, by name: order of names is lost   |
| REST API, 1.0    | as sent, no stage   | decoded, by name: order of names is lost   |

So a path is decoded here for a REST API alone: decoding it twice would turn `100%2541` into `100A`.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlencode

from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

# Lambda refuses a longer answer and ends the process, and the gateway says 502. Its error names the number.
LONGEST_ANSWER_BYTES = 6_291_556
# What surrounds the text of an answer: status, headers, and the names of the fields.
_ENVELOPE_BYTES = 16_384
_HTTPS = 443


class GatewayEvent:
    """One event of API Gateway and its answer; what `Mangum(custom_handlers=...)` wants of a handler."""

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        self._event: Mapping[str, Any] = event
        self._context = context
        self._v2 = event.get("version") == "2.0"
        # An HTTP API states the version of either shape, a REST API knows one shape only.
        self._rest = "version" not in event

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        """Whether the event is one of API Gateway."""
        return "requestContext" in event and ("rawPath" in event or "resource" in event)

    @property
    def body(self) -> bytes:
        """The body as it was sent."""
        body: str = self._event.get("body") or ""
        return b64decode(body) if self._event.get("isBase64Encoded") else body.encode()

    @property
    def scope(self) -> Scope:
        """The request as ASGI has it."""
        request: Mapping[str, Any] = self._event["requestContext"]
        http: Mapping[str, Any] = request["http"] if self._v2 else self._event
        caller: Mapping[str, Any] = http if self._v2 else request.get("identity", {})
        headers = list(self._headers())
        host = next((value for name, value in headers if name == b"host"), b"")
        return {
            "type": "http",
            "http_version": "1.1",
            "method": http["method" if self._v2 else "httpMethod"],
            "headers": [[name, value] for name, value in headers],
            "path": self._path(),
            "raw_path": None,
            "root_path": "",
            "scheme": "https",
            "query_string": self._query(),
            "server": (host.decode("latin-1").partition(":")[0], _HTTPS),
            "client": (caller.get("sourceIp"), 0),
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "aws.event": self._event,
            "aws.context": self._context,
        }

    def __call__(self, response: Response) -> dict[str, Any]:
        """The answer as the gateway wants it; one too long for Lambda becomes an error that says so."""
        status, body = response["status"], response["body"]
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response["headers"]]
        text = _text(body)
        if _too_long(text, body):
            status, headers, text = 413, _of_error(headers), _refusal(self.scope["method"], len(body))
        answer: dict[str, Any] = {"statusCode": status, "isBase64Encoded": text is None}
        answer["body"] = b64encode(body).decode() if text is None else text
        if self._v2:
            cookies = [value for name, value in headers if name == "set-cookie"]
            answer["headers"] = {
                name: ", ".join(values) for name, values in _by_name(headers).items() if name != "set-cookie"
            }
            return answer | ({"cookies": cookies} if cookies else {})
        return answer | {"multiValueHeaders": _by_name(headers)}

    def _path(self) -> str:
        """The decoded path, without the name of the stage that the addresses of an HTTP API begin with."""
        if self._rest:
            return unquote(self._event["path"])
        path: str = self._event["rawPath" if self._v2 else "path"]
        stage = self._event["requestContext"].get("stage")
        first, _, rest = path[1:].partition("/")
        return f"/{rest}" if first == stage != "$default" else path

    def _query(self) -> bytes:
        """The query string. In shape 1.0 it is put together again from decoded names and values."""
        if self._v2:
            raw: str = self._event.get("rawQueryString") or ""
            return raw.encode()
        many: Mapping[str, list[str | None]] = self._event.get("multiValueQueryStringParameters") or {}
        return urlencode([(name, value or "") for name, values in many.items() for value in values]).encode()

    def _headers(self) -> Iterator[tuple[bytes, bytes]]:
        """Names in lower case and values. Cookies in one header, as RFC 9113 has them joined for an application.

        A request that names no id of its own gets the gateway's, so that its access log and our audit log agree.
        """
        many = _by_name(self._given_headers())
        cookies = [*many.pop("cookie", ()), *(self._event.get("cookies") or () if self._v2 else ())]
        if cookies:
            many["cookie"] = ["; ".join(cookies)]
        request_id = str(self._event["requestContext"].get("requestId") or "").rstrip("=")
        if request_id:
            many.setdefault("x-request-id", [request_id])
        for name, values in many.items():
            for value in values:
                yield name.encode(), value.encode()

    def _given_headers(self) -> Iterator[tuple[str, str]]:
        """Each value with its name. Shape 2.0 has joined repeated ones by commas, which means the same (RFC 9110)."""
        many: Mapping[str, list[str]] | None = self._event.get("multiValueHeaders")
        if self._v2 or not many:
            single: Mapping[str, str] = self._event.get("headers") or {}
            yield from single.items()
            return
        for name, values in many.items():
            yield from ((name, value) for value in values)


def _by_name(headers: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of each name in lower case, in order. A REST API tells `Prefer` from `prefer`."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def _text(body: bytes) -> str | None:
    """The body as text, or None: text needs no base64, which would take a third more of what an answer may have."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _too_long(text: str | None, body: bytes) -> bool:
    room = LONGEST_ANSWER_BYTES - _ENVELOPE_BYTES
    if text is None:
        return len(body) * 4 / 3 > room
    # An escape is six bytes at most: only a long answer is worth measuring.
    return len(body) * 6 > room and len(json.dumps(text, ensure_ascii=False).encode()) > room


def _of_error(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those headers of an answer that also hold for an error in its place."""
    kept = ("x-request-id", "cache-control", "vary")
    common = [(name, value) for name, value in headers if name in kept or name.startswith("access-control-")]
    return [("content-type", "application/json; charset=utf-8"), *common]


def _refusal(method: str, size: int) -> str:
    carried_out = "" if method in ("GET", "HEAD") else " The request itself was carried out."
    return json.dumps(
        {
            "code": "answer_too_large",
            "message": f"the answer has {size} bytes, more than AWS Lambda lets through (6 MB).{carried_out}",
            "details": None,
            "hint": "Ask for fewer rows (limit) or fewer columns (select).",
        }
    )
