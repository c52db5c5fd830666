"""Every method that the published supabase client for Python exports for signing in, against a running server.

What cannot work is called too, and must fail in the way docs/reference/clients.md says.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pyotp
import pytest
from supabase import Client, acreate_client, create_client
from supabase.lib.client_options import AsyncClientOptions, SyncClientOptions
from supabase_auth._async.gotrue_admin_api import AsyncGoTrueAdminAPI
from supabase_auth._async.gotrue_admin_mfa_api import AsyncGoTrueAdminMFAAPI
from supabase_auth._async.gotrue_admin_oauth_api import AsyncGoTrueAdminOAuthAPI
from supabase_auth._async.gotrue_client import AsyncGoTrueClient
from supabase_auth._async.gotrue_mfa_api import AsyncGoTrueMFAAPI
from supabase_auth._sync.gotrue_admin_api import SyncGoTrueAdminAPI
from supabase_auth._sync.gotrue_admin_mfa_api import SyncGoTrueAdminMFAAPI
from supabase_auth._sync.gotrue_admin_oauth_api import SyncGoTrueAdminOAuthAPI
from supabase_auth._sync.gotrue_client import SyncGoTrueClient
from supabase_auth._sync.gotrue_mfa_api import SyncGoTrueMFAAPI
from supabase_auth.errors import AuthApiError, AuthInvalidJwtError

from db.clock import system_moment
from db.registry.identity_providers import add_provider
from tests.handlers.http.outside import CLIENT, consent, oidc_provider
from tests.handlers.http.site import OPERATOR, Choir, Site, make_choir, make_site
from tests.handlers.http.test_outside_sign_in import id_token_of
from tests.handlers.http.test_sign_up import press_link, setting
from tests.interop.clients_page import WORKS, check_methods, said_of
from tests.interop.served import KADRI, MARI, open_aurora, served
from tests.interop.watched import public_methods

# The client warns of a parameter that it passes to itself.
pytestmark = pytest.mark.filterwarnings("ignore:The '(timeout|verify|proxy)' parameter is deprecated")
KEY = "sb_publishable_none"
PASSWORD, OTHER = "cello and oboe", "flute and harp"
APP = "https://app.example/back"


@dataclass(frozen=True)
class Aurora:
    """A served choir."""

    site: Site
    choir: Choir
    url: str
    connections: httpx.Client

    def client(self, key: str = KEY, flow: str = "implicit") -> Client:
        # No timer of its own: it would outlive the test.
        options = SyncClientOptions(auto_refresh_token=False, httpx_client=self.connections, flow_type=flow)
        return create_client(self.url, key, options)

    def auth(self, flow: str = "implicit") -> SyncGoTrueClient:
        return self.client(flow=flow).auth

    def signed_in(self, email: str = MARI, flow: str = "implicit") -> SyncGoTrueClient:
        auth = self.auth(flow)
        auth.sign_in_with_otp({"email": email})
        auth.verify_otp({"email": email, "token": self.site.code(email), "type": "email"})
        return auth

    def admin(self) -> SyncGoTrueAdminAPI:
        return self.client(self.site.api_token(None)).auth.admin


@pytest.fixture
def aurora(tmp_path) -> Iterator[Aurora]:
    site, choir = open_aurora(tmp_path)
    setting(site, choir, "auth.redirects", "https://app.example/*")
    with served(site.services) as address, httpx.Client(trust_env=False) as connections:
        yield Aurora(site, choir, f"{address}/aurora", connections)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    people = {"sub": "mari-there", "email": MARI, "email_verified": True}, {"sub": "nobody-there"}
    with oidc_provider(*people) as address:
        yield address


def with_provider(aurora: Aurora, issuer: str) -> None:
    ring, now = aurora.site.services.keyring, aurora.site.clock()
    aurora.site.services.registry_write(
        lambda tx: add_provider(tx, ring, "google", "oidc", now, client_id=CLIENT, secret="x" * 10, issuer=issuer),
        OPERATOR,
        now,
    )


def refusal(call, *args) -> tuple[int, str]:
    with pytest.raises(AuthApiError) as caught:
        call(*args)
    return caught.value.status, str(caught.value.code)


def test_signing_up_by_password_and_its_confirmation(aurora):
    auth = aurora.auth()
    answer = auth.sign_up({"email": MARI, "password": PASSWORD, "options": {"data": {"section": "alto"}}})
    assert answer.session is None
    assert answer.user is not None
    auth.resend({"type": "signup", "email": MARI})
    session = auth.verify_otp({"email": MARI, "token": aurora.site.code(MARI), "type": "signup"})
    assert session.user is not None
    assert (session.user.id, session.user.user_metadata) == (answer.user.id, {"section": "alto"})
    assert aurora.auth().sign_in_with_password({"email": MARI, "password": PASSWORD}).session is not None


def test_a_forgotten_password_and_one_changed_with_a_nonce(aurora):
    auth = aurora.auth()
    auth.reset_password_for_email(MARI, {"redirect_to": APP})
    auth.reset_password_email(MARI)
    events: list[str] = []
    subscription = auth.on_auth_state_change(lambda event, _: events.append(event))
    auth.verify_otp({"email": MARI, "token": aurora.site.code(MARI), "type": "recovery"})
    subscription.unsubscribe()
    assert events == ["PASSWORD_RECOVERY"]
    auth.update_user({"password": PASSWORD})
    assert auth.reauthenticate().user is None
    auth.update_user({"password": OTHER, "nonce": aurora.site.code(MARI)})
    assert aurora.auth().sign_in_with_password({"email": MARI, "password": OTHER}).user is not None
    assert refusal(aurora.auth().sign_in_with_password, {"email": MARI, "password": PASSWORD}) == (
        401, "invalid_credentials",
    )  # fmt: skip


def test_an_address_is_changed_by_both_mailboxes(aurora):
    auth, new = aurora.signed_in(), "mari.new@aurora.example"
    setting(aurora.site, aurora.choir, "auth.signup", "open")
    changed = auth.update_user({"email": new}, {"email_redirect_to": APP})
    assert changed.user.new_email == new
    first = auth.verify_otp({"email": new, "token": aurora.site.code(new), "type": "email_change"})
    assert first.session is None
    auth.resend({"type": "email_change", "email": MARI})
    second = auth.verify_otp({"email": MARI, "token": aurora.site.code(MARI), "type": "email_change"})
    assert second.user is not None
    assert second.user.email == new


def test_the_session_is_kept_refreshed_and_ended_by_scope(aurora):
    first, second = aurora.signed_in(), aurora.signed_in()
    assert first.get_session() is not None
    assert first.refresh_session().session is not None
    assert first.initialize() is None
    first.sign_out({"scope": "others"})
    assert refusal(second.refresh_session) == (401, "token_invalid")
    token = first.get_session().access_token
    first.sign_out({"scope": "local"})
    assert first.get_session() is None
    assert refusal(aurora.auth().get_user, token) == (401, "session_ended")
    third = aurora.signed_in()
    third.sign_out()
    assert third.get_session() is None


def test_a_session_in_an_address_is_taken_over(aurora):
    aurora.auth().sign_in_with_otp({"email": MARI, "options": {"email_redirect_to": APP}})
    _, pressed = press_link(aurora.site, MARI)
    auth = aurora.auth()
    auth.initialize(url=pressed.header("location"))
    assert auth.get_user().user.email == MARI
    again = aurora.auth()
    forged = f"{APP}#access_token=x&refresh_token=x&expires_in=1&token_type=bearer"
    assert refusal(again.initialize_from_url, forged) == (401, "token_invalid")
    assert again.initialize_from_storage() is None
    assert again.get_session() is None


def test_a_link_with_pkce_is_exchanged_by_the_client_that_asked(aurora):
    auth = aurora.auth("pkce")
    auth.sign_in_with_otp({"email": MARI, "options": {"email_redirect_to": APP}})
    _, pressed = press_link(aurora.site, MARI)
    code = parse_qs(urlsplit(pressed.header("location")).query)["code"][0]
    assert refusal(aurora.auth("pkce").exchange_code_for_session, {"auth_code": code, "code_verifier": "x" * 43}) == (
        400, "bad_code_verifier",
    )  # fmt: skip
    assert auth.exchange_code_for_session({"auth_code": code}).user.email == MARI


def go(aurora: Aurora, address: str, subject: str = "mari-there") -> str:
    """The code that comes back to the application after signing in at the provider."""
    parts = urlsplit(address)
    if parts.path.endswith("/auth/v1/authorize"):
        left = aurora.site.client.request("GET", f"{parts.path}?{parts.query}")
        address = left.header("location")
    back = urlsplit(consent(address, subject))
    answer = aurora.site.client.request("GET", f"{back.path}?{back.query}")
    return parse_qs(urlsplit(answer.header("location")).query)["code"][0]


def test_a_provider_signs_in_links_and_is_unlinked(aurora, issuer):
    with_provider(aurora, issuer)
    auth = aurora.auth("pkce")
    left = auth.sign_in_with_oauth({"provider": "google", "options": {"redirect_to": APP, "scopes": "calendar"}})
    assert auth.exchange_code_for_session({"auth_code": go(aurora, left.url)}).user.email == MARI
    identities = auth.get_user_identities().identities
    assert sorted(known.provider for known in identities) == ["email", "google"]
    auth.unlink_identity(next(known for known in identities if known.provider == "google"))
    linking = auth.link_identity({"provider": "google", "options": {"redirect_to": APP}})
    auth.exchange_code_for_session({"auth_code": go(aurora, linking.url)})
    assert len(auth.get_user_identities().identities) == 2
    assert refusal(aurora.signed_in(KADRI).link_identity, {"provider": "google", "options": {"redirect_to": APP}}) == (
        400, "invalid_input",
    )  # fmt: skip


def test_an_id_token_signs_in(aurora, issuer):
    with_provider(aurora, issuer)
    token = id_token_of(aurora.site, issuer, "mari-there", "chosen")
    answer = aurora.auth().sign_in_with_id_token({"provider": "google", "token": token, "nonce": "chosen"})
    assert answer.user.email == MARI


def test_second_factors(aurora):
    auth = aurora.signed_in()
    made = auth.mfa.enroll({"factor_type": "totp", "friendly_name": "Phone"})
    totp = pyotp.TOTP(made.totp.secret)
    assert made.totp.qr_code.startswith("data:image/svg+xml;utf-8,<svg")
    asked = auth.mfa.challenge({"factor_id": made.id})
    auth.mfa.verify({"factor_id": made.id, "challenge_id": asked.id, "code": totp.now()})
    assert [known.friendly_name for known in auth.mfa.list_factors().totp] == ["Phone"]
    used = {"factor_id": made.id, "code": totp.now()}
    assert refusal(auth.mfa.challenge_and_verify, used) == (400, "mfa_verification_failed")
    # The next code: a clock that is half a minute ahead is allowed for.
    auth.mfa.challenge_and_verify({"factor_id": made.id, "code": totp.at(time.time() + 30)})
    sure = auth.mfa.get_authenticator_assurance_level()
    assert (sure.current_level, sure.next_level) == ("aal2", "aal2")
    assert sure.current_authentication_methods[0].method == "totp"
    assert auth.mfa.unenroll({"factor_id": made.id}).id == made.id
    assert auth.mfa.list_factors().all == []


def test_operators_calls(aurora):
    admin, email = aurora.admin(), "new@aurora.example"
    made = admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True}).user
    assert admin.get_user_by_id(made.id).user.email == email
    assert email in [known.email for known in admin.list_users(page=1, per_page=10)]
    changed = admin.update_user_by_id(made.id, {"app_metadata": {"plan": "x"}, "ban_duration": "1h"}).user
    assert changed.app_metadata["plan"] == "x"
    assert admin.mfa.list_factors({"user_id": made.id}) == []
    assert refusal(admin.mfa.delete_factor, {"user_id": made.id, "id": made.id}) == (404, "mfa_factor_not_found")
    admin.delete_user(made.id)
    assert refusal(admin.get_user_by_id, made.id) == (404, "user_not_found")
    invited = admin.invite_user_by_email(KADRI, {"data": {"a": 1}, "redirect_to": APP}).user
    assert (invited.email, invited.user_metadata) == (KADRI, {"a": 1})
    session = aurora.auth().verify_otp({"email": KADRI, "token": aurora.site.code(KADRI), "type": "invite"}).session
    admin.sign_out(session.access_token, "global")
    assert refusal(aurora.auth().get_user, session.access_token) == (401, "session_ended")
    assert refusal(aurora.signed_in().admin.list_users) == (401, "no_authorization")
    admin.close()


@pytest.mark.parametrize("kind", ["signup", "invite", "magiclink", "recovery", "email_change_current"])
def test_links_that_operators_make(aurora, kind):
    admin, email = aurora.admin(), "new@aurora.example"
    if kind in ("recovery", "email_change_current"):
        admin.create_user({"email": email, "email_confirm": True})
    given = {"type": kind, "email": email, "options": {"redirect_to": APP}}
    given |= {"password": PASSWORD} if kind == "signup" else {}
    given |= {"new_email": MARI} if kind == "email_change_current" else {}
    made = admin.generate_link(given)
    assert made.properties.verification_type == kind
    assert made.user.email == email
    query = parse_qs(urlsplit(made.properties.action_link).query)
    assert (query["token_hash"], query["redirect_to"]) == ([made.properties.hashed_token], [APP])


def test_what_is_not_offered_says_so(aurora):
    auth = aurora.auth()
    assert refusal(auth.sign_in_anonymously) == (400, "anonymous_provider_disabled")
    phone = {"phone": "+3725551234"}
    for call in (auth.sign_up, auth.sign_in_with_password, auth.verify_otp):
        given = {**phone, "password": PASSWORD, "token": "000000", "type": "sms"}
        assert refusal(call, given) == (400, "phone_provider_disabled")
    assert refusal(auth.sign_in_with_otp, phone) == (400, "phone_provider_disabled")
    assert refusal(auth.resend, {**phone, "type": "sms"}) == (400, "phone_provider_disabled")
    assert refusal(auth.sign_in_with_sso, {"domain": "aurora.example"}) == (400, "saml_provider_disabled")
    signed_in = aurora.signed_in()
    assert refusal(signed_in.mfa.enroll, {"factor_type": "phone", "phone": "+3725551234"}) == (
        400, "mfa_phone_enroll_not_enabled",
    )  # fmt: skip


def test_the_client_verifies_a_token_by_the_published_keys(aurora):
    auth = aurora.signed_in()
    session = auth.get_session()
    found = auth.get_claims()
    assert (found["headers"]["alg"], found["claims"]["email"]) == ("ES256", MARI)
    other = aurora.auth()
    assert other.set_session(session.access_token, session.refresh_token).user.email == MARI
    head, body, _ = session.access_token.split(".")
    with pytest.raises(AuthInvalidJwtError):
        other.get_claims(f"{head}.{body}.{'A' * 86}")
    other.close()


def test_a_platform_that_keeps_eddsa_has_tokens_that_the_client_cannot_read(tmp_path):
    site = make_site(tmp_path, system_moment, signing_algorithm="EdDSA")
    choir = make_choir(site, "aurora", owner=MARI)
    with served(site.services) as address, httpx.Client(trust_env=False) as connections:
        auth = Aurora(site, choir, f"{address}/aurora", connections).signed_in()
        with pytest.raises(AuthInvalidJwtError):
            auth.get_claims()
        assert auth.get_user().user.email == MARI


@pytest.mark.parametrize("call", ["list", "create", "get", "update", "delete", "regenerate"])
def test_vaultry_is_no_identity_provider_for_other_applications(aurora, call):
    oauth, client = aurora.admin().oauth, str(uuid.uuid4())
    calls = {
        "list": lambda: oauth.list_clients(),
        "create": lambda: oauth.create_client({"client_name": "x", "redirect_uris": [APP]}),
        "get": lambda: oauth.get_client(client),
        "update": lambda: oauth.update_client(client, {"client_name": "y"}),
        "delete": lambda: oauth.delete_client(client),
        "regenerate": lambda: oauth.regenerate_client_secret(client),
    }
    assert refusal(calls[call]) == (404, "no_route")


def test_the_client_for_asyncio_does_the_same(aurora):
    async def main() -> None:
        async with httpx.AsyncClient(trust_env=False) as connections:
            options = AsyncClientOptions(auto_refresh_token=False, httpx_client=connections)
            client = await acreate_client(aurora.url, KEY, options)
            await client.auth.sign_in_with_otp({"email": MARI})
            code = aurora.site.code(MARI)
            await client.auth.verify_otp({"email": MARI, "token": code, "type": "email"})
            found = await client.auth.get_claims()
            assert (found["headers"]["alg"], found["claims"]["email"]) == ("ES256", MARI)
            session = await client.auth.get_session()
            await client.auth.set_session(session.access_token, session.refresh_token)
            assert (await client.auth.mfa.get_authenticator_assurance_level()).current_level == "aal1"
            assert (await client.auth.refresh_session()).user.email == MARI
            made = (await client.table("works").insert({"title": "Locus iste"}).execute()).data
            assert [row["title"] for row in made] == ["Locus iste"]
            assert [bucket.id for bucket in await client.storage.list_buckets()] == ["scores"]
            await client.auth.sign_out()
            assert await client.auth.get_session() is None

    asyncio.run(main())


KINDS = {
    "": SyncGoTrueClient,
    "mfa.": SyncGoTrueMFAAPI,
    "admin.": SyncGoTrueAdminAPI,
    "admin.mfa.": SyncGoTrueAdminMFAAPI,
    "admin.oauth.": SyncGoTrueAdminOAuthAPI,
}
METHODS = {name for prefix, kind in KINDS.items() for name in public_methods([kind], prefix)}


def test_no_method_of_the_client_is_left_out():
    """One that a new version brings shows up here."""
    source = Path(__file__).read_text()
    written = {name: ".".join(name.split(".")[-2:]) for name in METHODS}
    calls = {name: call if "." in call else f".{call}" for name, call in written.items()}
    assert {name for name, call in calls.items() if not re.search(rf"{re.escape(call)}\b", source)} == set()
    # The other client is made from this one, method by method.
    others = AsyncGoTrueClient, AsyncGoTrueMFAAPI, AsyncGoTrueAdminAPI, AsyncGoTrueAdminMFAAPI, AsyncGoTrueAdminOAuthAPI
    assert {name for kind in others for name in public_methods([kind])} == {name.rpartition(".")[2] for name in METHODS}


def test_the_page_says_of_every_method_whether_it_works():
    check_methods("supabase_auth", METHODS)
    source = Path(__file__).read_text()
    refusals = {name: text for name, text in said_of("supabase_auth").items() if not text.startswith(WORKS)}
    assert {name for name, text in refusals.items() if f'"{text.split("`")[1]}"' not in source} == set()


def test_the_code_of_an_address_with_a_plus_sign_arrives(aurora):
    email = "mari+choir@aurora.example"
    setting(aurora.site, aurora.choir, "auth.signup", "open")
    auth = aurora.auth()
    auth.sign_in_with_otp({"email": email, "options": {"email_redirect_to": f"{APP}?{urlencode({'a': 'b+c'})}"}})
    _, pressed = press_link(aurora.site, email)
    assert "a=b%2Bc" in pressed.header("location")
