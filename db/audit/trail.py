"""The audit log: who changed which row how, chained by HMAC. Knows rows and keys; not policies, verbs or HTTP.

TEMP triggers on the writer connection note every change, whichever statement made it; at the end of each work the
notes become rows of `vaultry_audit`. Nothing of this is left in the vault file but the rows.
"""

import hashlib
import hmac
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from db.forgetting.declared import Subject
from db.forgetting.ledger import UNAUDITED as FORGETTING
from db.forgetting.sealing import REDACTED, ValueSeals
from db.json_sql import json_object_sql
from db.transaction import Actor, ReadTx
from db.vault.guard import engine_only

# The engine's own bookkeeping: the chain itself, answers kept for repeats, delivery marks, the ledger of steps,
# which object of the store holds which content, the mark of what is public, and keys that the log must not outlive.
UNAUDITED = FORGETTING | frozenset(
    {
        "vaultry_audit",
        "vaultry_idempotency",
        "vaultry_outbox",
        "vaultry_migrations",
        "vaultry_blobs",
        "vaultry_publication",
        "vaultry_row_keys",
    }
)

# What the note that tells of a pruning is about.
PRUNED = "audit.pruned"
_KEYS_TABLE = "vaultry_personal_keys"
_PENDING = """
CREATE TEMP TABLE audit_pending (
  n INTEGER PRIMARY KEY, operation TEXT, table_name TEXT, row_key TEXT, old_values TEXT, new_values TEXT
)
"""
_NOTE_INTO = "INSERT INTO audit_pending (operation, table_name, row_key, old_values, new_values)"
_TAKE = "SELECT operation, table_name, row_key, old_values, new_values FROM temp.audit_pending ORDER BY n"
# Marked, as every statement here that a work must not repeat: the guard is not asked about a cached one.
_FORGET = engine_only("DELETE FROM temp.audit_pending")
_LAST = "SELECT seq, mac FROM main.vaultry_audit ORDER BY seq DESC LIMIT 1"
_APPEND = engine_only("""
INSERT INTO main.vaultry_audit
  (seq, at, actor, actor_kind, request_id, verb, operation, table_name, row_key, old_values, new_values, mac)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
""")
_CHAIN = """
SELECT seq, at, actor, actor_kind, request_id, verb, operation, table_name, row_key, old_values, new_values, mac
  FROM main.vaultry_audit ORDER BY seq
"""


_COLUMNS = """
SELECT x.name, x.type, l.strict, x.pk
  FROM pragma_table_list AS l, pragma_table_xinfo(l.name) AS x
 WHERE l.schema = 'main' AND l.name = ?
"""
_KIND = "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ?"
_TRIGGERED = engine_only("SELECT DISTINCT tbl_name FROM temp.sqlite_schema WHERE type = 'trigger'")
_SHADOWS = """
SELECT name FROM pragma_table_list
 WHERE schema = 'main' AND type = 'shadow' AND substr(name, 1, length(?1) + 1) = ?1 || '_'
"""
# The one shadow table that holds rows as they were given; the others are an index, made of them.
_CONTENT = "_content"
# Types whose values JSON holds as they are; REAL is not among them, for SQLite prints 15 digits and bare infinities.
_SCALARS = frozenset({"TEXT", "INTEGER", "INT"})
_OPERATIONS = {"insert": ("NEW",), "update": ("OLD", "NEW"), "delete": ("OLD",)}


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str
    strict: int
    pk: int


@dataclass(frozen=True, slots=True)
class _Note:
    operation: str
    table: str
    row_key: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None


