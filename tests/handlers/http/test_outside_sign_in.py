"""Signing in with identity providers over HTTP: there and back, linking, and every way to misuse the way back."""

import json
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
import pytest
from joserfc import jwk, jwt

from db.clock import system_moment
from db.registry.account_changes import set_password
from db.registry.accounts import create_account
from db.registry.identity_providers import add_provider
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.outside import (
    CHALLENGE,
    CLIENT,
    SECRET,
    VERIFIER,
    consent,
    fake_github,
    oidc_provider,
)
from tests.handlers.http.site import OPERATOR, Choir, Site, make_choir, make_site, refused
from tests.handlers.http.test_sign_up import setting

KADRI, MARI = "kadri@x.example", "mari@x.example"
APP = "https://app.example/back"
PEOPLE = (
    {"sub": "kadri-there", "email": KADRI, "email_verified": True, "name": "Kadri Kask"},
    {"sub": "mari-there", "email": MARI, "email_verified": True},
    {"sub": "unverified-there", "email": KADRI, "email_verified": False},
    {"sub": "stranger-there", "email": "stranger@x.example", "email_verified": True},
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_provider(*PEOPLE) as address:
        yield address


@pytest.fixture
def site(tmp_path, issuer) -> Iterator[Site]:
    site = make_site(tmp_path, system_moment)
    choir = make_choir(site, "aurora")
    site.add_member(choir, "Kadri", KADRI)
    site.add_member(choir, "Mari", MARI)
    setting(site, choir, "auth.redirects", "https://app.example/*")
    set_up(site, "acme", "oidc", issuer)
    yield site
    site.services.close()


def set_up(site: Site, name: str, kind: str, issuer: str, **more) -> None:
    ring, now = site.services.keyring, site.clock()
    site.services.registry_write(
        lambda tx: add_provider(tx, ring, name, kind, now, client_id=CLIENT, secret=SECRET, issuer=issuer, **more),
        OPERATOR,
        now,
    )


PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "s256"}


def leave(site: Site, provider: str = "acme", redirect_to: str = APP, **more: str) -> Answer:
    query = urlencode({"provider": provider, "redirect_to": redirect_to, **more})
    return site.guest("aurora").auth(f"authorize?{query}", method="GET")


