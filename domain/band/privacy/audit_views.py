"""The audit log as the band's administrators read it: listed, counted, taken along. Changes nothing but a note of that.

It is the platform's own log, in which every change of every row stands; here it is only told in the band's words.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from db.audit.reading import AuditEntry, AuditFilter, audit_entries
from db.clock import Moment
from db.fields import Choice, Field, Integer, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.band.days import LAST_MOMENT, DayOrInstant
from domain.band.privacy.audit_words import MODELS, TABLES, action_of, shown_values
from domain.charter import Args, Verb

PER_PAGE, MOST_PER_PAGE, MOST_EXPORTED, TOP = 50, 100, 10_000, 10
# A row of this table is about a row of another one.
FORGOTTEN = "vaultry_forgotten"
_NAME = "SELECT name FROM users WHERE id = :id"
_SETTING = "SELECT key FROM system_settings WHERE id = :id"
_KINDS = {"job": "System", "system": "System", "guest": "Anonymous", "operator": "System", "token": "API token"}


def _entries(
    tx: ReadTx, args: Args, *, before: int | None = None, since: str | None = None
) -> Iterator[dict[str, Any]]:
    """The rows that the filters let through, the newest first."""
    wanted = AuditFilter(
        actor=args.get("user_id"),
        tables=_tables(args.get("entity_type")),
        row_id=args.get("entity_id"),
        since=args.get("date_from") or since,
        until=args.get("date_to"),
        before=before,
    )
    names = _names(tx)
    action, user_name = (args.get(name) for name in ("action", "user_name"))
    for entry in audit_entries(tx, wanted):
        told = _told(tx, entry, names)
        if args.get("entity_type") not in (None, told["entity_type"]):
            continue
        if action is not None and action.upper() not in told["action"]:
            continue
        if user_name is not None and user_name.casefold() not in told["user_name"].casefold():
            continue
        yield told


def _tables(entity_type: str | None) -> tuple[str, ...] | None:
    return None if entity_type is None else (TABLES.get(entity_type, entity_type), FORGOTTEN)


def _names(tx: ReadTx) -> Any:
    """Looks up what an actor is called: a user's name, also of one whose row is gone."""

    @cache
    def called(actor: str, kind: str) -> tuple[str | None, str]:
        if kind != "person":
            return None, _KINDS.get(kind, kind)
        row = tx.row(_NAME, id=actor)
        if row is not None:
            return actor, row["name"] or "user"
        return None, _name_of_gone(tx, actor) or "user"

    return called


def _name_of_gone(tx: ReadTx, user_id: str) -> str | None:
    """The name that a user had when the row was deleted."""
    for entry in audit_entries(tx, AuditFilter(tables=("users",), row_id=user_id)):
        old, _ = entry.values(tx)
        if entry.operation == "delete" and old is not None:
            return old.get("name")
    return None


def _told(tx: ReadTx, entry: AuditEntry, names: Any) -> dict[str, Any]:
    user_id, user_name = names(entry.actor, entry.actor_kind)
    old, new = entry.values(tx)
    setting = tx.value(_SETTING, id=entry.row_id) if entry.table == "system_settings" else None
    forgotten = entry.table == FORGOTTEN
    table = str((new or {}).get("table_name")) if forgotten else entry.table
    return {
        "id": entry.seq,
        "timestamp": entry.at,
        "user_id": user_id,
        "user_name": user_name,
        "action": action_of(entry.verb, entry.operation, entry.table, new),
        "entity_type": MODELS.get(table, table),
        "entity_id": (new or {}).get("row_key") if forgotten else entry.row_id,
        "old_values": shown_values(entry.table, old, setting),
        "new_values": None if forgotten else shown_values(entry.table, new, setting),
    }


def list_entries(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """A page of rows, the newest first; the `id` of the last is `before` of the next page."""
    limit = args.get("limit") or PER_PAGE
    found: list[dict[str, Any]] = []
    for entry in _entries(tx, args, before=args.get("before")):
        found.append(entry)
        if len(found) == limit:
            break
    return found


def stats(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many rows of the last days, and the ten commonest actions, models and names."""
    since = now.later(seconds=-86400 * (args.get("days") or 30))
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("action", "entity_type", "user_name")}
    total = 0
    for entry in _entries(tx, {}, since=since):
        total += 1
        for name, counter in counts.items():
            counter[entry[name]] += 1
    tops = {name: [{"name": key, "count": n} for key, n in _top(counter)] for name, counter in counts.items()}
    return {"total": total, **tops}


def _top(counter: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def export(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """At most 10,000 rows under a file name, as CSV text or as rows; the log itself notes the filters and the count."""
    form = args.get("format") or "csv"
    rows: list[dict[str, Any]] = []
    for entry in _entries(tx, args):
        rows.append(entry)
        if len(rows) == MOST_EXPORTED:
            break
    given = {name: value for name, value in args.items() if name not in ("format", "user_name")}
    tx.note("audit", {"action": "EXPORT", "filters": given, "rows": len(rows)})
    named = f"audit-export-{now.text[:10]}.{form}"
    return {"file_name": named, "rows": rows} if form == "json" else {"file_name": named, "csv": _csv(rows)}


def _csv(rows: list[dict[str, Any]]) -> str:
    """Every cell quoted. The platform keeps no network address with a change, so that column is empty."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(
        ("ID", "Timestamp", "User ID", "User Name", "IP Address", "Action", "Entity Type", "Entity ID", "Old Values",
         "New Values")
    )  # fmt: skip
    for row in rows:
        values = ("" if row[name] is None else json.dumps(row[name], ensure_ascii=False) for name in _VALUES)
        writer.writerow((row["id"], row["timestamp"], row["user_id"] or "", _safe(row["user_name"]), "",
                         row["action"], row["entity_type"], row["entity_id"] or "", *values))  # fmt: skip
    return text.getvalue().removesuffix("\n")


_VALUES = ("old_values", "new_values")


def _safe(text: str) -> str:
    """The text as a spreadsheet shows it: one that begins like a formula gets an apostrophe."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


_VIEW = ("audit.view",)
_FILTERS: dict[str, Field] = {
    "user_id": Text(),
    "user_name": Text(),
    "action": Text(),
    "entity_type": Text(),
    "entity_id": Text(),
    "date_from": DayOrInstant(),
    "date_to": DayOrInstant(at=LAST_MOMENT),
}

VERBS = (
    Verb(
        "audit.list",
        list_entries,
        False,
        "Who changed what, the newest first.",
        _VIEW,
        {**_FILTERS, "limit": Integer(minimum=1, maximum=MOST_PER_PAGE), "before": Integer(minimum=1)},
    ),
    Verb(
        "audit.stats",
        stats,
        False,
        "What the audit log counts over the last days.",
        _VIEW,
        {"days": Integer(minimum=1, maximum=366)},
    ),
    Verb(
        "audit.export",
        export,
        True,
        "The audit log for a spreadsheet or as JSON, 10,000 rows at most.",
        _VIEW,
        {**_FILTERS, "format": Choice(("csv", "json"))},
    ),
)
