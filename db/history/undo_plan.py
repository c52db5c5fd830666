"""What undoing one request means: which rows, and how they were before. Knows the audit log and the past; only reads.

What the audit log redacts, or notes in another form, is looked up in the state before the request's commit, unless
somebody else changed it in between.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from db.errors import NotFound
from db.history.past_state import past_database
from db.history.row_effects import Effect, Key, RowNote, key_after, net_effects, parsed_note, tells
from db.history.row_writes import key_names, read_row, row_name, writable
from db.history.timeline import Entry, entry_of
from db.log.ltx import TXID
from db.personal import PersonalCipher
from db.schema.schema import Schema, Table, read_schema
from db.transaction import ReadTx, SqlValue
from db.vault.freshness import FIRST_UNCONSTRAINED
from db.vault.vault import Vault

_ENGINE = "vaultry_"
# How the audit log calls a restore of the whole vault, whose changes it does not list.
RESTORE = "vault.restore"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row to be as it was before. values: None = not there. unknown: columns whose value nothing tells any more."""

    effect: Effect
    table: Table
    values: Mapping[str, SqlValue] | None
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The row in words, by its key of today, or its last one."""
        effect = self.effect
        return row_name(self.table.name, effect.old_key if effect.after is None else effect.new_key)


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What undoing a request means. left: what stays, in words. first_seq: the request's first audit row."""

    request_id: str
    at: str
    verbs: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    left: tuple[str, ...]
    first_seq: int


_REQUEST = """
SELECT seq, operation, table_name, row_key, old_values, new_values, at, verb
  FROM vaultry_audit WHERE request_id = :request_id ORDER BY seq
"""


def plan_undo(vault: Vault, request_id: str, cipher: PersonalCipher) -> UndoPlan:
    """What the request did and how its rows were before. cipher: the vault's own.

    Raises NotFound for a request that changed nothing the audit log knows of, CorruptLog, StoreUnavailable.
    """
    schema, rows = vault.read(lambda tx: (read_schema(tx), tx.rows(_REQUEST, request_id=request_id))).value
    if not rows:
        raise NotFound(f"the audit log knows no request {request_id!r}; `vaultry history` lists them")
    notes = [parsed_note(*tuple(row)[:6]) for row in rows]
    left = [f"{note.table}: {_why_not(note, schema)}" for note in notes if _why_not(note, schema)]
    effects = net_effects((note for note in notes if not _why_not(note, schema)), schema)
    known = _values_before(vault, effects, schema, cipher)
    mails = sum(vault.read(lambda tx: [_effects_outside(tx, at) for at in {str(row["at"]) for row in rows}]).value)
    if mails:
        left.append(f"vaultry_outbox: {mails} messages asked for at that moment; what was delivered stays delivered")
    wanted = tuple(_wanted(effect, schema.tables[effect.table], known) for effect in effects)
    verbs = tuple(dict.fromkeys(str(row["verb"]) for row in rows))
    return UndoPlan(request_id, rows[0]["at"], verbs, wanted, tuple(dict.fromkeys(left)), notes[0].seq)


def _why_not(note: RowNote, schema: Schema) -> str:
    """Why a change cannot be undone row by row; '' when it can."""
    if note.operation == "note":
        whole = note.table == RESTORE
        return "the whole vault was restored; restore the bookmark before instead" if whole else "it changed no row"
    if note.table.startswith(_ENGINE):
        return "the engine's own rows stay as they are"
    return "" if note.table in schema.tables else "the table is not there any more"


_OUTBOX = "SELECT count(*) FROM vaultry_outbox WHERE created_at = :at"


def _effects_outside(tx: ReadTx, at: str) -> int:
    count: int = tx.value(_OUTBOX, at=at)
    return count


_Known = dict[tuple[int, str], SqlValue]


