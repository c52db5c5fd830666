"""Values of the audit log that can be forgotten: sealed under a key per person, which lies beside the log.

The chain covers the sealed text, so it holds whether the key is there or not. Without the key nobody can open it any
more. A sealed value is `f1:` + table and key of the person's row + base64url(nonce of 12 bytes, ciphertext, tag of 16),
AES-256-GCM over the value as JSON, bound to the `table.column` it is of. Knows rows and keys; not who may see a value.
"""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.forgetting.declared import Subject
from db.keyring import KEY_BYTES, decode_base64url, encode_base64url
from db.transaction import ReadTx
from db.vault.guard import engine_only

REDACTED = "[redacted]"
_NONCE_BYTES = 12
_SEALED = re.compile(r"f1:(\w+):(.+):([A-Za-z0-9_-]{39,})", re.DOTALL)
_KEY = engine_only("SELECT secret FROM main.vaultry_row_keys WHERE table_name = ? AND row_key = ?")
_ADD = engine_only("INSERT INTO main.vaultry_row_keys (table_name, row_key, secret) VALUES (?, ?, ?)")
_STORED = "SELECT secret FROM vaultry_row_keys WHERE table_name = :table AND row_key = :key"
_FORGOTTEN = engine_only("SELECT 1 FROM main.vaultry_forgotten WHERE table_name = ? AND row_key = ?")


class ValueSeals:
    """Seals what the audit log is to tell of people. declared: as `People.values`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        declared: Mapping[str, Subject],
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._connection = connection
        self._random_bytes = random_bytes
        self._subjects: dict[str, dict[str, Subject]] = {}
        for name, subject in declared.items():
            table, _, column = name.partition(".")
            self._subjects.setdefault(table, {})[column] = subject

    def covers(self, table: str) -> bool:
        """Whether the table has such values."""
        return table in self._subjects

    def sealed(self, table: str, values: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
        """The values with the personal ones sealed; `[redacted]` where it is about nobody known, or somebody forgotten.

        row: the whole row they are of.
        """
        subjects = self._subjects[table]
        return {
            name: value if value is None or name not in subjects else self._seal(f"{table}.{name}", value, row)
            for name, value in values.items()
        }

    def _seal(self, place: str, value: Any, row: Mapping[str, Any]) -> str:
        table, _, column = place.partition(".")
        subject = self._subjects[table][column]
        key = row.get(subject.column)
        secret = self._secret(subject.table, key) if isinstance(key, str) else None
        if secret is None:
            return REDACTED
        nonce = self._random_bytes(_NONCE_BYTES)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        sealed = encode_base64url(nonce + AESGCM(secret).encrypt(nonce, text, place.encode()))
        return f"f1:{subject.table}:{key}:{sealed}"

    def _secret(self, table: str, key: str) -> bytes | None:
        """The key for values about this person, made when it is first needed; None for a forgotten one."""
        found = self._connection.execute(_KEY, (table, key)).fetchone()
        if found is not None:
            return decode_base64url(found[0])
        if self._connection.execute(_FORGOTTEN, (table, key)).fetchone() is not None:
            return None
        secret = self._random_bytes(KEY_BYTES)
        self._connection.execute(_ADD, (table, key, encode_base64url(secret)))
        return secret


def is_sealed(value: Any) -> bool:
    """Whether a noted value has the form of a sealed one."""
    return isinstance(value, str) and _SEALED.fullmatch(value) is not None


def unsealed(tx: ReadTx, place: str, value: Any) -> Any:
    """A noted value as it was; `[redacted]` for one whose key is gone. place: the `table.column` it is of."""
    found = _SEALED.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    table, row_key, sealed = found.groups()
    secret = tx.value(_STORED, table=table, key=row_key)
    key, data = decode_base64url(secret or ""), decode_base64url(sealed)
    if not key or data is None:
        return REDACTED
    try:
        return json.loads(AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode()))
    except InvalidTag:
        return REDACTED
