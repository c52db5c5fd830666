"""One vault of a fleet: open it as it is, migrate it, say how it stands. Knows no rollout and no other vault."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.clock import Moment
from db.errors import VaultError
from db.schema.migrate import MigrationSet, Step, migrate
from db.schema.state import bookmark_before, newest_numbers, step_after
from db.vault.freshness import FIRST_UNCONSTRAINED
from db.vault.opening import Kind, Site, open_vault
from db.vault.vault import Vault
from handlers.tenant.vault_state import VaultState, vault_state

# What may go wrong with one vault: it is that vault's failure and stops no other.
FAILURES = (VaultError, sqlite3.Error, OSError)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a vault could not be brought up. step: that failed, '' = it was none. message: of the error, or its kind."""

    step: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Looked:
    """A vault as it was found. bookmark: to go back to, numbers: of the last step of each set there."""

    bookmark: str
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Brought:
    """A vault after the attempt. before: bookmark right before the first step since it was found; None = none was."""

    state: VaultState
    applied: tuple[str, ...] = ()
    before: str | None = None
    failure: Failure | None = None


def open_as_is(site: Site, vault_id: str, kind: Kind) -> Vault:
    """The vault without any step applied, whatever is due. Raises as `open_vault`."""
    return open_vault(site, vault_id, Kind((), kind.redacted, kind.unaudited, kind.forgettable))


def look(vault: Vault, known: Mapping[str, int] | None = None) -> Looked:
    """How the vault stands. known: the numbers the directory has of it; steps beyond them were applied as somebody
    opened it, and the way back leads before those.
    """

    def read(connection: sqlite3.Connection) -> tuple[Mapping[str, int], str | None]:
        return newest_numbers(connection), None if known is None else bookmark_before(connection, known)

    answer = vault.read_raw(lambda connection, _: read(connection))
    numbers, before = answer.value
    if before is None or known is None:
        return Looked(answer.bookmark, numbers)
    return Looked(before, known)


def bring_to(vault: Vault, sets: Sequence[MigrationSet], found: Looked, now: Moment) -> Brought:
    """Apply what is due, a hold notwithstanding.

    A failing step is in the answer. Raises what stands in the way of finding out how the vault stands.
    """
    steps: list[Step] = []
    # What this process opened it for was no more than a look: it refuses for what fails now.
    vault.refusal = None
    try:
        steps = migrate(vault, sets, now, lift_hold=True)
    except VaultError as exc:
        vault.refusal = exc
    state = vault_state(vault)
    lacked = step_after(sets, state.schema.numbers)
    failure = None if vault.refusal is None else failure_of(vault.refusal, "" if lacked is None else str(lacked))
    before = vault.read_raw(lambda connection, _: bookmark_before(connection, found.numbers), FIRST_UNCONSTRAINED).value
    return Brought(state, tuple(map(str, steps)), before, failure)


def failure_of(exc: Exception, step: str = "") -> Failure:
    """The error as it is kept. Not the text of one that is not ours: it may quote a row."""
    if isinstance(exc, VaultError):
        return Failure(step, exc.code, exc.message)
    return Failure(step, "internal", type(exc).__name__)
