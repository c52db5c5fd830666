"""`/d1/database`: databases made, listed, shown, changed, deleted. Parses and answers; vaults are made elsewhere."""

import re
from collections.abc import Mapping
from typing import Any

from db.errors import Invalid
from db.fields import is_json_object
from db.registry.database_names import (
    check_database_name,
    database_name,
    delete_database,
    enter_database,
    free_slug,
    list_databases,
)
from db.registry.database_settings import (
    LOCATION_HINTS,
    READ_REPLICATION,
    DatabaseSettings,
    database_settings,
    put_database_settings,
)
from db.registry.directory import MAX_PER_PAGE, VaultEntry
from db.registry.labels import change_labels
from db.schema.figures import database_figures
from db.transaction import WriteTx
from domain.charter import Founding
from domain.charters import CHARTERS
from handlers.d1.access import enter, enter_account
from handlers.d1.envelope import success
from handlers.http.call import Call
from handlers.http.identity import actor_of
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.tenant.provisioning import prepare_vault

DEFAULT_CHARTER = "blank"
_PER_PAGE, _LEAST_PER_PAGE = 100, 10
_FIELDS = (
    *("uuid", "name", "created_at", "version", "jurisdiction"),
    *("num_tables", "file_size", "running_in_region", "read_replication"),
)
# How the last part of a name chooses a charter where a client sends no headers of its own.
_WITH_CHARTER = re.compile(r"(.+)--([a-z]+)")


def create(services: Services, call: Call) -> Reply:
    """A new database: a vault of the charter that header or name choose, blank without either."""
    account, identity, _ = enter_account(services, call, writes=True)
    body = call.json_object()
    name, settings = check_database_name(body.get("name")), _settings(body)
    if body.get("jurisdiction") is not None:
        raise Invalid(
            "Invalid property: jurisdiction => this platform keeps all its databases in one place, and promises none",
            field="jurisdiction",
        )
    charter, owner = _charter(call, name), _owner(call)
    actor, now = actor_of(identity, call, "d1.create"), call.now
    slug = services.registry_read(lambda tx: free_slug(tx, name, now), current=True)
    if charter != DEFAULT_CHARTER and not owner:
        raise Invalid(
            f"a database of the charter {charter} has an owner: send an address as `x-vaultry-owner` or X-Auth-Email",
            field="owner",
        )
    new = prepare_vault(services, charter, Founding(slug, name, owner), actor, now)

    def register(tx: WriteTx) -> VaultEntry:
        entry = enter_database(tx, new, name, now)
        put_database_settings(tx, entry.id, settings)
        if account.label is not None:
            change_labels(tx, entry.id, [account.label], [], now)
        return entry

    entry = services.registry_write(register, actor, now)
    told = _described(services, entry)
    region = settings.location_hint.upper() if settings.location_hint else None
    return success({**told, "created_in_region": region})


