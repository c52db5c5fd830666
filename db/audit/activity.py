"""How much was written in a stretch of time, as the audit log tells. Knows counts; not what was written."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.transaction import ReadTx

# Of a busier stretch this much is counted, the newest.
MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Activity:
    """requests: that changed something. rows: changes of rows."""

    requests: int
    rows: int


_NEWEST = "SELECT at, request_id, verb FROM vaultry_audit ORDER BY seq DESC LIMIT :most"


def activity_by_hour(tx: ReadTx, first: str, last: str) -> Mapping[str, Activity]:
    """What was written from one timestamp to another, both included, by the hour, such as 2026-05-01T19:00:00Z."""
    rows: dict[str, int] = {}
    requests: dict[str, set[tuple[str, str]]] = {}
    for row in tx.each(_NEWEST, most=MOST_ROWS):
        if row["at"] < first:
            # The log rises with time.
            break
        if row["at"] <= last:
            hour = f"{row['at'][:13]}:00:00Z"
            rows[hour] = rows.get(hour, 0) + 1
            requests.setdefault(hour, set()).add((row["request_id"], row["verb"]))
    return {hour: Activity(len(requests[hour]), rows[hour]) for hour in sorted(rows)}
