"""Sign-ins under way: out to a provider or a mailbox, back to the client that began them. Knows hashes; no protocol.

`state` and `code` are random and stored hashed; both are taken once. What else a flow needs (our own PKCE verifier and
the nonce) is derived from `state` under the platform's secret, so that a copy of the registry completes none.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotAuthenticated
from db.keyring import KeyRing, encode_base64url, random_token, token_digest
from db.registry.directory import VaultEntry
from db.transaction import ReadTx, Row, WriteTx

STATE_PREFIX = "vls_"
CODE_PREFIX = "vlx_"
FLOW_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in under way. code_challenge None: no PKCE. link_account_id: who asked to be linked; None = a sign-in."""

    id: str
    vault_id: str
    slug: str
    provider: str | None
    redirect_to: str
    code_challenge: str | None
    link_account_id: str | None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Who came back. method: the proof. link: (provider, subject, data) of an identity to link; None = a sign-in."""

    account_id: str
    method: str
    link: tuple[str, str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class NewFlow:
    """A flow just begun. state: goes to the provider and comes back."""

    id: str
    state: str = field(repr=False)


def begin_flow(
    tx: WriteTx,
    entry: VaultEntry,
    redirect_to: str,
    now: Moment,
    *,
    provider: str | None = None,
    code_challenge: str | None = None,
    link_account_id: str | None = None,
) -> NewFlow:
    """A new sign-in, to be completed within 15 minutes.

    entry: as found by the name it is begun under. redirect_to: already checked against what is allowed.
    """
    flow_id, state = now.new_id(), random_token(STATE_PREFIX, now)
    tx.insert(
        "sign_in_flows",
        id=flow_id,
        vault_id=entry.id,
        slug=entry.slug,
        provider=provider,
        state_hash=token_digest(state),
        redirect_to=redirect_to,
        code_challenge=code_challenge,
        link_account_id=link_account_id,
        created_at=now.text,
        expires_at=now.later(seconds=FLOW_SECONDS),
    )
    return NewFlow(flow_id, state)


def nonce_of(ring: KeyRing, state: str) -> str:
    """The nonce that the provider's id token must carry."""
    return ring.mac("sign-in nonce", state)


def verifier_of(ring: KeyRing, state: str) -> str:
    """Our PKCE verifier towards the provider, of 64 characters."""
    return ring.mac("sign-in verifier", state)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier. Source: RFC 7636."""
    return encode_base64url(hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest())


def find_flow(tx: ReadTx, state: str, now: Moment) -> Flow | None:
    """The flow that waits for this state, without taking it: where to say that the provider refused. None for none."""
    row = tx.row("SELECT * FROM sign_in_flows WHERE state_hash = :hash", hash=token_digest(state))
    if row is None or row["returned_at"] is not None or now.text >= row["expires_at"]:
        return None
    return _flow(row)


def take_flow(tx: WriteTx, state: str, now: Moment) -> Flow:
    """The flow of the state, which is worth nothing from now on. Raises Invalid `bad_oauth_state`."""
    flow = find_flow(tx, state, now)
    if flow is None:
        raise Invalid("this sign-in is unknown, over or was completed; begin again", code="bad_oauth_state")
    tx.execute("UPDATE sign_in_flows SET returned_at = :now WHERE id = :id", id=flow.id, now=now.text)
    return flow


def complete_flow(tx: WriteTx, flow_id: str, who: Exchanged, now: Moment) -> str:
    """The code that the client exchanges for a session; it is shown here and nowhere else."""
    code = random_token(CODE_PREFIX, now)
    _, subject, data = who.link or (None, None, None)
    complete = """
    UPDATE sign_in_flows
       SET code_hash = :hash, account_id = :account, method = :method, subject = :subject, data = :data
     WHERE id = :id
    """
    tx.execute(
        complete,
        id=flow_id,
        hash=token_digest(code),
        account=who.account_id,
        method=who.method,
        subject=subject,
        data=None if data is None else json.dumps(data, separators=(",", ":")),
    )
    return code


def exchange_code(tx: WriteTx, code: str, verifier: str, vault_id: str, now: Moment) -> Exchanged:
    """Who the code stands for, which is used up. verifier: of the challenge the flow began with.

    Raises NotAuthenticated `flow_state_not_found` or `flow_state_expired`, Forbidden `wrong_audience`, Invalid
    `bad_code_verifier`; a wrong verifier leaves the code to the client that has the right one.
    """
    row = tx.row("SELECT * FROM sign_in_flows WHERE code_hash = :hash", hash=token_digest(code))
    if row is None or row["exchanged_at"] is not None:
        raise NotAuthenticated("this code is unknown or was exchanged already; sign in again",
                               code="flow_state_not_found")  # fmt: skip
    if row["vault_id"] != vault_id:
        raise Forbidden("this code is for another vault; sign in here", code="wrong_audience")
    if now.text >= row["expires_at"]:
        raise NotAuthenticated("this code has expired; sign in again", code="flow_state_expired")
    if not hmac.compare_digest(challenge_of(verifier), row["code_challenge"] or ""):
        raise Invalid("code_verifier: it is not the one this sign-in began with", code="bad_code_verifier")
    tx.execute("UPDATE sign_in_flows SET exchanged_at = :now WHERE id = :id", id=row["id"], now=now.text)
    link = None
    if row["subject"] is not None:
        link = (row["provider"], row["subject"], json.loads(row["data"]))
    return Exchanged(row["account_id"], row["method"], link)


def take_id_token(tx: WriteTx, entry: VaultEntry, provider: str, id_token: str, ends: Moment, now: Moment) -> None:
    """Note that an id token signed somebody in. ends: when it expires. Raises NotAuthenticated the second time."""
    digest = token_digest(id_token)
    if tx.value("SELECT 1 FROM sign_in_flows WHERE state_hash = :hash", hash=digest) is not None:
        raise NotAuthenticated("this id token was used already; sign in again", code="token_invalid")
    tx.insert(
        "sign_in_flows",
        id=now.new_id(),
        vault_id=entry.id,
        slug=entry.slug,
        provider=provider,
        state_hash=digest,
        redirect_to="",
        created_at=now.text,
        expires_at=max(ends.text, now.later(seconds=FLOW_SECONDS)),
        returned_at=now.text,
    )


def purge_flows(tx: WriteTx, now: Moment) -> int:
    """Forget sign-ins that are over; the number removed."""
    return tx.execute("DELETE FROM sign_in_flows WHERE expires_at < :then", then=now.later(seconds=-3600))


def _flow(row: Row) -> Flow:
    return Flow(
        row["id"],
        row["vault_id"],
        row["slug"],
        row["provider"],
        row["redirect_to"],
        row["code_challenge"],
        row["link_account_id"],
    )
