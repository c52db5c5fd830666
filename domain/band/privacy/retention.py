"""Letting go in time: alumni after ten years, downloads after one. Knows periods by the calendar; not the audit log's.

A row goes when its time lies strictly before now minus the period. Years are calendar years: from 29 February they lead
to the 28th.
"""

from db.clock import Moment, years_before
from db.errors import Conflict
from db.transaction import WriteTx
from domain.band.privacy.forgetting import forget_member
from domain.charter import CharterJob

ALUMNI_YEARS = 10
DOWNLOAD_YEARS = 1
AUDIT_YEARS = 7
_DAY_S = 86400

_ALUMNI = """
SELECT * FROM members AS m
 WHERE m.status = 'ALUMNI' AND m.leave_date < :before
   AND NOT EXISTS (SELECT 1 FROM vaultry_forgotten WHERE table_name = 'members' AND row_key = m.id)
 ORDER BY m.leave_date, m.id
"""


def forget_alumni(tx: WriteTx, now: Moment) -> int:
    """Forget those who left ten years ago; how many.

    The last super administrator keeps the account: without one nobody could run the band.
    """
    members = tx.rows(_ALUMNI, before=years_before(now.text, ALUMNI_YEARS))
    for member in members:
        try:
            forget_member(tx, member, now)
        except Conflict:
            forget_member(tx, member, now, keep_account=True)
    return len(members)


def forget_downloads(tx: WriteTx, now: Moment) -> int:
    """Remove the notes of downloads of a year ago; how many."""
    before = years_before(now.text, DOWNLOAD_YEARS)
    return tx.execute("DELETE FROM file_downloads WHERE downloaded_at < :before", before=before)


def let_go(tx: WriteTx, now: Moment) -> int:
    """Both; how many rows went or were made anonymous."""
    return forget_alumni(tx, now) + forget_downloads(tx, now)


JOBS = (
    CharterJob("retention", _DAY_S, let_go, "Forget alumni of ten years ago, remove notes of downloads of a year ago."),
)
