"""Totals that need not be exact: from SQLite's statistics where those tell nothing the caller may not know.

`sqlite_stat1`, which ANALYZE fills, counts the rows of a table. It is believed when the caller sees every row of it and
the request has no filter; else the rows are counted. An estimate counts up to a limit first.
"""

from collections.abc import Callable
from dataclasses import replace

from db.rest.plan import ReadPlan
from db.transaction import ReadTx, Row

__all__ = ["counted"]

_STATISTICS = "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1'"
_ROWS = "SELECT max(CAST(stat AS INTEGER)) FROM main.sqlite_stat1 WHERE tbl = :table"


def counted(tx: ReadTx, plan: ReadPlan, most: int, run: Callable[[ReadPlan], Row]) -> tuple[Row, int]:
    """The row of the read and its total. most: rows an estimate counts. run: runs a plan."""
    estimated = plan.count == "estimated" and not plan.root.aggregated
    row = run(replace(plan, count_limit=most + 1)) if estimated else None
    if row is not None and row["total"] <= most:
        return row, row["total"]
    known = _known_rows(tx, plan)
    if known is None:
        exact = run(replace(plan, count="exact"))
        return exact, exact["total"]
    row = row or run(replace(plan, count=None))
    return row, max(known, plan.root.offset + row["returned"])


def _known_rows(tx: ReadTx, plan: ReadPlan) -> int | None:
    """The table's rows by the statistics; None when there are none or they would tell of rows out of sight."""
    root, table = plan.root, plan.tables[0]
    whole = table.where in ("1", "(1)") and not (root.filters or root.inner or root.aggregated or table.source)
    if not whole or tx.value(_STATISTICS) is None:
        return None
    rows: int | None = tx.value(_ROWS, table=root.table)
    return rows
