"""A few claimed vaults of a rollout, from claim to outcome. Knows two commits of the registry; chooses no vault.

All of them are opened and their bookmarks noted in one commit, then all are migrated and the outcomes noted in another.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from db.registry.rollout_vaults import Outcome, note_bookmark, note_outcome
from db.transaction import Actor, WriteTx
from db.vault.vault import Vault
from domain.charters import CHARTERS
from handlers.fleet.one_vault import (
    FAILURES,
    Brought,
    Failure,
    Looked,
    bring_to,
    failure_of,
    look,
    open_as_is,
)
from handlers.fleet.scratch import Run
from handlers.fleet.target import Target
from handlers.services import Services
from handlers.tenant.vault_state import record_state

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Crew:
    """What one process works on a rollout with."""

    services: Services
    run: Run
    threads: ThreadPoolExecutor
    rollout_id: str
    target: Target
    actor: Actor

    def commit(self, work: Callable[[WriteTx], T]) -> T:
        """What `work` returned in a commit of the registry."""
        return self.services.registry_write(work, self.actor, self.services.clock())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A vault that is claimed. known: the numbers of its schema before the rollout, as they were noted or reported."""

    vault_id: str
    charter: str
    known: Mapping[str, int]


@dataclass(slots=True)
class _Opened:
    """A candidate under way. skipped: it was left as it is, for others failed too often."""

    candidate: Candidate
    vault: Vault | None = None
    looked: Looked | None = None
    brought: Brought | None = None
    failure: Failure | None = None
    skipped: bool = False


def work_through(crew: Crew, candidates: Sequence[Candidate], allowed: int) -> None:
    """Bring the vaults up and note what became of each. allowed: failures after which the rest is left for later."""
    opened = [_Opened(candidate) for candidate in candidates]
    try:
        list(crew.threads.map(partial(_open, crew), opened))
        crew.commit(lambda tx: _note_bookmarks(tx, crew.rollout_id, opened))
        failed = [each for each in opened if each.failure is not None]

        def migrate(each: _Opened) -> None:
            # Threads may count one failure late each: the budget is exceeded by fewer vaults than there are threads.
            each.skipped = len(failed) > allowed
            if not each.skipped:
                _bring(crew, each)
            if each.failure is not None:
                failed.append(each)

        list(crew.threads.map(migrate, (each for each in opened if each.failure is None)))
        crew.commit(lambda tx: _note_outcomes(tx, crew, opened))
    finally:
        for each in opened:
            if each.vault is not None:
                each.vault.close()
            crew.run.forget_copy(each.candidate.vault_id)


def _open(crew: Crew, each: _Opened) -> None:
    kind = crew.services.kind(CHARTERS[each.candidate.charter])
    try:
        each.vault = open_as_is(crew.run.site, each.candidate.vault_id, kind)
        each.looked = look(each.vault, each.candidate.known)
    except FAILURES as exc:
        each.failure = failure_of(exc)


def _bring(crew: Crew, each: _Opened) -> None:
    if each.vault is None or each.looked is None:
        raise AssertionError("the vault is not open")
    sets = crew.target.sets[each.candidate.charter]
    try:
        each.brought = bring_to(each.vault, sets, each.looked, crew.services.clock())
        each.failure = each.brought.failure
    except FAILURES as exc:
        each.failure = failure_of(exc)


def _note_bookmarks(tx: WriteTx, rollout_id: str, opened: Sequence[_Opened]) -> None:
    for each in opened:
        if each.looked is not None:
            looked = each.looked
            note_bookmark(tx, rollout_id, each.candidate.vault_id, looked.bookmark, looked.numbers)


def _note_outcomes(tx: WriteTx, crew: Crew, opened: Sequence[_Opened]) -> None:
    now = crew.services.clock()
    for each in opened:
        if not each.skipped:
            note_outcome(tx, crew.rollout_id, _outcome(crew.target, each), now)
        if each.brought is not None:
            record_state(tx, each.candidate.vault_id, each.brought.state)


def _outcome(target: Target, each: _Opened) -> Outcome:
    candidate, failure = each.candidate, each.failure
    before = None if each.brought is None else each.brought.before
    numbers = None if each.looked is None else each.looked.numbers
    if failure is not None:
        return Outcome(candidate.vault_id, "failed", before, numbers, failure.step, failure.code, failure.message)
    was_due = target.stand(candidate.charter, numbers or {}) == "due"
    return Outcome(candidate.vault_id, "migrated" if was_due else "current", before, numbers)
