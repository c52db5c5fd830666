"""Where sign-in links may lead: to addresses on a list and nowhere else, with PKCE to nobody but who began."""

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import Invalid
from db.registry.sign_in_settings import is_allowed, parse_redirects
from tests.handlers.http.site import Site, make_choir, make_site, refused
from tests.handlers.http.test_sign_up import press_link, scene, setting

KADRI = "kadri@x.example"
APP = "https://app.example/*"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def ask(site: Site, redirect_to: str, path: str = "otp", **more: str):
    return site.guest("aurora").auth(f"{path}?{urlencode({'redirect_to': redirect_to})}", {"email": KADRI, **more})


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "//evil.example/x",
        "/\\evil.example",
        "https:evil.example",
        "https://app.example\\@evil.example/",
        "https://app.example/../../x",
        "https://app.example/%2e%2e/x",
        "https://app.example/a b",
        "https://app.example/\nlocation:x",
        "javascript:alert(1)",
        "http://app.example/x",
        "https://app.example:444/x",
        "https://app.example",
        "https://app.example/" + "x" * 2000,
    ],
)
def test_a_link_leads_nowhere_that_is_not_on_the_list(site, address):
    setting(site, scene(site), "auth.redirects", APP)
    for path in ("otp", "recover"):
        assert refused(ask(site, address, path)) == (400, "redirect_not_allowed")
    page = site.client.request("GET", "/aurora/auth/v1/verify", query={"token_hash": "vll_x", "redirect_to": address})
    assert refused(page) == (400, "redirect_not_allowed")
    form = urlencode({"token_hash": "vll_x", "redirect_to": address}).encode()
    pressed = site.guest("aurora").auth("verify", form, content_type="application/x-www-form-urlencoded")
    assert refused(pressed) == (400, "redirect_not_allowed")
    assert pressed.header("location") is None
    assert site.mails(KADRI) == []


def test_a_link_may_lead_to_ourselves_and_to_what_the_platform_allows(tmp_path, clock):
    site = make_site(tmp_path, clock, redirects="https://all.example/*,choirapp://signed-in")
    scene(site)
    for address in ("https://choirs.example/aurora/", "https://all.example/x", "choirapp://signed-in"):
        assert ask(site, address).status == 200
    assert refused(ask(site, "choirapp://signed-in/else")) == (400, "redirect_not_allowed")
    site.services.close()


def test_what_one_vault_allows_another_does_not(site):
    setting(site, scene(site), "auth.redirects", APP)
    make_choir(site, "harmonia")
    query = urlencode({"redirect_to": "https://app.example/x"})
    answer = site.guest("harmonia").auth(f"otp?{query}", {"email": KADRI})
    assert refused(answer) == (400, "redirect_not_allowed")


@pytest.mark.parametrize(
    "text", ["*", "https://*", "https://*.example/", "https://a.example*", "a.example/x", "https://"]
)
def test_a_list_that_would_let_links_lead_anywhere_is_refused(text):
    with pytest.raises(Invalid):
        parse_redirects(text)


@given(st.text(max_size=40))
def test_what_is_allowed_stays_at_the_listed_host_as_a_browser_reads_it(tail):
    address = f"https://app.example{tail}"
    if is_allowed(address, ("https://app.example/*",)):
        assert urlsplit(address).netloc == "app.example"
        assert not set(address) & set("\\\t\r\n ")


def test_with_pkce_the_link_gives_a_code_that_only_the_client_that_asked_can_exchange(site):
    setting(site, scene(site), "auth.redirects", APP)
    ask(site, "https://app.example/back?a=1", code_challenge=CHALLENGE, code_challenge_method="s256")
    _, pressed = press_link(site, KADRI)
    address = urlsplit(pressed.header("location") or "")
    code = parse_qs(address.query)["code"][0]
    assert (pressed.status, address.fragment, parse_qs(address.query)["a"]) == (303, "", ["1"])

    def exchange(verifier: str, slug: str = "aurora"):
        return site.guest(slug).auth("token?grant_type=pkce", {"auth_code": code, "code_verifier": verifier})

    make_choir(site, "harmonia")
    assert refused(exchange("w" * 64)) == (400, "bad_code_verifier")
    assert refused(exchange(VERIFIER, "harmonia")) == (403, "wrong_audience")
    session = exchange(VERIFIER)
    assert session.json()["user"]["email"] == KADRI
    assert refused(exchange(VERIFIER)) == (401, "flow_state_not_found")


def test_a_code_lives_for_a_quarter_of_an_hour(site, clock):
    setting(site, scene(site), "auth.redirects", APP)
    ask(site, "https://app.example/", code_challenge=CHALLENGE, code_challenge_method="s256")
    _, pressed = press_link(site, KADRI)
    code = parse_qs(urlsplit(pressed.header("location") or "").query)["code"][0]
    clock.tick(15 * 60)
    body = {"auth_code": code, "code_verifier": VERIFIER}
    assert refused(site.guest("aurora").auth("token?grant_type=pkce", body)) == (401, "flow_state_expired")


@pytest.mark.parametrize(
    "more",
    [
        {"code_challenge": CHALLENGE},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": "short", "code_challenge_method": "s256"},
    ],
)
def test_a_challenge_that_protects_nothing_is_refused(site, more):
    scene(site)
    assert refused(ask(site, "", **more)) == (400, "invalid_input")


def test_what_goes_wrong_with_a_link_is_told_to_the_application(site):
    setting(site, scene(site), "auth.redirects", APP)
    ask(site, "https://app.example/")
    press_link(site, KADRI)
    _, again = press_link(site, KADRI)
    parts = parse_qs(urlsplit(again.header("location") or "").fragment)
    assert (again.status, parts["error_code"]) == (303, ["code_used"])


@pytest.mark.parametrize("sender", ["cross-site", "same-site"])
def test_a_form_that_another_site_sends_signs_nobody_in(site, sender):
    scene(site)
    ask(site, "")
    assert refused(press_link(site, KADRI, sec_fetch_site=sender)[1]) == (403, "cross_site")
    assert press_link(site, KADRI, sec_fetch_site="same-origin")[1].status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("https://choirs.example.evil.example", 403),
        ("https://choirs.example", 200),
        ("null", 200),
    ],
)
def test_a_browser_that_says_less_is_asked_who_sent_the_form(site, origin, status):
    scene(site)
    ask(site, "")
    assert press_link(site, KADRI, origin=origin)[1].status == status


def test_the_page_of_a_link_may_send_its_form_to_the_application_and_nowhere_else(site):
    setting(site, scene(site), "auth.redirects", APP)
    ask(site, "https://app.example/welcome")
    page, _ = press_link(site, KADRI)
    assert "form-action 'self' https://app.example;" in (page.header("content-security-policy") or "")
