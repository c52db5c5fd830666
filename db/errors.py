"""Every error of the engine, under one root. Knows codes and messages; not statuses (a door decides those).

VaultError                 internal             our fault; detail goes to the log only
|- Invalid                 invalid_input        shape, type, range, enum
|- NotAuthenticated        not_authenticated    no identity, or a bad one
|- Forbidden               forbidden            identity known, right missing
|- NotFound                not_found            absent, or invisible to this caller
|- MethodNotAllowed        method_not_allowed
|- NotAcceptable           not_acceptable       the answer cannot take the form asked for
|- Conflict                conflict             a valid request in the wrong state
|- Gone                    gone                 existed, no longer usable
|- PreconditionFailed      precondition_failed  If-Match did not
|- TooLarge                too_large            over a stated limit
|- RangeUnsatisfiable      range_not_satisfiable
|- RateLimited             rate_limited         retry_after_s says when
|- Unavailable             unavailable          nothing was changed; retry_after_s says when
|  |- StoreUnavailable     store_unavailable    the object store did not answer
|  |- Contended            contended            lost the commit race too often
|- CommitUnknown           commit_unknown       the commit may or may not have happened
|- CorruptLog              corrupt_log          an object of the log failed its checks
|- WalDamaged              wal_damaged          the cache's -wal file failed its checks
|- MigrationFailed         migration_failed     a step failed; names the step and why
"""

Details = str | list[dict[str, str]]
"""What an error says beyond its message: a text, or a list of what there is to choose from."""


class VaultError(Exception):
    """The root. `code` is stable and part of the interface; the message is for people."""

    code = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        details: Details | None = None,
        hint: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Keep the parts of an error body.

        code: replaces the class's code. field: the input that is wrong. details, hint: as in the error body.
        retry_after_s: seconds after which the same request may succeed.
        """
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field
        self.details = details
        self.hint = hint
        self.retry_after_s = retry_after_s
        # Of the vault's last commit when the request failed there, for the answer to tell; '' elsewhere.
        self.bookmark = ""


class Invalid(VaultError):
    """The request is malformed or breaks a stated rule of shape, type, range or enum."""

    code = "invalid_input"


class NotAuthenticated(VaultError):
    """No identity, or one that could not be verified."""

    code = "not_authenticated"


class Forbidden(VaultError):
    """The caller is known and lacks the right."""

    code = "forbidden"


class PermissionMissing(Forbidden):
    """The caller has none of the permissions that open this. permissions: those; () where none does."""

    def __init__(self, message: str, permissions: tuple[str, ...], *, code: str | None = None) -> None:
        """As of every error."""
        needed = f"needs one of: {', '.join(permissions)}" if permissions else None
        super().__init__(message, code=code, details=needed)
        self.permissions = permissions


class NotFound(VaultError):
    """Absent, or not visible to this caller: the two are told apart by nobody."""

    code = "not_found"


class MethodNotAllowed(VaultError):
    """The resource exists and does not take this method."""

    code = "method_not_allowed"


class NotAcceptable(VaultError):
    """The answer cannot take the form that was asked for."""

    code = "not_acceptable"


class Conflict(VaultError):
    """A valid request that the present state refuses."""

    code = "conflict"


class Gone(VaultError):
    """It existed and can no longer be used."""

    code = "gone"


class PreconditionFailed(VaultError):
    """The row is no longer the one the caller saw."""

    code = "precondition_failed"


class TooLarge(VaultError):
    """Over a stated limit; the message names it."""

    code = "too_large"


class RangeUnsatisfiable(VaultError):
    """The page asked for lies outside the rows."""

    code = "range_not_satisfiable"
    total: int | None = None
    """How many rows there are, where they were counted."""


class RateLimited(VaultError):
    """Too many attempts; `retry_after_s` says when the next may succeed."""

    code = "rate_limited"


class Unavailable(VaultError):
    """Nothing was changed and a later attempt may succeed."""

    code = "unavailable"


class StoreUnavailable(Unavailable):
    """The object store did not answer, or refused; nothing was committed."""

    code = "store_unavailable"


class Contended(Unavailable):
    """Other writers won every race within the limit; nothing was committed."""

    code = "contended"


class CommitUnknown(VaultError):
    """The store accepted or lost the commit without saying which; only a look at the log can tell."""

    code = "commit_unknown"


class CorruptLog(VaultError):
    """An object of the log failed a check of its format or checksum."""

    code = "corrupt_log"


class WalDamaged(VaultError):
    """The `-wal` file beside a cache is not one SQLite would accept; the log is not concerned."""

    code = "wal_damaged"


class MigrationFailed(VaultError):
    """A migration step could not be applied; the vault stays at the step before."""

    code = "migration_failed"
