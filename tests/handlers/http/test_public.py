"""What anybody may read of all vaults together: who is listed, when it changes, how often one may ask."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from db.clock import Moment
from db.registry.directory import delete_vault, suspend_vault, undelete_vault
from handlers.public import publishing
from handlers.tenant.provisioning import fork_tenant
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.shelves import make_aurora
from tests.handlers.http.site import OPERATOR, Choir, Site, make_choir, make_sister, make_site, refused

DIRECTORY, CATALOGUE = "organization.list_public", "catalogue.public_domain"
LINE = ["id", "name", "subdomain", "type", "contact_email", "created_at"]
EDITION = ["id", "name", "arranger", "publisher", "voicing", "edition_type", "notes", "external_url", "work_id",
           "title", "composer", "lyricist", "organization_id", "organization_name", "subdomain"]  # fmt: skip


def ask(site: Site, path: str, **headers: str) -> Answer:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return site.client.request("GET", f"/public/v1/{path}", headers=named)


def listed(site: Site, name: str, query: str = "") -> list[dict[str, Any]]:
    answer = ask(site, f"choir/{name}{query}")
    assert answer.status == 200, answer.text
    lines: list[dict[str, Any]] = answer.json()
    return lines


def names(site: Site, name: str = DIRECTORY) -> list[str]:
    return [line["name"] for line in listed(site, name)]


def shelf(site: Site, choir: Choir) -> list[str]:
    """Two free editions, one licensed, one owned; the ids of all four."""
    owner = site.sign_in(choir.slug, choir.owner)
    work = owner.done("work.create", title=f"Work of {choir.slug}", composer="Anon")["id"]
    kinds = ("public_domain", "public_domain", "licensed", "owned")
    return [owner.done("edition.create", work_id=work, name=f"Edition {number}", license_type=kind)["id"]
            for number, kind in enumerate(kinds)]  # fmt: skip


def test_the_directory_lists_every_organization_of_every_vault_by_name(site):
    make_choir(site, "zebra")
    union = make_choir(site, "union", type="umbrella")
    make_sister(site, union, "aurora", "a@aurora.example")
    found = listed(site, DIRECTORY)
    assert [line["subdomain"] for line in found] == ["aurora", "union", "zebra"]
    assert list(found[0]) == LINE
    assert found[0] | {"id": "", "created_at": ""} == {
        "id": "", "name": "Aurora", "subdomain": "aurora", "type": "collective", "contact_email": "a@aurora.example",
        "created_at": ""}  # fmt: skip


def test_names_are_sorted_without_case_and_beyond_ascii(site):
    for slug, name in (("one", "õie"), ("two", "Öbik"), ("three", "alma"), ("four", "Zoo")):
        owner = site.sign_in(slug, make_choir(site, slug).owner)
        owner.done("organization.update", name=name)
    assert names(site) == ["alma", "Zoo", "õie", "Öbik"]


def test_the_catalogue_holds_the_free_editions_of_all_vaults_and_nothing_else(site):
    shelf(site, make_choir(site, "harmonia"))
    shelf(site, make_choir(site, "aurora"))
    found = listed(site, CATALOGUE)
    assert [(line["subdomain"], line["name"]) for line in found] == [
        ("aurora", "Edition 0"), ("aurora", "Edition 1"), ("harmonia", "Edition 0"), ("harmonia", "Edition 1")
    ]  # fmt: skip
    assert list(found[0]) == EDITION
    shown = [found[0][name] for name in ("title", "composer", "organization_name")]
    assert shown == ["Work of aurora", "Anon", "Aurora"]


def test_what_stops_being_free_is_gone_at_once(site):
    aurora = make_aurora(site)
    free, licensed = shelf(site, aurora.choir)[:2]
    desk, head = aurora.as_("mari@aurora.example"), aurora.as_("jaan@aurora.example")
    desk.done("edition.update", edition_id=licensed, license_type="licensed")
    assert [line["id"] for line in listed(site, CATALOGUE)] == [free]
    complaint = {"claimant_name": "C", "claimant_email": "c@x.example", "reason": "mine", "attestation": True}
    made = aurora.guest.done("takedown.submit", edition_id=free, **complaint)
    assert [line["id"] for line in listed(site, CATALOGUE)] == [free]
    head.done("takedown.process", id=made["id"], action="approve")
    assert listed(site, CATALOGUE) == []


@pytest.mark.parametrize(
    ("verb", "change", "field", "wanted"),
    [
        ("work.update", {"title": "New"}, "title", "New"),
        ("edition.update", {"name": "New"}, "name", "New"),
        ("organization.update", {"name": "New"}, "organization_name", "New"),
    ],
)
def test_a_change_of_anything_that_a_line_shows_shows(site, verb, change, field, wanted):
    aurora = make_choir(site, "aurora")
    edition = shelf(site, aurora)[0]
    owner = site.sign_in("aurora", aurora.owner)
    line = next(line for line in listed(site, CATALOGUE) if line["id"] == edition)
    ids = {"work.update": {"work_id": line["work_id"]}, "edition.update": {"edition_id": edition}}
    owner.done(verb, **ids.get(verb, {}), **change)
    assert wanted in {line[field] for line in listed(site, CATALOGUE)}


def test_what_is_deleted_is_gone_and_what_is_made_is_there(site):
    aurora = make_choir(site, "aurora")
    shelf(site, aurora)
    owner = site.sign_in("aurora", aurora.owner)
    owner.done("role.grant", member_id=owner.done("member.list")[0]["id"], role="librarian")
    first, second = listed(site, CATALOGUE)
    owner.done("edition.delete", edition_id=first["id"])
    assert listed(site, CATALOGUE) == [second]
    made = owner.add("editions", {"work_id": first["work_id"], "name": "Zeta", "license_type": "public_domain"})
    assert [line["id"] for line in listed(site, CATALOGUE)] == [second["id"], made.json()[0]["id"]]
    owner.done("work.delete", work_id=first["work_id"])
    assert listed(site, CATALOGUE) == []
    owner.done("organization.delete", subdomain="aurora")
    assert names(site) == []


def test_a_change_past_the_verbs_shows_too(site):
    aurora = make_choir(site, "aurora")
    shelf(site, aurora)
    site.vault_write(aurora, lambda tx: tx.execute("UPDATE editions SET license_type = 'owned'"))
    assert listed(site, CATALOGUE) == []


def test_suspended_and_deleted_vaults_are_not_listed_until_they_are_back(site):
    aurora, bella = make_choir(site, "aurora"), make_choir(site, "bella")
    now = site.clock()
    site.services.registry_write(lambda tx: suspend_vault(tx, aurora.entry.id, now), OPERATOR, now)
    site.services.registry_write(lambda tx: delete_vault(tx, bella.entry.id, now), OPERATOR, now)
    assert names(site) == []
    site.services.registry_write(lambda tx: undelete_vault(tx, bella.entry.id, now), OPERATOR, now)
    assert names(site) == ["Bella"]


def test_a_fork_is_not_listed_under_the_name_of_its_origin(site):
    aurora = make_choir(site, "aurora")
    shelf(site, aurora)
    fork_tenant(site.services, aurora.entry, "aurora-trial", None, OPERATOR)
    site.sign_in("aurora-trial", aurora.owner).done("organization.update", name="Trial")
    assert names(site) == ["Aurora"]
    assert len(listed(site, CATALOGUE)) == 2


def test_pages_follow_each_other_to_the_end(site):
    for number in range(5):
        make_choir(site, f"choir-{number}")
    path, seen = f"choir/{DIRECTORY}?limit=2", []
    while path:
        answer = ask(site, path)
        seen += [line["subdomain"] for line in answer.json()]
        link = answer.header("link")
        assert link is None or link.endswith('; rel="next"')
        path = link.partition(">")[0].partition("/public/v1/")[2] if link else ""
    assert seen == [f"choir-{number}" for number in range(5)]


def written(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


HALF_A_PAIR, DEEP = written(r'["\ud800","",""]'), written("[" * 5_000)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=²", "after=!", "after=e30", "after=WzFd", f"after={HALF_A_PAIR}",
     f"after={DEEP}"],
    ids=lambda query: query[:12],
)  # fmt: skip
def test_a_malformed_page_is_refused(site, query):
    assert refused(ask(site, f"choir/{DIRECTORY}?{query}")) == (400, "invalid_input")


@pytest.mark.parametrize("path", ["choir/member.list", "choir/work.list", "choir/organization.get", "nothing/x"])
def test_only_what_a_charter_declares_is_public(site, path):
    make_choir(site, "aurora")
    assert refused(ask(site, path)) == (404, "no_route")


def test_a_vault_has_so_many_lines_in_a_list_and_no_more(site, monkeypatch):
    monkeypatch.setattr(publishing, "LINES", 3)
    for slug in ("aurora", "bella"):
        choir = make_choir(site, slug)
        shelf(site, choir)
        shelf(site, choir)
    found = [line["subdomain"] for line in listed(site, CATALOGUE)]
    assert sorted(found) == ["aurora"] * 3 + ["bella"] * 3


def test_a_page_that_did_not_change_is_not_sent_again(site):
    make_choir(site, "aurora")
    first = ask(site, f"choir/{DIRECTORY}")
    assert first.header("cache-control") == "public, max-age=60"
    again = ask(site, f"choir/{DIRECTORY}", if_none_match=first.header("etag"))
    assert (again.status, again.body) == (304, b"")
    make_choir(site, "bella")
    changed = ask(site, f"choir/{DIRECTORY}", if_none_match=first.header("etag"))
    assert (changed.status, len(changed.json())) == (200, 2)


def test_a_list_opens_no_vault(site, monkeypatch):
    shelf(site, make_choir(site, "aurora"))
    fresh = site.restart()
    try:
        monkeypatch.setattr(type(fresh.services.pool), "use", None)
        assert len(listed(fresh, CATALOGUE)) == 2
    finally:
        fresh.services.close()


def test_a_process_that_dies_before_it_published_is_made_good_by_the_next_use(site, monkeypatch):
    aurora = make_choir(site, "aurora")
    free = shelf(site, aurora)
    monkeypatch.setattr(type(site.services), "_publish", lambda *_: None)
    owner = site.sign_in("aurora", aurora.owner)
    owner.done("edition.update", edition_id=free[0], license_type="owned")
    assert len(listed(site, CATALOGUE)) == 2
    monkeypatch.undo()
    again = site.restart()
    try:
        again.guest("aurora").call("work.list")
        assert [line["id"] for line in listed(again, CATALOGUE)] == [free[1]]
    finally:
        again.services.close()


def test_maintenance_publishes_what_a_dead_process_left(site, monkeypatch):
    from handlers.upkeep.rounds import run_due

    aurora = make_choir(site, "aurora")
    free = shelf(site, aurora)
    monkeypatch.setattr(type(site.services), "_publish", lambda *_: None)
    site.sign_in("aurora", aurora.owner).done("edition.update", edition_id=free[0], license_type="owned")
    report = run_due(site.services, jobs=["public"], deadline=Moment(site.clock().ms + 60_000), force=True)
    assert report.jobs["public"].sums == {"lines": 1}
    assert [line["id"] for line in listed(site, CATALOGUE)] == [free[1]]


def test_a_network_may_ask_so_often_and_is_told_when_again(tmp_path, clock):
    site = make_site(tmp_path, clock, public_reads="3", proxies="1")
    try:
        here, there = {"x_forwarded_for": "192.0.2.1"}, {"x_forwarded_for": "192.0.2.2"}
        clock.at("2026-02-05T10:00:20Z")
        assert [ask(site, f"choir/{DIRECTORY}", **here).status for _ in range(4)] == [200, 200, 200, 429]
        answer = ask(site, "slugs/aurora", **here)
        assert refused(answer) == (429, "rate_limited")
        assert answer.header("retry-after") == "40"
        assert ask(site, f"choir/{DIRECTORY}", **there).status == 200
        clock.tick(40)
        assert ask(site, f"choir/{DIRECTORY}", **here).status == 200
    finally:
        site.services.close()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("harmonia", {"available": True}),
        ("choir--two", {"available": True}),
        ("Aurora", {"available": False, "reason": "taken"}),
        ("STATUS", {"available": False, "reason": "reserved"}),
        ("docs", {"available": False, "reason": "reserved"}),
    ],
)
def test_a_name_is_free_reserved_or_taken_across_all_vaults(site, name, told):
    make_choir(site, "aurora")
    answer = ask(site, f"slugs/{name}")
    assert (answer.status, answer.json()) == (200, told)
    assert answer.header("cache-control") == "no-store"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("ha", "got 2 characters"),
        ("a" * 31, "got 31 characters"),
        ("harmonia-", "no hyphen"),
        ("-coro", "no hyphen"),
        ("my_choir", "only letters"),
    ],
)
def test_a_malformed_name_is_not_available_and_says_why(site, name, rule):
    answer = ask(site, f"slugs/{name}")
    body = json.loads(answer.body)
    assert (answer.status, body["available"], body["code"]) == (400, False, "invalid_input")
    assert rule in body["message"]


def test_the_check_inside_a_vault_sees_all_vaults(site):
    make_choir(site, "aurora")
    make_choir(site, "bella")
    assert site.guest("aurora").done("organization.check_subdomain", subdomain=" Bella ") == {
        "available": False, "reason": "taken"
    }  # fmt: skip
