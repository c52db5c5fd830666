"""What is kept for 30 days and no longer: files of pieces in the trash, and contents that were replaced.

Rows go here; their bytes go when nothing refers to them any more, which the platform counts. Safe to repeat.
"""

from typing import Any, LiteralString

from db.clock import Moment
from db.fields import Field, Flag
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.band.files.keys import MUSIC, REPLACED
from domain.band.trash import DAYS
from domain.charter import Args, CharterJob, Verb

_WEEK_S = 7 * 86400
# Counted from the piece's deletion, so that restoring it within the 30 days brings its files back.
_TRASHED: LiteralString = "SELECT id FROM music_pieces WHERE deleted_at < :before"
_DUE: LiteralString = f"""
  FROM vaultry_files
 WHERE (bucket IN (:music, :replaced) AND row_key IN ({_TRASHED})) OR (bucket = :replaced AND updated_at < :before)
"""
_COUNT = f"SELECT count(*) {_DUE}"
_DROP = f"DELETE {_DUE}"
_DROP_ROWS = f"DELETE FROM music_files WHERE piece_id IN ({_TRASHED})"


def _before(now: Moment) -> str:
    return now.later(seconds=-DAYS * 86400)


def count_due(tx: ReadTx, now: Moment) -> int:
    """How many files `clean` would remove."""
    count: int = tx.value(_COUNT, music=MUSIC, replaced=REPLACED, before=_before(now))
    return count


def clean(tx: WriteTx, now: Moment) -> int:
    """Remove what is due; how many files."""
    before = _before(now)
    count = tx.execute(_DROP, music=MUSIC, replaced=REPLACED, before=before)
    tx.execute(_DROP_ROWS, before=before)
    return count


def run(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many files were removed, or with `dry_run` would be."""
    count = count_due(tx, now) if args.get("dry_run") else clean(tx, now)
    return {"count": count, "dry_run": bool(args.get("dry_run"))}


_PARAMS: dict[str, Field] = {"dry_run": Flag()}
_SUMMARY = "Remove files of pieces deleted more than 30 days ago, and contents replaced before that."

VERBS = (Verb("files.clean", run, True, _SUMMARY, ("system.config",), _PARAMS),)
JOBS = (CharterJob("files.clean", _WEEK_S, clean, _SUMMARY),)
