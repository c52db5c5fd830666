"""Files behind each kind of API Gateway: bytes go in and come out as they are, in parts and whole."""

import asyncio
import base64
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from mangum import Mangum

from handlers.app import create_app
from handlers.http.gateway_event import GatewayEvent
from tests.gateway import KINDS, Request
from tests.handlers.http.site import inline
from tests.handlers.storage.desk import FILES, Desk

# No text in any encoding.
BODY = b"%PDF-1.7\n" + bytes(range(256)) * 4


@pytest.fixture
def function(desk: Desk) -> Iterator[Any]:
    """The application as Lambda calls it, on a loop of its own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app: Any = create_app(desk.site.services, inline)
    yield Mangum(app, lifespan="off", custom_handlers=[GatewayEvent])
    asyncio.set_event_loop(None)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_file_comes_back_as_it_went(desk, function, kind):
    target = f"/aurora{FILES}/object/scores/{desk.owned}/P%C3%BCha%20%C3%B6%C3%B6.pdf"
    bearer = ("Authorization", f"Bearer {desk.librarian.token}")

    def send(method: str, *headers: tuple[str, str], body: bytes = b"") -> Any:
        return function(kind(Request(method, target, (bearer, *headers), body)), SimpleNamespace())

    def content(answer: Any) -> bytes:
        return base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()

    assert send("POST", ("Content-Type", "application/pdf"), body=BODY)["statusCode"] == 200
    whole, part = send("GET"), send("GET", ("Range", "bytes=100-300"))
    assert (whole["statusCode"], content(whole)) == (200, BODY)
    assert (part["statusCode"], content(part)) == (206, BODY[100:301])
    assert (send("HEAD")["statusCode"], content(send("HEAD"))) == (200, b"")
