"""Figures of vaults by day, as their charters count them. Knows names and numbers; not what they mean."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from db.clock import Moment
from db.transaction import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What was counted on one day. day: `YYYY-MM-DD`, UTC."""

    day: str
    figures: Mapping[str, int]
    counted_at: str


# A count that says nothing new leaves the line as it is, so a second run has no effect.
_KEEP = """
INSERT INTO daily_figures (vault_id, job, day, figures, counted_at)
VALUES (:vault_id, :job, :day, :figures, :counted_at)
    ON CONFLICT (vault_id, job, day) DO UPDATE SET figures = excluded.figures, counted_at = excluded.counted_at
 WHERE figures <> excluded.figures AND counted_at <= excluded.counted_at
"""


def keep_figures(tx: WriteTx, vault_id: str, job: str, figures: Mapping[str, int], counted: Moment) -> bool:
    """Whether the day's line is new or changed. A count that comes late never replaces a later one of its day."""
    kept = {
        "vault_id": vault_id,
        "job": job,
        "day": counted.text[:10],
        "figures": json.dumps(figures, sort_keys=True, separators=(",", ":")),
        "counted_at": counted.text,
    }
    return bool(tx.execute(_KEEP, **kept))


_DAYS = "SELECT day, figures, counted_at FROM daily_figures WHERE vault_id = :vault_id AND job = :job ORDER BY day"


def days_counted(tx: ReadTx, vault_id: str, job: str) -> list[DayFigures]:
    """Every day on which the job counted the vault, oldest first."""
    rows = tx.rows(_DAYS, vault_id=vault_id, job=job)
    return [DayFigures(row["day"], json.loads(row["figures"]), row["counted_at"]) for row in rows]
