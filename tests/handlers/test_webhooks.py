"""Webhooks: what receivers can verify, what is tried again, and where none is ever sent."""

import ipaddress
import json
import socket
import time
from base64 import b64encode

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Standard
from standardwebhooks.webhooks import WebhookVerificationError

from db.clock import Moment
from db.errors import Invalid, Unavailable
from db.webhook_secrets import shown
from handlers.upkeep.webhook_target import TargetNetwork, is_public
from handlers.upkeep.webhooks import BODY_BYTES, HttpHooks, Webhook
from tests.handlers.hook_receiver import receiver

SECRET, OLD_SECRET = b"n" * 32, b"o" * 32
BODY = {"member": "Ánna", "roles": ["alto"]}


@pytest.fixture
def target():
    with receiver() as running:
        yield running


def now() -> Moment:
    return Moment(time.time_ns() // 1_000_000)


def hook(url: str, body: object = BODY) -> Webhook:
    return Webhook("msg-1", url, "member.joined", body, "2026-05-01T19:00:00.000Z")


def send(url: str, *secrets: bytes, local: bool = True, body: object = BODY) -> None:
    HttpHooks(local=local).send(hook(url, body), secrets or (SECRET,), now())


def test_a_receiver_verifies_the_signature_with_a_published_library(target):
    send(target.url)
    ((_, headers, body),) = target.received
    Standard(shown(SECRET)).verify(body, headers)
    assert json.loads(body) == {"type": "member.joined", "timestamp": "2026-05-01T19:00:00.000Z", "data": BODY}
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Standard(shown(OLD_SECRET)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Standard(shown(SECRET)).verify(body + b" ", headers)


def test_both_secrets_verify_while_one_is_changed_for_the_other(target):
    send(target.url, SECRET, OLD_SECRET)
    ((_, headers, body),) = target.received
    for secret in (SECRET, OLD_SECRET):
        Standard("whsec_" + b64encode(secret).decode()).verify(body, headers)


def test_every_attempt_has_the_same_id_and_a_time_of_its_own(target):
    for seconds in (0, 60):
        HttpHooks(local=True).send(hook(target.url), (SECRET,), Moment(now().ms + seconds * 1000))
    ids, times = zip(
        *((headers["webhook-id"], int(headers["webhook-timestamp"])) for _, headers, _ in target.received), strict=True
    )
    assert ids == ("msg-1", "msg-1")
    assert 59 <= times[1] - times[0] <= 61


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_any_answer_of_success_is_taken_for_one(target, status):
    target.answers = [status]
    send(target.url)


@pytest.mark.parametrize("status", [300, 400, 401, 404, 409, 429, 500, 503])
def test_other_answers_may_change_later(target, status):
    target.answers = [status]
    with pytest.raises(Unavailable) as refused:
        send(target.url)
    assert refused.value.code == f"webhook_status_{status}"


def test_a_target_that_is_gone_is_never_tried_again(target):
    target.answers = [410]
    with pytest.raises(Invalid) as refused:
        send(target.url)
    assert refused.value.code == "webhook_gone"


def test_a_redirect_is_not_followed(target):
    target.answers, target.location = [302], target.url + "/inside"
    with pytest.raises(Unavailable):
        send(target.url)
    assert [path for path, _, _ in target.received] == ["/hook"]


def test_a_target_where_nobody_listens_may_come_back():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable) as refused:
        send(f"http://127.0.0.1:{port}/")
    assert refused.value.code == "webhook_unreachable"


def test_a_target_that_never_answers_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr("handlers.upkeep.webhooks.ATTEMPT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Unavailable) as refused:
        send(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    assert refused.value.code == "webhook_timeout"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/in",
        "ftp://hooks.example/in",
        "hooks.example/in",
        "https://",
        "https:///in",
        "https://user:password@hooks.example/in",
        "https://hooks.example/in\nx: y",
        "https://hooks.example/in out",
        "https://hooks.exämple/in",
        "https://hooks.example:port/in",
        "https://[::1/in",
        "https://hooks.example/" + "x" * 2000,
        "",
    ],
)
def test_a_target_of_another_form_is_refused_for_good(url):
    with pytest.raises(Invalid) as refused:
        send(url)
    assert refused.value.code == "webhook_refused"


def test_this_machine_is_refused_where_others_are_served(target):
    for url in (target.url, target.url.replace("http:", "https:"), target.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(Invalid) as refused:
            send(url, local=False)
        assert refused.value.code == "webhook_refused"
    assert target.received == []


@pytest.mark.parametrize("size", [BODY_BYTES - 100, BODY_BYTES])
def test_a_body_over_the_limit_is_refused(target, size):
    if size < BODY_BYTES:
        send(target.url, body="x" * size)
        return
    with pytest.raises(Invalid) as refused:
        send(target.url, body="x" * size)
    assert refused.value.code == "webhook_too_large"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::",
        "2002:101:101::",
    ],
)  # fmt: skip
def test_addresses_inside_are_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_addresses_of_the_internet_are_public(address):
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses())
def test_a_public_address_is_global_whichever_way_it_is_written(address):
    if is_public(address):
        inner = getattr(address, "ipv4_mapped", None) or address
        assert inner.is_global
        assert not inner.is_private or address != inner


def connecting(addresses: list[str], *, loopback: bool = False) -> TargetNetwork:
    return TargetNetwork(loopback=loopback, seconds=1, find=lambda host, port: addresses)


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["169.254.169.254"], ["1.1.1.1", "10.0.0.1"], ["::1"], ["fe80::1%eth0"], []]
)
def test_a_name_that_leads_inside_is_refused_whatever_else_it_leads_to(addresses):
    with pytest.raises(Invalid) as refused:
        connecting(addresses).connect_tcp("hooks.example", 443)
    assert refused.value.code == "webhook_refused"


def test_loopback_alone_is_allowed_where_this_machine_was_meant():
    with pytest.raises(Invalid):
        connecting(["1.1.1.1"], loopback=True).connect_tcp("localhost", 80)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    asked: list[str] = []

    class Network(httpcore.MockBackend):
        def connect_tcp(self, host: str, *args: object, **options: object) -> httpcore.NetworkStream:
            asked.append(host)
            return super().connect_tcp(host, 443)

    answers = iter((["93.184.216.34"], ["10.0.0.1"]))
    network = TargetNetwork(loopback=False, seconds=1, find=lambda host, port: next(answers))
    monkeypatch.setattr(network, "_network", Network([b""]))
    network.connect_tcp("rebinding.example", 443)
    assert asked == ["93.184.216.34"]


def test_a_name_without_an_address_may_get_one():
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unavailable) as refused:
        TargetNetwork(loopback=False, seconds=1, find=unknown).connect_tcp("nowhere.example", 443)
    assert refused.value.code == "webhook_unresolved"


def test_no_error_repeats_the_target():
    token = "secret-in-the-path"
    for url in (f"http://hooks.example/{token}", f"https://{token}@hooks.example/"):
        with pytest.raises(Invalid) as refused:
            send(url)
        assert token not in str(refused.value)
