"""One request for files: whose vault, who came, by which rules. Knows settings and identities; no rule, no bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from db.errors import Forbidden
from db.files.buckets import Bucket
from db.files.declared import FileBucket
from db.files.rules import FileRules
from db.files.table import Caller
from db.idempotency import answer_once, request_digest
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.transaction import Actor, ReadTx, WriteTx
from domain.charter import Charter
from handlers.http.call import Call
from handlers.http.identity import GUEST, Identity, identify, principal_of
from handlers.http.reply import Reply
from handlers.http.written import written
from handlers.services import Services

T = TypeVar("T")
# What an API token that is narrowed to tables must list to reach buckets made by hand.
FREE_FILES = "vaultry_files"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that was let into a vault. signer: who signed its link; None without a link."""

    services: Services
    call: Call
    entry: VaultEntry
    charter: Charter
    identity: Identity
    rules: FileRules
    signer: Principal | None = None

    def read(self, work: Callable[[ReadTx, Caller], T]) -> tuple[T, str]:
        """What `work` returned, and the bookmark."""
        with self.services.vault(self.entry) as vault:
            answer = vault.read(lambda tx: work(tx, self.caller(tx)), self.call.freshness)
        return answer.value, answer.bookmark

    def write(self, verb: str, work: Callable[[WriteTx, Caller], Reply]) -> Reply:
        """The answer of a write, carried out once per Idempotency-Key."""
        if self.signer is not None:
            return self._write_signed(self.signer, verb, work)

        def write(tx: WriteTx, principal: Principal) -> Reply:
            return work(tx, Caller(self.rules, principal, self.call.now))

        with self.services.vault(self.entry) as vault:
            return written(vault, self.call, self.identity, self.entry, self.charter, verb, write)

    def _write_signed(self, signer: Principal, verb: str, work: Callable[[WriteTx, Caller], Reply]) -> Reply:
        """As whoever signed the link."""
        actor = Actor(signer.actor_id, signer.kind, self.call.request_id, verb)
        caller = Caller(self.rules, signer, self.call.now)
        key = self.call.header("idempotency-key")

        def once(tx: WriteTx) -> Reply:
            if key is None:
                return work(tx, caller)
            digest = request_digest(self.call.method.encode(), self.call.url_path.encode(), self.call.body)
            told = answer_once(tx, signer.actor_id, key, digest, self.call.now, lambda: work(tx, caller).as_json())
            return Reply.from_json(told[0])

        with self.services.vault(self.entry) as vault:
            answer = vault.write(once, actor, self.call.now, self.call.began)
        return answer.value.with_headers(("x-d1-bookmark", answer.bookmark))

    def caller(self, tx: ReadTx) -> Caller:
        """The caller as the vault knows him at this commit."""
        if self.signer is not None:
            return Caller(self.rules, self.signer, self.call.now, by_link=True)
        return Caller(self.rules, principal_of(tx, self.identity, self.entry, self.charter), self.call.now)

    def check_token(self, bucket: Bucket | FileBucket | None, *, writes: bool) -> None:
        """Refuse an API token that was not given the table that owns the files. Raises Forbidden."""
        token = self.identity.token
        declared = bucket if isinstance(bucket, FileBucket) else None if bucket is None else bucket.declared
        table = FREE_FILES if declared is None else declared.table
        if token is not None and not (token.may_write(table) if writes else token.may_read(table)):
            raise Forbidden(f"this API token may not {'write' if writes else 'read'} files of {table}", code="42501")

    def signed(self, told: Mapping[str, Any]) -> "Visit":
        """The same request with the rights that a link gives. told: by `signed_by`."""
        held = frozenset(told["permissions"])
        return replace(self, signer=Principal(told["id"], told["kind"], told["scope"], held, told["actor_id"]))

    def signed_by(self, principal: Principal, bucket_id: str) -> dict[str, Any]:
        """Who signs a link into the bucket, and with which permissions, for `signed`.

        They hold as long as the link. What the rules ask of the row is asked again whenever it is used: a file that was
        taken down is gone for everybody.
        """
        held = principal.permissions & self.rules.asked_for(bucket_id)
        named = {"id": principal.id, "kind": principal.kind, "scope": principal.scope, "actor_id": principal.actor_id}
        return {**named, "permissions": sorted(held)}


def enter(services: Services, call: Call) -> Visit:
    """Let a request in. Raises NotFound, Gone, NotAuthenticated, Forbidden."""
    entry = services.entry(call.path["vault"])
    identity = identify(services, call, entry)
    return _visit(services, call, entry, identity)


def enter_by_link(services: Services, call: Call) -> Visit:
    """Let a request in that brings a link or is for everybody; whoever else it claims to be is not looked at."""
    return _visit(services, call, services.entry(call.path["vault"]), GUEST)


def _visit(services: Services, call: Call, entry: VaultEntry, identity: Identity) -> Visit:
    charter = services.charter(entry)
    return Visit(services, call, entry, charter, identity, rules_of(services, entry, charter))


def rules_of(services: Services, entry: VaultEntry, charter: Charter) -> FileRules:
    """What holds for the files of a vault."""
    return FileRules(
        declared={known.id: known for known in charter.buckets},
        resources={known.table: known for known in charter.resources},
        manage=charter.manages_files,
        file_bytes=services.settings.file_bytes,
        vault_bytes=services.settings.vault_file_bytes,
        made_at=entry.created_at,
    )
