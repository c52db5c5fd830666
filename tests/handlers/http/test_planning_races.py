"""Several people plan and record at the same time, in two processes: one of two wins, nothing is lost or doubled."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pytest

from handlers.server import server_app
from tests.handlers.http.asgi_client import Answer, Client
from tests.handlers.http.planning import JAAN, LIIS, MARI, TONU, add_event, add_work, aurora, id_of
from tests.handlers.http.site import Caller, Clock, Site, make_site, refused
from tests.moto_s3 import MotoS3, moto_s3

EACH = 4


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        yield running


@pytest.fixture(params=["directory", "s3"])
def sites(request, tmp_path, clock: Clock) -> Iterator[tuple[Site, Site]]:
    """Two processes over one store."""
    settings = {"secret": "s" * 40, "mail_from": "post@choirs.example", "commit_attempts": "500"}
    if request.param == "s3":
        settings["store"] = request.getfixturevalue("s3").url(f"planning/{tmp_path.name}")
    caches = (str(tmp_path / name) for name in ("one", "other"))
    both = tuple(make_site(tmp_path, clock, cache=cache, **settings) for cache in caches)
    yield both
    for site in both:
        site.services.close()


def doors(sites: tuple[Site, Site], *names: str) -> list[Caller]:
    """Each person once, every second one in the other process."""
    tokens = [sites[0].sign_in("aurora", name).token for name in names]
    clients = [Client(server_app(site.services)) for site in sites]
    return [Caller(clients[number % 2], "aurora", token) for number, token in enumerate(tokens)]


def at_once(calls: list[Callable[[], Answer]]) -> list[Answer]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [running.result() for running in [pool.submit(call) for call in calls]]


def outcomes(answers: list[Answer]) -> Counter[Any]:
    """How often each status, or status and code, came back."""
    return Counter(200 if answer.status == 200 else refused(answer) for answer in answers)


def test_one_of_many_seasons_on_one_day_is_made(sites):
    aurora(sites[0])
    callers = doors(sites, LIIS, JAAN)
    day = {"name": "Spring", "start_date": "2026-01-12"}
    answers = at_once([lambda caller=caller: caller.call("season.create", **day) for caller in callers * EACH])
    assert outcomes(answers) == {200: 1, (409, "duplicate"): 2 * EACH - 1}
    assert [len(caller.done("season.list")) for caller in callers] == [1, 1]


def test_works_added_at_once_get_places_of_their_own_and_one_primary_each(sites):
    aurora(sites[0])
    callers = doors(sites, MARI, JAAN)
    event_id = add_event(callers[0], "2026-03-05T16:00:00Z")
    works = [add_work(callers[0], str(number), **{str(n): {} for n in range(EACH)}) for number in range(EACH)]
    answers = at_once(
        [
            lambda caller=caller, work=work: caller.call("repertoire.add_work", event_id=event_id, work_id=work["work"])
            for work in works
            for caller in callers
        ]
    )
    assert outcomes(answers) == {200: EACH, (409, "duplicate"): EACH}
    listed = callers[1].done("repertoire.get", event_id=event_id)
    assert [row["display_order"] for row in listed] == list(range(EACH))
    item, work = listed[0]["id"], next(work for work in works if work["work"] == listed[0]["work_id"])
    picks = [
        lambda caller=caller, name=name: caller.call(
            "repertoire.add_edition", event_id=event_id, item_id=item, edition_id=work[name], primary=True
        )
        for caller, name in zip(callers * (EACH // 2), map(str, range(EACH)), strict=True)
    ]
    assert outcomes(at_once(picks)) == {200: EACH}
    picked = callers[0].done("repertoire.get", event_id=event_id)[0]["editions"]
    assert sorted(pick["is_primary"] for pick in picked) == [False] * (EACH - 1) + [True]


def test_both_halves_of_a_record_written_at_once_are_kept_in_one_row(sites):
    aurora(sites[0])
    mari, tonu = doors(sites, MARI, TONU)
    event_id, kadri = add_event(mari, "2026-02-01T16:00:00Z"), id_of(mari, "Kadri")
    one = {"event_id": event_id, "member_id": kadri}
    pairs = [
        (
            lambda: mari.call("participation.set", **one, planned_status="late"),
            lambda: tonu.call("participation.set", **one, actual_status="present"),
        )
    ] * EACH
    assert outcomes(at_once(list(chain(*pairs)))) == {200: 2 * EACH}
    rows = mari.rows("participation?select=planned_status,actual_status,recorded_by")
    assert rows == [{"planned_status": "late", "actual_status": "present", "recorded_by": id_of(mari, "Tõnu")}]


def test_two_attendance_lists_sent_at_once_leave_one_row_for_each_member(sites):
    aurora(sites[0])
    callers = doors(sites, MARI, TONU)
    event_id = add_event(callers[0], "2026-02-01T16:00:00Z")
    everybody = [row["id"] for row in callers[0].rows("members?select=id")]

    def record(caller: Caller, status: str) -> Answer:
        entries = [{"member_id": member_id, "actual_status": status} for member_id in everybody]
        return caller.call("participation.set_attendance_bulk", event_id=event_id, entries=entries)

    lists = list(zip(callers, ("present", "absent"), strict=True)) * EACH
    answers = at_once([lambda caller=caller, status=status: record(caller, status) for caller, status in lists])
    assert outcomes(answers) == {200: 2 * EACH}
    rows = callers[0].rows("participation?select=member_id,actual_status")
    assert sorted(row["member_id"] for row in rows) == sorted(everybody)
    # Whole lists one after the other: never a mixture of two.
    assert len({row["actual_status"] for row in rows}) == 1