def _values_before(vault: Vault, effects: Sequence[Effect], schema: Schema, cipher: PersonalCipher) -> _Known:
    """The values that the audit log does not tell, by the effect's first change and column; not those lost."""
    known: _Known = {}
    for entry, asked in _asked(vault, effects, schema):
        if entry.kind == "beginning":
            continue
        last = max(effect.first_seqs[name] for effect, name in asked)
        look = partial(_first_changes, schema=schema, first=entry.audit_first, last=last)
        earlier = vault.read(look, FIRST_UNCONSTRAINED).value
        with past_database(vault, TXID(entry.first - 1), cipher) as past:
            tx = ReadTx(past)
            for effect, name in asked:
                as_it_was = not earlier.touched(effect, name)
                row = read_row(tx, schema.tables[effect.table], effect.old_key) if as_it_was else None
                if row is not None and name in row:
                    known[effect.first_seq, name] = row[name]
    return known


@dataclass(slots=True)
class _Earlier:
    """What happened between a kept state and a request: the first change of each column, the first move of each key."""

    changes: dict[tuple[str, Key, str], int] = field(default_factory=dict[tuple[str, Key, str], int])
    moves: dict[tuple[str, Key], int] = field(default_factory=dict[tuple[str, Key], int])

    def touched(self, effect: Effect, column: str) -> bool:
        """Whether the column, or the row at this key, was another one by the time the request came to it."""
        change, own = self.changes.get((effect.table, effect.old_key, column)), effect.first_seqs[column]
        move = self.moves.get((effect.table, effect.old_key))
        return (change is not None and change < own) or (move is not None and move < effect.first_seq)


def _asked(vault: Vault, effects: Sequence[Effect], schema: Schema) -> Iterator[tuple[Entry, list[tuple[Effect, str]]]]:
    """The columns to be looked up in the state before an entry, entry by entry."""
    asked = [(effect, name) for effect in effects for name in _untold(effect, schema.tables[effect.table])]
    asked.sort(key=lambda found: found[0].first_seqs[found[1]])
    while asked:
        entry = entry_of(vault, asked[0][0].first_seqs[asked[0][1]])
        within = [(effect, name) for effect, name in asked if effect.first_seqs[name] <= entry.audit_last]
        yield entry, within
        asked = asked[len(within) :]


def _untold(effect: Effect, table: Table) -> list[str]:
    """The columns whose value before is not in the audit log as it was."""
    kept = writable(table)
    before = effect.before or {}
    return [name for name, value in before.items() if name in kept and not tells(table.column(name), table, value)]


_CHANGES = """
SELECT seq, operation, table_name, row_key, old_values, new_values
  FROM vaultry_audit WHERE seq BETWEEN :first AND :last AND operation <> 'note' ORDER BY seq
"""


def _first_changes(tx: ReadTx, schema: Schema, first: int, last: int) -> _Earlier:
    """What these audit rows say of columns and keys."""
    earlier = _Earlier()
    for row in tx.each(_CHANGES, first=first, last=last):
        note = parsed_note(*row)
        for name in note.new or note.old or {}:
            earlier.changes.setdefault((note.table, note.key, name), note.seq)
        after = key_after(schema.tables.get(note.table), note) if note.operation == "update" else note.key
        if after != note.key:
            for key in (note.key, after):
                earlier.moves.setdefault((note.table, key), note.seq)
    return earlier


def _wanted(effect: Effect, table: Table, known: _Known) -> Wanted:
    if effect.before is None:
        return Wanted(effect, table, None)
    untold = _untold(effect, table)
    unknown = tuple(name for name in untold if (effect.first_seq, name) not in known)
    values: dict[str, SqlValue] = {}
    for name, noted in effect.before.items():
        if name in writable(table) and name not in unknown:
            values[name] = known[effect.first_seq, name] if name in untold else noted
    if effect.after is None and not table.primary_key:
        values[key_names(table)[0]] = effect.old_key[0]
    return Wanted(effect, table, values, unknown)
