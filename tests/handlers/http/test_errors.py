"""What goes wrong over HTTP: one body everywhere, a request id to ask about, and nothing internal in it."""

import logging
import re
from dataclasses import replace

import pytest

from db.errors import CommitUnknown, Contended, CorruptLog, MigrationFailed, StoreUnavailable, VaultError, WalDamaged
from db.fields import Text
from domain.charter import Verb
from domain.choir.charter import CHOIR
from tests.handlers.http.site import REST, Site, error_of, make_choir, make_site, refused

PRIVATE = "Kadri Kask kadri@x.example"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


def breaking(site: Site, fault: Exception) -> None:
    """Give the choir two verbs, a read and a write, that fail this way."""
    make_choir(site, "aurora")

    def fail(*_: object) -> None:
        raise fault

    broken = tuple(
        Verb(name, fail, writes, "Fails.", (), {"note": Text()})
        for name, writes in (("test.read", False), ("test.write", True))
    )
    charter = replace(CHOIR, verbs=(*CHOIR.verbs, *broken))
    site.services.charter = lambda _: charter


@pytest.mark.parametrize("verb", ["test.read", "test.write"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (RuntimeError(PRIVATE), "internal"),
        (KeyError(PRIVATE), "internal"),
        (RecursionError(PRIVATE), "internal"),
        (VaultError(PRIVATE), "internal"),
        (CorruptLog(f"vaults/1/0000/{PRIVATE}"), "corrupt_log"),
        (WalDamaged(PRIVATE), "wal_damaged"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fault_of_ours_says_nothing_but_where_to_ask(site, caplog, verb, fault, code):
    breaking(site, fault)
    caplog.set_level(logging.DEBUG)
    answer = site.guest("aurora").send("POST", f"{REST}/rpc/{verb}", {"note": PRIVATE}, x_request_id="req-7")
    assert refused(answer) == (500, code)
    assert (error_of(answer)["details"], answer.header("x-request-id")) == ("req-7", "req-7")
    assert not re.search(r"Kadri|Traceback|\.py|Error\b|vaults/", answer.text)
    assert "req-7" in caplog.text
    assert "Kadri" not in caplog.text


def test_a_statement_of_ours_that_fails_is_not_quoted(site, caplog):
    breaking(site, RuntimeError())
    verb = Verb("test.sql", lambda tx, *_: tx.rows("SELECT secret FROM no_such_table"), False, "Fails.")
    charter = replace(CHOIR, verbs=(verb,))
    site.services.charter = lambda _: charter
    answer = site.guest("aurora").call("test.sql")
    assert refused(answer) == (500, "internal")
    assert "no_such_table" not in answer.text + caplog.text


def test_an_unknown_outcome_says_so_and_asks_not_to_be_repeated(site):
    breaking(site, CommitUnknown("the store did not say", hint="look before repeating"))
    answer = site.guest("aurora").call("test.write")
    assert refused(answer) == (500, "commit_unknown")
    assert answer.header("x-should-retry") == "false"
    assert error_of(answer)["hint"] == "look before repeating"


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (StoreUnavailable("the store is away"), "5"),
        (Contended("too many", retry_after_s=1), "1"),
        (MigrationFailed("step 2"), "60"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_may_work_later_says_when(site, fault, seconds):
    breaking(site, fault)
    answer = site.guest("aurora").call("test.read")
    assert (answer.status, answer.header("retry-after")) == (503, seconds)
    assert error_of(answer)["code"] == fault.code


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/nothing", 404, None),
        ("POST", "/aurora/rest/v1/works/extra", 404, None),
        ("POST", "/healthz", 405, "GET, HEAD"),
        ("PUT", "/aurora/auth/v1/verify", 405, "GET, HEAD, POST"),
        ("DELETE", "/aurora/auth/v1/user", 405, "GET, HEAD, PUT"),
        ("OPTIONS", "/aurora/auth/v1/user", 405, "GET, HEAD, PUT"),
        ("BREW", "/aurora/rest/v1/works", 405, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
    ],
)
def test_where_no_route_leads_the_body_is_the_same(site, method, path, status, allowed):
    answer = site.client.request(method, path, headers={"x-request-id": "req-9"})
    assert answer.status == status
    at_rest = {404: "PGRST125", 405: "PGRST117"}
    elsewhere = {404: "no_route", 405: "method_not_allowed"}
    assert error_of(answer)["code"] == (at_rest if "/rest/v1/" in path else elsewhere)[status]
    assert (answer.header("allow"), answer.header("x-request-id")) == (allowed, "req-9")


def test_an_error_of_signing_in_carries_the_version_by_which_clients_read_its_code(site):
    """Where no route leads too: the clients ask for much that is not offered."""
    make_choir(site, "aurora")
    for method, path, code in (
        ("GET", "passkeys", "no_route"),
        ("DELETE", "user", "method_not_allowed"),
        ("GET", "user", "not_authenticated"),
        ("POST", "token?grant_type=web3", "web3_provider_disabled"),
    ):
        answer = site.client.request(method, f"/aurora/auth/v1/{path}", body={} if method == "POST" else None)
        assert (error_of(answer)["code"], answer.header("x-supabase-api-version")) == (code, "2024-01-01")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("req-1", True),
        ("A.b_c-9" * 9, True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("two words", False),
        ('"quoted"', False),
        ("a\r\nset-cookie: b", False),
        ("\xe9t\xe9", False),
        ("<script>", False),
    ],
)
def test_a_request_id_is_kept_when_it_is_a_plain_word(site, given, kept):
    make_choir(site, "aurora")
    for path in ("/aurora/rest/v1/works", "/nothing", "/healthz"):
        answer = site.client.request("GET", path, headers={"x-request-id": given})
        shown = answer.header("x-request-id") or ""
        assert (shown == given) is kept
        assert kept or re.fullmatch(UUID, shown)


def test_every_answer_has_its_own_id_and_is_not_kept_by_caches(site):
    make_choir(site, "aurora")
    answers = [site.guest("aurora").get("works") for _ in range(3)] + [site.guest("aurora").call("no.verb")]
    assert len({answer.header("x-request-id") for answer in answers}) == 4
    assert {answer.header("cache-control") for answer in answers} == {"no-store"}


def test_a_served_request_is_logged_by_its_route(site, caplog):
    caplog.set_level(logging.INFO, "vaultry")
    make_choir(site, "aurora")
    caplog.clear()
    site.guest("aurora").get("works?title=eq.secret")
    site.client.request("GET", "/aurora/secret")
    lines = [record.getMessage() for record in caplog.records if '"Served"' in record.getMessage()]
    assert ['"route":"/{vault}/rest/v1/{table}"' in lines[0], '"route":""' in lines[1]] == [True, True]
    assert not any("aurora" in line or "secret" in line for line in lines)


def test_health_says_the_registry_is_readable(site):
    answer = site.client.request("GET", "/healthz")
    assert (answer.status, answer.json()["status"]) == (200, "ok")


PREFLIGHT = {
    "access-control-request-method": "PATCH",
    "access-control-request-headers": "authorization, apikey, prefer, content-type, idempotency-key, x-d1-bookmark",
}


def test_a_browser_of_a_configured_origin_may_call_and_read_our_headers(tmp_path, clock):
    site = make_site(tmp_path, clock, cors_origins="https://choir.example,https://other.example")
    try:
        make_choir(site, "aurora")
        allowed = site.guest("aurora").send("OPTIONS", f"{REST}/works", origin="https://choir.example", **PREFLIGHT)
        assert (allowed.status, allowed.header("access-control-allow-origin")) == (200, "https://choir.example")
        assert "PATCH" in (allowed.header("access-control-allow-methods") or "")
        assert "idempotency-key" in (allowed.header("access-control-allow-headers") or "").lower()
        assert allowed.header("access-control-allow-credentials") is None
        stranger = site.guest("aurora").send("OPTIONS", f"{REST}/works", origin="https://evil.example", **PREFLIGHT)
        assert (stranger.status, stranger.header("access-control-allow-origin")) == (400, None)
        for path in ("works", "no_such_table"):
            read = site.guest("aurora").get(path, origin="https://choir.example")
            assert read.header("access-control-allow-origin") == "https://choir.example"
            exposed = (read.header("access-control-expose-headers") or "").lower()
            assert [name for name in ("content-range", "x-d1-bookmark", "retry-after") if name not in exposed] == []
    finally:
        site.services.close()


def test_no_browser_may_call_when_no_origin_is_configured(site):
    make_choir(site, "aurora")
    read = site.guest("aurora").get("works", origin="https://choir.example")
    assert [name for name, _ in read.headers if name.startswith("access-control")] == []