def list_all(services: Services, call: Call) -> Reply:
    """One page of the databases that account and token show; past the end it is empty."""
    account, _, token = enter_account(services, call)
    page = _number(call, "page", 1, 1, 2**31)
    per_page = _number(call, "per_page", _PER_PAGE, _LEAST_PER_PAGE, MAX_PER_PAGE)
    found, total = services.registry_read(
        lambda tx: list_databases(
            tx,
            page=page,
            per_page=per_page,
            search=call.parameter("name") or None,
            label=account.label,
            only=token.vault_id,
        ),
        current=True,
    )
    told = [{**known, "version": "production", "jurisdiction": None} for known in found]
    info = {"page": page, "per_page": per_page, "count": len(told), "total_count": total}
    return success(told, info={**info, "total_pages": -(-total // per_page)})


def get(services: Services, call: Call) -> Reply:
    """One database, or the fields of it that were asked for: repeated or joined by commas."""
    entry = enter(services, call).entry
    asked = [field for name, text in call.query if name == "fields" for field in text.split(",") if field]
    unknown = next((field for field in asked if field not in _FIELDS), None)
    if unknown is not None:
        raise Invalid(f"Invalid property: fields => got {unknown[:40]!r}, wanted one of: {', '.join(_FIELDS)}")
    told = _described(services, entry)
    return success({name: told[name] for name in _FIELDS if not asked or name in asked})


def update(services: Services, call: Call) -> Reply:
    """The database with other settings, all of which are given."""
    return edit(services, call, whole=True)


def edit(services: Services, call: Call, *, whole: bool = False) -> Reply:
    """The database with those settings changed that are given. whole: all must be."""
    access = enter(services, call, writes=True)
    settings, given = _settings(call.json_object()), "read_replication" in call.json_object()
    if whole and not given:
        raise Invalid("Invalid property: read_replication => Required", field="read_replication")

    def change(tx: WriteTx) -> None:
        hint = database_settings(tx, access.entry.id).location_hint
        put_database_settings(tx, access.entry.id, DatabaseSettings(settings.read_replication, hint))

    if given:
        services.registry_write(change, access.actor(call, "d1.edit"), call.now)
    return success(_described(services, access.entry))


def delete(services: Services, call: Call) -> Reply:
    """Delete the database: its name is free at once, its history is kept for 30 days."""
    enter_account(services, call, writes=True)
    access = enter(services, call, writes=True)
    services.registry_write(
        lambda tx: delete_database(tx, access.entry, call.now), access.actor(call, "d1.delete"), call.now
    )
    services.pool.close(access.entry.id)
    return success(None)


def _charter(call: Call, name: str) -> str:
    """The charter that the header names, or the end of the name: `aurora--choir`."""
    given = call.header("x-vaultry-charter")
    if given:
        return given.strip()
    ending = _WITH_CHARTER.fullmatch(name)
    return ending[2] if ending and ending[2] in CHARTERS else DEFAULT_CHARTER


def _owner(call: Call) -> str:
    return (call.header("x-vaultry-owner") or call.header("x-auth-email") or "").strip()


def _settings(body: Mapping[str, Any]) -> DatabaseSettings:
    """The settings in a body, the defaults where it has none. Raises Invalid."""
    replication, hint = body.get("read_replication"), body.get("primary_location_hint")
    mode = replication.get("mode") if is_json_object(replication) else None
    if replication is not None and mode not in READ_REPLICATION:
        wanted = " or ".join(READ_REPLICATION)
        raise Invalid(f"Invalid property: read_replication.mode => wanted {wanted}", field="read_replication")
    if hint is not None and hint not in LOCATION_HINTS:
        wanted = ", ".join(LOCATION_HINTS)
        raise Invalid(f"Invalid property: primary_location_hint => wanted one of: {wanted}", field="location")
    return DatabaseSettings(str(mode) if mode else "disabled", hint)


def _number(call: Call, name: str, default: int, low: int, high: int) -> int:
    text = call.parameter(name)
    if text is None or text == "":
        return default
    if not text.isdecimal() or not low <= int(text[:12]) <= high:
        raise Invalid(f"Invalid property: {name} => got {text[:20]!r}, wanted {low} to {high}", field=name)
    return int(text)


def _described(services: Services, entry: VaultEntry) -> dict[str, Any]:
    """The database as clients know it; tables and bytes as they are now."""
    with services.quiet_vault(entry) as vault:
        figures = database_figures(vault)
    name, settings = services.registry_read(
        lambda tx: (database_name(tx, entry), database_settings(tx, entry.id)), current=True
    )
    return {
        "uuid": entry.id,
        "name": name,
        "created_at": entry.created_at,
        "version": "production",
        "jurisdiction": None,
        "num_tables": figures.tables,
        "file_size": figures.bytes,
        "running_in_region": settings.location_hint.upper() if settings.location_hint else None,
        "read_replication": {"mode": settings.read_replication},
    }
