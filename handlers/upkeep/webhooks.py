"""Webhooks on their way out: one signed POST for one effect. Knows Standard Webhooks; not outboxes or vaults.

The body is `{"type", "timestamp", "data"}`. The signature is HMAC-SHA256 over `id.timestamp.body`, one for each secret
in force. Delivery is at least once: `webhook-id` is the same for every attempt. Source: standardwebhooks.com,
specification 1.0.
"""

import base64
import hmac
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from db.clock import Moment
from db.errors import Invalid, Unavailable

ATTEMPT_SECONDS = 15
STEP_SECONDS = 5
URL_CHARACTERS = 2000
BODY_BYTES = 256 * 1024
_GONE = 410
_AGENT = b"vaultry-webhooks/1"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event for one target. id: the same for every attempt. body: what JSON can hold. created_at: timestamp."""

    id: str
    url: str
    event: str
    body: Any
    created_at: str

    @property
    def content(self) -> bytes:
        """The bytes that are signed and sent."""
        value = {"type": self.event, "timestamp": self.created_at, "data": self.body}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its own name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HookSender(Protocol):
    """A way out for webhooks."""

    def send(self, hook: Webhook, secrets: Sequence[bytes], now: Moment) -> None:
        """Hand the event over. Raises Invalid (will never work) or Unavailable (may work later)."""
        ...


@dataclass(frozen=True, slots=True)
class HttpHooks:
    """Sends webhooks over HTTPS to public addresses. local: also to this machine, over either, for trying things out.

    Redirects are not followed: where they lead was not asked for, and may be inside.
    """

    local: bool = False

    def send(self, hook: Webhook, secrets: Sequence[bytes], now: Moment) -> None:
        """One attempt of 15 seconds at most; any answer from 200 to 299 counts as taken.

        Raises Invalid (webhook_refused: no such target is ever called; webhook_gone: 410) or Unavailable.
        """
        loopback = self._goes_to_this_machine(hook.url)
        content = hook.content
        if len(content) > BODY_BYTES:
            raise Invalid(f"the webhook has {len(content)} bytes, the limit is {BODY_BYTES}", code="webhook_too_large")
        headers = signed_headers(hook.id, content, secrets, now)
        status = _post(hook.url, headers, content, loopback=loopback)
        if status == _GONE:
            raise Invalid("the target says it is gone for good (410)", code="webhook_gone")
        if not 200 <= status < 300:
            raise Unavailable(f"the target answered {status}, wanted 200 to 299", code=f"webhook_status_{status}")

    def _goes_to_this_machine(self, url: str) -> bool:
        """Whether the target is this machine. Raises Invalid for a target that is never called."""
        parts = _parts(url)
        loopback = self.local and is_loopback(parts["host"])
        if parts["scheme"] != "https" and not (loopback and parts["scheme"] == "http"):
            raise _refused("wanted an https address")
        return loopback


def signed_headers(hook_id: str, content: bytes, secrets: Sequence[bytes], now: Moment) -> dict[str, str]:
    """The headers by which a receiver knows who sent the bytes, and when."""
    seconds = now.ms // 1000
    signed = f"{hook_id}.{seconds}.".encode() + content
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": hook_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _post(url: str, headers: Mapping[str, str], content: bytes, *, loopback: bool) -> int:
    """The status of the answer; its body is not read."""
    import httpcore  # here and below: webhooks leave seldom, every cold start would pay for the import

    from handlers.upkeep.webhook_target import TargetNetwork

    network = TargetNetwork(loopback=loopback, seconds=ATTEMPT_SECONDS)
    sent = [(b"content-type", b"application/json"), (b"user-agent", _AGENT), (b"connection", b"close")]
    sent += [(name.encode(), value.encode()) for name, value in headers.items()]
    steps = dict.fromkeys(("connect", "read", "write", "pool"), STEP_SECONDS)
    try:
        with (
            httpcore.ConnectionPool(network_backend=network) as pool,
            pool.stream("POST", url, headers=sent, content=content, extensions={"timeout": steps}) as answer,
        ):
            return answer.status
    except httpcore.TimeoutException as exc:
        raise Unavailable("the target took too long to answer", code="webhook_timeout") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        raise Unavailable(f"the target could not be reached: {type(exc).__name__}", code="webhook_unreachable") from exc
    except (httpcore.UnsupportedProtocol, ValueError) as exc:
        raise _refused("wanted an https address") from exc


def _parts(url: str) -> dict[str, str]:
    """Scheme and host. Raises Invalid."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as exc:
        raise _refused("wanted an https address") from exc
    fit = url.isascii() and url.isprintable() and " " not in url and len(url) <= URL_CHARACTERS
    if not host or not fit or "@" in parts.netloc:
        raise _refused(f"wanted an https address of {URL_CHARACTERS} characters at most, without user or blanks")
    return {"scheme": parts.scheme, "host": host}


def _refused(why: str) -> Invalid:
    # Not the address itself: it may hold somebody's token.
    return Invalid(f"the webhook's target is refused: {why}", code="webhook_refused")