class AuditTrail:
    """The audit log of one writer connection.

    key: 32 bytes, of this vault alone. redacted: `table.column` names whose values never enter the log.
    unaudited: further bookkeeping, tables and `table.column` names: an update of nothing else leaves no row.
    forgettable: values that are sealed, as `People.values`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        key: bytes,
        redacted: frozenset[str],
        unaudited: frozenset[str] = frozenset(),
        forgettable: Mapping[str, Subject] | None = None,
    ) -> None:
        self._connection = connection
        self._seals = ValueSeals(connection, forgettable or {})
        self._key = key
        self._redacted = redacted
        self._unaudited = UNAUDITED | unaudited
        self._watched: set[str] = set()
        self._fresh: list[str] = []
        self._altered: str | None = None
        self._missing: str | None = None
        self._dropped: str | None = None
        # Tables whose rows were noted as deleted: they may go.
        self._cleared: set[str] = set()
        # A personal-data key was made or destroyed: SQL functions on open connections still hold the one before.
        self.keys_changed = False
        connection.execute(_PENDING)
        connection.create_function("audit_digest", 1, _digest, deterministic=True)
        connection.create_function("audit_real", 1, _real, deterministic=True)

    def on_change(self, table: str) -> bool:
        """Whether changes of the table are noted already; if not, the statement is refused and `watch` follows."""
        if table in self._watched or table in self._unaudited or table.startswith("sqlite_"):
            return True
        if table in self._cleared:
            return True  # part of its removal
        self._missing = table
        return False

    def on_alter(self, table: str) -> bool:
        """Whether the table may get another shape or name; not while triggers hang on it: `watch` takes them off."""
        if table not in self._watched:
            return True
        self._altered = table
        return False

    def on_drop(self, table: str) -> bool:
        """Whether the table may go; not before its rows are noted as deleted, which `watch` does."""
        if table in self._cleared:
            return True
        self._dropped = table
        return False

    def note_rows_of(self, table: str) -> None:
        """Note every row of a table as inserted, for one that was made with rows."""
        self._note_all("insert", table)

    def forget_shapes(self) -> None:
        """The schema changed: only tables that still have their triggers are watched."""
        self._cleared.clear()
        self._watched &= {row[0] for row in self._connection.execute(_TRIGGERED)}

    def watch(self) -> bool:
        """Make way for the statement that was refused last: note changes of its table, or no more. False: none was."""
        dropped, self._dropped = self._dropped, None
        if dropped is not None:
            for name in (dropped, *self._shadows_of(dropped)):
                self._note_all("delete", name)
                self._drop_triggers(name)
                self._watched.discard(name)
                self._cleared.add(name)
            return True
        altered, self._altered = self._altered, None
        if altered is not None:
            for name in (altered, *self._shadows_of(altered)):
                self._drop_triggers(name)
                self._watched.discard(name)
            return True
        table, self._missing = self._missing, None
        if table is None:
            return False
        for name in (table, *self._shadows_of(table)):
            self._watch(name)
        return True

    def _watch(self, table: str) -> None:
        # A roll-back may have brought back those of before.
        self._drop_triggers(table)
        if self._has_rows(table):
            for operation, text in _triggers(self._connection, table):
                self._connection.execute(f"CREATE TEMP TRIGGER {_trigger_name(operation, table)} {text}")
        self._watched.add(table)
        self._fresh.append(table)

    def _note_all(self, operation: str, table: str) -> None:
        """Note each row of the table, in place of triggers that see none of them."""
        if self._has_rows(table) and table not in self._unaudited:
            self._connection.execute(engine_only(_note_all_text(self._connection, operation, table)))

    def _has_rows(self, table: str) -> bool:
        """Whether changes are noted at this table.

        What is written through a view, or into a virtual table, are changes of other tables, noted there. A table that
        is not there is about to be made by the virtual table it belongs to.
        """
        kind = self._kind(table)
        return kind == "table" or (kind == "shadow" and table.endswith(_CONTENT))

    def _shadows_of(self, table: str) -> list[str]:
        """The tables a virtual table writes to. They are watched with it: it takes no refusal half-way."""
        if self._kind(table) != "virtual":
            return []
        return [row[0] for row in self._connection.execute(_SHADOWS, (table,))]

    def _kind(self, table: str) -> str | None:
        """As SQLite calls it: table, view, virtual or shadow; None for what is not there."""
        found = self._connection.execute(_KIND, (table,)).fetchone()
        return None if found is None else str(found[0])

    def _drop_triggers(self, table: str) -> None:
        for operation in _OPERATIONS:
            self._connection.execute(engine_only(f"DROP TRIGGER IF EXISTS temp.{_trigger_name(operation, table)}"))

    def forget_undone(self, upto: int = 0) -> None:
        """A roll-back removed the triggers made since `fresh` was `upto`: note that they are gone."""
        for table in self._fresh[upto:]:
            self._watched.discard(table)
        del self._fresh[upto:]
        self._cleared.clear()

    @property
    def fresh(self) -> int:
        """How many tables were first watched within the running transaction."""
        return len(self._fresh)

    def settle(self) -> None:
        """The transaction is over; its triggers stay."""
        self._fresh.clear()

    def flush(self, actor: Actor, at: str) -> None:
        """Turn the notes into chained rows, in the running transaction. at: 24 characters of UTC."""
        taken = (_Note(row[0], row[1], row[2], _parsed(row[3]), _parsed(row[4])) for row in self._take())
        notes = [
            self._sealed(reduced, note) for note in taken if (reduced := _reduced(note, self._unaudited)) is not None
        ]
        if notes:
            self.keys_changed |= any(note.table == _KEYS_TABLE for note in notes)
            self._append(notes, actor, at)

    def note(self, actor: Actor, at: str, subject: str, values: dict[str, Any]) -> None:
        """Append a row about something that is no row change: a migration, a restore."""
        self._append([_Note("note", subject, "[]", None, values)], actor, at)

    def _sealed(self, note: _Note, whole: _Note) -> _Note:
        """The note with the values that can be forgotten sealed. whole: the same with every column."""
        if not self._seals.covers(note.table):
            return note
        sides = ((note.old, whole.old), (note.new, whole.new))
        old, new = (
            None if values is None else self._seals.sealed(note.table, values, row or {}) for values, row in sides
        )
        return replace(note, old=old, new=new)

    def _take(self) -> list[sqlite3.Row]:
        connection = self._connection
        try:
            rows = connection.execute(_TAKE).fetchall()
        except sqlite3.OperationalError:
            # Text may hold bytes that are no UTF-8, for SQLite does not look: they are noted as U+FFFD.
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
            try:
                rows = connection.execute(_TAKE).fetchall()
            finally:
                connection.text_factory = str
        if rows:
            connection.execute(_FORGET)
        return rows

    def _append(self, notes: list[_Note], actor: Actor, at: str) -> None:
        last = self._connection.execute(_LAST).fetchone()
        seq, mac = (0, bytes(32)) if last is None else (last[0], last[1])
        for note in notes:
            seq += 1
            who = (at, actor.id, actor.kind, actor.request_id, actor.verb)
            values = (self._text(note.table, note.old), self._text(note.table, note.new))
            entry = (seq, *who, note.operation, note.table, note.row_key, *values)
            mac = chain_mac(self._key, mac, entry)
            self._connection.execute(_APPEND, (*entry, mac))

    def _text(self, table: str, values: dict[str, Any] | None) -> str | None:
        if values is None:
            return None
        kept = {
            name: value if value is None or not self._hides(table, name) else REDACTED for name, value in values.items()
        }
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    def _hides(self, table: str, column: str) -> bool:
        # The keyed hash beside an encrypted column tells who it is to whoever can guess the value.
        return f"{table}.{column}" in self._redacted or f"{table}.{column.removesuffix('_lookup')}" in self._redacted


def chain_mac(key: bytes, previous: bytes, entry: tuple[Any, ...]) -> bytes:
    """HMAC-SHA256 over the mac before and the entry (every column but `mac`, in table order) as canonical JSON."""
    canonical = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
    return hmac.digest(key, previous + canonical, hashlib.sha256)


_FIRST = "SELECT seq FROM vaultry_audit ORDER BY seq LIMIT 1"
_PRUNED = """
SELECT new_values FROM vaultry_audit WHERE operation = 'note' AND table_name = :subject ORDER BY seq DESC LIMIT 1
"""


def pruned_through(tx: ReadTx) -> tuple[int, bytes]:
    """Number and mac of the last row before the first that is kept; 0 and zeros for a chain that has its beginning.

    A later row of the chain says so, and only who has the key could have written it.
    """
    none = (0, bytes(32))
    if tx.value(_FIRST) in (None, 1):
        return none
    noted = tx.value(_PRUNED, subject=PRUNED)
    if noted is None:
        return none
    values: dict[str, Any] = json.loads(noted)
    return int(values["seq"]), bytes.fromhex(values["mac"])


def verify_chain(tx: ReadTx, key: bytes) -> tuple[int, str | None]:
    """The number of the last row and, if the chain is broken, what is wrong with the first bad row.

    A chain whose beginning was pruned holds from there on.
    """
    last_seq, last_mac = pruned_through(tx)
    previous, expected = last_mac, last_seq + 1
    for row in tx.each(_CHAIN):
        entry = tuple(row)[:-1]
        if row["seq"] != expected:
            return expected - 1, f"audit row {expected} is missing"
        if not hmac.compare_digest(chain_mac(key, previous, entry), row["mac"]):
            return expected - 1, f"audit row {expected} was changed"
        previous, expected = row["mac"], expected + 1
    return expected - 1, None


def _triggers(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, str]]:
    """The three triggers of a table: operation and text after the name."""
    for operation in _OPERATIONS:
        values = ", ".join(_noted(connection, operation, table))
        yield operation, f"AFTER {operation.upper()} ON main.{_quote(table)} BEGIN {_NOTE_INTO} VALUES ({values}); END"


def _note_all_text(connection: sqlite3.Connection, operation: str, table: str) -> str:
    """The statement that notes all rows of a table."""
    side = _OPERATIONS[operation][0]
    values = ", ".join(_noted(connection, operation, table))
    return f"{_NOTE_INTO} SELECT {values} FROM main.{_quote(table)} AS {side}"


def _noted(connection: sqlite3.Connection, operation: str, table: str) -> tuple[str, ...]:
    """What a note of one row holds, as expressions over OLD and NEW."""
    columns = [_Column(*row) for row in connection.execute(_COLUMNS, (table,))]
    key = [column for column in sorted(columns, key=lambda column: column.pk) if column.pk]
    key = key or [_Column("rowid", "INTEGER", 0, 1)]
    sides = _OPERATIONS[operation]
    row_key = f"json_array({', '.join(_value(sides[0], column) for column in key)})"
    old = _values("OLD", columns) if "OLD" in sides else "NULL"
    new = _values("NEW", columns) if "NEW" in sides else "NULL"
    return f"'{operation}'", _literal(table), row_key, old, new


def _values(side: str, columns: list[_Column]) -> str:
    """The row as a JSON object."""
    return json_object_sql([(column.name, _value(side, column)) for column in columns])


def _value(side: str, column: _Column) -> str:
    """The value as JSON can hold it; bytes appear as a digest."""
    value = f"{side}.{_quote(column.name)}"
    if column.strict and column.kind.upper() in _SCALARS:
        return value
    return (
        f"CASE typeof({value}) WHEN 'blob' THEN audit_digest({value}) WHEN 'real' THEN json(audit_real({value})) "
        f"ELSE {value} END"
    )


def _real(value: float) -> str:
    """The number as JSON with every digit that tells it from its neighbours; infinities as text."""
    return repr(value) if math.isfinite(value) else json.dumps(repr(value))


def _digest(value: bytes) -> str:
    return f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()}"


def _reduced(note: _Note, unaudited: frozenset[str]) -> _Note | None:
    """An update with the changed columns only; None when nothing changed but bookkeeping."""
    if note.old is None or note.new is None:
        return note
    # 1 and 1.0 are equal to Python and two values to SQLite.
    changed = [name for name, new in note.new.items() if (type(old := note.old.get(name)), old) != (type(new), new)]
    if all(f"{note.table}.{name}" in unaudited for name in changed):
        return None
    return _Note(
        note.operation,
        note.table,
        note.row_key,
        {name: note.old[name] for name in changed},
        {name: note.new[name] for name in changed},
    )


def _parsed(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _trigger_name(operation: str, table: str) -> str:
    return _quote(f"audit_{operation}_{table}")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
