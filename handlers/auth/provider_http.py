"""Requests to identity providers: small JSON documents over HTTPS, bounded in time and size. Knows no protocol."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from db.errors import Unavailable
from db.fields import is_json_list, is_json_object

TIMEOUT_S = 10.0
MOST_BYTES = 1 << 20


def get_json(address: str, token: str = "") -> Any:
    """The JSON a GET answers. token: a bearer token. Raises Unavailable `provider_unavailable`."""
    headers = {"accept": "application/json", "user-agent": "vaultry"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    status, parsed = _request("GET", address, headers, b"")
    if status != 200:
        raise Unavailable(f"the identity provider answered {status}", code="provider_unavailable")
    return parsed


def post_form(address: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and JSON object that a POST of a form answers. Raises Unavailable `provider_unavailable`."""
    sent = {
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
        "user-agent": "vaultry",
        **headers,
    }
    status, parsed = _request("POST", address, sent, urlencode(fields).encode())
    if status >= 500 or not is_json_object(parsed):
        raise Unavailable(f"the identity provider answered {status}", code="provider_unavailable")
    return status, parsed


def _request(method: str, address: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
    import httpcore  # here: only outside sign-ins need it

    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    try:
        with (
            httpcore.ConnectionPool() as pool,
            pool.stream(method, address, headers=given, content=body, extensions={"timeout": timeouts}) as response,
        ):
            received = b""
            for part in response.iter_stream():
                received += part
                if len(received) > MOST_BYTES:
                    raise Unavailable("the identity provider answered too much", code="provider_unavailable")
            status: int = response.status
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as exc:
        raise Unavailable("the identity provider did not answer", code="provider_unavailable") from exc
    try:
        parsed: Any = json.loads(received or b"null")
    except (ValueError, RecursionError) as exc:
        raise Unavailable("the identity provider answered no JSON", code="provider_unavailable") from exc
    return status, parsed if is_json_object(parsed) or is_json_list(parsed) else None
