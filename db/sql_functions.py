"""SQL functions of our own, for every connection that runs charter SQL. Knows ciphers and text; not tables."""

import sqlite3
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from db.errors import VaultError
from db.personal import PersonalCipher, lookup_value, open_value, seal_value
from db.transaction import SqlValue


def register_functions(connection: sqlite3.Connection, cipher: PersonalCipher | None) -> None:
    """Register casefold(x), the tests REST asks for by name and, with a cipher, personal_seal, personal_open and
    personal_lookup; without one those three fail.

    Call it again with another cipher, or with None, before the connection serves something else.
    """
    connection.create_function("casefold", 1, casefold, deterministic=True)
    for name, arguments, function in _RARE:
        connection.create_function(name, arguments, function, deterministic=True)
    # Passing None to remove a function registers None itself (CPython 3.11), so there is one that refuses.
    seal, unseal, hashed = (
        (partial(seal_value, cipher), partial(open_value, cipher), partial(lookup_value, cipher))
        if cipher
        else (_refuse, _refuse, _refuse)
    )
    # Not deterministic: each row gets a nonce of its own.
    connection.create_function("personal_seal", 2, seal)
    connection.create_function("personal_open", 2, unseal, deterministic=True)
    connection.create_function("personal_lookup", 1, hashed, deterministic=True)


def casefold(value: SqlValue) -> SqlValue:
    """Text folded by Unicode's rules for comparing without case ('Õ' and 'õ' meet); anything else as it is."""
    return value.casefold() if isinstance(value, str) else value


def _rare(module: str, name: str) -> Callable[..., Any]:
    """A function whose module is loaded by its first call: most processes never make one."""
    known: list[Callable[..., Any]] = []

    def call(*values: SqlValue) -> Any:
        if not known:
            known.append(getattr(import_module(module), name))
        return known[0](*values)

    return call


_RARE = (
    ("json_compare", 2, _rare("db.rest.json_values", "json_compare")),
    ("json_test", 3, _rare("db.rest.json_values", "json_test")),
    ("range_test", 3, _rare("db.rest.ranges", "range_test")),
    ("regex_test", 3, _rare("db.rest.regex", "regex_test")),
)


def _refuse(*values: SqlValue) -> str | None:
    raise VaultError("this connection was opened without the vault's personal-data key", code="misconfigured")
