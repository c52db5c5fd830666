"""Objects in an S3 bucket, or one that speaks its language. Knows obstore and its errors; not vaults or formats.

Imported only when an s3:// address is configured: obstore is a large library, and a vault in a folder never needs it.
"""

import os
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store as Bucket

from db.clock import timestamp
from db.errors import StoreUnavailable, TooLarge
from db.stores.base import ObjectExists, ObjectMissing, OutcomeUnknown, StoredObject, check_key, check_prefix

if TYPE_CHECKING:  # obstore has these names in its stubs only
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig, S3Config

_READ_RETRIES = 3
_CONNECT_SECONDS = 2.0
# S3 closes a quiet connection after some 20 s, and a frozen Lambda thaws with dead ones: a put sent down one of those
# has no known outcome, so a connection is given up before that.
_IDLE_SECONDS = 15
_STATUS = re.compile(r"status code: (\d{3})")
_TAKEN = 412
_STAGING = "staging/"
# Up to here an object is put by one request from memory; S3 takes at most 5 GiB in one copy, and in one put.
SINGLE_PUT_BYTES = 8 << 20
MAX_OBJECT_BYTES = 5 << 30
# Two parts on their way at a time, each of the smallest size S3 takes.
_PART_BYTES = 5 << 20
_PARTS_AT_ONCE = 2
_TRANSFER_SECONDS = 60.0
# A copy inside S3 answers when it is done.
_COPY_SECONDS = 600.0


