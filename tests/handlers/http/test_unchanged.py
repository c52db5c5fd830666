"""304 for what the client has: known by the last commit alone, and never to somebody for whom it is not so."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from db.schema.schema import is_timeless
from db.vault.connections import Connections
from handlers.http import unchanged
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import REST, Caller, Choir, Site, make_choir, make_site

LIST = "works?select=title&order=title"


def scene(site: Site) -> tuple[Choir, Caller]:
    choir = make_choir(site, "aurora")
    librarian = site.guest("aurora").with_token(site.api_token(choir, "librarian"))
    assert librarian.add("works", {"title": "Locus iste"}).status == 201
    return choir, librarian


def tag_of(answer: Answer) -> str:
    assert answer.status == 200, answer.text
    tag = answer.header("etag")
    assert tag is not None
    return tag


@contextmanager
def statements(site: Site, choir: Choir) -> Iterator[list[str]]:
    """The SQL that runs on the vault's readers meanwhile."""
    ran: list[str] = []
    with site.services.vault(choir.entry) as vault:
        connections: Connections = vault._copy.connections
        with connections.reading() as reader:
            connection: sqlite3.Connection = reader.connection
        connection.set_trace_callback(ran.append)
        yield ran
        connection.set_trace_callback(None)


def test_the_tag_of_an_unchanged_vault_costs_no_statement(site):
    choir, librarian = scene(site)
    tag = tag_of(librarian.get(LIST))
    with statements(site, choir) as ran:
        again = librarian.get(LIST, if_none_match=tag)
        assert ran == []
        assert librarian.get(LIST).status == 200
        assert ran != []
    assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    assert again.header("x-d1-bookmark") == librarian.get(LIST).header("x-d1-bookmark")


def test_a_commit_that_changed_nothing_of_it_is_304_with_a_new_tag(site):
    _, librarian = scene(site)
    tag = tag_of(librarian.get(f"{LIST}&title=like.L*"))
    librarian.add("works", {"title": "Os justi"})
    again = librarian.get(f"{LIST}&title=like.L*", if_none_match=tag)
    assert again.status == 304
    newer = again.header("etag")
    assert newer not in (None, tag)
    assert librarian.get(f"{LIST}&title=like.L*", if_none_match=newer).status == 304


def test_a_change_is_seen_at_once_by_whichever_process_made_it(site, tmp_path, clock):
    _, librarian = scene(site)
    tag = tag_of(librarian.get(LIST))
    other = make_site(tmp_path, clock, cache=str(tmp_path / "other-cache"))
    try:
        Caller(other.client, "aurora", librarian.token).add("works", {"title": "Os justi"})
    finally:
        other.services.close()
    assert librarian.get(LIST, if_none_match=tag).json() == [{"title": "Locus iste"}, {"title": "Os justi"}]


@pytest.mark.parametrize(
    "other",
    [f"{LIST}&limit=5", "works?select=title", "works?order=title&select=title", "editions?select=title&order=title"],
)
def test_the_tag_of_another_question_takes_no_short_cut(site, other):
    choir, librarian = scene(site)
    tag = tag_of(librarian.get(LIST))
    with statements(site, choir) as ran:
        librarian.get(other, if_none_match=tag)
        assert ran != []


def test_another_form_is_another_question(site):
    _, librarian = scene(site)
    tag = tag_of(librarian.get(LIST))
    assert librarian.get(LIST, if_none_match=tag, accept="text/csv").status == 200
    assert librarian.get(LIST, if_none_match=tag, prefer="count=exact").header("content-range") == "0-0/1"


def test_a_tag_is_good_for_its_own_caller_alone(site):
    choir, librarian = scene(site)
    tag = tag_of(librarian.get(LIST))
    guest = site.guest("aurora")
    assert guest.get(LIST, if_none_match=tag).json() == []
    member = guest.with_token(site.api_token(choir, "member"))
    with statements(site, choir) as ran:
        # What the member sees is the same; that it is so is found out by reading.
        assert member.get(LIST, if_none_match=tag).status == 304
        assert ran != []
    stranger = make_choir(site, "harmonia")
    there = site.guest("harmonia").with_token(site.api_token(stranger, "librarian"))
    assert there.get(LIST, if_none_match=tag).json() == []


def test_a_right_that_was_taken_away_shows_at_once(site):
    choir, _ = scene(site)
    kadri = site.add_member(choir, "Kadri", "kadri@x.example", ["librarian"])
    person = site.sign_in("aurora", "kadri@x.example")
    held = tag_of(person.get("member_roles?select=role"))
    assert person.get("member_roles?select=role", if_none_match=held).status == 304
    owner = site.guest("aurora").with_token(site.api_token(choir, "owner"))
    owner.done("member.remove", member_id=kadri)
    assert person.get("member_roles?select=role", if_none_match=held).json() == []


def test_another_release_with_other_rights_knows_no_tag_of_the_last(site):
    choir, _ = scene(site)
    charter = site.services.charter(choir.entry)
    fewer = replace(charter, roles={**charter.roles, "owner": frozenset({"member"})})
    works = charter.resource("works")
    assert works is not None
    hiding = replace(charter, resources=(replace(works, hidden=frozenset({"lyricist"})), *charter.resources[1:]))
    digests = {unchanged._declared(known) for known in (charter, fewer, hiding, replace(charter))}
    assert len(digests) == 3


def test_one_row_keeps_the_parts_that_if_match_takes(site):
    _, librarian = scene(site)
    accept = {"accept": "application/vnd.pgrst.object+json"}
    tag = tag_of(librarian.get("works?title=eq.Locus%20iste", **accept))
    assert librarian.get("works?title=eq.Locus%20iste", if_none_match=tag, **accept).header("etag") == tag
    librarian.add("works", {"title": "Os justi"})
    changed = librarian.send("PATCH", f"{REST}/works?title=eq.Locus%20iste", {"composer": "Bruckner"}, if_match=tag)
    assert changed.status == 204
    late = librarian.send("PATCH", f"{REST}/works?title=eq.Locus%20iste", {"composer": "x"}, if_match=tag)
    assert late.status == 412


@pytest.mark.parametrize(
    ("sql", "timeless"),
    [
        ("org_id = :scope", True),
        ("starts_at > :now", False),
        ("starts_at > strftime('%s', 'now')", False),
        ("day = CURRENT_DATE", False),
        ("unixepoch() > 1", False),
        ("random() > 0", False),
        ("snow = 1 AND known", True),
    ],
)
def test_sql_that_asks_for_the_time_is_known(sql, timeless):
    assert is_timeless(sql) is timeless
