"""Participation: what somebody plans for an event, and what she did. Knows whose word counts; adds nothing up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotFound
from db.fields import TEXT_CHARACTERS, Choice, Field, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.attendance import Answer, has_started, judge_intention, judge_presence
from domain.charter import Args, Verb
from domain.choir.event.events import event_seen
from domain.choir.membership import member_here
from domain.errors import EventNotStarted, RsvpClosed

PLANNED = ("yes", "no", "maybe", "late")
ACTUAL = ("present", "absent", "late")
_ORGANIZATION = "SELECT type, trust_individual_responsibility AS trusted FROM organizations WHERE id = :id"


@dataclass(frozen=True, slots=True)
class CheckedLater(Choice):
    """One of the words, judged only after the event and the member were found: a foreign event stays unknown."""

    def parse(self, value: Any, name: str) -> Any:
        """The value as given; `check` judges it."""
        return value

    def check(self, value: Any, name: str) -> None:
        """Raise Invalid unless it is null or one of the words."""
        if value is not None:
            Choice(self.options).parse(value, name)


_PLANNED, _ACTUAL = CheckedLater(PLANNED), CheckedLater(ACTUAL)


def require_collective(tx: ReadTx, org_id: str) -> None:
    """Raise NotFound at an umbrella, which has no singers of its own and sees figures only.

    A joint event is answered at the address of the singer's choir, by that choir's rules.
    """
    if _organization(tx, org_id)["type"] == "umbrella":
        raise NotFound("an umbrella sees figures only, not who comes", hint="use the address of the choir")


def event_to_attend(tx: ReadTx, org_id: str, event_id: str) -> Row:
    """The event that members of this choir take part in, their own or a joint one. Raises NotFound."""
    event = event_seen(tx, org_id, event_id)
    require_collective(tx, org_id)
    return event


def _organization(tx: ReadTx, org_id: str) -> Row:
    found = tx.row(_ORGANIZATION, id=org_id)
    if found is None:
        raise NotFound("no organization is in effect; use the address of one")
    return found


@dataclass(frozen=True, slots=True)
class Word:
    """What the caller's word counts for in one choir: whether she keeps the list, whether singers are trusted."""

    caller_id: str | None
    recorder: bool
    trusted: bool

    def intention(self, member_id: str, *, started: bool) -> Answer:
        """Whether the caller may say what the member means to do."""
        own = member_id == self.caller_id
        return judge_intention(started=started, own=own, recorder=self.recorder, trusted=self.trusted)

    def presence(self, member_id: str, *, started: bool) -> Answer:
        """Whether the caller may say what the member did."""
        own = member_id == self.caller_id
        return judge_presence(started=started, own=own, recorder=self.recorder, trusted=self.trusted)


def word_of(tx: ReadTx, principal: Principal) -> Word:
    """What the caller's word counts for in the choir in effect."""
    trusted = bool(_organization(tx, principal.scope)["trusted"])
    return Word(principal.id, principal.may("attendance:record"), trusted)


def _refuse(answer: Answer, event: Row) -> NoReturn:
    """Raise what an answer other than "allowed" means."""
    if answer == "not_started":
        raise EventNotStarted(f"the event starts at {event['starts_at']}; attendance is recorded from then on")
    if answer == "closed":
        raise RsvpClosed(f"the event started at {event['starts_at']}; ask a conductor or section leader")
    raise Forbidden("only a conductor or section leader says this, or the person while the choir trusts its singers")


# A half is left as it is unless it is set; a planned half without notes keeps those it has.
_WRITE = """
INSERT INTO participation (id, member_id, event_id, planned_status, planned_at, planned_notes,
                           actual_status, recorded_at, recorded_by, created_at, updated_at)
VALUES (:id, :member_id, :event_id, :planned, iif(:planned IS NULL, NULL, :now), :notes,
        :actual, iif(:actual IS NULL, NULL, :now), iif(:actual IS NULL, NULL, :caller_id), :now, :now)
    ON CONFLICT (member_id, event_id) DO UPDATE
   SET planned_status = iif(:sets_planned, excluded.planned_status, planned_status),
       planned_at = iif(:sets_planned, excluded.planned_at, planned_at),
       planned_notes = CASE WHEN NOT :sets_planned THEN planned_notes
                            WHEN :planned IS NULL OR :sets_notes THEN excluded.planned_notes
                            ELSE planned_notes END,
       actual_status = iif(:sets_actual, excluded.actual_status, actual_status),
       recorded_at = iif(:sets_actual, excluded.recorded_at, recorded_at),
       recorded_by = iif(:sets_actual, excluded.recorded_by, recorded_by),
       updated_at = excluded.updated_at
"""
_RECORD = "SELECT * FROM participation WHERE member_id = :member_id AND event_id = :event_id"


def set_one(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The member's record after setting or clearing either half, or both.

    Raises NotFound, Invalid, Forbidden, RsvpClosed, EventNotStarted; then neither half is changed.
    """
    member_id = args["member_id"]
    event = event_to_attend(tx, principal.scope, args["event_id"])
    member_here(tx, principal.scope, member_id)
    _check_values(args)
    word, started = word_of(tx, principal), has_started(event["starts_at"], now.text)
    if "planned_status" in args and (answer := word.intention(member_id, started=started)) != "allowed":
        _refuse(answer, event)
    if "actual_status" in args and (answer := word.presence(member_id, started=started)) != "allowed":
        _refuse(answer, event)
    tx.execute(
        _WRITE,
        id=now.new_id(),
        member_id=member_id,
        event_id=event["id"],
        planned=args.get("planned_status"),
        notes=args.get("planned_notes"),
        actual=args.get("actual_status"),
        caller_id=principal.id,
        now=now.text,
        sets_planned=int("planned_status" in args),
        sets_notes=int("planned_notes" in args),
        sets_actual=int("actual_status" in args),
    )
    found = tx.row(_RECORD, member_id=member_id, event_id=event["id"])
    return {} if found is None else dict(found)


def _check_values(args: Mapping[str, Any]) -> None:
    """Raise Invalid for a word that is none of the listed ones, for no half at all, and for notes on nothing."""
    if "planned_status" not in args and "actual_status" not in args:
        raise Invalid("got neither planned_status nor actual_status, wanted one or both", field="planned_status")
    _PLANNED.check(args.get("planned_status"), "planned_status")
    _ACTUAL.check(args.get("actual_status"), "actual_status")
    if args.get("planned_notes") is not None and args.get("planned_status") is None:
        raise Invalid("planned_notes: come with a planned_status", field="planned_notes")


_HALVES: dict[str, Field] = {
    "planned_status": _PLANNED,
    "planned_notes": Text(max_characters=TEXT_CHARACTERS),
    "actual_status": _ACTUAL,
}

VERBS = (
    Verb(
        "participation.set",
        set_one,
        True,
        "Set or clear what a member means to do, or did; null clears.",
        ("member",),
        {"event_id": Text(required=True), "member_id": Text(required=True), **_HALVES},
    ),
)
