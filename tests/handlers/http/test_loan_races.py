"""Two librarians and one copy, at two processes over one store: one lends it, the other is told that it is out."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handlers.server import server_app
from tests.handlers.http.asgi_client import Answer, Client
from tests.handlers.http.shelves import JAAN, MARI, Aurora, copies, edition, make_aurora
from tests.handlers.http.site import Caller, Clock, Site, make_site, refused
from tests.moto_s3 import moto_s3

ROUNDS = 4


@pytest.fixture(params=["directory", "s3"])
def doors(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Site]]:
    """Two processes over one store."""
    clock = Clock()
    if request.param == "directory":
        yield from _two(tmp_path, clock)
        return
    with moto_s3() as s3:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
        # What signs tokens has to be said where no folder can keep it.
        yield from _two(tmp_path, clock, store=f"s3://{s3.bucket}/races?region={s3.region}", s3_endpoint=s3.endpoint,
                        secret="test-secret-" * 4)  # fmt: skip


def _two(folder: Path, clock: Clock, **settings: str) -> Iterator[list[Site]]:
    sites = [
        make_site(folder, clock, cache=str(folder / f"cache-{number}"), commit_attempts="200", **settings)
        for number in range(2)
    ]
    yield sites
    for site in sites:
        site.services.close()


def desks(doors: list[Site]) -> tuple[Aurora, list[Caller]]:
    """The choir, and Mari at both doors."""
    aurora = make_aurora(doors[0])
    token = aurora.as_(MARI).token
    return aurora, [Caller(Client(server_app(site.services)), "aurora", token) for site in doors]


def at_once(callers: list[Caller], verb: str, *each: dict[str, object]) -> list[Answer]:
    """The answers to calls made together, each at the other door than the one before."""
    with ThreadPoolExecutor(len(each)) as pool:
        asked = [pool.submit(callers[n % 2].call, verb, **args) for n, args in enumerate(each)]
        return [future.result() for future in asked]


def one_won(answers: list[Answer], code: str) -> bool:
    """Whether exactly one succeeded, and each of the others was refused so."""
    assert Counter(answer.status for answer in answers) == {200: 1, 409: len(answers) - 1}
    return {refused(answer)[1] for answer in answers if answer.status == 409} == {code}


def test_of_two_librarians_who_lend_one_copy_one_wins(doors):
    aurora, callers = desks(doors)
    made = edition(callers[0])
    for copy_id in copies(callers[0], made, ROUNDS):
        wishes = [{"copy_id": copy_id, "member_id": aurora.ids[name]} for name in ("Kadri", "Tõnu", "Jaan", "Mari")]
        assert one_won(at_once(callers, "copy.assign", *wishes), "copy_on_loan")
    assert len(callers[1].done("copy.holders", edition_id=made)) == ROUNDS


def test_two_batches_at_once_number_every_copy_once(doors):
    _, callers = desks(doors)
    made = edition(callers[0])
    batch = {"edition_id": made, "count": 5, "prefix": "M"}
    assert [answer.status for answer in at_once(callers, "copy.add_batch", *[batch] * 4)] == [200] * 4
    listed = [copy["copy_number"] for copy in callers[0].done("copy.list", edition_id=made)]
    assert listed == [f"M-{number:02d}" for number in range(1, 21)]


def test_a_loan_that_two_take_back_is_closed_once(doors):
    aurora, callers = desks(doors)
    copy_id = copies(callers[0], edition(callers[0]))[0]
    loan = callers[0].done("copy.assign", copy_id=copy_id, member_id=aurora.ids["Kadri"])["id"]
    back = {"copy_id": copy_id, "assignment_id": loan}
    assert one_won(at_once(callers, "copy.return", *[back] * 4), "already_returned")


def test_a_complaint_that_two_process_is_decided_once(doors):
    aurora, callers = desks(doors)
    made = edition(callers[0])
    complaint = {"edition_id": made, "claimant_name": "C", "claimant_email": "c@x.example", "reason": "Mine."}
    complaint_id = aurora.guest.done("takedown.submit", **complaint, attestation=True)["id"]
    token = aurora.as_(JAAN).token
    deciding = [caller.with_token(token) for caller in callers]
    wishes = [{"id": complaint_id, "action": action} for action in ("approve", "reject", "approve", "reject")]
    assert one_won(at_once(deciding, "takedown.process", *wishes), "already_processed")
