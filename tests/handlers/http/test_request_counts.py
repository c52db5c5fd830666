"""How often each vault is asked: counted in the process, told to the registry now and then, shown by statistics."""

import pytest

from db.clock import Moment
from db.errors import CommitUnknown, Unavailable
from db.registry.request_counts import total_requests
from handlers.http.request_counter import TOLD_EVERY_MS
from handlers.upkeep.rounds import run_due
from tests.handlers.http.site import make_choir


@pytest.fixture
def choirs(site):
    return [make_choir(site, "harmonia"), make_choir(site, "aurora")]


def total(site, choir) -> int:
    return site.services.registry_read(lambda tx: total_requests(tx, choir.entry.id), current=True)


def test_requests_are_told_apart_by_vault_once_in_five_minutes(site, clock, choirs):
    first, second = choirs
    for choir, times in ((first, 3), (second, 1)):
        for _ in range(times):
            site.guest(choir.slug).get("works")
    assert total(site, first) == 0
    clock.tick(TOLD_EVERY_MS / 1000)
    site.guest(second.slug).get("works")
    assert (total(site, first), total(site, second)) == (3, 2)


def test_what_is_counted_is_told_when_the_process_ends(site, choirs):
    site.guest("harmonia").get("works")
    site.guest("nobody").get("works")
    site.services.close()
    assert total(site, choirs[0]) == 1


@pytest.mark.parametrize(("failure", "later"), [(Unavailable("no store"), 1), (CommitUnknown("no answer"), 0)])
def test_a_count_that_could_not_be_told_waits_unless_it_may_have_been(site, choirs, monkeypatch, failure, later):
    def fail(*_):
        raise failure

    site.guest("harmonia").get("works")
    with monkeypatch.context() as broken:
        broken.setattr(site.services, "registry_write", fail)
        site.services.tell_requests(site.services.requests.take(0))
    site.services.tell_requests(site.services.requests.take(0))
    assert total(site, choirs[0]) == later


def test_statistics_say_how_many_requests_came_since_they_were_last_taken(site, clock, choirs):
    for times in (2, 3):
        for _ in range(times):
            site.guest("harmonia").get("works")
        site.services.tell_requests(site.services.requests.take(0))
        deadline = Moment(clock.ms + 60_000)
        report = run_due(site.services, jobs=["statistics"], vaults=[choirs[0].entry.id], deadline=deadline, force=True)
        assert report.jobs["statistics"].sums["requests"] == times
