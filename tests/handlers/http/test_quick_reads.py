"""Reads answered where they arrive say what the ordinary way would say, to whom it would say it, and no more."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from handlers.app import create_app
from tests.handlers.http.asgi_client import Answer, Client
from tests.handlers.http.site import Caller, Choir, Site, inline, make_choir

TITLES = ("Ave verum", "Locus iste", "Os justi", 'a,b.(c) "d"')


class Threads:
    """Counts what is handed to a thread."""

    def __init__(self) -> None:
        self.works = 0

    async def __call__(self, work):
        self.works += 1
        return await inline(work)


def scene(site: Site) -> tuple[Choir, Caller, Threads]:
    """The owner of a choir with some works, signed in, at an application that counts."""
    choir, threads = make_choir(site, "aurora"), Threads()
    token = site.sign_in("aurora", choir.owner).token
    owner = Caller(Client(create_app(site.services, threads)), "aurora", token)
    for title in TITLES:
        work = owner.add("works", {"title": title, "composer": "Anton Bruckner"}).json()[0]
        assert owner.add("editions", {"work_id": work["id"], "name": "Peters"}).status == 201
    return choir, owner, threads


@contextmanager
def all_at_once(threads: Threads) -> Iterator[None]:
    before = threads.works
    yield
    assert threads.works == before, "a read was handed to a thread"


def shown(answer: Answer) -> tuple[object, ...]:
    """All of an answer that is not of its own request."""
    headers = sorted(pair for pair in answer.headers if pair[0] != "x-request-id")
    return answer.status, headers, answer.body


QUERIES = (
    "works?title=eq.Locus%20iste",
    "works?select=title,editions(name)&order=title.desc&limit=2&offset=1",
    "works?select=id,title&title=eq.Ave%20verum&composer=eq.Anton%20Bruckner",
    "works?title=eq.a,b.(c)%20%22d%22",
    "works?title=eq.null",
    "works?select=title,editions!inner(name)&editions.name=eq.Peters&order=title",
    "works?or=(title.eq.Os%20justi,title.like.A*)&order=title",
    "editions?file_size=is.null&select=name,works(title)&order=id",
    "editions?file_size=eq.12",
    "members?select=*",
)
WISHES: tuple[dict[str, str], ...] = (
    {},
    {"prefer": "count=exact"},
    {"accept": "application/vnd.pgrst.object+json"},
    {"range": "0-0"},
    {"prefer": "count=planned"},
    {"accept": "text/csv"},
)


@pytest.mark.parametrize("query", QUERIES)
def test_a_read_at_once_is_answered_as_it_is_the_ordinary_way(site, query):
    _, owner, threads = scene(site)
    for wish in WISHES:
        # Whoever names a bookmark is always served the ordinary way.
        ordinary = owner.get(query, x_d1_bookmark="first-primary", **wish)
        assert threads.works
        assert shown(owner.get(query, **wish)) == shown(ordinary)
        assert shown(owner.get(query, **wish)) == shown(ordinary)


def test_a_read_that_was_asked_before_needs_no_thread(site):
    _, owner, threads = scene(site)
    assert owner.get("works?title=eq.Locus%20iste").status == 200
    with all_at_once(threads):
        assert owner.rows("works?title=eq.Locus%20iste")[0]["title"] == "Locus iste"


def test_reads_of_one_shape_share_a_preparation_and_each_has_its_own_rows(site):
    _, owner, threads = scene(site)
    owner.get("works?title=eq.none")
    with all_at_once(threads):
        for title in TITLES:
            found = owner.client.request(
                "GET",
                "/aurora/rest/v1/works",
                query={"title": f"eq.{title}", "select": "title"},
                headers={"authorization": f"Bearer {owner.token}"},
            )
            assert found.json() == [{"title": title}]


def test_a_value_of_another_type_than_its_column_is_refused_as_ever(site):
    _, owner, _ = scene(site)
    assert owner.rows("editions?file_size=eq.1") == []
    for _ in range(2):
        answer = owner.get("editions?file_size=eq.many")
        assert (answer.status, answer.json()["code"]) == (400, "22P02")
    assert owner.get("works?title=eq.%00").json()["code"] == "PGRST100"


def test_a_write_is_seen_by_the_next_read(site):
    _, owner, _ = scene(site)
    for number in range(3):
        owner.rows("works?title=eq.New")
        owner.add("works", {"title": "New"})
        assert len(owner.rows("works?title=eq.New")) == number + 1


def test_a_right_that_was_taken_is_gone_with_the_next_read(site):
    choir, owner, _ = scene(site)
    site.add_member(choir, "Ida", "ida@aurora.example")
    ida = owner.with_token(site.sign_in("aurora", "ida@aurora.example").token)
    for _ in range(2):
        assert len(ida.rows("works")) == len(TITLES)
    site.vault_write(choir, lambda tx: tx.execute("DELETE FROM member_organizations WHERE member_id IN "
                                                  "(SELECT id FROM members WHERE name = 'Ida')"))  # fmt: skip
    assert ida.rows("works") == []
    assert len(owner.rows("works")) == len(TITLES)


def test_guests_and_members_never_get_each_others_rows(site):
    _, owner, threads = scene(site)
    guest = Caller(owner.client, "aurora")
    for _ in range(2):
        assert len(owner.rows("works")) == len(TITLES)
        assert guest.rows("works") == []
    with all_at_once(threads):
        assert guest.rows("works") == []


def test_the_token_of_one_vault_opens_no_other(site):
    _, owner, _ = scene(site)
    make_choir(site, "borealis")
    site.guest("borealis").get("works")
    owner.rows("works")
    for _ in range(2):
        assert owner.at("borealis").get("works").status == 403


def test_a_token_ends_on_time_and_with_its_key(site, clock):
    _, owner, _ = scene(site)
    owner.rows("works")
    assert owner.with_token(owner.token[:-4] + "AAAA").get("works").status == 401
    clock.tick(15 * 60)
    assert owner.get("works").status == 401


def test_a_suspended_vault_is_closed_at_once(site):
    from db.registry.directory import suspend_vault
    from tests.handlers.http.site import OPERATOR

    choir, owner, _ = scene(site)
    owner.rows("works")
    site.services.registry_write(lambda tx: suspend_vault(tx, choir.entry.id, site.clock()), OPERATOR, site.clock())
    assert owner.get("works").json()["code"] == "vault_suspended"


def test_a_read_that_takes_too_long_goes_the_ordinary_way_with_the_same_answer(site, monkeypatch):
    _, owner, threads = scene(site)
    monkeypatch.setattr("handlers.rest.quick_read.MOST_S", -1.0)
    monkeypatch.setattr("db.bounded._STEPS", 1)
    before = owner.rows("works?order=title&select=title")
    works = threads.works
    assert owner.rows("works?order=title&select=title") == before
    assert threads.works > works


def test_requests_served_at_once_are_counted(site):
    choir, owner, _ = scene(site)
    site.services.requests.take(site.clock().ms)
    owner.rows("works")
    owner.rows("works")
    assert site.services.requests.take(site.clock().ms)[choir.entry.id] == 2


def test_over_a_network_nothing_is_served_at_once(site, monkeypatch):
    monkeypatch.setattr("handlers.app.DirectoryStore", type("Elsewhere", (), {}))
    _, owner, threads = scene(site)
    owner.rows("works")
    before = threads.works
    owner.rows("works")
    assert threads.works == before + 1
