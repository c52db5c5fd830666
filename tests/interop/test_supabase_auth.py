"""Every method that the published supabase client for Python exports for signing in, against a running server.

What cannot work is called too, and must fail in the way docs/reference/auth.md says.
"""

import inspect
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pyotp
import pytest
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions
from supabase_auth._sync.gotrue_admin_api import SyncGoTrueAdminAPI
from supabase_auth._sync.gotrue_client import SyncGoTrueClient
from supabase_auth._sync.gotrue_mfa_api import SyncGoTrueMFAAPI
from supabase_auth.errors import AuthApiError, AuthInvalidJwtError

from db.registry.identity_providers import add_provider
from tests.handlers.http.outside import CLIENT, consent, oidc_provider
from tests.handlers.http.site import OPERATOR, Choir, Site
from tests.handlers.http.test_outside_sign_in import id_token_of
from tests.handlers.http.test_sign_up import press_link, setting
from tests.interop.served import KADRI, MARI, open_aurora, served

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
    # The client knows RS256, ES256 and HS256 only.
    with pytest.raises(AuthInvalidJwtError):
        auth.mfa.get_authenticator_assurance_level()
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
    assert refusal(aurora.admin().oauth.list_clients)[0] == 404


def test_the_client_reads_no_eddsa_token_by_itself(aurora):
    """It knows RS256, ES256 and HS256 only; what needs that is documented as not working."""
    auth = aurora.signed_in()
    session = auth.get_session()
    with pytest.raises(AuthInvalidJwtError):
        auth.get_claims()
    with pytest.raises(AuthInvalidJwtError):
        auth.set_session(session.access_token, session.refresh_token)


CALLED = {
    "sign_in_anonymously", "sign_up", "sign_in_with_password", "sign_in_with_id_token", "sign_in_with_sso",
    "sign_in_with_oauth", "link_identity", "get_user_identities", "unlink_identity", "sign_in_with_otp", "resend",
    "verify_otp", "reauthenticate", "get_session", "get_user", "update_user", "set_session", "refresh_session",
    "sign_out", "on_auth_state_change", "reset_password_for_email", "reset_password_email", "get_claims",
    "exchange_code_for_session", "initialize", "initialize_from_url", "initialize_from_storage", "close",
    "create_user", "list_users", "get_user_by_id", "update_user_by_id", "delete_user", "invite_user_by_email",
    "generate_link", "enroll", "challenge", "challenge_and_verify", "verify", "unenroll", "list_factors",
    "get_authenticator_assurance_level",
}  # fmt: skip


def test_no_method_of_the_client_is_left_out():
    kinds = (SyncGoTrueClient, SyncGoTrueAdminAPI, SyncGoTrueMFAAPI)
    exported = {name for kind in kinds for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}
    assert exported == CALLED


def test_the_documentation_says_of_every_method_whether_it_works():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "auth.md").read_text()
    assert [name for name in sorted(CALLED - {"close"}) if f"`{name}`" not in page] == []


def test_the_code_of_an_address_with_a_plus_sign_arrives(aurora):
    email = "mari+choir@aurora.example"
    setting(aurora.site, aurora.choir, "auth.signup", "open")
    auth = aurora.auth()
    auth.sign_in_with_otp({"email": email, "options": {"email_redirect_to": f"{APP}?{urlencode({'a': 'b+c'})}"}})
    _, pressed = press_link(aurora.site, email)
    assert "a=b%2Bc" in pressed.header("location")
