"""Imports and exports of databases: begun, held by whoever works on them, ended, told for a day. Does none of the work.

A job is held for a minute at a time. Whoever dies lets go of it so; whoever asks next has it done.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from db.clock import Moment
from db.transaction import Actor, ReadTx, Row, WriteTx

Kind = Literal["import", "export"]
HOLD_S = 60
KEPT_S = 86400


@dataclass(frozen=True, slots=True)
class DatabaseJob:
    """One job. status: active, complete or error. at_bookmark: where the database stood when it began.

    etag: MD5 of the file of an import. filename: of the object it reads or makes. held_until: None = by nobody.
    told_at: when a client was first told how an import ended.
    """

    id: str
    vault_id: str
    kind: Kind
    status: str
    at_bookmark: str
    etag: str | None
    filename: str
    options: Mapping[str, Any]
    actor: Actor
    messages: Sequence[str]
    result: Mapping[str, Any] | None
    error: str | None
    held_until: str | None
    created_at: str
    told_at: str | None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to begin; as `DatabaseJob` has it."""

    vault_id: str
    kind: Kind
    at_bookmark: str
    filename: str
    actor: Actor
    options: Mapping[str, Any]
    etag: str | None = None


def begin_job(tx: WriteTx, new: NewJob, now: Moment) -> DatabaseJob:
    """The job, or the one under way that does the very same."""
    same = (
        "SELECT * FROM database_jobs WHERE vault_id = :vault_id AND kind = :kind AND status = 'active'"
        " AND etag IS :etag AND options = :options"
    )
    options = json.dumps(dict(new.options), sort_keys=True)
    running = tx.row(same, vault_id=new.vault_id, kind=new.kind, etag=new.etag, options=options)
    if running is not None:
        return _job(running)
    job_id = now.new_id()
    tx.insert(
        "database_jobs",
        id=job_id,
        vault_id=new.vault_id,
        kind=new.kind,
        at_bookmark=new.at_bookmark,
        etag=new.etag,
        filename=new.filename.format(id=job_id),
        options=options,
        actor=json.dumps(asdict(new.actor)),
        created_at=now.text,
    )
    return get_job(tx, job_id)


def get_job(tx: ReadTx, job_id: str) -> DatabaseJob:
    """The job of that id, which must be there."""
    row = tx.row("SELECT * FROM database_jobs WHERE id = :id", id=job_id)
    if row is None:
        raise LookupError(f"no job {job_id}")
    return _job(row)


_NEWEST = """
SELECT * FROM database_jobs
 WHERE vault_id = :vault_id AND kind = :kind AND (:bookmark IS NULL OR at_bookmark = :bookmark)
   AND (:etag IS NULL OR etag = :etag)
 ORDER BY id DESC LIMIT 1
"""


def newest_job(
    tx: ReadTx, vault_id: str, kind: Kind, *, bookmark: str | None = None, etag: str | None = None
) -> DatabaseJob | None:
    """The newest job of a database that began at the bookmark, or with that file; None if there is none any more."""
    row = tx.row(_NEWEST, vault_id=vault_id, kind=kind, bookmark=bookmark, etag=etag)
    return None if row is None else _job(row)


def has_job(tx: ReadTx, vault_id: str, filename: str) -> bool:
    """Whether a job that is remembered reads or makes this object."""
    known = "SELECT 1 FROM database_jobs WHERE vault_id = :vault_id AND filename = :filename"
    return tx.value(known, vault_id=vault_id, filename=filename) is not None


_HOLD = """
UPDATE database_jobs SET holder = :holder, held_until = :until
 WHERE id = :id AND status = 'active' AND (holder = :holder OR held_until IS NULL OR held_until <= :now)
"""


def hold_job(tx: WriteTx, job_id: str, holder: str, now: Moment) -> bool:
    """Take hold of the job for a minute, or go on holding it; False when another has it or it is over."""
    return tx.execute(_HOLD, id=job_id, holder=holder, now=now.text, until=now.later(seconds=HOLD_S)) == 1


def release_job(tx: WriteTx, job_id: str, holder: str) -> None:
    """Let go of a job that is not over: another may go on at once."""
    release = "UPDATE database_jobs SET holder = NULL, held_until = NULL WHERE id = :id AND holder = :holder"
    tx.execute(release, id=job_id, holder=holder)


_END = """
UPDATE database_jobs SET status = :status, result = :result, error = :error, messages = :messages, ended_at = :now,
                         holder = NULL, held_until = NULL
 WHERE id = :id AND status = 'active'
"""


def end_job(
    tx: WriteTx,
    job_id: str,
    now: Moment,
    messages: Sequence[str],
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Keep how the job ended, by its result or its error; the first to say so is believed."""
    tx.execute(
        _END,
        id=job_id,
        status="complete" if error is None else "error",
        result=None if result is None else json.dumps(dict(result)),
        error=error,
        messages=json.dumps(list(messages), ensure_ascii=False),
        now=now.text,
    )


def mark_told(tx: WriteTx, job_id: str, now: Moment) -> None:
    """Keep that a client is told now how the job ended; the first time counts."""
    tx.execute("UPDATE database_jobs SET told_at = :now WHERE id = :id AND told_at IS NULL", id=job_id, now=now.text)


def abandoned_jobs(tx: ReadTx, now: Moment) -> list[DatabaseJob]:
    """The jobs that nobody works on, the oldest first."""
    free = (
        "SELECT * FROM database_jobs WHERE status = 'active' AND (held_until IS NULL OR held_until <= :now) ORDER BY id"
    )
    return [_job(row) for row in tx.rows(free, now=now.text)]


def jobs_to_forget(tx: ReadTx, now: Moment) -> list[DatabaseJob]:
    """The jobs that ended a day ago or earlier."""
    over = "SELECT * FROM database_jobs WHERE ended_at <= :then ORDER BY id"
    return [_job(row) for row in tx.rows(over, then=now.later(seconds=-KEPT_S))]


def forget_job(tx: WriteTx, job_id: str) -> None:
    """Forget how the job ended."""
    tx.execute("DELETE FROM database_jobs WHERE id = :id", id=job_id)


def _job(row: Row) -> DatabaseJob:
    return DatabaseJob(
        id=row["id"],
        vault_id=row["vault_id"],
        kind=row["kind"],
        status=row["status"],
        at_bookmark=row["at_bookmark"],
        etag=row["etag"],
        filename=row["filename"],
        options=json.loads(row["options"]),
        actor=Actor(**json.loads(row["actor"])),
        messages=json.loads(row["messages"]),
        result=None if row["result"] is None else json.loads(row["result"]),
        error=row["error"],
        held_until=row["held_until"],
        created_at=row["created_at"],
        told_at=row["told_at"],
    )
