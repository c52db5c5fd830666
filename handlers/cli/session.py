"""What every command begins with: settings, services, a tenant, the operator. Knows the environment; prints nothing."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import fields

from db.errors import Gone, NotFound
from db.registry.directory import VaultEntry
from db.transaction import Actor
from handlers.services import Services
from handlers.settings import SECRET_CHARACTERS, Settings
from handlers.store_address import store_folder
from handlers.tenant.provisioning import find_tenant


@contextmanager
def session(*, makes_store: bool = False) -> Generator[Services]:
    """The services for one command, closed after it.

    makes_store: the command may begin a new store. Raises NotFound (store_not_found) when another finds none: a
    command run in the wrong folder must not leave an empty store there.
    """
    if not makes_store:
        _require_store()
    services = Services(Settings.from_env(os.environ))
    try:
        yield services
    finally:
        services.close()


def settings_in_effect() -> Settings:
    """The settings, without beginning a store: one in a folder that has no secret yet gets none by being looked at."""
    environ = dict(os.environ)
    folder = store_folder(_store())
    if folder is not None and not (folder / "secret").exists() and not environ.get("VAULTRY_SECRET", "").strip():
        environ["VAULTRY_SECRET"] = "-" * SECRET_CHARACTERS
    return Settings.from_env(environ)


def operator(services: Services, verb: str) -> Actor:
    """Who the audit log says did it."""
    return Actor("operator", "operator", f"cli:{services.clock().new_id()}", verb)


def living_tenant(services: Services, name: str) -> VaultEntry:
    """The vault of this slug or id, active or suspended. Raises NotFound, Gone (vault_deleted)."""
    entry = find_tenant(services, name)
    if entry.status == "deleted":
        raise Gone(
            f"{name} was deleted at {entry.deleted_at}", code="vault_deleted", hint=f"vaultry tenants undelete {name}"
        )
    return entry


def _require_store() -> None:
    folder = store_folder(_store())
    if folder is not None and not (folder / "vaults").is_dir():
        raise NotFound(
            f"there is no store in {folder}",
            code="store_not_found",
            hint="set VAULTRY_STORE, change into its folder, or begin one with `vaultry serve`",
        )


def _store() -> str:
    """The store's address as the environment or the default gives it."""
    default = next(str(known.default) for known in fields(Settings) if known.name == "store")
    return os.environ.get("VAULTRY_STORE", "").strip() or default
