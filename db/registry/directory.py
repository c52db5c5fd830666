"""The directory of tenants: which vaults exist, what state they are in, where their names lead. Opens no vault."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from db.clock import Moment, timestamp_ms
from db.errors import Conflict, Forbidden, Gone, Invalid, NotFound
from db.registry.slugs import add_slug
from db.transaction import ReadTx, Row, WriteTx

UNDELETE_SECONDS = 30 * 86400
MAX_PER_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class VaultEntry:
    """One vault as the directory knows it.

    slug, scope: the name it was found by, or its oldest; '' = none. status: active, suspended or deleted.
    As last reported: schema, the last migration of each set; bookmark, size_bytes; schema_hash, digest of the schema;
    schema_hold, the numbers it is held at; refusal, why it takes no writes.
    """

    id: str
    slug: str
    scope: str
    charter: str
    name: str
    status: str
    schema: Mapping[str, int]
    bookmark: str | None
    size_bytes: int
    created_at: str
    suspended_at: str | None
    deleted_at: str | None
    parent_vault_id: str | None
    parent_bookmark: str | None
    schema_hash: str | None = None
    schema_hold: Mapping[str, int] | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class NewVault:
    """A vault to enter in the directory. parent_*: for a fork, the vault and the point in time it was made from.

    schema, schema_hash: as `SchemaState` has them.
    """

    id: str
    charter: str
    name: str
    slug: str
    scope: str = ""
    schema: Mapping[str, int] = field(default_factory=dict[str, int])
    parent_vault_id: str | None = None
    parent_bookmark: str | None = None
    schema_hash: str | None = None


@dataclass(frozen=True, slots=True)
class VaultPage:
    """One page of the directory. total: entries on all pages."""

    entries: list[VaultEntry]
    total: int


_FROM = """
  FROM vaults AS v LEFT JOIN slugs AS s
    ON s.slug = (SELECT slug FROM slugs WHERE vault_id = v.id ORDER BY created_at, slug LIMIT 1)
"""
_BY_SLUG = """
SELECT v.*, s.slug, s.scope FROM slugs AS s JOIN vaults AS v ON v.id = s.vault_id WHERE s.slug = :slug
"""
_BY_ID = f"SELECT v.*, s.slug, s.scope {_FROM} WHERE v.id = :id"


def create_vault_entry(tx: WriteTx, new: NewVault, now: Moment) -> VaultEntry:
    """The new entry, active, with its first slug. Raises Invalid, Conflict `duplicate`, NotFound (the parent)."""
    if new.parent_vault_id is not None:
        get_vault(tx, new.parent_vault_id)
    if tx.value("SELECT 1 FROM vaults WHERE id = :id", id=new.id) is not None:
        raise Conflict(f"vault {new.id} is in the directory already", code="duplicate", field="id")
    name = new.name.strip()
    if not 1 <= len(name) <= 200:
        raise Invalid(f"name: got {len(name)} characters, wanted 1 to 200", field="name")
    tx.insert(
        "vaults",
        id=new.id,
        charter=new.charter,
        name=name,
        schema_numbers=numbers_text(new.schema),
        schema_hash=new.schema_hash,
        created_at=now.text,
        parent_vault_id=new.parent_vault_id,
        parent_bookmark=new.parent_bookmark,
    )
    add_slug(tx, new.slug, new.id, new.scope, now)
    return get_vault(tx, new.id)


def find_slug(tx: ReadTx, slug: str) -> VaultEntry | None:
    """The vault this slug leads into and the scope it stands for, whatever its status; None for an unknown slug."""
    row = tx.row(_BY_SLUG, slug=slug.lower())
    return None if row is None else _entry(row)


def find_vault(tx: ReadTx, vault_id: str) -> VaultEntry | None:
    """The vault of that id with its oldest slug, whatever its status, or None."""
    row = tx.row(_BY_ID, id=vault_id)
    return None if row is None else _entry(row)


def get_vault(tx: ReadTx, vault_id: str) -> VaultEntry:
    """The vault of that id. Raises NotFound."""
    entry = find_vault(tx, vault_id)
    if entry is None:
        raise NotFound(f"no vault {vault_id}")
    return entry


def require_active(entry: VaultEntry | None) -> VaultEntry:
    """The entry. Raises NotFound without one, Gone `vault_deleted`, Forbidden `vault_suspended`."""
    if entry is None:
        raise NotFound("no vault of this name")
    if entry.status == "deleted":
        raise Gone("this vault was deleted; its operator can bring it back within 30 days", code="vault_deleted")
    if entry.status == "suspended":
        raise Forbidden("this vault is suspended; ask the operator of the platform", code="vault_suspended")
    return entry


_FILTER = """
 WHERE (:status IS NULL AND v.status <> 'deleted' OR v.status = :status)
   AND (:search IS NULL OR instr(lower(v.name), lower(:search)) OR v.id = :search
        OR EXISTS (SELECT 1 FROM slugs WHERE slugs.vault_id = v.id AND instr(slugs.slug, lower(:search))))
   AND (:label IS NULL OR EXISTS (SELECT 1 FROM vault_labels WHERE vault_id = v.id AND label = :label))
