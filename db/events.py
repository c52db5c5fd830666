"""What the engine reports: declared records, written by one function as a line of JSON. Holds no tenant's data."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, cast

_LOG = logging.getLogger("vaultry")
# Made once: one event is written for each request, and a new encoder takes longer than what it encodes.
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_SINKS: "list[Callable[[str], object]]" = []
_NAMES: "dict[type[Event], tuple[str, ...]]" = {}


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
    """Write one event: to the sink, where a process has one, else to the log at level info."""
    if _SINKS:
        _SINKS[-1](_ENCODE({"event": type(event).__name__, **_values(event)}))
    elif _LOG.isEnabledFor(logging.INFO):
        _LOG.info(_ENCODE({"event": type(event).__name__, **_values(event)}))


def send_events_to(sink: Callable[[str], object] | None) -> None:
    """Give every event, as a line of JSON, to this instead of the log; None: to the log again.

    For a process that writes one for each request: Python's log takes longer over a record than making the line does.
    """
    _SINKS[:] = [] if sink is None else [sink]


def _values(event: Event) -> dict[str, Any]:
    kind = type(event)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(known.name for known in fields(cast("Any", kind)))
    return {name: getattr(event, name) for name in names}
