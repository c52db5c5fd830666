"""Tokens for programs: made, found, listed, revoked, and what each may reach. Knows names of tables and verbs only.

A token is `vlt_` and 43 characters of base64url. A vault token acts as one role of its vault's charter, narrowed to
tables and verbs; an operator token reaches every vault. Neither is ever widened afterwards.
"""

import hmac
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from db.clock import Moment, timestamp_ms
from db.errors import Invalid, NotAuthenticated, NotFound
from db.keyring import random_token, token_digest
from db.transaction import ReadTx, Row, WriteTx

API_PREFIX = "vlt_"
SHOWN_CHARACTERS = 12
NAME_CHARACTERS = 200
# What tokens for SQL have in place of a role of the charter.
SQL_ROLE = "sql"
_TOKEN = re.compile(r"vlt_[A-Za-z0-9_-]{43}")
_LISTED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")
# A commit for each request would cost more than the request: the last use is kept to the hour.
_USE_RESOLUTION_S = 3600
# People look up which token it was that no longer works.
_KEPT_SECONDS = 90 * 86400


@dataclass(frozen=True, slots=True)
class TokenReach:
    """What a new token may reach.

    vault_id, role: both, or neither for an operator token. scope: the organisation or branch it acts in, of a vault
    that has several. tables, verbs: names; None = every one, empty = none.
    expires_at: a timestamp with an offset; None = until revoked.
    """

    vault_id: str | None = None
    role: str | None = None
    scope: str = ""
    tables: Collection[str] | None = None
    verbs: Collection[str] | None = None
    read_only: bool = False
    expires_at: str | None = None
    sql: str | None = None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A stored token. kind: operator or vault. prefix: its first 12 characters, to tell tokens apart."""

    id: str
    name: str
    prefix: str
    kind: str
    vault_id: str | None
    role: str | None
    scope: str
    tables: frozenset[str] | None
    verbs: frozenset[str] | None
    read_only: bool
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    sql: str | None = None

    def reaches_sql(self, vault_id: str) -> bool:
        """Whether the token may run SQL in this vault, be it to read."""
        return self.kind == "operator" or (self.sql is not None and self.vault_id == vault_id)

    def reaches(self, vault_id: str, scope: str) -> bool:
        """Whether the token may enter this vault, and act in this part of it."""
        return self.kind == "operator" or (self.vault_id, self.scope) == (vault_id, scope)

    def may_read(self, table: str) -> bool:
        """Whether the table is among those listed."""
        return self.tables is None or table in self.tables

    def may_write(self, table: str) -> bool:
        """Whether the table is among those listed and the token is not for reading only."""
        return not self.read_only and self.may_read(table)

    def may_call(self, verb: str, *, writes: bool) -> bool:
        """Whether the verb is among those listed and, if it writes, the token is not for reading only."""
        return not (writes and self.read_only) and (self.verbs is None or verb in self.verbs)


def create_api_token(tx: WriteTx, name: str, reach: TokenReach, now: Moment) -> tuple[str, ApiToken]:
    """The plain token, shown here and nowhere else, and its record. Raises Invalid, NotFound for an unknown vault."""
    label = name.strip()
    if not 1 <= len(label) <= NAME_CHARACTERS:
        raise Invalid(f"name: got {len(label)} characters, wanted 1 to {NAME_CHARACTERS}", field="name")
    if reach.sql is not None:
        reach = _for_sql(reach)
    if (reach.vault_id is None) != (reach.role is None):
        raise Invalid("a vault token needs a vault and a role, an operator token has neither", field="role")
    if reach.vault_id is None and (reach.tables is not None or reach.verbs is not None):
        raise Invalid("an operator token reaches whole vaults; tables and verbs are for vault tokens", field="tables")
    known = "SELECT 1 FROM vaults WHERE id = :id"
    if reach.vault_id is not None and tx.value(known, id=reach.vault_id) is None:
        raise NotFound(f"no vault {reach.vault_id}")
    token, token_id = random_token(API_PREFIX, now), now.new_id()
    tx.insert(
        "api_tokens",
        id=token_id,
        name=label,
        token_hash=token_digest(token),
        prefix=token[:SHOWN_CHARACTERS],
        kind="operator" if reach.vault_id is None else "vault",
        vault_id=reach.vault_id,
        role=reach.role,
        scope=reach.scope,
        tables=_names_json(reach.tables, "tables"),
        verbs=_names_json(reach.verbs, "verbs"),
        read_only=int(reach.read_only),
        created_at=now.text,
        expires_at=_expiry(reach.expires_at, now),
        sql=reach.sql,
    )
    return token, _required(tx, token_id)


def find_api_token(tx: ReadTx, token: str, now: Moment) -> ApiToken:
    """The record of a token in force. Raises NotAuthenticated `token_invalid` (unknown, revoked) or `token_expired`."""
    digest = token_digest(token)
    row = tx.row("SELECT * FROM api_tokens WHERE token_hash = :token_hash", token_hash=digest)
    known = row is not None and hmac.compare_digest(row["token_hash"], digest) and _TOKEN.fullmatch(token)
    if row is None or not known or row["revoked_at"] is not None:
        raise NotAuthenticated("this API token is unknown or revoked; make a new one", code="token_invalid")
    found = _record(row)
    if is_expired(found, now):
        raise NotAuthenticated(f"this API token expired at {found.expires_at}; make a new one", code="token_expired")
    return found


def is_expired(token: ApiToken, now: Moment) -> bool:
    """Whether its time is over."""
    return token.expires_at is not None and now.text >= token.expires_at


def record_token_use(tx: WriteTx, token_id: str, now: Moment) -> bool:
    """Note that the token was used, at most once an hour; whether anything was written."""
    stale = (
        "UPDATE api_tokens SET last_used_at = :now WHERE id = :id AND (last_used_at IS NULL OR last_used_at <= :before)"
    )
    return tx.execute(stale, id=token_id, now=now.text, before=now.later(seconds=-_USE_RESOLUTION_S)) == 1


def token_use_is_stale(token: ApiToken, now: Moment) -> bool:
    """Whether `record_token_use` would write: ask before opening a transaction for it."""
    return token.last_used_at is None or token.last_used_at <= now.later(seconds=-_USE_RESOLUTION_S)


def list_api_tokens(tx: ReadTx, vault_id: str | None) -> list[ApiToken]:
    """The tokens of a vault, or the operator's for None, newest first; revoked and expired ones included."""
    rows = tx.rows(
        "SELECT * FROM api_tokens WHERE vault_id IS :vault_id ORDER BY created_at DESC, id DESC", vault_id=vault_id
    )
    return [_record(row) for row in rows]


