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
        "accounts.user_metadata",
        "accounts.app_metadata",
        "accounts.new_email",
        "identities.subject",
        "identities.data",
        "email_codes.email",
        "email_codes.code_hash",
        "email_codes.token_hash",
        "email_codes.password_hash",
        "email_codes.user_metadata",
        "factors.secret",
        "factors.friendly_name",
        "identity_providers.client_secret",
        "sign_in_flows.state_hash",
        "sign_in_flows.code_hash",
        "sign_in_flows.subject",
        "sign_in_flows.data",
        "email_rate_limits.email",
        "registrations.owner_hash",
        "registrations.code_hash",
        "one_time_links.token_hash",
        "refresh_tokens.token_hash",
        "api_tokens.token_hash",
        "signing_keys.private_key",
    }
)
# Bookkeeping, written for every vault every day: audit rows about it would soon outweigh all others.
UNAUDITED = frozenset(
    {
        "drills",
        "maintenance_runs",
        "daily_figures",
        "vault_requests",
        "audit_anchors",
        "rollout_vaults",
        "scratch_vaults",
        "database_jobs",
        "attempt_counters",
        "published_vaults",
        "public_lines",
        "slug_reservations",
        "vaults.bookmark",
        "vaults.size_bytes",
        "vaults.schema_numbers",
        "vaults.schema_hash",
        "vaults.refusal",
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
