"""Policies of an own schema put in force, all of them at once. Knows the two tables; no charter."""

import json
from typing import Any

from db.errors import Invalid
from db.policies.conditions import check_condition
from db.policies.declared import Declared, document_of, parse_document, read_stored
from db.schema.schema import Schema
from db.sql.rules import RESERVED_PREFIX
from db.transaction import WriteTx

_PUT_TABLE = """
INSERT INTO vaultry_policies (table_name, declared) VALUES (:name, :text)
ON CONFLICT (table_name) DO UPDATE SET declared = excluded.declared WHERE declared <> excluded.declared
"""
_PUT_ROLE = """
INSERT INTO vaultry_roles (role, permissions) VALUES (:name, :text)
ON CONFLICT (role) DO UPDATE SET permissions = excluded.permissions WHERE permissions <> excluded.permissions
"""


def apply_policies(tx: WriteTx, schema: Schema, document: Any, words: frozenset[str]) -> list[str]:
    """Make the document all that is declared; the names of tables and roles whose declaration changed.

    words: what the server can fill in. Raises Invalid (policies_invalid) and changes nothing.
    """
    declared = parse_document(document)
    _check(tx, schema, declared, words)
    before = document_of(read_stored(tx))
    changed: list[str] = []
    for name, said in document.get("tables", {}).items():
        changed += [name] * bool(tx.execute(_PUT_TABLE, name=name, text=_text(said)))
    for name, said in document.get("roles", {}).items():
        changed += [name] * bool(tx.execute(_PUT_ROLE, name=name, text=_text(said)))
    for name in set(before["tables"]) - set(declared.tables):
        changed += [name] * tx.execute("DELETE FROM vaultry_policies WHERE table_name = :name", name=name)
    for name in set(before["roles"]) - set(declared.roles):
        changed += [name] * tx.execute("DELETE FROM vaultry_roles WHERE role = :name", name=name)
    return sorted(changed)


def _check(tx: WriteTx, schema: Schema, declared: Declared, words: frozenset[str]) -> None:
    for name, said in declared.tables.items():
        table = schema.tables.get(name)
        if table is None or name.lower().startswith(RESERVED_PREFIX):
            raise _wrong(name, "no such table; make it first, and write its name as it was made")
        unknown = next((column for column in said.columns if table.column(column) is None), None)
        if unknown is not None:
            raise _wrong(name, f"no column {unknown}")
        for column, word in (*said.supplied.items(), *said.touched.items()):
            if word not in words:
                raise _wrong(name, f"{column}: got {word!r}, wanted one of {', '.join(sorted(words))}")
        for policies in said.policies.values():
            for policy in policies:
                check_condition(tx, name, policy.where)


def _text(said: Any) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _wrong(table: str, message: str) -> Invalid:
    return Invalid(f"{table}: {message}", code="policies_invalid", field=table)
