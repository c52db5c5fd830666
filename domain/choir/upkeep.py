"""What a choir's vault forgets by itself. Knows how long things are kept; not who runs it, nor when."""

from db.clock import Moment
from db.transaction import WriteTx
from domain.charter import CharterJob

# Until then an expired invitation can be renewed under the same link.
INVITES_KEPT_S = 30 * 86400


def purge_invites(tx: WriteTx, now: Moment) -> int:
    """Remove invitations that expired more than 30 days ago, with the placements they named; how many."""
    then = now.later(seconds=-INVITES_KEPT_S)
    return tx.execute("DELETE FROM invites WHERE expires_at < :then", then=then)


JOBS = (CharterJob("invites.purge", 86400, purge_invites, "Remove invitations that expired more than 30 days ago."),)
