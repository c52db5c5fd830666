"""Erasures of vaults and their certificates: begun, finished, found again. Knows the directory; opens no vault.

A certificate names nobody: the vault by its id, the keys by digests of their ids, and no address, name or slug. Who
knows a slug finds the certificate by its keyed hash.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment, timestamp_ms
from db.errors import Conflict
from db.json_sql import identifier
from db.keyring import KeyRing
from db.registry.directory import UNDELETE_SECONDS, forget_vault, get_vault
from db.registry.signed_documents import sign_document
from db.registry.signing_keys import current_signer
from db.transaction import ReadTx, Row, Statement, WriteTx

KIND = "vaultry-erasure"
_NAME_PURPOSE = "name of an erased vault"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure. issued_at, document: None until everything is gone. facts: counted before anything was removed."""

    id: str
    vault_id: str
    facts: Mapping[str, Any] = field(repr=False)
    begun_at: str
    issued_at: str | None
    document: str | None = field(repr=False)


def check_erasable(tx: ReadTx, vault_id: str, now: Moment, *, early: bool) -> None:
    """Raise NotFound for no such vault, Conflict for one that is not deleted, or not for 30 days unless `early`."""
    entry = get_vault(tx, vault_id)
    if entry.deleted_at is None:
        raise Conflict(f"vault {vault_id} is {entry.status}; delete it first", code="vault_kept")
    if not early and now.ms < timestamp_ms(entry.deleted_at) + UNDELETE_SECONDS * 1000:
        raise Conflict(f"vault {vault_id} was deleted at {entry.deleted_at}, not 30 days ago", code="vault_kept")


def begin_erasure(
    tx: WriteTx, ring: KeyRing, vault_id: str, facts: Mapping[str, Any], now: Moment, *, early: bool
) -> Erasure:
    """The erasure, begun; from now on the vault cannot be undeleted. One that was begun before goes on as it is.

    facts: what the certificate will say besides what this module counts. Raises as `check_erasable`.
    """
    begun = find_erasure(tx, vault_id)
    if begun is not None:
        return begun
    check_erasable(tx, vault_id, now, early=early)
    entry = get_vault(tx, vault_id)
    slugs = [row["slug"] for row in tx.rows("SELECT slug FROM slugs WHERE vault_id = :id", id=vault_id)]
    told = {
        **facts,
        "charter": entry.charter,
        "created_at": entry.created_at,
        "deleted_at": entry.deleted_at,
        "before_30_days": early,
        "data_key_held_by": _relatives(tx, vault_id),
    }
    tx.insert(
        "erasures",
        id=now.new_id(),
        vault_id=vault_id,
        name_macs=json.dumps([_name_mac(ring, slug) for slug in slugs]),
        facts=json.dumps(told, separators=(",", ":")),
        begun_at=now.text,
    )
    return _required(tx, vault_id)


def finish_erasure(
    tx: WriteTx, ring: KeyRing, vault_id: str, gone: Mapping[str, Any], issuer: str, now: Moment
) -> Erasure:
    """The erasure with its certificate; the directory forgets the vault in the same transaction. Twice is once.

    gone: what was removed, for the certificate. issuer: the platform's address.
    """
    begun = _required(tx, vault_id)
    if begun.issued_at is not None:
        return begun
    certificate = {
        "certificate": begun.id,
        "issuer": issuer,
        "vault": vault_id,
        **begun.facts,
        **gone,
        "registry_rows": _rows_that_go(tx, vault_id),
        "begun_at": begun.begun_at,
        "issued_at": now.text,
    }
    document = sign_document(current_signer(tx, ring, now), KIND, certificate)
    forget_vault(tx, vault_id, now, early=True)
    issue = "UPDATE erasures SET issued_at = :now, document = :document WHERE vault_id = :id"
    tx.execute(issue, now=now.text, document=document, id=vault_id)
    return _required(tx, vault_id)


def find_erasure(tx: ReadTx, vault_id: str) -> Erasure | None:
    """The erasure of this vault, begun or finished, or None."""
    row = tx.row("SELECT * FROM erasures WHERE vault_id = :id", id=vault_id)
    return None if row is None else _erasure(row)


_LIST = """
SELECT * FROM erasures
 WHERE :name IS NULL OR id = :name OR vault_id = :name
    OR EXISTS (SELECT 1 FROM json_each(name_macs) WHERE value = :mac)
 ORDER BY begun_at DESC, id DESC
"""


def list_erasures(tx: ReadTx, ring: KeyRing, name: str | None = None) -> list[Erasure]:
    """The erasures, newest first. name: only of this slug, vault id or certificate id."""
    mac = None if name is None else _name_mac(ring, name)
    return [_erasure(row) for row in tx.rows(_LIST, name=name, mac=mac)]


def unfinished_erasures(tx: ReadTx) -> list[str]:
    """Ids of the vaults whose erasure has begun and is not certified, the oldest first."""
    rows = tx.rows("SELECT vault_id FROM erasures WHERE issued_at IS NULL ORDER BY begun_at, id")
    return [row["vault_id"] for row in rows]


def erased_since(tx: ReadTx, then: str) -> list[str]:
    """Ids of the vaults certified as erased since that timestamp."""
    rows = tx.rows("SELECT vault_id FROM erasures WHERE issued_at >= :then ORDER BY issued_at, id", then=then)
    return [row["vault_id"] for row in rows]


# Whatever refers to a vault goes with it.
_REFERRING = """
SELECT t.name AS child, f."from" AS name FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name) AS f
 WHERE t.schema = 'main' AND t.type = 'table' AND f."table" = 'vaults' AND t.name <> 'vaults' ORDER BY t.name
"""


def _rows_that_go(tx: ReadTx, vault_id: str) -> dict[str, int]:
    """How many rows of the registry go with the vault, by table; tables without any are left out."""
    counts: dict[str, int] = {}
    for row in tx.rows(_REFERRING):
        where = f"FROM {identifier(row['child'])} WHERE {identifier(row['name'])} = :id"
        found = tx.query(Statement(f"SELECT count(*) {where}", {"id": vault_id}))[0][0]
        counts |= {row["child"]: found} if found else {}
    return counts


# A fork copies the key of its parent's personal data, so it may be held by all that descend from one vault.
_FAMILY = """
WITH RECURSIVE family (id) AS (
    SELECT :id
    UNION
    SELECT v.id FROM vaults AS v JOIN family AS f ON v.parent_vault_id = f.id
    UNION
    SELECT v.parent_vault_id FROM vaults AS v JOIN family AS f ON v.id = f.id WHERE v.parent_vault_id IS NOT NULL
)
SELECT id FROM family WHERE id <> :id ORDER BY id
"""


def _relatives(tx: ReadTx, vault_id: str) -> Sequence[str]:
    return [row["id"] for row in tx.rows(_FAMILY, id=vault_id)]


def _name_mac(ring: KeyRing, name: str) -> str:
    return ring.mac(_NAME_PURPOSE, name.strip().lower())


def _required(tx: ReadTx, vault_id: str) -> Erasure:
    found = find_erasure(tx, vault_id)
    if found is None:
        raise AssertionError(f"the erasure of vault {vault_id} has not begun")
    return found


def _erasure(row: Row) -> Erasure:
    return Erasure(
        row["id"], row["vault_id"], json.loads(row["facts"]), row["begun_at"], row["issued_at"], row["document"]
    )
