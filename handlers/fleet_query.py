"""One reading statement over many vaults, within budgets of time, rows and vaults at once; audited in each of them.

Personal columns stay ciphertext. Rows of a vault are handed on only after its audit log says, in a commit of its own,
who asked what: that costs one put for each vault that answers. Knows no terminal and no file.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from db.bounded import OutOfTime
from db.errors import Forbidden, Invalid, VaultError
from db.registry.directory import VaultEntry, find_vault
from db.registry.labels import vaults_labelled
from db.single_statement import RanPartly, one_statement, run_partly
from db.transaction import Actor, SqlValue
from handlers.jobs.opening import opened
from handlers.services import Services
from handlers.tenant.provisioning import every_tenant

TENANT = "tenant"
AUDIT_SUBJECT = "fleet.query"
Status = Literal["answered", "cut", "failed", "not_asked"]


class Unaskable(Invalid):
    """A statement whose answer could not be shown, whichever vault gave it."""

    code = "sql_invalid"


@dataclass(frozen=True, slots=True)
class Budgets:
    """What one query may use. rows, seconds: in total. vault_rows, vault_seconds: in one vault."""

    rows: int = 10_000
    vault_rows: int = 1_000
    seconds: float = 60.0
    vault_seconds: float = 10.0
    vaults_at_once: int = 8


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """What became of one vault.

    status: `cut` when a budget ended before its rows did. rows: handed on. bookmark: of the state that was read.
    audited: of the commit with the audit row. reason: why it is not `answered`.
    """

    tenant: str
    vault_id: str
    status: Status
    rows: int = 0
    bookmark: str = ""
    audited: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VaultAnswer:
    """One vault's line and its rows. columns: without the tenant's."""

    line: ManifestLine
    columns: Sequence[str] = ()
    rows: Sequence[tuple[SqlValue, ...]] = ()


@dataclass(slots=True)
class _Spending:
    """The budgets, and what is left of them."""

    budgets: Budgets
    clock: Callable[[], float]
    rows_left: int = field(init=False)
    ends_at: float = field(init=False)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.rows_left = self.budgets.rows
        self.ends_at = self.clock() + self.budgets.seconds

    def spent(self) -> str:
        """Which budget of the whole query is used up, in words; '' while none is."""
        if self.rows_left <= 0:
            return f"{self.budgets.rows} rows in total were reached"
        return f"{self.budgets.seconds:g} s in total were over" if self.clock() >= self.ends_at else ""

    def vault_clock(self) -> tuple[Callable[[], bool], Callable[[], str]]:
        """For a vault asked now: whether its time is over, and in words which time that is."""
        vault_ends_at = self.clock() + self.budgets.vault_seconds

        def is_over() -> bool:
            return self.stopped or self.clock() >= min(vault_ends_at, self.ends_at)

        def why() -> str:
            return self.spent() or f"{self.budgets.vault_seconds:g} s for one vault were over"

        return is_over, why


def statement_digest(statement: str) -> str:
    """SHA-256 of the statement's text in hex, as the audit logs keep it; the text itself may name people."""
    return hashlib.sha256(statement.encode()).hexdigest()


def choose_vaults(services: Services, *, charter: str | None = None, label: str | None = None) -> list[VaultEntry]:
    """The active vaults of a charter and with a label (None: any), the oldest first. Raises Invalid."""
    labelled = None if label is None else services.registry_read(lambda tx: vaults_labelled(tx, label), current=True)
    return [
        entry
        for entry in every_tenant(services, "active")
        if charter in (None, entry.charter) and (labelled is None or entry.id in labelled)
    ]