def return_by(site: Site, address: str, **headers: str) -> Answer:
    """Follow the provider's answer to our door."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://choirs.example/auth/v1/callback"
    return site.client.request("GET", f"{parts.path}?{parts.query}", headers=headers)


def carried(answer: Answer) -> dict[str, str]:
    """What came back to the application, in the query or the fragment."""
    assert answer.status == 303, answer.text
    address = urlsplit(answer.header("location") or "")
    assert address.netloc == "app.example"
    return {name: values[0] for name, values in parse_qs(address.query or address.fragment).items()}


def there_and_back(site: Site, subject: str = "kadri-there", **more: str) -> dict[str, str]:
    location = leave(site, **PKCE, **more).header("location") or ""
    return carried(return_by(site, consent(location, subject)))


def exchange(site: Site, code: str, verifier: str = VERIFIER) -> Answer:
    return site.guest("aurora").auth("token?grant_type=pkce", {"auth_code": code, "code_verifier": verifier})


def test_a_member_signs_in_with_a_provider(site):
    session = exchange(site, there_and_back(site)["code"])
    user = session.json()["user"]
    assert (user["email"], user["app_metadata"]["providers"]) == (KADRI, ["acme", "email"])
    outside = next(known for known in user["identities"] if known["provider"] == "acme")
    assert outside["identity_data"]["name"] == "Kadri Kask"
    person = site.guest("aurora").with_token(session.json()["access_token"])
    assert person.get("members").status == 200


def names(site: Site) -> list[str]:
    owner = site.sign_in("aurora", "owner@aurora.example")
    return sorted(row["name"] for row in owner.done("member.list"))


def test_a_member_is_called_as_the_provider_calls_her(site):
    exchange(site, there_and_back(site)["code"])
    assert names(site) == ["Kadri Kask", "Mari", "owner@aurora.example"]
    # One who says no name leaves the one there is.
    exchange(site, there_and_back(site, "mari-there")["code"])
    assert names(site) == ["Kadri Kask", "Mari", "owner@aurora.example"]


def test_a_name_that_somebody_else_has_is_not_taken_over(site):
    choir = Choir("aurora", site.services.entry("aurora"), "owner@aurora.example", "")
    site.add_member(choir, "kadri KASK")
    assert exchange(site, there_and_back(site)["code"]).status == 200
    assert names(site) == ["Kadri", "Mari", "kadri KASK", "owner@aurora.example"]


def test_whoever_joins_by_a_provider_is_called_as_it_says(site):
    owner = site.sign_in("aurora", "owner@aurora.example")
    kadri = next(row["id"] for row in owner.done("member.list") if row["email_id"] == KADRI)
    site.vault_write(
        Choir("aurora", site.services.entry("aurora"), "", ""),
        lambda tx: tx.execute("DELETE FROM members WHERE id = :id", id=kadri),
    )
    invited = owner.done("invite.create", name="The new alto")["token"]
    body = {"auth_code": there_and_back(site)["code"], "code_verifier": VERIFIER, "invite_token": invited}
    assert site.guest("aurora").auth("token?grant_type=pkce", body).status == 200
    assert "Kadri Kask" in names(site)


def test_the_second_time_it_is_the_same_account_whatever_its_address_is_by_then(site):
    first = exchange(site, there_and_back(site)["code"]).json()["user"]["id"]
    assert exchange(site, there_and_back(site)["code"]).json()["user"]["id"] == first


def test_the_provider_is_asked_with_state_nonce_and_a_challenge_of_our_own(site):
    query = parse_qs(urlsplit(leave(site, **PKCE, scopes="calendar", prompt="login").header("location") or "").query)
    assert query["client_id"] == [CLIENT]
    assert query["redirect_uri"] == ["https://choirs.example/auth/v1/callback"]
    assert query["scope"] == ["openid email profile calendar"]
    assert query["prompt"] == ["login"]
    assert query["code_challenge_method"] == ["S256"]
    assert query["code_challenge"] != [CHALLENGE]
    assert len(query["nonce"][0]) == 64
    assert query["state"][0].startswith("vls_")


def test_only_the_client_that_began_gets_the_session_and_only_once(site):
    code = there_and_back(site)["code"]
    assert refused(exchange(site, code, "x" * 64)) == (400, "bad_code_verifier")
    assert exchange(site, code).status == 200
    assert refused(exchange(site, code)) == (401, "flow_state_not_found")


def test_the_providers_answer_is_taken_once(site):
    back = consent(leave(site, **PKCE).header("location") or "", "kadri-there")
    assert "code" in carried(return_by(site, back))
    assert refused(return_by(site, back)) == (400, "bad_oauth_state")


@pytest.mark.parametrize("query", ["", "code=x", "state=vls_guess&code=x", "state=&code=x"])
def test_an_answer_that_nobody_waits_for_leads_nowhere(site, query):
    answer = site.client.request("GET", f"/auth/v1/callback?{query}")
    assert refused(answer) == (400, "bad_oauth_state")
    assert answer.header("location") is None


def test_an_answer_after_a_quarter_of_an_hour_is_too_late(tmp_path, issuer, clock):
    site = make_site(tmp_path, clock)
    setting(site, make_choir(site, "aurora"), "auth.redirects", "https://app.example/*")
    set_up(site, "acme", "oidc", issuer)
    back = consent(leave(site, **PKCE).header("location") or "", "kadri-there")
    clock.tick(15 * 60)
    assert refused(return_by(site, back)) == (400, "bad_oauth_state")
    site.services.close()


def test_a_code_of_another_sign_in_is_refused_by_its_nonce(site):
    """A code that was swapped in: the provider takes it, and its id token is of another sign-in."""
    mine = consent(leave(site, **PKCE).header("location") or "", "kadri-there")
    theirs = leave(site, **PKCE).header("location") or ""
    state = parse_qs(urlsplit(theirs).query)["state"][0]
    code = parse_qs(urlsplit(mine).query)["code"][0]
    answer = return_by(site, f"https://choirs.example/auth/v1/callback?{urlencode({'state': state, 'code': code})}")
    assert carried(answer)["error_code"] == "token_invalid"


def test_what_the_provider_refuses_is_told_to_the_application(site):
    state = parse_qs(urlsplit(leave(site, **PKCE).header("location") or "").query)["state"][0]
    query = urlencode({"state": state, "error": "access_denied", "error_description": "<script>"})
    parts = carried(return_by(site, f"https://choirs.example/auth/v1/callback?{query}"))
    assert parts["error_code"] == "bad_oauth_callback"
    assert "<" not in str(parts)
    state = parse_qs(urlsplit(leave(site, **PKCE).header("location") or "").query)["state"][0]
    query = urlencode({"state": state, "code": "made up"})
    assert carried(return_by(site, f"https://choirs.example/auth/v1/callback?{query}"))["error_code"] == (
        "bad_oauth_callback"
    )


def test_without_pkce_only_the_browser_that_left_may_come_back(site):
    left = leave(site)
    cookie = left.header("set-cookie") or ""
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" in cookie
    back = consent(left.header("location") or "", "kadri-there")
    assert carried(return_by(site, back))["error_code"] == "bad_oauth_state"
    left = leave(site)
    back = consent(left.header("location") or "", "kadri-there")
    own = (left.header("set-cookie") or "").partition(";")[0]
    parts = carried(return_by(site, back, cookie=f"other=1; {own}"))
    person = site.guest("aurora").with_token(parts["access_token"])
    assert person.auth("user", method="GET").json()["email"] == KADRI


@pytest.mark.parametrize("redirect_to", ["", "https://evil.example/", "https://app.example.evil.example/"])
def test_a_provider_leads_back_to_no_address_that_is_not_on_the_list(site, redirect_to):
    answer = leave(site, redirect_to=redirect_to, **PKCE)
    assert answer.status == 400
    assert answer.header("location") is None


def test_a_provider_that_is_not_set_up_is_refused(site):
    assert refused(leave(site, "other", **PKCE)) == (400, "oauth_provider_not_supported")
    assert site.guest("aurora").auth("settings", method="GET").json()["external"]["acme"] is True


def test_an_address_the_provider_does_not_vouch_for_opens_no_account(site):
    kadri = site.sign_in("aurora", KADRI)
    assert there_and_back(site, "unverified-there")["error_code"] == "provider_email_needs_verification"
    assert len(kadri.auth("user", method="GET").json()["identities"]) == 1


def test_a_provider_that_is_not_trusted_with_addresses_opens_no_account_by_one(site, issuer):
    set_up(site, "untrusted", "oidc", issuer, trusts_email=False)
    location = leave(site, "untrusted", **PKCE).header("location") or ""
    parts = carried(return_by(site, consent(location, "kadri-there")))
    assert parts["error_code"] == "provider_email_needs_verification"


def test_whom_the_vault_does_not_know_gets_no_session(site):
    assert refused(exchange(site, there_and_back(site, "stranger-there")["code"])) == (403, "not_registered")


def test_a_password_set_before_the_owner_arrived_does_not_survive_its_arrival(site):
    now = site.clock()

    def squat(tx) -> None:
        set_password(tx, create_account(tx, KADRI, now).id, "$argon2id$v=19$squatter", now)

    site.services.registry_write(squat, OPERATOR, now)
    exchange(site, there_and_back(site)["code"])
    stored = "SELECT password_hash FROM accounts WHERE email = :email"
    assert site.services.registry_read(lambda tx: tx.value(stored, email=KADRI), current=True) is None


def test_an_identity_joined_to_an_account_that_was_there_is_told_by_mail(site):
    kadri = site.sign_in("aurora", KADRI)
    there_and_back(site)
    assert [alert["kind"] for alert in kadri.auth("alerts", method="GET").json()] == ["identity_linked"]
    assert any("linked" in mail["Subject"] for mail in site.mails(KADRI))


def link(site: Site, person, subject: str, **challenge: str):
    query = urlencode({"provider": "acme", "redirect_to": APP, "skip_http_redirect": "true", **challenge})
    asked = person.auth(f"user/identities/authorize?{query}", method="GET")
    if asked.status != 200:
        return asked
    return carried(return_by(site, consent(asked.json()["url"], subject)))


def test_a_person_links_an_identity_with_another_address_and_signs_in_with_it(site):
    kadri = site.sign_in("aurora", KADRI)
    code = link(site, kadri, "stranger-there", **PKCE)["code"]
    assert [known["provider"] for known in kadri.auth("user", method="GET").json()["identities"]] == ["email"]
    assert exchange(site, code).json()["user"]["email"] == KADRI
    session = exchange(site, there_and_back(site, "stranger-there")["code"])
    assert session.json()["user"]["email"] == KADRI


def test_nobody_can_be_lured_into_linking_its_identity_to_a_strangers_account(site):
    """The lured browser comes back with a code, and only the stranger's client could exchange it."""
    mari = site.sign_in("aurora", MARI)
    code = link(site, mari, "kadri-there", **PKCE)["code"]
    assert refused(exchange(site, code, "y" * 64)) == (400, "bad_code_verifier")
    session = exchange(site, there_and_back(site)["code"])
    assert session.json()["user"]["email"] == KADRI
    assert refused(link(site, mari, "kadri-there")) == (400, "invalid_input")


