"""One-time sign-in links an operator hands to the owner of a new vault. Stores no token, sends nothing."""

import hmac
from dataclasses import dataclass

from db.clock import Moment
from db.errors import NotAuthenticated
from db.keyring import random_token, token_digest
from db.registry.accounts import Account, create_account, find_account_by_email, record_sign_in, require_enabled
from db.transaction import WriteTx

LINK_PREFIX = "vll_"
LINK_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class LinkedSignIn:
    """Who came in by a link, and where to."""

    account: Account
    vault_id: str


def create_link_token(tx: WriteTx, email: str, vault_id: str, now: Moment) -> str:
    """The token of a new link, good once and for 24 h; it is shown here and nowhere else.

    The account is made if there is none. Unused links of the same account and vault stop working: a second link is
    asked for because the first went astray. Raises Invalid, Forbidden `account_disabled`.
    """
    account = require_enabled(find_account_by_email(tx, email) or create_account(tx, email, now), now)
    unused = "DELETE FROM one_time_links WHERE account_id = :account AND vault_id = :vault AND used_at IS NULL"
    tx.execute(unused, account=account.id, vault=vault_id)
    token = random_token(LINK_PREFIX, now)
    tx.insert(
        "one_time_links",
        id=now.new_id(),
        account_id=account.id,
        vault_id=vault_id,
        token_hash=token_digest(token),
        created_at=now.text,
        expires_at=now.later(seconds=LINK_SECONDS),
    )
    return token


def use_link_token(tx: WriteTx, token: str, now: Moment) -> LinkedSignIn:
    """The account and vault of the link, which is used up; counts as a sign-in, not as proof of the mailbox.

    Raises NotAuthenticated `code_invalid`, `code_used` or `code_expired`, Forbidden `account_disabled`.
    """
    digest = token_digest(token)
    row = tx.row("SELECT * FROM one_time_links WHERE token_hash = :token_hash", token_hash=digest)
    if row is None or not hmac.compare_digest(row["token_hash"], digest):
        raise NotAuthenticated("this sign-in link is not valid; ask the operator for a new one", code="code_invalid")
    if row["used_at"] is not None:
        raise NotAuthenticated("this sign-in link was used already; sign in by mail instead", code="code_used")
    if now.text >= row["expires_at"]:
        raise NotAuthenticated("this sign-in link has expired; ask the operator for a new one", code="code_expired")
    tx.execute("UPDATE one_time_links SET used_at = :now WHERE id = :id", id=row["id"], now=now.text)
    return LinkedSignIn(record_sign_in(tx, row["account_id"], now), row["vault_id"])


def purge_links(tx: WriteTx, now: Moment) -> int:
    """Forget links that expired more than 24 h ago; the number removed."""
    return tx.execute("DELETE FROM one_time_links WHERE expires_at < :then", then=now.later(seconds=-24 * 3600))