def ask_fleet(
    services: Services,
    entries: Iterable[VaultEntry],
    statement: str,
    budgets: Budgets,
    actor: Actor,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[VaultAnswer]:
    """Every vault's answer, in the order of `entries`; at most `vaults_at_once` of them are held in memory.

    A vault that fails is a line like the others. Raises Invalid and Forbidden for a statement that no vault may run:
    not one statement, one that writes, one that opens personal values. clock: seconds, for the time budgets.
    """
    one_statement(statement)
    spending = _Spending(budgets, clock)
    columns: tuple[str, ...] | None = None
    ask = partial(_ask, services, statement=statement, spending=spending, actor=actor)
    with ThreadPoolExecutor(budgets.vaults_at_once, thread_name_prefix="fleet-query") as workers:
        waiting: deque[Future[VaultAnswer]] = deque()
        with closing(_submitted(workers, ask, entries, waiting, budgets.vaults_at_once)) as answers:
            try:
                for answer in answers:
                    checked, columns = _same_columns(answer, columns)
                    yield _within(checked, spending)
            finally:
                # Statements that still run end at their next look at the clock.
                spending.stopped = True
                for future in waiting:
                    future.cancel()


def _submitted(
    workers: ThreadPoolExecutor,
    ask: Callable[[VaultEntry], VaultAnswer],
    entries: Iterable[VaultEntry],
    waiting: "deque[Future[VaultAnswer]]",
    most: int,
) -> Generator[VaultAnswer]:
    """The answers in order, at most so many asked ahead of the one that is taken."""
    for entry in entries:
        waiting.append(workers.submit(ask, entry))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _ask(services: Services, entry: VaultEntry, *, statement: str, spending: _Spending, actor: Actor) -> VaultAnswer:
    line = ManifestLine(entry.slug or entry.id, entry.id, "not_asked")
    known = services.registry_read(lambda tx: find_vault(tx, entry.id))
    if known is None or known.status != "active":
        return VaultAnswer(replace(line, reason=f"the tenant is {known.status if known else 'gone'}"))
    if reason := spending.spent():
        return VaultAnswer(replace(line, reason=reason))
    is_over, why = spending.vault_clock()
    most = min(spending.budgets.vault_rows, max(spending.rows_left, 1))
    try:
        return _asked(services, entry, statement, most, is_over, actor)
    except OutOfTime:
        return VaultAnswer(replace(line, status="failed", reason=why()))
    except VaultError as exc:
        if isinstance(exc, Forbidden | Unaskable):
            raise
        return VaultAnswer(replace(line, status="failed", reason=f"{exc.message} ({exc.code})"))
    except Exception as exc:
        # Not the text of the error: it may quote a row.
        return VaultAnswer(replace(line, status="failed", reason=type(exc).__name__))


def _asked(
    services: Services, entry: VaultEntry, statement: str, most: int, is_over: Callable[[], bool], actor: Actor
) -> VaultAnswer:
    """Read, then note it in the vault's audit log; only what was noted is handed on."""
    with opened(services, entry) as vault:
        answer = vault.inspect(lambda tx: run_partly(tx, statement, most), is_over)
        ran: RanPartly = answer.value
        _require_distinct(ran.columns)
        seen = {
            "statement_sha256": statement_digest(statement),
            "rows": len(ran.rows),
            "bookmark": answer.bookmark,
        }
        noted = vault.write(lambda tx: tx.note(AUDIT_SUBJECT, seen), actor, services.clock())
    reason = f"it has more than {most} rows" if ran.more else ""
    line = ManifestLine(
        tenant=entry.slug or entry.id,
        vault_id=entry.id,
        status="cut" if ran.more else "answered",
        rows=len(ran.rows),
        bookmark=answer.bookmark,
        audited=noted.bookmark,
        reason=reason,
    )
    return VaultAnswer(line, tuple(ran.columns), ran.rows)


def _require_distinct(columns: Sequence[str]) -> None:
    names = [TENANT, *columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unaskable(
            f"two columns are named {', '.join(twice)}; a column {TENANT} is added to each row",
            hint="give it another name: SELECT … AS …",
        )


def _same_columns(answer: VaultAnswer, columns: tuple[str, ...] | None) -> tuple[VaultAnswer, tuple[str, ...] | None]:
    """The answer, without rows if its columns are not those of the answers before; and the columns from now on."""
    if not answer.line.audited:
        return answer, columns
    found = tuple(answer.columns)
    if columns is not None and found != columns:
        reason = f"its columns are {', '.join(found)}; the first vault that answered has {', '.join(columns)}"
        return VaultAnswer(replace(answer.line, status="failed", rows=0, reason=reason)), columns
    return answer, found


def _within(answer: VaultAnswer, spending: _Spending) -> VaultAnswer:
    """The answer with as many rows as the budget of the whole query has left."""
    rows = answer.rows[: spending.rows_left]
    spending.rows_left -= len(rows)
    if len(rows) == len(answer.rows):
        return answer
    reason = f"{spending.budgets.rows} rows in total were reached"
    return VaultAnswer(replace(answer.line, status="cut", rows=len(rows), reason=reason), answer.columns, rows)
