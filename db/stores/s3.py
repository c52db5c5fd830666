"""Objects in an S3 bucket, or one that speaks its language. Knows obstore and its errors; not vaults or formats.

Imported only when an s3:// address is configured: obstore is a large library, and a vault in a folder never needs it.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store as Bucket

from db.clock import timestamp
from db.errors import StoreUnavailable
from db.stores.base import ObjectExists, ObjectMissing, OutcomeUnknown, StoredObject, check_key, check_prefix

if TYPE_CHECKING:  # obstore has these names in its stubs only
    from obstore.store import ClientConfig, RetryConfig, S3Config

_READ_RETRIES = 3
_CONNECT_SECONDS = 2.0
# S3 closes a quiet connection after some 20 s, and a frozen Lambda thaws with dead ones: a put sent down one of those
# has no known outcome, so a connection is given up before that.
_IDLE_SECONDS = 15
_STATUS = re.compile(r"status code: (\d{3})")
_TAKEN = 412


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
        begun again later than that after its first try.
        """
        given = {
            "conditional_put": "etag",
            "endpoint": endpoint,
            "region": region,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "session_token": session_token,
        }
        config = cast("S3Config", {name: value for name, value in given.items() if value})
        client: ClientConfig = {
            "allow_http": bool(endpoint and endpoint.startswith("http://")),
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=min(timeout_s, _CONNECT_SECONDS)),
            "pool_idle_timeout": timedelta(seconds=_IDLE_SECONDS),
        }

        def open_bucket(retries: int) -> Bucket:
            retry: RetryConfig = {
                "max_retries": retries,
                "retry_timeout": timedelta(seconds=timeout_s),
                "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
            }
            return Bucket(bucket, prefix=prefix or None, config=config, client_options=client, retry_config=retry)

        self._reads = open_bucket(_READ_RETRIES)
        # A put that is repeated unseen finds its own object and reports it as somebody else's.
        self._puts = open_bucket(0)

    def exists(self, key: str, *, op: str) -> bool:
        """Whether the object is there. Raises StoreUnavailable."""
        try:
            obstore.head(self._reads, check_key(key))
        except FileNotFoundError:
            return False
        except BaseError as exc:
            raise _unavailable(op, "look at", key, exc) from exc
        return True

    def get(self, key: str, *, op: str) -> bytes:
        """The object's bytes. Raises ObjectMissing, StoreUnavailable."""
        try:
            return obstore.get(self._reads, check_key(key)).bytes().to_bytes()
        except FileNotFoundError as exc:
            raise ObjectMissing(f"{op}: no object {key}") from exc
        except BaseError as exc:
            raise _unavailable(op, "read", key, exc) from exc

    def put(self, key: str, body: bytes, *, timestamp_ms: int, op: str) -> None:
        """One conditional request, never a second. Litestream takes the object's time from the metadata.

        Raises ObjectExists, StoreUnavailable, OutcomeUnknown.
        """
        metadata = {"litestream-timestamp": timestamp(timestamp_ms)}
        try:
            obstore.put(self._puts, check_key(key), body, mode="create", use_multipart=False, attributes=metadata)
        except (FileNotFoundError, BaseError) as exc:
            raise _put_error(op, key, exc) from exc

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        """Every object below the prefix, by key. Raises StoreUnavailable."""
        try:
            found = obstore.list(self._reads, check_prefix(prefix) or None, offset=after or None).collect()
        except (FileNotFoundError, BaseError) as exc:
            raise _unavailable(op, "list", prefix, exc) from exc
        listed = [
            StoredObject(meta["path"], meta["size"], int(meta["last_modified"].timestamp() * 1000)) for meta in found
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