def revoke_api_token(tx: WriteTx, token_id: str, vault_id: str | None, now: Moment) -> ApiToken:
    """The token, refused from now on; twice is once. vault_id: whose it is, None = the operator's. Raises NotFound."""
    if _required(tx, token_id).vault_id != vault_id:
        raise NotFound("no API token with this id")
    revoke = "UPDATE api_tokens SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL"
    tx.execute(revoke, id=token_id, now=now.text)
    return _required(tx, token_id)


def purge_api_tokens(tx: WriteTx, now: Moment) -> int:
    """Forget tokens that expired or were revoked 90 days ago or earlier; the number removed."""
    over = "DELETE FROM api_tokens WHERE expires_at <= :then OR revoked_at <= :then"
    return tx.execute(over, then=now.later(seconds=-_KEPT_SECONDS))


def _required(tx: ReadTx, token_id: str) -> ApiToken:
    row = tx.row("SELECT * FROM api_tokens WHERE id = :id", id=token_id)
    if row is None:
        raise NotFound("no API token with this id")
    return _record(row)


def _record(row: Row) -> ApiToken:
    return ApiToken(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        kind=row["kind"],
        vault_id=row["vault_id"],
        role=row["role"],
        scope=row["scope"],
        tables=_names(row["tables"]),
        verbs=_names(row["verbs"]),
        read_only=bool(row["read_only"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
        sql=row["sql"],
    )


def _for_sql(reach: TokenReach) -> TokenReach:
    """The reach of a token for SQL: a role that no charter has, and no table or verb. Raises Invalid."""
    if reach.sql not in ("read", "write"):
        raise Invalid(f"sql: got {reach.sql!r}, wanted read or write", field="sql")
    if reach.vault_id is None or reach.role is not None or reach.tables is not None or reach.verbs is not None:
        raise Invalid("a token for SQL has a vault, and neither role, tables nor verbs", field="sql")
    return replace(reach, role=SQL_ROLE, scope="", tables=(), verbs=(), read_only=reach.sql == "read")


def _names(stored: str | None) -> frozenset[str] | None:
    return None if stored is None else frozenset(json.loads(stored))


def _names_json(names: Collection[str] | None, field: str) -> str | None:
    """The names as a JSON list. Raises Invalid for what cannot be a name, or text in place of a list."""
    if names is None:
        return None
    if isinstance(names, str):
        raise Invalid(f"{field}: got text, wanted a list of names", field=field)
    wrong = sorted(name for name in names if not _LISTED_NAME.fullmatch(name))
    if wrong:
        raise Invalid(f"{field}: {wrong[0]!r} cannot be a name of one of them", field=field)
    return json.dumps(sorted(set(names)))


def _expiry(expires_at: str | None, now: Moment) -> str | None:
    """The timestamp as stored. Raises Invalid unless it lies ahead."""
    if expires_at is None:
        return None
    if timestamp_ms(expires_at, "expires_at") <= now.ms:
        raise Invalid(f"expires_at: got {expires_at}, wanted a moment after {now.text}", field="expires_at")
    return Moment(timestamp_ms(expires_at)).text
