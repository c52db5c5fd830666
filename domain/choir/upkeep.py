"""What a choir's vault forgets, counts and checks by itself. Knows its tables; not who runs it, nor when."""

from collections.abc import Mapping

from db.clock import Moment
from db.transaction import ReadTx, WriteTx
from domain.charter import CharterCount, CharterJob
from domain.choir.event.events import TYPES
from domain.choir.score_files import BUCKET

_DAY_S = 86400
# Until then an expired invitation can be renewed under the same link.
INVITES_KEPT_S = 30 * _DAY_S


def purge_invites(tx: WriteTx, now: Moment) -> int:
    """Remove invitations that expired more than 30 days ago, with the placements they named; how many."""
    then = now.later(seconds=-INVITES_KEPT_S)
    return tx.execute("DELETE FROM invites WHERE expires_at < :then", then=then)


# Somebody who sings in two choirs is one person. What was taken down is stored and no edition any more.
_FIGURES = """
SELECT (SELECT count(DISTINCT member_id) FROM member_organizations) AS members,
       (SELECT count(*) FROM organizations) AS organizations,
       (SELECT count(*) FROM works) AS works,
       (SELECT count(*) FROM editions WHERE deleted_at IS NULL) AS editions,
       (SELECT coalesce(sum(file_size), 0) FROM editions) AS file_bytes
"""
_TODAY = """
SELECT event_type, count(*) AS number FROM events
 WHERE starts_at >= :today AND starts_at < :tomorrow GROUP BY event_type
"""


def count_figures(tx: ReadTx, now: Moment) -> Mapping[str, int]:
    """How much there is in the whole vault, and today's events (UTC) as `events_rehearsal` and so on."""
    # Days sort before every moment of theirs.
    days = {"today": now.text[:10], "tomorrow": now.later(seconds=_DAY_S)[:10]}
    today = dict.fromkeys(TYPES, 0) | {row["event_type"]: row["number"] for row in tx.rows(_TODAY, **days)}
    return {**dict(tx.rows(_FIGURES)[0]), **{f"events_{kind}": number for kind, number in today.items()}}


_UNMATCHED = """
SELECT count(*) FROM editions AS e
 WHERE e.file_key IS NOT NULL AND NOT EXISTS (
       SELECT 1 FROM vaultry_files AS f JOIN vaultry_blobs AS b ON b.sha256 = f.sha256
        WHERE f.bucket = :bucket AND f.row_key = e.file_key AND f.size = e.file_size AND b.size = e.file_size)
"""
_UNNOTED = """
SELECT count(*) FROM vaultry_files AS f
 WHERE f.bucket = :bucket AND NOT EXISTS (SELECT 1 FROM editions AS e WHERE e.id = f.row_key AND e.file_key = e.id)
"""


def check_files(tx: ReadTx, now: Moment) -> Mapping[str, int]:
    """`unmatched`: editions whose file is not there or of another size; `unnoted`: files of which no edition knows.

    Figures that are 0 are left out.
    """
    found = {
        "unmatched": int(tx.value(_UNMATCHED, bucket=BUCKET)),
        "unnoted": int(tx.value(_UNNOTED, bucket=BUCKET)),
    }
    return {name: number for name, number in found.items() if number}


JOBS: tuple[CharterJob | CharterCount, ...] = (
    CharterJob("invites.purge", _DAY_S, purge_invites, "Remove invitations that expired more than 30 days ago."),
    CharterCount("figures.count", _DAY_S, count_figures, "Count people, library and today's events.", by_day=True),
    CharterCount("files.check", 7 * _DAY_S, check_files, "Compare editions with the files that are stored for them."),
)