def test_an_identity_that_leads_to_another_account_is_not_linked(site):
    exchange(site, there_and_back(site)["code"])
    mari = site.sign_in("aurora", MARI)
    code = link(site, mari, "kadri-there", **PKCE)["code"]
    assert refused(exchange(site, code)) == (409, "identity_already_exists")


def factor_of(person) -> None:
    """A second factor that counts; the session it was verified in is another one from then on."""
    made = person.auth("factors", {"factor_type": "totp"}).json()
    asked = person.auth(f"factors/{made['id']}/challenge").json()
    code = pyotp.TOTP(made["totp"]["secret"]).now()
    assert person.auth(f"factors/{made['id']}/verify", {"challenge_id": asked["id"], "code": code}).status == 200


def test_nothing_is_linked_in_a_session_that_has_yet_to_show_the_second_factor(site, issuer):
    factor_of(site.sign_in("aurora", KADRI))
    kadri = site.sign_in("aurora", KADRI)
    assert refused(link(site, kadri, "stranger-there", **PKCE)) == (403, "insufficient_aal")
    token = id_token_of(site, issuer, "stranger-there")
    body = {"provider": "acme", "id_token": token, "link_identity": True}
    assert refused(kadri.auth("token?grant_type=id_token", body)) == (403, "insufficient_aal")
    assert len(kadri.auth("user", method="GET").json()["identities"]) == 1


