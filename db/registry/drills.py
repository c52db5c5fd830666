"""What restore drills have proven, vault by vault: the last report, and which vaults come next. Runs no drill."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from db.clock import Moment, timestamp_ms
from db.transaction import ReadTx, WriteTx

DAY_S = 86_400
# What is promised: no active vault goes longer without a drill that passed.
PROVEN_DAYS = 30
# The round goes over all of them in less, so that a day without maintenance breaks no promise.
ROUND_DAYS = 20
# A vault is due by itself when the round has not come to it by then.
LATEST_DAYS = 25
# The registry is a vault like others, and in no directory.
REGISTRY = "registry"


@dataclass(frozen=True, slots=True)
class Drilled:
    """What became of one drill. litestream: used, not_chosen or not_found. report: signed, a compact JWS."""

    vault_id: str
    drilled_at: str
    passed: bool
    litestream: str
    object_key: str
    report: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How one active vault, or the registry, stands.

    drilled_at: None before its first drill. proven_at: of the last that passed.
    """

    vault_id: str
    slug: str
    created_at: str
    drilled_at: str | None
    passed: bool
    proven_at: str | None
    litestream: str | None


_RECORD = """
INSERT INTO drills (vault_id, drilled_at, passed, proven_at, litestream, object_key, report)
VALUES (:vault_id, :drilled_at, :passed, CASE WHEN :passed THEN :drilled_at END, :litestream, :object_key, :report)
ON CONFLICT (vault_id) DO UPDATE
   SET drilled_at = excluded.drilled_at, passed = excluded.passed, litestream = excluded.litestream,
       proven_at = coalesce(excluded.proven_at, proven_at), object_key = excluded.object_key, report = excluded.report
 WHERE excluded.drilled_at >= drilled_at
"""


def record_drill(tx: WriteTx, drilled: Drilled) -> None:
    """Keep a drill as the vault's last, unless a later one is there already; of a forgotten vault keep nothing."""
    known = "SELECT 1 FROM vaults WHERE id = :id"
    if drilled.vault_id != REGISTRY and tx.value(known, id=drilled.vault_id) is None:
        return
    tx.execute(
        _RECORD,
        vault_id=drilled.vault_id,
        drilled_at=drilled.drilled_at,
        passed=int(drilled.passed),
        litestream=drilled.litestream,
        object_key=drilled.object_key,
        report=drilled.report,
    )


_LAST = "SELECT vault_id, drilled_at, passed, litestream, object_key, report FROM drills WHERE vault_id = :vault_id"


def last_drill(tx: ReadTx, vault_id: str) -> Drilled | None:
    """The vault's last drill, or None before the first."""
    row = tx.row(_LAST, vault_id=vault_id)
    if row is None:
        return None
    return Drilled(
        row["vault_id"], row["drilled_at"], bool(row["passed"]), row["litestream"], row["object_key"], row["report"]
    )


_STANDINGS = """
WITH fleet (id, created_at, slug) AS (
    SELECT id, created_at, (SELECT slug FROM slugs WHERE vault_id = v.id ORDER BY created_at, slug LIMIT 1)
      FROM vaults AS v WHERE status = 'active'
     UNION ALL SELECT 'registry', updated_at, 'registry' FROM vaultry_settings WHERE key = 'origin' )
SELECT v.id, v.created_at, d.drilled_at, coalesce(d.passed, 0) AS passed, d.proven_at, d.litestream,
       coalesce(v.slug, v.id) AS slug
  FROM fleet AS v LEFT JOIN drills AS d ON d.vault_id = v.id
 ORDER BY coalesce(d.drilled_at, v.created_at), v.id
"""


def standings(tx: ReadTx) -> list[Standing]:
    """Every active vault and the registry, the one that has waited longest for a drill first."""
    return [
        Standing(
            row["id"],
            row["slug"],
            row["created_at"],
            row["drilled_at"],
            bool(row["passed"]),
            row["proven_at"],
            row["litestream"],
        )
        for row in tx.rows(_STANDINGS)
    ]


def due_today(vaults: Sequence[Standing], now: Moment) -> list[Standing]:
    """Whose turn it is, in the order of `vaults`: a day's share of the round, what is late, and what failed yesterday.

    Asked again on the same day, it gives what is left of the share: drills of the day count, whoever did them.
    """
    today = now.text[:10]
    done = sum(1 for known in vaults if known.drilled_at is not None and known.drilled_at[:10] == today)
    share = -(-len(vaults) // ROUND_DAYS) - done
    chosen: list[Standing] = []
    for known in vaults:
        if known.drilled_at is not None and known.drilled_at[:10] == today:
            continue
        failed = known.drilled_at is not None and not known.passed
        late = _waiting_since(known) <= now.later(seconds=-LATEST_DAYS * DAY_S)
        if failed or late or share > 0:
            chosen.append(known)
            share -= 1
    return chosen


@dataclass(frozen=True, slots=True)
class Summary:
    """All standings in figures. proven_within_days: of those that are proven; 0 without any.

    overdue: proven more than 30 days ago, or never and older than that. unproven: never and younger. failing: whose
    last drill failed. not_found: whose last drill was to be litestream's, which was not there.
    """

    vaults: int
    proven: int
    proven_within_days: int
    oldest: Standing | None
    unproven: list[Standing]
    overdue: list[Standing]
    failing: list[Standing]
    by_litestream: int
    not_found: int


def summarise(vaults: Iterable[Standing], now: Moment) -> Summary:
    """What the standings come to."""
    every = list(vaults)
    limit = now.later(seconds=-PROVEN_DAYS * DAY_S)
    proven = [known for known in every if known.proven_at is not None]
    oldest = min(proven, key=lambda known: known.proven_at or "", default=None)
    overdue = [known for known in every if (known.proven_at or known.created_at) < limit]
    return Summary(
        vaults=len(every),
        proven=len(proven),
        proven_within_days=0 if oldest is None else _days_since(oldest.proven_at or "", now),
        oldest=oldest,
        unproven=[known for known in every if known.proven_at is None and known.created_at >= limit],
        overdue=overdue,
        failing=[known for known in every if known.drilled_at is not None and not known.passed],
        by_litestream=sum(1 for known in every if known.litestream == "used"),
        not_found=sum(1 for known in every if known.litestream == "not_found"),
    )


def _waiting_since(known: Standing) -> str:
    return known.drilled_at or known.created_at


def _days_since(then: str, now: Moment) -> int:
    """Whole days, a begun one counted."""
    return max(1, -(-(now.ms - timestamp_ms(then)) // (DAY_S * 1000)))
