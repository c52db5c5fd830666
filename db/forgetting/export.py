"""Everything a vault holds about one person, as rows by table. Knows declarations; not who may have it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from db.forgetting.declared import People
from db.forgetting.sealing import unsealed
from db.json_sql import identifier
from db.resources import Resource
from db.transaction import ReadTx, Statement

_LOG = """
SELECT at, actor, verb, operation, table_name, old_values, new_values FROM vaultry_audit
 WHERE operation <> 'note' AND table_name = :table AND row_key = json_array(:key) ORDER BY seq
"""
_COLUMNS = "SELECT name FROM pragma_table_info(:table) ORDER BY cid"


def rows_about(
    tx: ReadTx, people: People, resources: Sequence[Resource], persons: Iterable[tuple[str, str]]
) -> dict[str, list[dict[str, Any]]]:
    """The rows about these rows of people (table and key) by table, sealed columns opened, hidden ones left out."""
    declared = {resource.table: resource for resource in resources}
    found: dict[str, list[dict[str, Any]]] = {}
    for person_table, key in persons:
        for table, column in people.about[person_table].items():
            resource = declared.get(table)
            none = frozenset[str]()
            hidden, personal = (resource.hidden, resource.personal) if resource else (none, none)
            names = [row["name"] for row in tx.rows(_COLUMNS, table=table) if row["name"] not in hidden]
            rows = tx.query(_select(table, names, personal, column, key))
            found.setdefault(table, []).extend(dict(row) for row in rows)
    return found


def _select(table: str, names: Sequence[str], personal: frozenset[str], column: str, key: str) -> Statement:
    shown = [
        f"personal_open('{table}.{name}', {identifier(name)}) AS {identifier(name)}" if name in personal else
        identifier(name)
        for name in names
    ]  # fmt: skip
    text = f"SELECT {', '.join(shown)} FROM main.{identifier(table)} WHERE {identifier(column)} = :key ORDER BY 1"
    return Statement(text, {"key": key})


def changes_of(tx: ReadTx, persons: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """What the audit log tells of these rows of people, the oldest change first in each."""
    changes = [(table, dict(row)) for table, key in persons for row in tx.rows(_LOG, table=table, key=key)]
    sides = ("old_values", "new_values")
    return [{**change, **{side: opened(tx, table, change[side]) for side in sides}} for table, change in changes]


def opened(tx: ReadTx, table: str, text: str | None) -> Mapping[str, Any] | None:
    """The values of an audit row with those opened whose keys are still there."""
    if text is None:
        return None
    return {name: unsealed(tx, f"{table}.{name}", value) for name, value in json.loads(text).items()}
