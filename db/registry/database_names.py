"""The names databases are reached by over SQL: their form, whose each is, a page of them. Opens no vault.

A database made there has a name of its own and a slug derived from it; every other tenant goes by its slug. A name is
free as soon as its database is deleted, though the vault stays for 30 days.
"""

import re
from dataclasses import replace

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.registry.directory import NewVault, VaultEntry, create_vault_entry, delete_vault, find_slug, find_vault
from db.registry.slugs import MAX_CHARACTERS, MIN_CHARACTERS, add_slug, remove_slug, slug_availability
from db.transaction import ReadTx, WriteTx

NAME_CHARACTERS = 64
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_BY_NAME = "SELECT vault_id FROM database_names WHERE name = :name"


def check_database_name(text: object) -> str:
    """The name itself. Raises Invalid."""
    if not isinstance(text, str) or not text:
        raise Invalid("Invalid property: name => Required", field="name")
    if not _NAME.fullmatch(text):
        raise Invalid(
            f"Invalid property: name => got {text[:80]!r}, wanted 1-{NAME_CHARACTERS} of letters, digits, '_' and '-', "
            "no '-' first",
            field="name",
        )
    return text


def find_database(tx: ReadTx, wanted: str) -> VaultEntry | None:
    """The vault of this id or name, whatever its status, or None."""
    by_name = tx.value(_BY_NAME, name=wanted)
    if by_name is not None:
        return find_vault(tx, by_name)
    return find_vault(tx, wanted.lower()) or find_slug(tx, wanted)


def database_name(tx: ReadTx, entry: VaultEntry) -> str:
    """The name a vault goes by over SQL."""
    named: str | None = tx.value("SELECT name FROM database_names WHERE vault_id = :id", id=entry.id)
    return named or entry.slug or entry.id


def free_slug(tx: ReadTx, name: str, now: Moment) -> str:
    """The slug of a new database: its name as far as one can be written so, made unlike any other.

    Raises Conflict `database_exists` for the name of a database that is there.
    """
    found = find_database(tx, name)
    if found is not None:
        kept = " (deleted; its operator may yet bring it back)" if found.status == "deleted" else ""
        raise Conflict(
            f"A database with that name already exists: {name}{kept}. Choose another name.", code="database_exists"
        )
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_CHARACTERS].strip("-")
    if len(slug) >= MIN_CHARACTERS and slug_availability(tx, slug) == "available":
        return slug
    return f"{slug[: MAX_CHARACTERS - 9] or 'db'}-{now.token_hex(4)}"


def enter_database(tx: WriteTx, new: NewVault, name: str, now: Moment) -> VaultEntry:
    """The new entry in the directory, under its name. Raises Conflict `database_exists`, `duplicate` (the slug)."""
    if tx.value(_BY_NAME, name=name) is not None:
        raise Conflict(
            f"A database with that name already exists: {name}. Choose another name.", code="database_exists"
        )
    entry = create_vault_entry(tx, replace(new, name=name), now)
    tx.insert("database_names", name=name, vault_id=entry.id, created_at=now.text)
    return entry


def delete_database(tx: WriteTx, entry: VaultEntry, now: Moment) -> None:
    """Mark the vault deleted. A name of its own is free again, and its slug becomes one that says so.

    Brought back within 30 days, the vault is found by its id or that slug.
    """
    delete_vault(tx, entry.id, now)
    if tx.execute("DELETE FROM database_names WHERE vault_id = :id", id=entry.id) == 0:
        return
    for row in tx.rows("SELECT slug FROM slugs WHERE vault_id = :id", id=entry.id):
        remove_slug(tx, row["slug"])
    add_slug(tx, f"deleted-{entry.id.replace('-', '')[-20:]}", entry.id, entry.scope, now)


_FILTER = """
 WHERE v.status <> 'deleted'
   AND (:search IS NULL OR instr(lower(coalesce(d.name, s.slug)), lower(:search)))
   AND (:label IS NULL OR EXISTS (SELECT 1 FROM vault_labels WHERE vault_id = v.id AND label = :label))
   AND (:only IS NULL OR v.id = :only)
"""
_FROM = """
  FROM vaults AS v LEFT JOIN database_names AS d ON d.vault_id = v.id
  LEFT JOIN slugs AS s ON s.slug = (SELECT slug FROM slugs WHERE vault_id = v.id ORDER BY created_at, slug LIMIT 1)
"""
_COUNT = f"SELECT count(*) {_FROM} {_FILTER}"
_PAGE = f"""
SELECT v.id, coalesce(d.name, s.slug, v.id) AS name, v.created_at {_FROM} {_FILTER}
 ORDER BY v.created_at, v.id LIMIT :per_page OFFSET :skipped
"""


def list_databases(
    tx: ReadTx, *, page: int, per_page: int, search: str | None, label: str | None, only: str | None
) -> tuple[list[dict[str, str]], int]:
    """One page with uuid, name and created_at of each, the oldest first, and how many there are on all pages.

    search: part of the name. label: one the vault has. only: the id of the one vault the asker may see.
    """
    chosen = {"search": search, "label": label, "only": only}
    rows = tx.rows(_PAGE, **chosen, per_page=per_page, skipped=(page - 1) * per_page)
    found = [{"uuid": row["id"], "name": row["name"], "created_at": row["created_at"]} for row in rows]
    return found, tx.value(_COUNT, **chosen)
