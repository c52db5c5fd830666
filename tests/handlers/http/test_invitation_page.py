"""The page of an invitation's link: no script, an address, the code that was mailed there, and in."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import Caller, Site, make_choir, make_sister, make_site

ANNA = "anna@x.example"
PAGE = "/invite/accept"
FORM = {"content_type": "application/x-www-form-urlencoded"}


def invite(site: Site, **given: object) -> tuple[Caller, str]:
    """The owner of a choir, and the path of a link she made."""
    choir = make_choir(site, "aurora")
    owner = site.sign_in("aurora", choir.owner)
    return owner, linked(owner.done("invite.create", **(given or {"name": "Anna"})))


def linked(made: dict[str, str]) -> str:
    address = urlsplit(made["link"])
    assert f"{address.scheme}://{address.netloc}" == "https://choirs.example"
    return f"{address.path}?{address.query}"


def look(site: Site, path: str) -> Answer:
    return site.client.request("GET", path)


def hidden(page: Answer) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return {name: unescape(value) for name, value in found}


def press(site: Site, page: Answer, slug: str = "aurora", **typed: str) -> Answer:
    """What the button sends, with what was typed into the fields that ask for it."""
    assert 'method="post" action="accept"' in page.text
    asked = re.findall(r'<input (?:type="email" )?name="(\w+)"', page.text)
    assert sorted(asked) == sorted(typed), page.text
    body = urlencode({**hidden(page), **typed}).encode()
    return site.guest(slug).send("POST", PAGE, body, **FORM)


def walk_in(site: Site, path: str, email: str = ANNA, slug: str = "aurora") -> Answer:
    asked = press(site, look(site, path), slug, email=email)
    assert asked.status == 200, asked.text
    return press(site, asked, slug, code=site.code(email))


def said(page: Answer) -> str:
    assert page.header("content-type") == "text/html; charset=utf-8", page.text
    return unescape(" ".join(re.sub(r"<style>.*</style>|<[^>]*>", " ", page.text, flags=re.DOTALL).split()))


def test_the_link_leads_through_a_code_into_the_choir(site):
    owner, path = invite(site)
    page = look(site, path)
    assert page.status == 200
    assert "invited to Aurora, as Anna, until 2026-02-07 10:00 UTC" in said(page)
    done = walk_in(site, path)
    assert done.status == 200
    assert f"You are a member of Aurora now. Sign in as {ANNA}" in said(done)
    assert [row["name"] for row in owner.done("member.list") if row["registered"]] == ["Anna", "owner@aurora.example"]
    assert owner.done("invite.list") == []
    assert site.sign_in("aurora", ANNA).get("works").status == 200


def test_the_page_is_one_document_that_calls_nobody_and_tells_its_address_to_nobody(site):
    _, path = invite(site)
    for page in (look(site, path), press(site, look(site, path), email=ANNA), look(site, f"/aurora{PAGE}")):
        assert not re.search(r"(src|href)=|<script|https?:", page.text)
        policy = page.header("content-security-policy") or ""
        assert policy.startswith("default-src 'none';")
        assert "form-action 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert (page.header("referrer-policy"), page.header("cache-control")) == ("no-referrer", "no-store")


def test_looking_changes_nothing_and_sends_nothing(site):
    owner, path = invite(site)
    for _ in range(3):
        assert look(site, path).status == 200
        assert site.client.request("HEAD", path).status == 200
    assert site.mails(ANNA) == []
    assert len(owner.done("invite.list")) == 1


def test_the_link_in_the_mail_does_the_same_as_the_digits_at_the_press_of_a_button(site):
    owner, path = invite(site)
    press(site, look(site, path), email=ANNA)
    (mailed,) = re.findall(r"https://choirs\.example(\S+)", site.mails(ANNA)[-1].get_content())
    assert mailed.startswith(f"/aurora{PAGE}?")
    page = look(site, mailed)
    assert f"Go on as {ANNA}" in said(page)
    assert len(owner.done("invite.list")) == 1
    assert press(site, page).status == 200
    assert owner.done("invite.list") == []


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "This link lacks its token"),
        ("?token=", 400, "This link lacks its token"),
        ("?token=unknown", 404, "This invitation is unknown or was used already"),
        (f"?token={'x' * 5000}", 400, "the limit is 4096"),
        ("?token=a&redirect_to=https://evil.example/", 400, "may not lead there"),
    ],
)
def test_what_is_wrong_with_a_link_is_said_in_words(site, query, status, words):
    invite(site)
    page = look(site, f"/aurora{PAGE}{query}")
    assert page.status == status
    assert words in said(page)
    assert '"code"' not in page.text


def test_an_expired_invitation_says_so_and_sends_no_code(site, clock):
    _, path = invite(site)
    page = look(site, path)
    clock.at("2026-02-07T10:01:00Z")
    for late in (look(site, path), press(site, page, email=ANNA)):
        assert late.status == 410
        assert "expired at 2026-02-07T10:00:00.000Z" in said(late)
        assert "renewed" in said(late)
    assert site.mails(ANNA) == []


def test_an_invitation_that_expires_before_the_code_changes_nothing(site, clock):
    _, path = invite(site)
    clock.at("2026-02-07T09:59:00Z")
    asked = press(site, look(site, path), email=ANNA)
    clock.at("2026-02-07T10:00:30Z")
    assert press(site, asked, code=site.code(ANNA)).status == 410
    owner = site.sign_in("aurora", "owner@aurora.example")
    assert [row["name"] for row in owner.done("member.list")] == ["owner@aurora.example"]


def test_a_wrong_code_may_be_typed_again(site):
    _, path = invite(site)
    asked = press(site, look(site, path), email=ANNA)
    again = press(site, asked, code="000000" if site.code(ANNA) != "000000" else "111111")
    assert again.status == 401
    assert "Another code" in said(again)
    back = re.search(r'href="accept\?([^"]*)"', again.text)
    assert back is not None
    assert dict(parse_qsl(unescape(back[1])))["token"] in path
    assert press(site, again, code=site.code(ANNA)).status == 200


def test_a_used_link_signs_its_owner_in_and_nobody_else(site):
    _, path = invite(site)
    assert walk_in(site, path).status == 200
    page = look(site, path)
    assert page.status == 404
    assert "sign in with your address" in said(page)
    again = press(site, page, email=ANNA)
    assert "already" in said(press(site, again, code=site.code(ANNA)))
    stranger = press(site, press(site, page, email="s@x.example"), code=site.code("s@x.example"))
    assert stranger.status == 403
    assert "nobody here has this address" in said(stranger).lower()


def test_a_session_goes_to_the_application_that_the_link_names(tmp_path, clock):
    site = make_site(tmp_path, clock, redirects="https://app.aurora.example/*")
    _, path = invite(site)
    app = "https://app.aurora.example/welcome"
    path = f"{path}&{urlencode({'redirect_to': app})}"
    page = look(site, path)
    assert "form-action 'self' https://app.aurora.example;" in (page.header("content-security-policy") or "")
    done = walk_in(site, path)
    assert done.status == 303
    address, _, session = (done.header("location") or "").partition("#")
    assert address == app
    token = dict(parse_qsl(session))["access_token"]
    assert site.guest("aurora").with_token(token).get("works").status == 200
    site.services.close()


def test_the_link_of_one_choir_of_an_association_is_good_at_its_own_address_alone(site):
    union = make_choir(site, "union", type="umbrella")
    make_sister(site, union, "meretuul", "m@meretuul.example")
    path = linked(site.sign_in("meretuul", "m@meretuul.example").done("invite.create", name="Anna"))
    assert path.startswith(f"/meretuul{PAGE}?")
    assert look(site, path.replace("meretuul", "union")).status == 404
    assert "You are a member of Meretuul now" in said(walk_in(site, path, slug="meretuul"))


def test_what_is_typed_or_named_never_becomes_markup(site):
    _, path = invite(site, name='<script>alert("x")</script>')
    page = look(site, f"{path}&email=%22%3E%3Cb%3E&code=1")
    for shown in (look(site, path), page):
        assert "<script" not in shown.text
        assert "<b>" not in shown.text


def test_a_form_of_another_site_is_refused(site):
    _, path = invite(site)
    body = urlencode({**hidden(look(site, path)), "email": ANNA}).encode()
    assert site.guest("aurora").send("POST", PAGE, body, sec_fetch_site="cross-site", **FORM).status == 403
    assert site.mails(ANNA) == []


def test_mails_by_the_page_are_counted_as_those_by_any_other_door(site):
    _, path = invite(site)
    page = look(site, path)
    answers = [press(site, page, email=ANNA) for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert answers[-1].header("retry-after") == "3600"


def test_the_list_and_a_renewal_show_the_same_link(site):
    owner, path = invite(site)
    (listed,) = owner.done("invite.list")
    renewed = owner.done("invite.renew", id=listed["id"])
    assert linked(listed) == linked(renewed) == path
    assert listed["link"].endswith(f"/aurora{listed['link_path']}")


def test_a_vault_without_invitations_and_one_that_is_not_there_say_so(site):
    for slug in ("aurora", "nowhere"):
        assert look(site, f"/{slug}{PAGE}?token=x").status == 404
