"""Errors as HTTP answers: the one place that knows statuses. Says nothing of causes that are our own fault."""

import json
import logging
import sqlite3
import traceback

from db.errors import (
    CommitUnknown,
    Conflict,
    Details,
    Forbidden,
    Gone,
    Invalid,
    MethodNotAllowed,
    MigrationFailed,
    NotAcceptable,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    RangeUnsatisfiable,
    RateLimited,
    TooLarge,
    Unavailable,
    VaultError,
)
from db.schema.constraints import translate
from handlers.http.reply import Reply

STATUS: dict[type[VaultError], int] = {
    VaultError: 500,
    CommitUnknown: 500,
    Invalid: 400,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    TooLarge: 413,
    RangeUnsatisfiable: 416,
    RateLimited: 429,
    Unavailable: 503,
    MigrationFailed: 503,
}
# Faults of ours whose text is meant for the caller; the others quote object names and statements.
SPOKEN = frozenset({"misconfigured"})
RETRY_AFTER_S = 5
# A step that failed, or was taken back, waits for a person.
MIGRATION_RETRY_AFTER_S = 60
_LOG = logging.getLogger("vaultry")


def error_reply(exc: Exception, request_id: str) -> Reply:
    """The answer for an error: status by its class, body `{code, message, details, hint}`."""
    error = _ours(exc)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    # An ambiguous embed is a request that has several readings: 300, as PostgREST answers it.
    status = 300 if error.code == "PGRST201" else status
    if status == 500:
        report_fault(exc, request_id)
    if status == 500 and not isinstance(error, CommitUnknown) and error.code not in SPOKEN:
        error = VaultError("an internal error; it was logged under the request id", code=error.code, details=request_id)
    body = {"code": error.code, "message": error.message, "details": _details(error), "hint": error.hint}
    return Reply(status, json.dumps(body, ensure_ascii=False), headers=_headers(error, status))


def _details(error: VaultError) -> Details | None:
    """What the error says beyond its message: the field, or the minutes to wait, rounded up."""
    if isinstance(error, RateLimited) and error.details is None and error.retry_after_s is not None:
        return f"retry_after_minutes: {-(-error.retry_after_s // 60)}"
    return error.details or error.field


def _headers(error: VaultError, status: int) -> tuple[tuple[str, str], ...]:
    headers = [("Proxy-Status", f"vaultry; error={error.code}")]
    retry_after_s = error.retry_after_s
    if retry_after_s is None and status == 503:
        retry_after_s = MIGRATION_RETRY_AFTER_S if isinstance(error, MigrationFailed) else RETRY_AFTER_S
    if retry_after_s is not None:
        headers.append(("Retry-After", str(retry_after_s)))
    if isinstance(error, RangeUnsatisfiable) and error.total is not None:
        headers.append(("Content-Range", f"*/{error.total}"))
    if error.bookmark:
        headers.append(("x-d1-bookmark", error.bookmark))
    if status == 401:
        headers.append(("WWW-Authenticate", _challenge(error)))
    if isinstance(error, CommitUnknown):
        # Clients that repeat on 500 by themselves must not: the effect may be there.
        headers.append(("x-should-retry", "false"))
    return tuple(headers)


def _challenge(error: VaultError) -> str:
    """What is wrong with the token, where that is what is wrong."""
    if error.code not in ("PGRST301", "PGRST303"):
        return "Bearer"
    told = error.message.replace('"', "'").encode("ascii", "replace").decode()
    return f'Bearer error="invalid_token", error_description="{told}"'


def _ours(exc: Exception) -> VaultError:
    """The error in our own terms; what is not known is our fault."""
    if isinstance(exc, VaultError):
        return exc
    if isinstance(exc, sqlite3.IntegrityError | sqlite3.OperationalError):
        try:
            return translate(exc)
        except sqlite3.Error:
            pass
    return VaultError("internal")


def report_fault(exc: Exception, request_id: str) -> None:
    """Log where it happened. Not the text of the error: it may quote a row."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(exc.__traceback__)]
    code = exc.code if isinstance(exc, VaultError) else ""
    record = {"event": "Failed", "request_id": request_id, "error": type(exc).__name__, "code": code}
    _LOG.error("%s", json.dumps({**record, "at": frames[-12:]}, separators=(",", ":")))
