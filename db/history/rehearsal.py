"""A transaction tried before it is done: what it would change, then the same again for good. Knows works; not theirs.

The trial runs as the real one does, with every trigger and constraint, and is rolled back. What it changes is what the
audit log would have noted.
"""

from collections.abc import Callable, Sequence

from db.clock import Moment
from db.errors import Conflict
from db.history.row_effects import Effect
from db.transaction import Actor, Row, Statement, WriteTx
from db.vault.vault import Answer, Vault

# Does something in the transaction and says what that changed.
Work = Callable[[WriteTx], list[Effect]]
_NAMED = 5
_DANGLING = 'SELECT "table" AS child, rowid, parent FROM pragma_foreign_key_check(:name)'


class _Tried(Exception):
    """The way out of a transaction that was only tried: it is rolled back."""

    def __init__(self, effects: list[Effect]) -> None:
        super().__init__()
        self.effects = effects


def rehearse(vault: Vault, work: Work, actor: Actor, now: Moment) -> list[Effect]:
    """What the work would change. Raises as `Vault.write`, and Conflict 23503 for what only its commit would refuse."""

    def trial(tx: WriteTx) -> None:
        effects = work(tx)
        _refuse_dangling(tx, effects)
        raise _Tried(effects)

    try:
        vault.write(trial, actor, now)
    except _Tried as tried:
        return tried.effects
    raise AssertionError("a trial never commits")


def perform(vault: Vault, work: Work, actor: Actor, now: Moment, expected: Sequence[Effect]) -> Answer[list[Effect]]:
    """What the work changed, durably. Raises Conflict `changed_meanwhile` when it is not what was `expected`."""

    def real(tx: WriteTx) -> list[Effect]:
        effects = work(tx)
        if _places(effects) != _places(expected):
            raise Conflict(
                "others changed these rows meanwhile; nothing was changed",
                code="changed_meanwhile",
                hint="run it again and look at what it would change now",
            )
        return effects

    return vault.write(real, actor, now)


def _places(effects: Sequence[Effect]) -> list[str]:
    """Which rows are changed in which way."""
    return sorted(
        f"{effect.table} {effect.old_key} {effect.new_key} {effect.before is None} {effect.after is None}"
        f" {sorted(effect.before or ())}"
        for effect in effects
    )


def _refuse_dangling(tx: WriteTx, effects: Sequence[Effect]) -> None:
    """A deferred reference is checked at the commit, which a trial does not reach."""
    rows: list[Row] = []
    for table in sorted({effect.table for effect in effects}):
        rows += tx.query(Statement(_DANGLING, {"name": table}))
    if rows:
        named = ", ".join(f"{row['child']} row {row['rowid']} to {row['parent']}" for row in rows[:_NAMED])
        raise Conflict(f"{len(rows)} references would lead nowhere; nothing was changed", code="23503", details=named)