def test_an_identity_is_linked_by_its_id_token_and_its_owner_is_told(site, issuer):
    mari = site.sign_in("aurora", MARI)
    body = {"provider": "acme", "id_token": id_token_of(site, issuer, "stranger-there"), "link_identity": True}
    assert refused(site.guest("aurora").auth("token?grant_type=id_token", body)) == (401, "not_authenticated")
    session = mari.auth("token?grant_type=id_token", body).json()
    assert session["user"]["email"] == MARI
    assert [known["provider"] for known in session["user"]["identities"]] == ["email", "acme"]
    assert any("linked" in mail["Subject"] for mail in site.mails(MARI))
    assert by_id_token(site, id_token_of(site, issuer, "stranger-there")).json()["user"]["email"] == MARI
    kadri = site.sign_in("aurora", KADRI)
    taken = {**body, "id_token": id_token_of(site, issuer, "stranger-there")}
    assert refused(kadri.auth("token?grant_type=id_token", taken)) == (409, "identity_already_exists")


def test_an_identity_is_unlinked_and_the_mailbox_is_not(site):
    session = exchange(site, there_and_back(site)["code"]).json()
    kadri = site.guest("aurora").with_token(session["access_token"])
    ids = {known["provider"]: known["identity_id"] for known in session["user"]["identities"]}
    refusal = kadri.auth(f"user/identities/{ids['email']}", method="DELETE")
    assert refused(refusal) == (400, "email_conflict_identity_not_deletable")
    assert kadri.auth(f"user/identities/{ids['acme']}", method="DELETE").status == 200
    assert refused(kadri.auth(f"user/identities/{ids['acme']}", method="DELETE")) == (404, "identity_not_found")
    last = kadri.auth(f"user/identities/{ids['email']}", method="DELETE")
    assert refused(last) == (400, "single_identity_not_deletable")


def test_nobody_unlinks_somebody_elses_identity(site):
    session = exchange(site, there_and_back(site)["code"]).json()
    acme = next(known["identity_id"] for known in session["user"]["identities"] if known["provider"] == "acme")
    mari = site.sign_in("aurora", MARI)
    assert refused(mari.auth(f"user/identities/{acme}", method="DELETE")) == (404, "identity_not_found")


def id_token_of(site: Site, issuer: str, subject: str, nonce: str = "") -> str:
    """An id token as a client gets it by itself."""
    from tests.handlers.http.outside import fetch

    query = {"response_type": "code", "client_id": CLIENT, "redirect_uri": APP, "scope": "openid email", "state": "x"}
    query |= {"nonce": nonce} if nonce else {}
    back = consent(f"{issuer}/oauth2/authorize?{urlencode(query)}", subject)
    code = parse_qs(urlsplit(back).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": APP, "client_id": CLIENT,
            "client_secret": SECRET}  # fmt: skip
    _, _, body = fetch("POST", f"{issuer}/oauth2/token", urlencode(form).encode(),
                       {"content-type": "application/x-www-form-urlencoded"})  # fmt: skip
    token: str = json.loads(body)["id_token"]
    return token


