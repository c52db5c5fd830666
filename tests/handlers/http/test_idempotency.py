"""Idempotency-Key over HTTP: one effect, the same bytes again, and never anybody else's answer."""

import threading
from collections.abc import Callable

import pytest

from handlers.server import server_app
from tests.handlers.http.asgi_client import Answer, Client
from tests.handlers.http.site import REST, Caller, Choir, Site, error_of, make_choir, refused

KEY = {"idempotency_key": "k-1"}


def scene(site: Site) -> tuple[Choir, Caller]:
    choir = make_choir(site, "aurora")
    return choir, site.sign_in("aurora", choir.owner)


def count(site: Site, choir: Choir) -> int:
    return len(site.vault_rows(choir, "SELECT id FROM works"))


def by_table(caller: Caller, title: str = "Locus iste", **headers: str) -> Answer:
    return caller.add("works", {"title": title}, **headers)


def by_verb(caller: Caller, title: str = "Locus iste", **headers: str) -> Answer:
    return caller.send("POST", f"{REST}/rpc/work.create", {"title": title}, **headers)


DOORS = pytest.mark.parametrize("write", [by_table, by_verb])


@DOORS
def test_a_repeat_gets_the_same_bytes_and_has_no_second_effect(site, clock, write):
    choir, owner = scene(site)
    first = write(owner, **KEY)
    clock.tick(60)
    second = write(owner, **KEY)
    assert (first.status, first.body) == (second.status, second.body)
    assert first.header("content-range") == second.header("content-range")
    assert (first.header("idempotency-replayed"), second.header("idempotency-replayed")) == (None, "true")
    assert second.header("x-d1-bookmark") >= first.header("x-d1-bookmark")
    assert count(site, choir) == 1


@DOORS
def test_a_repeat_is_answered_by_another_process_too(site, write):
    choir, owner = scene(site)
    first = write(owner, **KEY)
    again = site.restart()
    try:
        second = write(Caller(again.client, "aurora", owner.token), **KEY)
        assert (second.body, second.header("idempotency-replayed")) == (first.body, "true")
        assert count(again, choir) == 1
    finally:
        again.services.close()


@DOORS
def test_a_key_that_came_with_another_request_is_refused(site, write):
    choir, owner = scene(site)
    write(owner, **KEY)
    assert refused(write(owner, "Os justi", **KEY)) == (409, "idempotency_key_reused")
    assert refused(write(owner, **KEY, accept="application/vnd.pgrst.object+json")) == (409, "idempotency_key_reused")
    assert count(site, choir) == 1


def test_a_key_is_one_requests_own_whichever_door_it_came_by(site):
    choir, owner = scene(site)
    by_table(owner, **KEY)
    assert refused(by_verb(owner, **KEY)) == (409, "idempotency_key_reused")
    changed = owner.send("PATCH", f"{REST}/works?title=eq.x", {"title": "Locus iste"}, **KEY)
    assert refused(changed) == (409, "idempotency_key_reused")
    assert count(site, choir) == 1


def test_a_refused_request_may_be_repeated_with_its_key(site):
    choir, owner = scene(site)
    site.add_member(choir, "Kadri", "kadri@x.example")
    kadri = site.sign_in("aurora", "kadri@x.example")
    assert refused(by_verb(kadri, **KEY)) == (403, "forbidden")
    member_id = kadri.rows("members?name=eq.Kadri&select=id")[0]["id"]
    owner.done("role.grant", member_id=member_id, role="librarian")
    assert by_verb(kadri, **KEY).status == 200
    assert count(site, choir) == 1


def test_the_key_of_another_person_tenant_or_token_never_replays(site):
    choir, owner = scene(site)
    other = make_choir(site, "harmonia")
    site.add_member(choir, "Mari", "mari@x.example", ["librarian"])
    callers: list[Caller] = [
        owner,
        site.sign_in("aurora", "mari@x.example"),
        owner.with_token(site.api_token(choir, "librarian")),
        owner.with_token(site.api_token(choir, "librarian")),
        owner.with_token(site.api_token(None)),
        site.sign_in("harmonia", other.owner),
    ]
    answers = [by_verb(caller, **KEY) for caller in callers]
    assert [answer.header("idempotency-replayed") for answer in answers] == [None] * 6
    assert len({answer.json()["id"] for answer in answers}) == 6
    assert (count(site, choir), count(site, other)) == (5, 1)
    # A guest has no write to repeat; somebody else's key gives nothing away.
    assert refused(by_verb(site.guest("aurora"), **KEY)) == (401, "not_authenticated")


@pytest.mark.parametrize(("key", "status"), [("", 400), ("x", 200), ("x" * 255, 200), ("x" * 256, 400)])
def test_a_key_has_limits(site, key, status):
    choir, owner = scene(site)
    answer = by_verb(owner, idempotency_key=key)
    assert answer.status == status
    assert count(site, choir) == int(status == 200)
    if status == 400:
        assert "1 to 255" in error_of(answer)["message"]


def at_once(work: Callable[[int], Answer], times: int) -> list[Answer]:
    """The answers of calls that start together."""
    barrier, answers = threading.Barrier(times), dict[int, Answer]()

    def run(number: int) -> None:
        barrier.wait()
        answers[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in sorted(answers)]


@DOORS
def test_the_same_key_at_the_same_time_has_one_effect(site, write):
    choir, owner = scene(site)
    threaded = Caller(Client(server_app(site.services)), "aurora", owner.token)
    answers = at_once(lambda _: write(threaded, **KEY), 8)
    assert len({(answer.status, answer.body) for answer in answers}) == 1
    assert sorted(answer.header("idempotency-replayed") or "" for answer in answers) == [""] + ["true"] * 7
    assert count(site, choir) == 1
