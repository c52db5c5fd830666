"""What the engine reports: declared records, written by one function as a line of JSON. Holds no tenant's data."""

import json
import logging
from dataclasses import dataclass, fields
from typing import Any, cast

_LOG = logging.getLogger("vaultry")


class Event:
    """Base of every record: a frozen dataclass of plain values."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CacheRebuilt(Event):
    """The local file of a vault was made anew from the log. reason: missing, stale, damaged or edited."""

    vault: str
    txid: int
    reason: str


@dataclass(frozen=True, slots=True)
class EditKept(Event):
    """Somebody wrote to the local file by hand; the copy with those changes was kept at `path`."""

    vault: str
    path: str


@dataclass(frozen=True, slots=True)
class RaceLost(Event):
    """Another writer made commit `txid` first; `works` transactions run again."""

    vault: str
    txid: int
    works: int


@dataclass(frozen=True, slots=True)
class OutcomeLost(Event):
    """The store never said whether commit `txid` was made; its `works` callers were told so."""

    vault: str
    txid: int
    works: int


@dataclass(frozen=True, slots=True)
class SnapshotMade(Event):
    """A file with every page was stored; `size` in bytes."""

    vault: str
    txid: int
    size: int


@dataclass(frozen=True, slots=True)
class LogPruned(Event):
    """`objects` files that no restore within the retention needs were removed."""

    vault: str
    objects: int


@dataclass(frozen=True, slots=True)
class StepApplied(Event):
    """A migration step was committed."""

    vault: str
    step: str
    txid: int


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A migration step failed; the vault stays at the step before."""

    vault: str
    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class DrillFailed(Event):
    """The store does not give a vault back as it is: an alarm. findings: tables and counts, never values."""

    vault: str
    bookmark: str
    findings: list[str]


@dataclass(frozen=True, slots=True)
class DrillNotDone(Event):
    """A vault could not be drilled now, which says nothing about its backup; it stays due. error: kind of error."""

    vault: str
    error: str


def emit(event: Event) -> None:
    """Write one event to the log at level info."""
    _LOG.info("%s", json.dumps({"event": type(event).__name__, **_values(event)}, separators=(",", ":")))


def _values(event: Event) -> dict[str, Any]:
    return {known.name: getattr(event, known.name) for known in fields(cast("Any", event))}