"""
_COUNT = f"SELECT count(*) FROM vaults AS v {_FILTER}"
_PAGE = f"""
SELECT v.*, s.slug, s.scope {_FROM} {_FILTER}
 ORDER BY v.created_at, v.id LIMIT :per_page OFFSET :skipped
"""


def list_vaults(
    tx: ReadTx,
    *,
    page: int = 1,
    per_page: int = 100,
    search: str | None = None,
    status: str | None = None,
    label: str | None = None,
) -> VaultPage:
    """One page, oldest vault first; past the end it is empty.

    page: from 1. per_page: 1 to 10000. search: part of the name (case by ASCII only) or of a slug, or an id.
    status: one of them; None = all but deleted. label: one that it has.
    """
    if page < 1 or not 1 <= per_page <= MAX_PER_PAGE:
        raise Invalid(f"got page {page} of {per_page} entries, wanted page 1 or more, 1 to {MAX_PER_PAGE} entries")
    chosen = {"status": status, "search": search, "label": label}
    total = tx.value(_COUNT, **chosen)
    rows = tx.rows(_PAGE, **chosen, per_page=per_page, skipped=(page - 1) * per_page)
    return VaultPage([_entry(row) for row in rows], total)


def suspend_vault(tx: WriteTx, vault_id: str, now: Moment) -> VaultEntry:
    """The vault, closed to its people; twice is once. Raises NotFound, Conflict `vault_deleted`."""
    _require_present(tx, vault_id)
    suspend = "UPDATE vaults SET status = 'suspended', suspended_at = :now WHERE id = :id AND status = 'active'"
    tx.execute(suspend, id=vault_id, now=now.text)
    return get_vault(tx, vault_id)


def resume_vault(tx: WriteTx, vault_id: str) -> VaultEntry:
    """The vault, open again; twice is once. Raises NotFound, Conflict `vault_deleted`."""
    _require_present(tx, vault_id)
    tx.execute("UPDATE vaults SET status = 'active', suspended_at = NULL WHERE id = :id", id=vault_id)
    return get_vault(tx, vault_id)


def delete_vault(tx: WriteTx, vault_id: str, now: Moment) -> VaultEntry:
    """The vault, marked deleted and kept for 30 days with its slugs; twice is once. Raises NotFound."""
    get_vault(tx, vault_id)
    delete = "UPDATE vaults SET status = 'deleted', deleted_at = :now WHERE id = :id AND status <> 'deleted'"
    tx.execute(delete, id=vault_id, now=now.text)
    return get_vault(tx, vault_id)


_UNDELETE = """
UPDATE vaults SET status = CASE WHEN suspended_at IS NULL THEN 'active' ELSE 'suspended' END, deleted_at = NULL
 WHERE id = :id
