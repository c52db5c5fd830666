"""Maintenance on Lambda: a plan fills the queue, messages are worked on, what is left or failed comes again."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from db.errors import Invalid, StoreUnavailable, Unavailable
from domain.charter import Founding
from handlers import scheduled
from handlers.jobs.job import JobTotals, Outcome, RoundReport
from handlers.scheduled import MARGIN_MS, SqsQueue, handler, plan_round, work_through
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import provision
from tests.handlers.http.site import OPERATOR, Clock
from tests.test_layers import DEFERRED, modules_after

PLENTY_MS = MARGIN_MS + 60_000
DAY_S = 86_400


@dataclass
class HeldQueue:
    """A queue in memory. full: it takes nothing."""

    batches: list[list[str]] = field(default_factory=list)
    full: bool = False

    def held(self) -> int:
        return len(self.batches)

    def send(self, batches: Sequence[Sequence[str]]) -> None:
        if self.full and batches:
            raise StoreUnavailable("the queue takes nothing")
        self.batches += [list(batch) for batch in batches]


@dataclass
class Time:
    """An invocation that has so many milliseconds left, each time it is asked."""

    left_ms: list[int]

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms.pop(0) if len(self.left_ms) > 1 else self.left_ms[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(tmp_path, clock):
    services = Services(Settings.from_env({"VAULTRY_STORE": (tmp_path / "store").as_uri()}), clock=clock)
    yield services
    services.close()


def found(services: Services, slug: str) -> str:
    return provision(services, "choir", Founding(slug, slug, f"owner@{slug}.example"), OPERATOR).entry.id


def message(number: int, vault_ids: Sequence[str]) -> dict[str, Any]:
    return {"messageId": f"m{number}", "body": json.dumps({"vaults": list(vault_ids)})}


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[list[str]], RoundReport]) -> list[list[str]]:
    """Let a function stand in for the rounds; the batches it was given."""
    given: list[list[str]] = []

    def run_batch(services: Services, vault_ids: list[str], deadline: object) -> RoundReport:
        given.append(list(vault_ids))
        return answer(vault_ids)

    monkeypatch.setattr(scheduled, "run_batch", run_batch)
    return given


def all_done(vault_ids: Sequence[str]) -> RoundReport:
    report = RoundReport(vaults=len(vault_ids))
    for vault_id in vault_ids:
        report.add(Outcome(vault_id, "tokens", {}))
    return report


def metrics(printed: str) -> dict[str, int]:
    """The metrics of all lines in the Embedded Metric Format, added up."""
    totals: dict[str, int] = {}
    for line in printed.splitlines():
        found = json.loads(line)
        (directive,) = found["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("Vaultry", [["Function"]])
        for metric in directive["Metrics"]:
            totals[metric["Name"]] = totals.get(metric["Name"], 0) + found[metric["Name"]]
    return totals


def test_a_plan_puts_every_vault_with_something_due_into_the_queue(services, clock, capsys):
    ids = [found(services, slug) for slug in ("aurora", "harmonia")]
    clock.tick(DAY_S)
    queue = HeldQueue()
    assert plan_round(services, queue) == len(queue.batches)
    assert queue.batches[0] == ["registry"]
    assert sorted(queue.batches[1]) == sorted(ids)
    assert metrics(capsys.readouterr().out) == {"Plans": 1, "VaultsDue": 3}


def test_the_messages_of_a_plan_leave_nothing_due(services, clock, capsys):
    found(services, "aurora")
    clock.tick(DAY_S)
    queue = HeldQueue()
    plan_round(services, queue)
    sent, queue.batches = queue.batches, []
    records = [message(number, batch) for number, batch in enumerate(sent)]
    assert work_through(services, lambda: queue, records, Time([PLENTY_MS])) == []
    assert queue.batches == []
    assert plan_round(services, queue) == 0
    measured = metrics(capsys.readouterr().out)
    assert (measured["VaultsTended"], measured["JobsFailed"], measured["DrillsFailed"]) == (2, 0, 0)


@pytest.mark.parametrize(
    ("held", "sent"),
    [(0, ["a", "b", "c", "d"]), (1, ["a", "c", "d"]), (2, ["a", "d"]), (3, ["a"]), (9, ["a"])],
)
def test_a_plan_leaves_out_as_many_batches_as_the_queue_holds_but_never_the_first(services, monkeypatch, held, sent):
    monkeypatch.setattr(scheduled, "plan", lambda services, now: [["a"], ["b"], ["c"], ["d"]])
    queue = HeldQueue([["of an earlier round"]] * held)
    assert plan_round(services, queue) == len(sent)
    assert [batch[0] for batch in queue.batches[held:]] == sent


def test_a_plan_with_nothing_due_is_measured_all_the_same(services, monkeypatch, capsys):
    monkeypatch.setattr(scheduled, "plan", lambda services, now: [])
    assert plan_round(services, HeldQueue()) == 0
    assert metrics(capsys.readouterr().out) == {"Plans": 1, "VaultsDue": 0}


def test_what_is_left_of_a_batch_goes_into_the_queue_anew(services, monkeypatch, capsys):
    def first_only(vault_ids: list[str]) -> RoundReport:
        report = all_done(vault_ids[:1])
        report.left = vault_ids[1:]
        return report

    answering(monkeypatch, first_only)
    queue = HeldQueue()
    assert work_through(services, lambda: queue, [message(1, ["a", "b", "c"])], Time([PLENTY_MS])) == []
    assert queue.batches == [["b", "c"]]
    assert metrics(capsys.readouterr().out)["VaultsLeft"] == 2


def test_a_message_for_which_no_time_is_left_goes_back_without_being_begun(services, monkeypatch):
    given = answering(monkeypatch, all_done)
    queue = HeldQueue()
    records = [message(1, ["a"]), message(2, ["b"])]
    assert work_through(services, lambda: queue, records, Time([PLENTY_MS, MARGIN_MS])) == []
    assert (given, queue.batches) == ([["a"]], [["b"]])


def test_a_batch_that_got_nowhere_has_failed_and_is_not_sent_round_for_ever(services, monkeypatch):
    answering(monkeypatch, lambda vault_ids: RoundReport(left=vault_ids))
    queue = HeldQueue()
    assert work_through(services, lambda: queue, [message(1, ["a"])], Time([PLENTY_MS])) == ["m1"]
    assert queue.batches == []


def test_a_batch_that_was_worked_on_and_has_work_left_everywhere_goes_on(services, monkeypatch):
    def begun(vault_ids: list[str]) -> RoundReport:
        report = all_done(vault_ids)
        report.left = vault_ids
        return report

    answering(monkeypatch, begun)
    queue = HeldQueue()
    assert work_through(services, lambda: queue, [message(1, ["registry"])], Time([PLENTY_MS])) == []
    assert queue.batches == [["registry"]]


def test_one_message_that_fails_stops_no_other_and_is_reported_alone(services, monkeypatch, caplog):
    def broken(vault_ids: list[str]) -> RoundReport:
        if "b" in vault_ids:
            raise StoreUnavailable("a row of somebody")
        return all_done(vault_ids)

    given = answering(monkeypatch, broken)
    records = [message(1, ["a"]), message(2, ["b"]), {"messageId": "m3", "body": "no JSON"}, message(4, ["d"])]
    with caplog.at_level("INFO", "vaultry"):
        assert work_through(services, HeldQueue, records, Time([PLENTY_MS])) == ["m2", "m3"]
    assert given == [["a"], ["b"], ["d"]]
    failed = [json.loads(line) for line in caplog.messages if "BatchFailed" in line]
    told = [(line["message"], line["error"]) for line in failed]
    assert told == [("m2", "StoreUnavailable"), ("m3", "JSONDecodeError")]
    assert "somebody" not in caplog.text


def test_a_message_whose_rest_cannot_be_sent_on_has_failed(services, monkeypatch):
    def halfway(vault_ids: list[str]) -> RoundReport:
        report = all_done(vault_ids[:1])
        report.left = vault_ids[1:]
        return report

    answering(monkeypatch, halfway)
    records = [message(1, ["a", "b"])]
    assert work_through(services, lambda: HeldQueue(full=True), records, Time([PLENTY_MS])) == ["m1"]


def test_drills_that_failed_are_measured_whether_the_run_or_the_vault_did(services, monkeypatch, capsys):
    def drilled(vault_ids: list[str]) -> RoundReport:
        return RoundReport(vaults=1, jobs={"drill": JobTotals(done=1, failed=1, sums={"passed": 5, "failed": 2})})

    answering(monkeypatch, drilled)
    work_through(services, HeldQueue, [message(1, ["registry"])], Time([PLENTY_MS]))
    assert metrics(capsys.readouterr().out)["DrillsFailed"] == 3


def test_a_batch_without_a_drill_says_nothing_of_drills(services, monkeypatch, capsys):
    answering(monkeypatch, all_done)
    work_through(services, HeldQueue, [message(1, ["a"])], Time([PLENTY_MS]))
    assert "DrillsFailed" not in metrics(capsys.readouterr().out)


def test_an_event_of_another_kind_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduled, "_services", lambda: None)
    with pytest.raises(Invalid, match="detail, source"):
        handler({"source": "aws.s3", "detail": {}}, Time([PLENTY_MS]))


def test_the_door_loads_nothing_that_only_some_rounds_need(tmp_path):
    assert modules_after("import handlers.scheduled", tmp_path) & DEFERRED == set()


class Refusing:
    """SQS that takes all but one entry."""

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        return {"Failed": [{"Id": Entries[-1]["Id"], "Code": "InternalError"}]}


def test_a_batch_that_sqs_did_not_take_is_an_error():
    queue = SqsQueue.__new__(SqsQueue)
    queue._client, queue._url = Refusing(), "https://sqs.example/q"
    with pytest.raises(Unavailable, match="1 of 2 batches were not taken: InternalError"):
        queue.send([["a"], ["b"]])
