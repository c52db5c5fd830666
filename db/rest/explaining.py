"""The query plan of a read instead of its rows. Knows EXPLAIN QUERY PLAN; never runs the read itself."""

import json
from typing import Any

from db.rest.media import PLAN_JSON
from db.rest.plan import ReadPlan
from db.rest.sql import read_statement
from db.transaction import ReadTx, Row, Statement

__all__ = ["explained"]


def explained(tx: ReadTx, plan: ReadPlan, media_type: str) -> str:
    """SQLite's plan, as JSON in the shape of Postgres's or as indented text. No figure in it comes from rows."""
    statement = read_statement(plan)
    steps = tx.query(Statement(f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters))
    if media_type == PLAN_JSON:
        return json.dumps([{"Plan": {"Node Type": "Query Plan", "Plans": _below(steps, 0)}}], separators=(",", ":"))
    return "\n".join(_lines(steps, 0, 0))


def _below(steps: list[Row], parent: int) -> list[dict[str, Any]]:
    """The steps under another one."""
    return [
        {
            "Node Type": step["detail"].partition(" ")[0].capitalize(),
            "Detail": step["detail"],
            "Plans": _below(steps, step["id"]),
        }
        for step in steps
        if step["parent"] == parent
    ]


def _lines(steps: list[Row], parent: int, depth: int) -> list[str]:
    """The same as lines, two blanks further in for each level."""
    lines: list[str] = []
    for step in steps:
        if step["parent"] == parent:
            lines += ["  " * depth + step["detail"], *_lines(steps, step["id"], depth + 1)]
    return lines
