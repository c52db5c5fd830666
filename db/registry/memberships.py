"""Where an account has been admitted: doors to show it, never a right to pass one. Knows ids and names of vaults."""

from dataclasses import dataclass

from db.clock import Moment
from db.registry.accounts import Account, account_of
from db.transaction import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class Membership:
    """A vault that admitted the account. slug: its oldest; '' = none."""

    vault_id: str
    slug: str
    name: str
    charter: str
    created_at: str


def record_membership(tx: WriteTx, account_id: str, vault_id: str, now: Moment) -> None:
    """Note that the vault let this account in; twice is once."""
    note = """
    INSERT INTO memberships (account_id, vault_id, created_at) VALUES (:account_id, :vault_id, :now)
    ON CONFLICT (account_id, vault_id) DO NOTHING
    """
    tx.execute(note, account_id=account_id, vault_id=vault_id, now=now.text)


def forget_membership(tx: WriteTx, account_id: str, vault_id: str) -> bool:
    """Strike the vault from the account's list; whether it was there."""
    strike = "DELETE FROM memberships WHERE account_id = :account_id AND vault_id = :vault_id"
    return tx.execute(strike, account_id=account_id, vault_id=vault_id) == 1


_OF_ACCOUNT = """
SELECT m.vault_id, v.name, v.charter, m.created_at,
       coalesce((SELECT slug FROM slugs WHERE vault_id = v.id ORDER BY created_at, slug LIMIT 1), '') AS slug
  FROM memberships AS m JOIN vaults AS v ON v.id = m.vault_id
 WHERE m.account_id = :account_id AND v.status = 'active'
 ORDER BY v.name, v.id
"""


def list_memberships(tx: ReadTx, account_id: str) -> list[Membership]:
    """The active vaults that admitted the account, by name."""
    rows = tx.rows(_OF_ACCOUNT, account_id=account_id)
    return [Membership(row["vault_id"], row["slug"], row["name"], row["charter"], row["created_at"]) for row in rows]


_OF_VAULT = """
SELECT a.* FROM memberships AS m JOIN accounts AS a ON a.id = m.account_id
 WHERE m.vault_id = :vault_id ORDER BY m.created_at, a.id LIMIT :most OFFSET :skip
"""


def list_members(tx: ReadTx, vault_id: str, page: int, per_page: int) -> tuple[list[Account], int]:
    """A page of the accounts the vault admitted, the first to come first, and how many there are. page: from 1."""
    rows = tx.rows(_OF_VAULT, vault_id=vault_id, most=per_page, skip=(page - 1) * per_page)
    total: int = tx.value("SELECT count(*) FROM memberships WHERE vault_id = :vault_id", vault_id=vault_id)
    return [account for row in rows if (account := account_of(row)) is not None], total


def is_member(tx: ReadTx, account_id: str, vault_id: str) -> bool:
    """Whether the vault admitted the account."""
    known = "SELECT 1 FROM memberships WHERE account_id = :account AND vault_id = :vault"
    return tx.value(known, account=account_id, vault=vault_id) is not None
