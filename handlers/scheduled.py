"""The Lambda entry for maintenance: a schedule plans a round, a queue brings its batches. Knows two events; no job.

`{"task": "plan"}`, sent by a schedule, asks which vaults have something due and puts them into the queue, one batch to
a message. The queue hands the messages back, to as many copies of this function as it may run. Killed anywhere, nothing
is lost: a message that was not answered for comes again, and the next plan finds whatever is due.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from db.clock import Moment
from db.errors import Invalid, Unavailable
from db.events import Event, emit
from handlers.app import configure_log
from handlers.jobs.job import RoundReport
from handlers.services import Services
from handlers.settings import Settings
from handlers.upkeep.rounds import plan, run_batch

# Kept back of an invocation's time: for the job that is under way at the deadline, and for sending on what is left.
MARGIN_MS = 20_000
SQS_BATCH = 10
NAMESPACE = "Vaultry"
DRILL = "drill"


class Context(Protocol):
    """What Lambda says of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the process."""
        ...


class Queue(Protocol):
    """Where batches wait."""

    def held(self) -> int:
        """About how many batches it holds, those being worked on among them."""
        ...

    def send(self, batches: Sequence[Sequence[str]]) -> None:
        """Add batches of vault ids. Raises Unavailable when one of them was not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """A round was planned. due: batches with something to do; held: in the queue already; sent: added now."""

    due: int
    held: int
    sent: int


@dataclass(frozen=True, slots=True)
class BatchFailed(Event):
    """A batch could not be worked on and comes again, or goes to the dead letters. at: where it happened."""

    message: str
    error: str
    at: str


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Serve one event. Raises Invalid for one that is neither of the two."""
    services = _services()
    if event.get("task") == "plan":
        return {"sent": plan_round(services, _queue())}
    if "Records" in event:
        failed = work_through(services, _queue, event["Records"], context)
        return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
    raise Invalid(f'event with {", ".join(sorted(event)) or "nothing"}: wanted {{"task": "plan"}} or messages of SQS')


def plan_round(services: Services, queue: Queue) -> int:
    """Send the batches that are due; how many there were.

    What the queue holds of earlier rounds is due still, and stands at the front, the longest overdue: so many batches
    are left out, or a queue that is slow would fill up with the same vaults. The first one is always sent: a batch that
    fails again and again is held for hours, and must not keep the registry from its turn.
    """
    batches, held = plan(services, services.clock()), queue.held()
    sent = batches[:1] + batches[1 + held :]
    queue.send(sent)
    emit(Planned(len(batches), held, len(sent)))
    _measure(services, Plans=1, VaultsDue=sum(map(len, batches)))
    return len(sent)


def work_through(
    services: Services, queue: Callable[[], Queue], records: Sequence[Mapping[str, Any]], context: Context
) -> list[str]:
    """Run the batches of the messages while there is time; the ids of the messages that failed.

    What is left of a batch goes into the queue anew, so that being slow is not counted as failing.
    """
    failed: list[str] = []
    for record in records:
        try:
            vault_ids: list[str] = json.loads(record["body"])["vaults"]
            remaining_ms = context.get_remaining_time_in_millis() - MARGIN_MS
            left = _run(services, vault_ids, remaining_ms) if remaining_ms > 0 else vault_ids
            if left:
                queue().send([left])
        except Exception as exc:
            place = traceback.extract_tb(exc.__traceback__)[-1]
            # Not the text of the error: it may quote a row.
            emit(BatchFailed(record["messageId"], type(exc).__name__, f"{place.filename}:{place.lineno}"))
            failed.append(record["messageId"])
    return failed


def _run(services: Services, vault_ids: list[str], remaining_ms: int) -> list[str]:
    """Run one batch and report on it; the ids that were not reached.

    Raises Unavailable when there was time and not one job was run: such a batch would go round for ever.
    """
    report: RoundReport = run_batch(services, vault_ids, Moment(services.clock().ms + remaining_ms))
    drills = report.jobs.get(DRILL)
    measured = {"VaultsTended": report.vaults, "JobsFailed": report.failed, "VaultsLeft": len(report.left)}
    if drills is not None:
        measured["DrillsFailed"] = drills.failed + drills.sums.get("failed", 0)
    _measure(services, **measured)
    if len(report.left) == len(vault_ids) and not report.runs:
        raise Unavailable(f"no job was run on {len(report.left)} vaults in {remaining_ms} ms")
    return report.left


def _measure(services: Services, **values: int) -> None:
    """Write metrics as a log line of CloudWatch's Embedded Metric Format: no call, and no right to make one.

    Straight to standard output: the line must be JSON and nothing else.
    """
    metrics = [{"Name": name, "Unit": "Count"} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics}
    line = {
        "_aws": {"Timestamp": services.clock().ms, "CloudWatchMetrics": [directive]},
        "Function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        **values,
    }
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


class SqsQueue:
    """A queue of Amazon SQS. url: as SQS gives it."""

    def __init__(self, url: str) -> None:
        # Here: 250 ms that only planning and sending on cost. By name: boto3 makes its clients' types at run time.
        boto3: Any = import_module("boto3")
        self._client = boto3.client("sqs")
        self._url = url

    def held(self) -> int:
        """As in Queue."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=wanted)
        return sum(int(found["Attributes"][name]) for name in wanted)

    def send(self, batches: Sequence[Sequence[str]]) -> None:
        """As in Queue; ten batches in a request."""
        entries = [
            {"Id": str(number), "MessageBody": json.dumps({"vaults": list(batch)}, separators=(",", ":"))}
            for number, batch in enumerate(batches)
        ]
        for start in range(0, len(entries), SQS_BATCH):
            sent = self._client.send_message_batch(QueueUrl=self._url, Entries=entries[start : start + SQS_BATCH])
            if refused := sent.get("Failed"):
                raise Unavailable(f"{len(refused)} of {len(entries)} batches were not taken: {refused[0]['Code']}")


@cache
def _services() -> Services:
    settings = Settings.from_env(os.environ)
    configure_log(settings.log)
    return Services(settings)


@cache
def _queue() -> Queue:
    url = _services().settings.queue
    if not url:
        raise Invalid("VAULTRY_QUEUE: missing; maintenance on Lambda needs a queue", code="setting_invalid")
    return SqsQueue(url)