"""


def undelete_vault(tx: WriteTx, vault_id: str, now: Moment) -> VaultEntry:
    """The vault as it was before, suspended if it was.

    Raises NotFound, Gone `vault_deleted` after 30 days or once its erasure has begun.
    """
    entry = get_vault(tx, vault_id)
    if tx.value("SELECT 1 FROM erasures WHERE vault_id = :id", id=vault_id) is not None:
        raise Gone(f"the erasure of vault {vault_id} has begun; nothing brings it back", code="vault_deleted")
    if entry.deleted_at is not None and now.ms >= timestamp_ms(entry.deleted_at) + UNDELETE_SECONDS * 1000:
        raise Gone(f"vault {vault_id} was deleted at {entry.deleted_at}, more than 30 days ago", code="vault_deleted")
    tx.execute(_UNDELETE, id=vault_id)
    return get_vault(tx, vault_id)


def vaults_to_forget(tx: ReadTx, now: Moment) -> list[str]:
    """Ids of vaults deleted 30 days ago or earlier: remove their objects, then `forget_vault` each."""
    due = "SELECT id FROM vaults WHERE deleted_at <= :then ORDER BY deleted_at, id"
    return [row["id"] for row in tx.rows(due, then=now.later(seconds=-UNDELETE_SECONDS))]


def forget_vault(tx: WriteTx, vault_id: str, now: Moment, *, early: bool = False) -> None:
    """Remove the entry with its slugs, memberships, sessions, codes and tokens.

    Raises Conflict before its 30 days, unless `early`.
    """
    if not early and vault_id not in vaults_to_forget(tx, now):
        raise Conflict(f"vault {vault_id} was not deleted 30 days ago; delete it and wait", code="vault_kept")
    tx.execute("DELETE FROM vaults WHERE id = :id", id=vault_id)


# A hash that was not reported together with new numbers belongs to the old ones.
_RECORD = """
UPDATE vaults SET schema_numbers = coalesce(:schema, schema_numbers), bookmark = coalesce(:bookmark, bookmark),
                  size_bytes = coalesce(:size_bytes, size_bytes),
                  schema_hash = CASE WHEN :hash IS NULL AND (:schema IS NULL OR :schema = schema_numbers)
                                     THEN schema_hash ELSE :hash END,
                  schema_hold = CASE WHEN :hold IS NULL THEN schema_hold ELSE nullif(:hold, '{}') END,
                  refusal = CASE WHEN :refusal IS NULL THEN refusal ELSE nullif(:refusal, '') END
 WHERE id = :id AND (:bookmark IS NULL OR bookmark IS NULL OR bookmark <= :bookmark)
"""


def record_vault_state(
    tx: WriteTx,
    vault_id: str,
    *,
    schema: Mapping[str, int] | None = None,
    bookmark: str | None = None,
    size_bytes: int | None = None,
    schema_hash: str | None = None,
    schema_hold: Mapping[str, int] | None = None,
    refusal: str | None = None,
) -> bool:
    """Keep what a process saw of the vault; False if it saw an older bookmark than the one kept, or no such vault.

    None: not looked at. schema_hold: {} = it is not held. refusal: '' = it takes writes.
    """
    kept = tx.execute(
        _RECORD,
        id=vault_id,
        schema=None if schema is None else numbers_text(schema),
        bookmark=bookmark,
        size_bytes=size_bytes,
        hash=schema_hash,
        hold=None if schema_hold is None else numbers_text(schema_hold),
        refusal=refusal,
    )
    return kept == 1


def numbers_text(numbers: Mapping[str, int]) -> str:
    """The numbers as the directory keeps them: equal ones are equal text."""
    return json.dumps(dict(numbers), separators=(",", ":"), sort_keys=True)


def _require_present(tx: ReadTx, vault_id: str) -> None:
    if get_vault(tx, vault_id).status == "deleted":
        raise Conflict(f"vault {vault_id} is deleted; undelete it first", code="vault_deleted")


def _entry(row: Row) -> VaultEntry:
    return VaultEntry(
        id=row["id"],
        slug=row["slug"] or "",
        scope=row["scope"] or "",
        charter=row["charter"],
        name=row["name"],
        status=row["status"],
        schema=json.loads(row["schema_numbers"]),
        bookmark=row["bookmark"],
        size_bytes=row["size_bytes"],
        created_at=row["created_at"],
        suspended_at=row["suspended_at"],
        deleted_at=row["deleted_at"],
        parent_vault_id=row["parent_vault_id"],
        parent_bookmark=row["parent_bookmark"],
        schema_hash=row["schema_hash"],
        schema_hold=None if row["schema_hold"] is None else json.loads(row["schema_hold"]),
        refusal=row["refusal"],
    )
