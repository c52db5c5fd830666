"""Refusals that must be committed, and what the registry keeps out of the audit log. Knows errors; not tables' rows."""

from dataclasses import dataclass
from typing import TypeVar

from db import personal
from db.errors import VaultError

T = TypeVar("T")

# Columns the audit log shows as redacted, as `table.column`: secrets in any form, and who the person is.
REDACTED_COLUMNS = personal.REDACTED_COLUMNS | frozenset(
    {
        "accounts.email",
        "accounts.name",
        "accounts.password_hash",
        "identities.subject",
        "email_codes.email",
        "email_codes.code_hash",
        "email_rate_limits.email",
        "one_time_links.token_hash",
        "refresh_tokens.token_hash",
        "api_tokens.token_hash",
        "signing_keys.private_key",
    }
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal whose traces (a counter, a revocation) were written and must be committed before it is raised."""

    error: VaultError


def accepted(outcome: T | Refused) -> T:
    """The outcome of a committed transaction; raises the error of a Refused."""
    if isinstance(outcome, Refused):
        raise outcome.error
    return outcome