class S3Store:
    """A store in a bucket below `prefix`. Safe for many threads.

    Without keys the environment's are used: AWS_ACCESS_KEY_ID and its companions, container, web identity, instance.
    They need s3:GetObject, PutObject, DeleteObject on the prefix and ListBucket on the bucket; without the last an
    absent object answers 403, which is not taken for absence.
    """

    level_folder = "vaults/{vault}/{level:04x}/"

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        """Open no connection yet.

        endpoint: of a compatible service; plain http is allowed when it says so. timeout_s: of one request; no read is
        begun again later than that after its first try. Parts of large objects have a minute.
        """
        given = {
            "conditional_put": "etag",
            "copy_if_not_exists": "multipart",
            "endpoint": endpoint,
            "region": region,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "session_token": session_token,
        }
        config = cast("S3Config", {name: value for name, value in given.items() if value})

        def open_bucket(retries: int, seconds: float) -> Bucket:
            client: ClientConfig = {
                "allow_http": bool(endpoint and endpoint.startswith("http://")),
                "timeout": timedelta(seconds=seconds),
                "connect_timeout": timedelta(seconds=min(timeout_s, _CONNECT_SECONDS)),
                "pool_idle_timeout": timedelta(seconds=_IDLE_SECONDS),
            }
            retry: RetryConfig = {
                "max_retries": retries,
                "retry_timeout": timedelta(seconds=seconds),
                "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
            }
            return Bucket(bucket, prefix=prefix or None, config=config, client_options=client, retry_config=retry)

        self._reads = open_bucket(_READ_RETRIES, timeout_s)
        # A put that is repeated unseen finds its own object and reports it as somebody else's.
        self._puts = open_bucket(0, timeout_s)
        self._open_bucket = open_bucket
        self._timeout_s = timeout_s

    @cached_property
    def _transfers(self) -> Bucket:
        """For parts of large objects. Opened when needed: a cold start has none."""
        return self._open_bucket(_READ_RETRIES, max(self._timeout_s, _TRANSFER_SECONDS))

    @cached_property
    def _copies(self) -> Bucket:
        """For copies inside S3, which like puts are never repeated unseen."""
        return self._open_bucket(0, max(self._timeout_s, _COPY_SECONDS))

    def exists(self, key: str, *, op: str) -> bool:
        """Whether the object is there. Raises StoreUnavailable."""
        try:
            obstore.head(self._reads, check_key(key))
        except FileNotFoundError:
            return False
        except BaseError as exc:
            raise _unavailable(op, "look at", key, exc) from exc
        return True

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        """The object's bytes, or that part of them. Raises ObjectMissing, StoreUnavailable."""
        options: GetOptions = {}
        if limit is not None:
            options["range"] = (start, start + limit)
        elif start:
            options["range"] = {"offset": start}
        bucket = self._transfers if start else self._reads
        try:
            return obstore.get(bucket, check_key(key), options=options).bytes().to_bytes()
        except FileNotFoundError as exc:
            raise ObjectMissing(f"{op}: no object {key}") from exc
        except BaseError as exc:
            raise _unavailable(op, "read", key, exc) from exc

    def put(self, key: str, body: bytes | Path, *, timestamp_ms: int, op: str) -> None:
        """One conditional request, never a second. Litestream takes the object's time from the metadata.

        More than 8 MiB is first stored in parts below `staging/` and then copied inside S3 on the same condition; such
        an object carries no metadata, and its time is that of the copy.
        Raises ObjectExists, StoreUnavailable, OutcomeUnknown, TooLarge (above 5 GiB).
        """
        size = body.stat().st_size if isinstance(body, Path) else len(body)
        if size > MAX_OBJECT_BYTES:
            raise TooLarge(f"{op}: {key} has {size} bytes; S3 takes objects of at most {MAX_OBJECT_BYTES} at once")
        if size > SINGLE_PUT_BYTES:
            self._put_large(key, body, op)
            return
        content = body.read_bytes() if isinstance(body, Path) else body
        metadata = {"litestream-timestamp": timestamp(timestamp_ms)}
        try:
            obstore.put(self._puts, check_key(key), content, mode="create", use_multipart=False, attributes=metadata)
        except (FileNotFoundError, BaseError) as exc:
            raise _put_error(op, key, exc) from exc

    def _put_large(self, key: str, body: bytes | Path, op: str) -> None:
        with self._staged(check_key(key), body, op) as staged:
            try:
                obstore.copy(self._copies, staged, key, overwrite=False)
            except (FileNotFoundError, BaseError) as exc:
                raise _put_error(op, key, exc) from exc

    @contextmanager
    def _staged(self, key: str, body: bytes | Path, op: str) -> Generator[str]:
        """Store the body under a name of its own, for the length of the block; parts may be sent again at will."""
        staged = f"{_STAGING}{os.urandom(12).hex()}"
        try:
            try:
                obstore.put(
                    self._transfers,
                    staged,
                    body,
                    use_multipart=True,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
            except (FileNotFoundError, BaseError) as exc:
                raise _unavailable(op, "stage", key, exc) from exc
            yield staged
        finally:
            with suppress(FileNotFoundError, BaseError):  # a leftover is swept up by remove_stale
                obstore.delete(self._reads, staged)

    def remove_stale(self, *, before_ms: int) -> int:
        """Remove what crashed writers left in staging before that moment; the number of objects removed.

        before_ms: milliseconds since 1970; leave a day, an object in flight must not be touched. Raises
        StoreUnavailable.
        """
        stale = [stored.key for stored in self.list(_STAGING, op="staging:list") if stored.modified_ms < before_ms]
        self.delete(stale, op="staging:delete")
        return len(stale)

    def folders(self, prefix: str, *, op: str) -> list[str]:
        """The names of the folders right below the prefix, sorted. Raises StoreUnavailable."""
        try:
            found = obstore.list_with_delimiter(self._reads, check_prefix(prefix) or None)
        except (FileNotFoundError, BaseError) as exc:
            raise _unavailable(op, "list", prefix, exc) from exc
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        """Every object below the prefix, by key. Raises StoreUnavailable."""
        try:
            found = obstore.list(self._reads, check_prefix(prefix) or None, offset=after or None).collect()
        except (FileNotFoundError, BaseError) as exc:
            raise _unavailable(op, "list", prefix, exc) from exc
        listed = [
            StoredObject(meta["path"], meta["size"], int(meta["last_modified"].timestamp() * 1000))
            for meta in found
            if prefix or not meta["path"].startswith(_STAGING)
        ]
        listed.sort(key=lambda stored: stored.key)
        return listed

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        """Remove the objects, a thousand in a request. Raises StoreUnavailable."""
        if not keys:
            return
        try:
            obstore.delete(self._reads, [check_key(key) for key in keys])
        except (FileNotFoundError, BaseError) as exc:
            raise _unavailable(op, "delete", f"{len(keys)} objects from {keys[0]}", exc) from exc


def _put_error(op: str, key: str, cause: Exception) -> ObjectExists | StoreUnavailable | OutcomeUnknown:
    """What a failed put means: taken (412), refused (other 4xx), or not known (409, 5xx, no answer).

    The status stands in the text only: obstore raises AlreadyExistsError for 412 as for 409, which S3 answers when two
    puts meet and neither need have won, and GenericError for 400 and 429 as for 500 and a lost connection. Should the
    wording change, nothing is recognised and every failure is OutcomeUnknown, which costs a look but decides nothing
    wrongly.
    """
    status = _status(cause)
    if status == _TAKEN and isinstance(cause, AlreadyExistsError):
        return ObjectExists(f"{op}: {key} is taken")
    if 400 <= status < 500 and not isinstance(cause, AlreadyExistsError):
        return _unavailable(op, "put", key, cause)
    return OutcomeUnknown(f"{op}: put {key}: {_first_line(cause)}; it may have happened, read the object and compare")


def _unavailable(op: str, action: str, key: str, cause: Exception) -> StoreUnavailable:
    hint = "the credentials lack a right or have expired" if _status(cause) in (401, 403) else None
    return StoreUnavailable(f"{op}: {action} {key}: {_first_line(cause)}", hint=hint)


def _status(cause: Exception) -> int:
    """The HTTP status, or 0 when no answer came."""
    match = _STATUS.search(str(cause))
    return int(match[1]) if match else 0


def _first_line(cause: Exception) -> str:
    # the lines that follow are a dump of Rust structures
    return str(cause).partition("\n")[0]
