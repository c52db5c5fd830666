"""What a vault loses when it goes back to its bookmark. Opens one vault at a time; changes nothing."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

from db.history.timeline import Entry, list_history
from db.log.bookmark import parse_bookmark
from db.log.ltx import TXID
from db.schema.hold import read_hold
from db.schema.state import LastSteps, last_steps, newest_numbers
from db.vault.vault import Vault
from domain.charters import CHARTERS
from handlers.fleet.one_vault import FAILURES, Failure, failure_of, open_as_is
from handlers.fleet.scratch import Run
from handlers.services import Services

# revert: it has steps that its bookmark has not. held: it was taken back already. nothing: no step was applied to it.
# later: it has had further steps since, of another release.
Need = Literal["revert", "held", "nothing", "later"]
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Way:
    """The way back of one vault. numbers: last step of each set at the bookmark. slug: '' = none.

    rollout_id: that noted it; None = the vault itself did. until: steps applied after this moment are not meant.
    """

    vault_id: str
    slug: str
    charter: str
    bookmark: str
    numbers: Mapping[str, int]
    rollout_id: str | None = None
    until: str | None = None


@dataclass(slots=True)
class Loss:
    """commits: since the bookmark, those of migration steps not counted. actors: of their works, tables: of the rows
    they changed, with how many. first_at, last_at: of the works, '' = none.
    """

    way: Way
    need: Need = "nothing"
    commits: int = 0
    first_at: str = ""
    last_at: str = ""
    actors: Counter[str] = field(default_factory=Counter[str])
    tables: Counter[str] = field(default_factory=Counter[str])
    failure: Failure | None = None


def need_of(vault: Vault, way: Way) -> Need:
    """What there is to do about a vault as it stands."""

    def read(connection: sqlite3.Connection) -> tuple[Mapping[str, int], bool, LastSteps | None]:
        return newest_numbers(connection), read_hold(connection) is not None, last_steps(connection)

    numbers, held, last = vault.read_raw(lambda connection, _: read(connection)).value
    if dict(numbers) == dict(way.numbers):
        return "held" if held else "nothing"
    return "later" if last is not None and way.until is not None and last.applied_at > way.until else "revert"


def measure_loss(services: Services, run: Run, way: Way) -> Loss:
    """What this vault would lose; a vault that cannot be asked says why."""
    loss = Loss(way)
    try:
        with closing(open_as_is(run.site, way.vault_id, services.kind(CHARTERS[way.charter]))) as vault:
            loss.need = need_of(vault, way)
            if loss.need == "revert":
                for entry in _since(vault, parse_bookmark(way.bookmark).txid):
                    _add(loss, entry)
    except FAILURES as exc:
        loss.failure = failure_of(exc)
    finally:
        run.forget_copy(way.vault_id)
    return loss


def _since(vault: Vault, txid: TXID) -> Iterator[Entry]:
    """The entries of the history after a commit, newest first."""
    before: TXID | None = None
    while page := list_history(vault, _PAGE, before):
        yield from takewhile(lambda entry: entry.last > txid, page)
        if page[-1].last <= txid:
            return
        before = page[-1].first


def _add(loss: Loss, entry: Entry) -> None:
    if not entry.works:
        return  # A step of a migration leaves no row in the audit log; it is what the revert is for.
    loss.commits += 1 if entry.kind == "commit" else len({work.request_id for work in entry.works})
    for work in entry.works:
        loss.first_at = min(loss.first_at or work.at, work.at)
        loss.last_at = max(loss.last_at, work.at)
        loss.actors[f"{work.actor_kind} {work.actor}"] += 1
        for table, operations in work.tables.items():
            loss.tables[table] += sum(operations.values())
