"""Own migrations, vault by vault: what is due, applying it, how each ended. Knows services; no SQL, no terminal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from db.errors import VaultError
from db.own_migrations.applying import apply_next
from db.own_migrations.folder import Format, OwnMigrations, guessed_format, read_own_migrations
from db.own_migrations.ledger import due_steps, format_of
from db.registry.directory import VaultEntry
from db.transaction import Actor, ReadTx
from db.vault.vault import Vault
from handlers.services import Services
from handlers.tenant.protected_names import protected_names

Done = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of one vault. state: current, due, applied or failed. steps: of the folder, in order.

    applied, due: names of files. error: why it stopped; the steps before it stand. bookmark: where the vault stands.
    """

    slug: str
    vault_id: str
    state: str
    format: str
    steps: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    error: VaultError | None = None
    bookmark: str = ""


def look_at(services: Services, entry: VaultEntry, folder: Path, how: Format | None) -> Brought:
    """What is due in one vault; its trouble is in the answer. Raises Invalid for the folder."""
    guess = how or guessed_format(folder)
    with services.quiet_vault(entry) as vault:
        brought = _read(vault, folder, guess)
        steps = tuple(step.name for step in brought.steps)
        try:
            answer = vault.read(partial(due_steps, brought=brought))
        except VaultError as exc:
            return Brought(_name(entry), entry.id, "failed", brought.format, steps, error=exc)
    due = tuple(step.name for step in answer.value)
    state = "due" if due else "current"
    return Brought(_name(entry), entry.id, state, brought.format, steps, due=due, bookmark=answer.bookmark)


def bring(services: Services, entry: VaultEntry, folder: Path, how: Format | None, actor: Actor, done: Done) -> Brought:
    """Apply what one vault lacks, a commit for each step. done: told how many steps of how many are durable.

    Its failure is in the answer, so that it never stops other vaults. Raises Invalid for the folder.
    """
    found = look_at(services, entry, folder, how)
    if found.state != "due":
        return found
    applied: list[str] = []
    error: VaultError | None = None
    bookmark = found.bookmark
    with services.vault(entry) as vault:
        brought = _read(vault, folder, how or guessed_format(folder))
        protected = partial(protected_names, services, entry)
        try:
            while (step := apply_next(vault, brought, protected, actor, services.clock())) is not None:
                applied.append(step.name)
                done(len(applied), len(found.due))
        except VaultError as exc:
            error = exc
        bookmark = vault.bookmark
    due = tuple(name for name in found.due if name not in applied) if error else ()
    state = "failed" if error else "applied" if applied else "current"
    return Brought(found.slug, found.vault_id, state, found.format, found.steps, tuple(applied), due, error, bookmark)


def _read(vault: Vault, folder: Path, how: Format | None) -> OwnMigrations:
    def ask(tx: ReadTx) -> Format:
        return format_of(tx)

    return read_own_migrations(folder, how or vault.read(ask).value)


def _name(entry: VaultEntry) -> str:
    return entry.slug or entry.id
