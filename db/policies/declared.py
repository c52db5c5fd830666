"""What an operator declares about own tables: JSON in, records out. Knows the form; not whether tables are there."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from db.errors import Invalid
from db.fields import is_json_list, is_json_object
from db.resources import Policy
from db.transaction import ReadTx

# Whoever acts with it may do with every own table what SQL may: operators, and tokens of the role that has its name.
OWNER: Final = "owner"
OPERATIONS: Final = ("read", "insert", "update", "delete")
_LISTS: Final = ("fields", "hidden", "json")
_SUPPLIES: Final = ("supplied", "touched")
_HAS_POLICIES = "SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_roles'"
_POLICIES = "SELECT table_name, declared FROM vaultry_policies ORDER BY table_name"
_ROLES = "SELECT role, permissions FROM vaultry_roles ORDER BY role"

Stored = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]
"""Rows of tables and of roles, as they are kept."""


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """What is said of one table. policies: by operation. fields: columns a client may write, None = all it may see.

    hidden, json: as of a Resource. supplied, touched: by column, the word for what the server fills in.
    """

    table: str
    policies: Mapping[str, tuple[Policy, ...]]
    fields: tuple[str, ...] | None = None
    hidden: frozenset[str] = frozenset()
    json: frozenset[str] = frozenset()
    supplied: Mapping[str, str] = field(default_factory=dict[str, str])
    touched: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def columns(self) -> Iterable[str]:
        """Every column that is named."""
        return (*(self.fields or ()), *self.hidden, *self.json, *self.supplied, *self.touched)


@dataclass(frozen=True, slots=True)
class Declared:
    """All that is said of one vault. roles: permissions of each, the owner's among them."""

    tables: Mapping[str, DeclaredTable]
    roles: Mapping[str, frozenset[str]]


def read_stored(tx: ReadTx) -> Stored:
    """The rows that declare something; none in a vault that keeps no policies yet."""
    if tx.value(_HAS_POLICIES) is None:
        return (), ()
    tables, roles = tx.rows(_POLICIES), tx.rows(_ROLES)
    return tuple((row[0], row[1]) for row in tables), tuple((row[0], row[1]) for row in roles)


def document_of(stored: Stored) -> dict[str, Any]:
    """The document that says the same."""
    tables, roles = stored
    return {
        "roles": {role: json.loads(permissions) for role, permissions in roles},
        "tables": {table: json.loads(text) for table, text in tables},
    }


@lru_cache(maxsize=256)
def declared_of(stored: Stored) -> Declared:
    """What the rows declare."""
    return parse_document(document_of(stored))


def parse_document(document: Any) -> Declared:
    """What a document declares: `{"roles": {role: [permission]}, "tables": {table: {...}}}`.

    Raises Invalid (policies_invalid), which names the place.
    """
    given = _object(document, "the document", ("roles", "tables"))
    roles = {
        role: frozenset(_names(permissions, f"roles.{role}"))
        for role, permissions in _object(given.get("roles", {}), "roles").items()
    }
    if OWNER in roles:
        raise _wrong(f"roles.{OWNER}", "another name: this role is there by itself, and may everything")
    tables = {name: _table(name, said) for name, said in _object(given.get("tables", {}), "tables").items()}
    asked = {
        policy.permission
        for table in tables.values()
        for policies in table.policies.values()
        for policy in policies
        if policy.permission is not None
    }
    every = frozenset(asked).union(*roles.values()) | {OWNER}
    return Declared(tables, {**roles, OWNER: every})


def _table(name: str, said: Any) -> DeclaredTable:
    place = f"tables.{name}"
    given = _object(said, place, (*OPERATIONS, *_LISTS, *_SUPPLIES))
    policies: dict[str, tuple[Policy, ...]] = {
        operation: tuple(_policy(item, f"{place}.{operation}") for item in _list(given[operation], place))
        for operation in OPERATIONS
        if operation in given
    }
    lists = {key: tuple(_names(given[key], f"{place}.{key}")) for key in _LISTS if key in given}
    supplies = {key: _supplies(given[key], f"{place}.{key}") for key in _SUPPLIES if key in given}
    return DeclaredTable(
        name,
        policies,
        lists.get("fields"),
        frozenset(lists.get("hidden", ())),
        frozenset(lists.get("json", ())),
        supplies.get("supplied", {}),
        supplies.get("touched", {}),
    )


def _policy(item: Any, place: str) -> Policy:
    given = _object(item, place, ("permission", "where"))
    permission, where = given.get("permission"), given.get("where", "1")
    if not (permission is None or (isinstance(permission, str) and permission)):
        raise _wrong(f"{place}.permission", "a name, or null for anybody")
    if not isinstance(where, str) or not where.strip():
        raise _wrong(f"{place}.where", "an SQL expression over the table's columns")
    return Policy(permission, where.strip())


def _supplies(given: Any, place: str) -> dict[str, str]:
    named = _object(given, place)
    return {column: next(iter(_names([word], f"{place}.{column}"))) for column, word in named.items()}


def _object(given: Any, place: str, known: tuple[str, ...] | None = None) -> dict[str, Any]:
    if not is_json_object(given):
        raise _wrong(place, "an object")
    unknown = next((name for name in given if known is not None and name not in known), None)
    if unknown is not None:
        raise _wrong(place, f"of {', '.join(known or ())} and not {unknown!r}")
    return given


def _list(given: Any, place: str) -> list[Any]:
    if not is_json_list(given):
        raise _wrong(place, "a list")
    return given


def _names(given: Any, place: str) -> list[str]:
    names = _list(given, place)
    if not all(isinstance(name, str) and name for name in names):
        raise _wrong(place, "a list of names")
    return names


def _wrong(place: str, wanted: str) -> Invalid:
    return Invalid(f"{place}: wanted {wanted}", code="policies_invalid", field=place)
