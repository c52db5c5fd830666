"""Who may do what with which files: the charter's policies for the owning rows. Knows policies; not HTTP or stores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from db.clock import Moment
from db.errors import Forbidden, NotAuthenticated, NotFound, VaultError
from db.files.buckets import Bucket, find_bucket
from db.files.declared import FileBucket
from db.files.names import row_key_of
from db.json_sql import identifier
from db.principal import Principal
from db.resources import Policy, Resource
from db.rest.visibility import allowed_sql, is_open, policy_values
from db.transaction import ReadTx, Statement

Action = Literal["read", "write", "remove"]
_KEY = "SELECT name FROM pragma_table_info(:table) WHERE pk = 1"


@dataclass(frozen=True, slots=True)
class FileRules:
    """What holds for the files of one vault.

    declared: the charter's buckets by id. resources: its tables by name. manage: the permission to make buckets by hand
    and use them; None = operators alone. file_bytes: of one file. vault_bytes: of all of them.
    made_at: timestamp that stands for the making of declared buckets.
    """

    declared: Mapping[str, FileBucket] = field(default_factory=dict[str, FileBucket])
    resources: Mapping[str, Resource] = field(default_factory=dict[str, Resource])
    manage: str | None = None
    file_bytes: int = 50 << 20
    vault_bytes: int = 5 << 30
    made_at: str = ""

    def bucket(self, tx: ReadTx, bucket_id: str) -> Bucket:
        """The bucket, declared or made by hand. Raises NotFound `bucket_not_found`."""
        known = self.declared.get(bucket_id)
        if known is not None:
            return self.declared_bucket(known)
        found = find_bucket(tx, bucket_id)
        if found is None:
            raise NotFound("Bucket not found", code="bucket_not_found")
        return found

    def declared_bucket(self, known: FileBucket) -> Bucket:
        """A declared bucket as buckets are shown."""
        return Bucket(known.id, False, known.max_bytes, known.types, "", self.made_at, self.made_at, known)

    def manages(self, principal: Principal) -> bool:
        """Whether the caller makes buckets by hand, and uses them."""
        return principal.kind == "operator" or (self.manage is not None and principal.may(self.manage))

    def asked_for(self, bucket_id: str) -> frozenset[str]:
        """The permissions that may matter for reading and putting files of the bucket."""
        known = self.declared.get(bucket_id)
        if known is None:
            return frozenset([self.manage] if self.manage else [])
        read = self.resources[known.table].read if known.read is None else known.read
        return frozenset(policy.permission for policy in (*read, *known.write) if policy.permission is not None)

    def most_bytes(self, bucket: Bucket) -> tuple[int, str]:
        """The most bytes of one file in the bucket, and what that limit is called."""
        if bucket.max_bytes is not None and bucket.max_bytes <= self.file_bytes:
            return bucket.max_bytes, f"a file in the bucket {bucket.id}"
        return self.file_bytes, "a file (VAULTRY_FILE_BYTES)"

    def allowed(self, tx: ReadTx, bucket: Bucket, action: Action, principal: Principal, now: Moment) -> Statement:
        """The condition over columns of `vaultry_files` that the caller may do this, with its values."""
        if bucket.declared is None:
            free = self.manages(principal) or (action == "read" and bucket.public)
            return Statement("1" if free else "0")
        owner = self._owners(tx, bucket.declared, action, principal)
        return Statement(f"row_key IN ({owner})", policy_values(principal, now))

    def every_row(self, tx: ReadTx, bucket_id: str) -> str:
        """A query for the keys of all rows that may own files of a declared bucket."""
        table = self.declared[bucket_id].table
        return f"SELECT {identifier(str(tx.value(_KEY, table=table)))} FROM main.{identifier(table)}"

    def require_row(self, tx: ReadTx, bucket: Bucket, name: str, principal: Principal, now: Moment) -> str | None:
        """The key of the row that would own a file of this name, which the caller may put; None in a bucket of none.

        Raises NotFound, or what the charter says, for a row the caller does not see, NotAuthenticated or Forbidden for
        one he may not write.
        """
        if bucket.declared is None:
            if not self.manages(principal):
                raise refusal(principal, f"you may not put files into the bucket {bucket.id}")
            return None
        if bucket.declared.rows is not None and bucket.declared.rows.own:
            if is_open(bucket.declared.write, principal):
                return None
            raise refusal(principal, f"you may not put files into the bucket {bucket.id}")
        key = row_key_of(name)
        if self._may(tx, bucket.declared, "write", key, principal, now):
            return key
        if self._may(tx, bucket.declared, "read", key, principal, now):
            raise refusal(principal, f"you may not put files to this row of {bucket.declared.table}")
        raise self.why_unreadable(tx, bucket, key, principal, now) or NotFound(
            f"no row {key[:100]!r} in {bucket.declared.table}", code="not_found"
        )

    def why_unreadable(
        self, tx: ReadTx, bucket: Bucket, name: str, principal: Principal, now: Moment
    ) -> VaultError | None:
        """What the charter says to somebody who cannot read a file of this name; None = that it is not there."""
        if bucket.declared is None:
            return None
        return bucket.declared.why_unreadable(tx, principal, name.partition("/")[0], now)

    def _may(self, tx: ReadTx, known: FileBucket, action: Action, key: str, principal: Principal, now: Moment) -> bool:
        owners = self._owners(tx, known, action, principal)
        values = {**policy_values(principal, now), "wanted_key": key}
        return bool(tx.query(Statement(f"SELECT 1 WHERE :wanted_key IN ({owners})", values)))

    def _owners(self, tx: ReadTx, known: FileBucket, action: Action, principal: Principal) -> str:
        """A query for the keys of the rows whose files the caller may read, put or take away."""
        key = identifier(str(tx.value(_KEY, table=known.table)))
        return f"SELECT {key} FROM main.{identifier(known.table)} WHERE {self._condition(known, action, principal)}"

    def _condition(self, known: FileBucket, action: Action, principal: Principal) -> str:
        policies: tuple[Policy, ...]
        if action == "read":
            policies = self.resources[known.table].read if known.read is None else known.read
        else:
            policies = known.write if action == "write" else known.remove
        return allowed_sql(policies, principal)


def refusal(principal: Principal, message: str) -> Forbidden | NotAuthenticated:
    """The error for what the caller may not do: a guest is asked to sign in."""
    if principal.kind == "guest":
        return NotAuthenticated(f"{message}; sign in first", code="42501")
    return Forbidden(message, code="42501")
