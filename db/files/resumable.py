"""Uploads that come in parts, over many requests: the parts as objects. Knows offsets; not HTTP, rights or rows.

What was promised about the upload is the object `about`; each part is an object named by where it begins, and a name is
given once: of two requests that bring the same part one wins, and killed between two parts nothing is lost.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from db.clock import Moment, timestamp
from db.errors import Conflict, Gone, Invalid, NotFound, StoreUnavailable
from db.files.collecting import UPLOAD_SECONDS
from db.files.keys import uploads_prefix
from db.files.spool import Spool
from db.log.fetch import fetch_each
from db.stores.base import ObjectExists, ObjectMissing, ObjectStore, OutcomeUnknown, StoredObject

MOST_PARTS = 4_000
# What is told of an upload; the other objects are its parts.
_ABOUT, _DONE, _ENDED = "about", "done", "ended"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun. file: what it is to become, as JSON. length: bytes. asker: who may go on with it.

    by_link: whether it came by a signed link, whose signer's rights it uses.
    """

    id: str
    file: Mapping[str, Any]
    length: int
    asker: str
    began_ms: int
    by_link: bool = False

    @property
    def expires_at(self) -> str:
        """Until when parts may come."""
        return timestamp(self.began_ms + UPLOAD_SECONDS * 1000)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an upload stands. offset: bytes that are there. done: the answer it was given, if it is complete."""

    upload: Upload
    parts: tuple[StoredObject, ...]
    offset: int
    done: str | None


def begin_upload(store: ObjectStore, vault_id: str, upload: Upload, now: Moment) -> None:
    """Note an upload. Raises StoreUnavailable."""
    body = json.dumps(asdict(upload), ensure_ascii=False).encode()
    _put_named(store, _key(vault_id, upload.id, _ABOUT), body, now)


def find_upload(store: ObjectStore, vault_id: str, upload_id: str, now: Moment) -> Progress:
    """Where it stands. Raises NotFound, Gone `upload_expired`."""
    try:
        about = json.loads(store.get(_key(vault_id, upload_id, _ABOUT), op="uploads:get"))
    except ObjectMissing as exc:
        raise NotFound("no such upload, or it was ended", code="upload_not_found") from exc
    upload = Upload(**about)
    if now.text >= upload.expires_at:
        raise Gone("the upload was not finished within a day; begin it anew", code="upload_expired")
    prefix = _key(vault_id, upload_id, "")
    listed = {found.key.removeprefix(prefix): found for found in store.list(prefix, op="uploads:list")}
    if _ENDED in listed:
        raise NotFound("no such upload, or it was ended", code="upload_not_found")
    parts = tuple(found for name, found in listed.items() if name not in (_ABOUT, _DONE))
    if _DONE in listed:
        done = store.get(_key(vault_id, upload_id, _DONE), op="uploads:get").decode()
        return Progress(upload, (), upload.length, done)
    return Progress(upload, parts, sum(part.size for part in parts), None)


def add_part(store: ObjectStore, vault_id: str, progress: Progress, part: Spool, now: Moment) -> int:
    """Keep a part that begins where the upload stands; the new offset.

    Raises Conflict `offset_taken` when another request brought it, Invalid for too many parts, StoreUnavailable.
    """
    if part.size == 0:
        return progress.offset
    if len(progress.parts) >= MOST_PARTS:
        raise Invalid(f"got {MOST_PARTS} parts, which is the limit; send larger ones", code="too_many_parts")
    key = _key(vault_id, progress.upload.id, f"{progress.offset:016x}")
    try:
        store.put(key, part.path, timestamp_ms=now.ms, op="uploads:put")
    except ObjectExists as exc:
        raise Conflict("another request brought this part", code="offset_taken") from exc
    except OutcomeUnknown as exc:
        raise StoreUnavailable(f"uploads:put: {exc.message}; ask where the upload stands", retry_after_s=1) from exc
    return progress.offset + part.size


def read_parts(store: ObjectStore, progress: Progress) -> Iterator[bytes]:
    """The whole content, in chunks."""
    for chunks in fetch_each(store, [(part.key, part.size) for part in progress.parts]):
        yield from chunks


def finish_upload(store: ObjectStore, vault_id: str, progress: Progress, answer: str, now: Moment) -> None:
    """Note that the file is there, and remove the parts. Raises StoreUnavailable."""
    _put_named(store, _key(vault_id, progress.upload.id, _DONE), answer.encode(), now)
    _remove_parts(store, progress)


def end_upload(store: ObjectStore, vault_id: str, progress: Progress, now: Moment) -> None:
    """Note that nobody goes on with it, and remove the parts. Raises StoreUnavailable."""
    _put_named(store, _key(vault_id, progress.upload.id, _ENDED), b"{}", now)
    _remove_parts(store, progress)


def _remove_parts(store: ObjectStore, progress: Progress) -> None:
    """Remove the parts, if this process may: what answers requests on AWS may not delete. The job `files` will."""
    with suppress(StoreUnavailable):
        store.delete([part.key for part in progress.parts], op="uploads:delete")


def unfinished_bytes(store: ObjectStore, vault_id: str) -> int:
    """Bytes of all parts of uploads that are neither complete nor ended."""
    prefix = uploads_prefix(vault_id)
    sizes: dict[str, int] = {}
    over: set[str] = set()
    for found in store.list(prefix, op="uploads:list"):
        upload, _, name = found.key.removeprefix(prefix).partition("/")
        if name in (_DONE, _ENDED):
            over.add(upload)
        elif name != _ABOUT:
            sizes[upload] = sizes.get(upload, 0) + found.size
    return sum(size for upload, size in sizes.items() if upload not in over)


def _put_named(store: ObjectStore, key: str, body: bytes, now: Moment) -> None:
    """Put a small object that only one upload puts, whatever became of an earlier try."""
    try:
        store.put(key, body, timestamp_ms=now.ms, op="uploads:put")
    except ObjectExists:
        return
    except OutcomeUnknown as exc:
        raise StoreUnavailable(f"uploads:put: {exc.message}", retry_after_s=1) from exc


def _key(vault_id: str, upload_id: str, name: str) -> str:
    return f"{uploads_prefix(vault_id)}{upload_id}/{name}"
