"""What the clock does to pages and announcements: publishes what is due, puts away what has expired. Safe to repeat."""

from db.clock import Moment
from db.transaction import WriteTx
from domain.band.content.announcements import make_public
from domain.band.content.publishing import publish_due
from domain.charter import CharterJob

_DUE = "SELECT * FROM announcements WHERE status = 'SCHEDULED' AND publish_at <= :now ORDER BY publish_at, id"
_LATE = """
UPDATE announcements SET status = 'ARCHIVED', publish_at = NULL, updated_at = :now
 WHERE status = 'SCHEDULED' AND publish_at <= :now AND expires_at <= :now
"""
_EXPIRED = """
UPDATE announcements SET status = 'ARCHIVED', updated_at = :now
 WHERE status = 'PUBLISHED' AND expires_at < :now
"""


def publish_content(tx: WriteTx, now: Moment) -> int:
    """Publish pages and announcements whose moment has come; how many.

    An announcement that expired before it could be published is archived, and nobody is told.
    """
    count = publish_due(tx, now) + tx.execute(_LATE, now=now.text)
    for row in tx.rows(_DUE, now=now.text):
        make_public(tx, row, now)
        count += 1
    return count


def expire_announcements(tx: WriteTx, now: Moment) -> int:
    """Archive announcements that have expired; how many."""
    return tx.execute(_EXPIRED, now=now.text)


JOBS = (
    CharterJob("content.publish", 60, publish_content, "Publish pages and announcements whose moment has come."),
    CharterJob("announcements.expire", 86400, expire_announcements, "Archive announcements that have expired."),
)
