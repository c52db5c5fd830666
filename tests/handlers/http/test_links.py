"""One-time links over HTTP: a look at one changes nothing, its button signs in, and a program may post it as JSON."""

import re
from html import unescape
from urllib.parse import urlencode, urlsplit

import pytest

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import Choir, Site, error_of, make_choir, refused

FORM = {"content_type": "application/x-www-form-urlencoded"}


def look(site: Site, link: str) -> Answer:
    address = urlsplit(link)
    return site.client.request("GET", f"{address.path}?{address.query}")


def press(site: Site, slug: str, page: Answer) -> Answer:
    """What the button of the page sends."""
    assert 'method="post" action="verify"' in page.text
    inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    body = urlencode([(name, unescape(value)) for name, value in inputs]).encode()
    return site.guest(slug).auth("verify", body, **FORM)


def post(site: Site, choir: Choir, slug: str = "") -> Answer:
    return site.guest(slug or choir.slug).auth("verify", {"type": "magiclink", "token_hash": choir.link_token})


def test_looking_at_a_link_shows_a_page_and_leaves_the_link_unused(site):
    choir = make_choir(site, "aurora")
    for _ in range(3):
        page = look(site, choir.link)
    assert (page.status, page.header("content-type")) == (200, "text/html; charset=utf-8")
    assert "<button>" in page.text
    assert page.header("cache-control") == "no-store"
    assert page.header("referrer-policy") == "no-referrer"
    assert "default-src 'none'" in (page.header("content-security-policy") or "")
    assert not re.search(r"(src|href)=|<script|https?:", page.text)
    assert post(site, choir).status == 200


def test_the_button_signs_the_owner_in_and_shows_the_session(site):
    choir = make_choir(site, "aurora")
    session = press(site, "aurora", look(site, choir.link))
    assert (session.status, session.json()["user"]["email"]) == (200, choir.owner)
    owner = site.guest("aurora").with_token(session.json()["access_token"])
    assert owner.rows("vault_settings?select=value") == [{"value": "120"}]
    assert refused(press(site, "aurora", look(site, choir.link))) == (401, "code_used")


def test_a_program_posts_the_token_as_json(site):
    choir = make_choir(site, "aurora")
    assert post(site, choir).json()["user"]["email"] == choir.owner
    assert refused(post(site, choir)) == (401, "code_used")


def test_a_link_is_good_for_a_day(site, clock):
    first, second = make_choir(site, "aurora"), make_choir(site, "harmonia")
    clock.tick(24 * 3600 - 1)
    assert post(site, first).status == 200
    clock.tick(1)
    assert refused(post(site, second)) == (401, "code_expired")


def test_a_link_of_another_vault_is_refused_and_stays_unused(site):
    choir, other = make_choir(site, "aurora"), make_choir(site, "harmonia")
    assert refused(post(site, choir, other.slug)) == (403, "wrong_audience")
    assert post(site, choir).status == 200


def test_an_unknown_token_gets_the_same_page_and_no_session(site):
    make_choir(site, "aurora")
    page = look(site, "https://choirs.example/aurora/auth/v1/verify?type=magiclink&token_hash=vll_nothing")
    assert page.status == 200
    assert refused(press(site, "aurora", page)) == (401, "code_invalid")


def test_what_a_link_carries_cannot_write_html_into_the_page(site):
    make_choir(site, "aurora", owner="o@x.example")
    query = urlencode({"type": '"><script>alert(1)</script>', "token_hash": "'\"><img src=x onerror=y>", "next": "<b>"})
    page = look(site, f"https://choirs.example/aurora/auth/v1/verify?{query}")
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize("query", ["", "type=magiclink", "token_hash=", "email=a@x.example", "token=123456"])
def test_a_link_without_its_token_is_refused(site, query):
    make_choir(site, "aurora")
    assert refused(site.client.request("GET", f"/aurora/auth/v1/verify?{query}")) == (400, "invalid_input")


def test_the_mail_with_a_code_carries_a_link_that_signs_in(site):
    make_choir(site, "aurora", owner="liis@aurora.example")
    site.guest("aurora").auth("otp", {"email": "liis@aurora.example"})
    text = site.mails("liis@aurora.example")[-1].get_content()
    link = re.search(r"https://choirs\.example/aurora/\S+", text)
    assert link is not None
    page = look(site, link[0])
    assert press(site, "aurora", page).json()["user"]["email"] == "liis@aurora.example"
    assert refused(press(site, "aurora", page)) == (401, "code_used")


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"&".join([b"a=1"] * 101)])
def test_a_form_that_is_none_is_refused(site, body):
    make_choir(site, "aurora")
    answer = site.guest("aurora").auth("verify", body, **FORM)
    assert refused(answer) == (400, "invalid_input")
    assert "form" in error_of(answer)["message"]