def by_id_token(site: Site, token: str, provider: str = "acme", **more: str) -> Answer:
    return site.guest("aurora").auth("token?grant_type=id_token", {"provider": provider, "id_token": token, **more})


def test_an_id_token_signs_in_once(site, issuer):
    token = id_token_of(site, issuer, "kadri-there")
    assert by_id_token(site, token).json()["user"]["email"] == KADRI
    assert refused(by_id_token(site, token)) == (401, "token_invalid")


def test_an_id_token_with_a_nonce_wants_it(site, issuer):
    token = id_token_of(site, issuer, "kadri-there", "chosen")
    assert refused(by_id_token(site, token)) == (401, "token_invalid")
    assert refused(by_id_token(site, token, nonce="other")) == (401, "token_invalid")
    assert by_id_token(site, token, nonce="chosen").status == 200
    plain = id_token_of(site, issuer, "kadri-there")
    assert refused(by_id_token(site, plain, nonce="chosen")) == (401, "token_invalid")


OURS = jwk.RSAKey.generate_key(2048)


def forged(issuer: str, key=OURS, alg: str = "RS256", **claims) -> str:
    now_s = int(time.time())
    body = {"iss": issuer, "aud": CLIENT, "sub": "kadri-there", "email": KADRI, "email_verified": True,
            "iat": now_s, "exp": now_s + 600, **claims}  # fmt: skip
    return jwt.encode({"alg": alg}, {name: value for name, value in body.items() if value is not None}, key,
                      algorithms=[alg])  # fmt: skip


def test_an_id_token_that_somebody_else_signed_is_refused(site, issuer):
    assert refused(by_id_token(site, forged(issuer))) == (401, "token_invalid")
    published = jwk.OctKey.import_key("a key that anybody can read in the provider's list")
    assert refused(by_id_token(site, forged(issuer, published, "HS256"))) == (401, "token_invalid")
    unsigned = f"eyJhbGciOiJub25lIn0.{forged(issuer).split('.')[1]}."
    assert refused(by_id_token(site, unsigned)) == (401, "token_invalid")
    for text in ("x", "a.b.c", "." * 5000):
        assert refused(by_id_token(site, text)) == (401, "token_invalid")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"azp": "another-client"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"iat": None},
        {"iat": int(time.time()) + 3600},
    ],
)
def test_an_id_token_for_others_or_of_another_time_is_refused(site, issuer, claims, monkeypatch):
    from handlers.auth import providers

    keys = jwk.KeySet([OURS])
    monkeypatch.setattr(providers, "_keys", lambda *_: keys)
    good = by_id_token(site, forged(issuer))
    assert good.status == 200, good.text
    assert refused(by_id_token(site, forged(issuer, **claims))) == (401, "token_invalid")


def test_a_provider_that_does_not_answer_is_named_and_harms_nobody(site):
    set_up(site, "gone", "oidc", "http://127.0.0.1:9")
    answer = leave(site, "gone", **PKCE)
    assert refused(answer) == (503, "provider_unavailable")
    assert answer.header("retry-after") is not None


def test_github_signs_in_by_its_primary_verified_address(site):
    primary = {"email": KADRI, "verified": True, "primary": True}
    other = {"email": MARI, "verified": True, "primary": False}
    with fake_github(other, primary) as github:
        set_up(site, "github", "github", github.address)
        location = leave(site, "github", **PKCE).header("location") or ""
        parts = carried(return_by(site, github.consent(location)))
        user = exchange(site, parts["code"]).json()["user"]
    assert user["email"] == KADRI
    outside = next(known for known in user["identities"] if known["provider"] == "github")
    assert (outside["id"], outside["identity_data"]["user_name"]) == ("4711", "kadri")


def test_github_without_a_verified_primary_address_opens_no_account(site):
    with fake_github({"email": KADRI, "verified": False, "primary": True}) as github:
        set_up(site, "github", "github", github.address)
        location = leave(site, "github", **PKCE).header("location") or ""
        parts = carried(return_by(site, github.consent(location)))
    assert parts["error_code"] == "provider_email_needs_verification"


def test_no_secret_of_a_provider_is_kept_plain(site):
    rows = site.services.registry_read(lambda tx: tx.rows("SELECT * FROM identity_providers"), current=True)
    assert SECRET not in str([tuple(row) for row in rows])
