"""Every call of `/auth/v1` that writes takes an Idempotency-Key; a repeat after a crash gets the first answer."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from handlers.auth.once import GIVEN_AGAIN_S
from handlers.auth.routes import AUTH_ROUTES
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import AUTH, Caller, Choir, Site, make_choir, refused

ROOT = Path(__file__).parents[3]
LIIS, NEW, PASSWORD = "liis@aurora.example", "new@aurora.example", "a long password"


@pytest.fixture
def choir(site: Site) -> Choir:
    return make_choir(site, "aurora", owner=LIIS)


def changes(site: Site) -> int:
    """How many changes of rows the registry ever saw."""
    count: int = site.services.registry_read(lambda tx: tx.value("SELECT count(*) FROM vaultry_audit"))
    return count


def sent(caller: Caller, path: str, body: Any, method: str = "POST", key: str = "k-1") -> Answer:
    return caller.auth(path, body, method, idempotency_key=key)


def with_password(site: Site) -> dict[str, Any]:
    """A session of Liis, who has a password."""
    session = site.session("aurora", LIIS)
    answer = site.guest("aurora").with_token(session["access_token"]).auth("user", {"password": PASSWORD}, "PUT")
    assert answer.status == 200, answer.text
    return session


def scenes(site: Site, choir: Choir, name: str) -> tuple[Caller, str, str, Any]:
    """Who asks, how, where and with what."""
    guest = site.guest("aurora")
    operator = guest.with_token(site.api_token(None))
    match name:
        case "signup":
            return guest, "POST", "signup", {"email": NEW, "password": PASSWORD}
        case "otp" | "magiclink" | "recover":
            return guest, "POST", name, {"email": LIIS}
        case "resend":
            return guest, "POST", "resend", {"email": LIIS, "type": "signup"}
        case "verify":
            guest.auth("otp", {"email": LIIS})
            return guest, "POST", "verify", {"type": "email", "email": LIIS, "token": site.code(LIIS)}
        case "verify a link":
            return guest, "POST", "verify", {"type": "magiclink", "token_hash": choir.link_token}
        case "password":
            with_password(site)
            return guest, "POST", "token?grant_type=password", {"email": LIIS, "password": PASSWORD}
        case "refresh":
            session = site.session("aurora", LIIS)
            return guest, "POST", "token?grant_type=refresh_token", {"refresh_token": session["refresh_token"]}
        case "invite":
            return operator, "POST", "invite", {"email": NEW}
        case "generate link":
            return operator, "POST", "admin/generate_link", {"type": "magiclink", "email": LIIS}
        case "create user":
            return operator, "POST", "admin/users", {"email": NEW, "password": PASSWORD}
        case "change user" | "delete user":
            made = operator.auth("admin/users", {"email": NEW}).json()["id"]
            method, body = ("PUT", {"password": PASSWORD}) if name == "change user" else ("DELETE", {})
            return operator, method, f"admin/users/{made}", body
    session = with_password(site)
    person = guest.with_token(session["access_token"])
    match name:
        case "logout":
            return person, "POST", "logout?scope=others", None
        case "new password":
            return person, "PUT", "user", {"password": "another long password", "data": {"name": "Liis"}}
        case "new address":
            return person, "PUT", "user", {"email": NEW}
        case "another vault":
            make_choir(site, "harmonia", owner=LIIS)
            return person, "POST", "vaults/harmonia/token", {}
        case "enrol":
            return person, "POST", "factors", {"factor_type": "totp"}
    factor = person.auth("factors", {"factor_type": "totp"}).json()["id"]
    match name:
        case "challenge":
            return person, "POST", f"factors/{factor}/challenge", {}
        case "unenrol":
            return person, "DELETE", f"factors/{factor}", None
    raise AssertionError(name)


NAMES = (
    "signup", "otp", "magiclink", "recover", "resend", "verify", "verify a link", "password", "refresh", "invite",
    "generate link", "create user", "change user", "delete user", "logout", "new password", "new address",
    "another vault", "enrol", "challenge", "unenrol",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_repeat_is_answered_alike_and_changes_nothing(site, choir, name):
    caller, method, path, body = scenes(site, choir, name)
    mails = len(site.mails(LIIS)) + len(site.mails(NEW))
    first = sent(caller, path, body, method)
    assert first.status in (200, 204), first.text
    before, sent_mails = changes(site), len(site.mails(LIIS)) + len(site.mails(NEW))
    assert sent_mails >= mails
    again = sent(caller, path, body, method)
    assert (again.status, again.body, again.header("idempotency-replayed")) == (first.status, first.body, "true")
    # Counted attempts are no change that anybody sees; the audit log leaves them out.
    assert changes(site) == before
    assert len(site.mails(LIIS)) + len(site.mails(NEW)) == sent_mails


def test_every_route_that_writes_is_among_them():
    shown = {"verify", "settings", "health", "user", "authorize", "alerts", "vaults"}
    writing = {f"{known.method} {known.path}" for known in AUTH_ROUTES if known.method != "GET"}
    # No effect: refused always. The rest is held where its scene is: providers, second factors.
    elsewhere = {
        "POST sso", "DELETE user/identities/{identity}", "POST factors/{factor}/verify",
        "DELETE admin/users/{user}/factors/{factor}",
    }  # fmt: skip
    here = {
        "POST signup", "POST otp", "POST magiclink", "POST recover", "POST resend", "POST verify", "POST token",
        "POST invite", "POST admin/generate_link", "POST admin/users", "PUT admin/users/{user}",
        "DELETE admin/users/{user}", "POST logout", "PUT user", "POST vaults/{other}/token", "POST factors",
        "POST factors/{factor}/challenge", "DELETE factors/{factor}",
    }  # fmt: skip
    assert writing == here | elsewhere
    assert shown


def test_a_key_is_for_one_request_of_one_caller(site, choir):
    operator = site.guest("aurora").with_token(site.api_token(None))
    assert sent(operator, "admin/users", {"email": NEW}).status == 200
    assert refused(sent(operator, "admin/users", {"email": LIIS})) == (409, "idempotency_key_reused")
    other = site.guest("aurora").with_token(site.api_token(None))
    assert refused(sent(other, "admin/users", {"email": NEW})) == (409, "email_exists")
    # A guest is told nothing of what another guest asked: another body is another request.
    guest = site.guest("aurora")
    assert sent(guest, "otp", {"email": LIIS}).header("idempotency-replayed") is None
    assert sent(guest, "otp", {"email": NEW}).header("idempotency-replayed") is None
    assert refused(sent(guest, "otp", {"email": NEW}, key="")) == (400, "invalid_input")


def test_a_refusal_keeps_nothing_and_counts_every_time(site, choir):
    guest = site.guest("aurora")
    guest.auth("otp", {"email": LIIS})
    wrong = {"type": "email", "email": LIIS, "token": "000000"}
    codes = [refused(sent(guest, "verify", wrong)) for _ in range(6)]
    assert {status for status, _ in codes} <= {401, 429}
    right = {"type": "email", "email": LIIS, "token": site.code(LIIS)}
    # Five wrong guesses ended the code, whatever key they came with.
    assert sent(guest, "verify", right).status == 401


def test_an_answer_is_given_again_for_ten_minutes_and_no_longer(site, choir, clock):
    caller, method, path, body = scenes(site, choir, "verify")
    first = sent(caller, path, body, method)
    clock.tick(GIVEN_AGAIN_S - 0.001)
    assert sent(caller, path, body, method).body == first.body
    clock.tick(0.001)
    assert refused(sent(caller, path, body, method)) == (409, "idempotency_key_reused")


def test_no_secret_can_be_read_in_what_is_kept(site, choir):
    caller, method, path, body = scenes(site, choir, "password")
    answer = sent(caller, path, body, method).json()
    rows = site.services.registry_read(lambda tx: [dict(row) for row in tx.rows("SELECT * FROM vaultry_idempotency")])
    kept = json.dumps(rows)
    assert rows
    for secret in (answer["access_token"], answer["refresh_token"], LIIS, PASSWORD):
        assert secret not in kept


def killed(site: Site, caller: Caller, path: str, body: Any, method: str, nth: int) -> int:
    """Have another process serve the request, and die after its nth commit; how it ended."""
    site.services.close()
    bearer = [("authorization", f"Bearer {caller.token}")] if caller.token else []
    told = {
        "kill_at": "after commit:put",
        "nth": nth,
        "registry": True,
        "method": method,
        "warm": "/aurora/auth/v1/settings",
        "path": f"/aurora{AUTH}/{path}",
        "headers": [*bearer, ("idempotency-key", "k-1")],
        "body": body,
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.handlers.http.killed_server", str(site.folder), json.dumps(told)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).returncode


@pytest.mark.parametrize(
    ("name", "nth"),
    [("verify", 1), ("verify", 2), ("password", 1), ("password", 2), ("refresh", 1), ("new password", 1),
     ("new password", 2), ("signup", 1), ("create user", 1)],
)  # fmt: skip
def test_a_repeat_after_a_crash_goes_on_where_it_broke_off(site, choir, name, nth):
    caller, method, path, body = scenes(site, choir, name)
    assert killed(site, caller, path, body, method, nth) == -signal.SIGKILL
    after = site.restart()
    try:
        door = Caller(after.client, caller.slug, caller.token)
        again = sent(door, path, body, method)
        assert again.status == 200, again.text
        # Whose answer was kept by the commit gets that answer; who died before goes on.
        assert sent(door, path, body, method).body == again.body
        if name == "verify":
            session = door.with_token(again.json()["access_token"]).auth("user", method="GET")
            assert session.json()["email"] == LIIS
    finally:
        after.services.close()
