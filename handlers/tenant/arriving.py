"""Archives coming in: judged, checked, and made a tenant of this platform. Joins archive, vault, files and directory.

Everything is checked before anything is made. The vault comes first and the directory last: interrupted, the name is
still free, and what was made is known as scratch and removed.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from db.archive.database import Arrival, DataKey, make_at_home
from db.archive.file import ArchiveReader, Member, damaged
from db.archive.passphrase import unwrap_under
from db.archive.trust import KIND, SignedManifest, read_manifest
from db.audit.imported import audit_lines
from db.clock import Moment
from db.errors import Conflict, Invalid, Unavailable, VaultError
from db.files.keys import files_prefix
from db.history.difference import opened_file
from db.personal import PersonalCipher
from db.registry.directory import NewVault, VaultEntry, create_vault_entry
from db.registry.scratch_vaults import scratch_of_run, strike_scratch
from db.registry.slugs import slug_availability
from db.schema.state import read_schema_state
from db.stores.base import ObjectExists, check_key
from db.transaction import Actor, WriteTx
from db.vault.opening import create_vault
from domain.charters import CHARTERS
from handlers.fleet.scratch import Run, drop_scratch, list_before_making, scratch_run
from handlers.services import Services
from handlers.tenant.archiving import AUDIT, DATABASE, FILES, OPEN, VERSION, key_place
from handlers.tenant.forgetting import forgetting, known_forgotten

Done = Callable[[int], object]


def _unheard(count: int) -> None:
    """Nobody wants to know how far it is."""


def judge(reader: ArchiveReader) -> SignedManifest:
    """The manifest of an archive, its signature checked by the key it names. Whose key that is, is another question.

    Raises Invalid `signature_invalid`, `archive_damaged`, `archive_unknown` for another format.
    """
    manifest = read_manifest(reader.signed)
    if manifest.text != reader.manifest:
        raise damaged("manifest.json is not what was signed")
    content = manifest.content
    if content.get("format") != KIND or content.get("version") != VERSION:
        raise Invalid(
            f"got an archive of form {content.get('format')} {content.get('version')}, wanted {KIND} {VERSION}",
            code="archive_unknown",
            hint="use a release at least as new as the one that made it",
        )
    if content["vault"]["charter"] not in CHARTERS:
        raise Invalid(f"this platform knows no charter {content['vault']['charter']!r}", code="archive_unknown")
    return manifest


def check_archive(reader: ArchiveReader, manifest: SignedManifest, done: Done = _unheard) -> list[Member]:
    """The members, all of them read and compared with the manifest. done: told how many more bytes were.

    Raises Invalid `archive_damaged`.
    """
    members = reader.check(manifest.content["members"], done)
    names = [member.name for member in members]
    if DATABASE not in names or AUDIT not in names:
        raise damaged(f"it has no {DATABASE} or no {AUDIT}")
    for name in names:
        if name not in (DATABASE, AUDIT):
            if not name.startswith(FILES):
                raise damaged(f"{name} is nothing that an archive holds")
            check_key(name)
    return members


def import_archive(
    services: Services,
    reader: ArchiveReader,
    manifest: SignedManifest,
    members: Sequence[Member],
    slug: str,
    passphrase: str | None,
    actor: Actor,
) -> VaultEntry:
    """The tenant, under a new vault id and this name. members: as `check_archive` gave them; trust is the caller's.

    Raises Conflict for a name that is taken, Invalid `passphrase_wrong`, `archive_damaged`, MigrationFailed for one
    from a newer release, Unavailable when it took so long that it was cleared away.
    """
    content, now = manifest.content, services.clock()
    charter, old = CHARTERS[content["vault"]["charter"]], content["vault"]["id"]
    require_free(services, slug)
    keys = _unwrapped(content, passphrase)
    kind, vault_id = services.kind(charter), now.new_id()
    personal = {known.table: known.personal for known in charter.resources if known.personal}
    note = {"vault": old, "bookmark": content["bookmark"], "manifest": _digest(reader.signed)}
    arrival = Arrival(vault_id, old, keys, personal, reader.signed, note)
    with scratch_run(services) as run:
        path = _extracted(reader, members, run)
        make_at_home(path, arrival, kind.sets, services.keyring, actor, now)
        list_before_making(services, run, "provisioning", [vault_id], actor)
        try:
            _put_files(services, reader, members, vault_id, run, now)
            with services.pool.use(vault_id, lambda: create_vault(services.site, vault_id, kind, path)) as vault:
                # An archive of an earlier day, of a vault of this platform that has forgotten people since.
                settle = forgetting(charter, known_forgotten(services, old), now)
                vault.write(settle, actor, now)
                state = vault.read_raw(lambda connection, _: read_schema_state(connection)).value
            told = content["vault"]
            new = NewVault(vault_id, charter.name, told["name"], slug, told["scope"], state.numbers)
            new = replace(new, schema_hash=state.digest)
            return services.registry_write(lambda tx: _enter(tx, new, run, now), actor, now)
        except BaseException:
            # A process that is killed here leaves it to the next run.
            services.pool.close(vault_id)
            with suppress(VaultError):
                drop_scratch(services, [vault_id], actor)
            raise


def _enter(tx: WriteTx, new: NewVault, run: Run, now: Moment) -> VaultEntry:
    """Enter a vault of this run in the directory, if nobody took the run for dead meanwhile."""
    if new.id not in scratch_of_run(tx, run.id):
        raise Unavailable("the import took too long and was cleared away; run it again", retry_after_s=1)
    strike_scratch(tx, [new.id])
    return create_vault_entry(tx, new, now)


def require_free(services: Services, slug: str) -> None:
    """Raise Conflict `duplicate` for a name that cannot be had."""
    found = services.registry_read(lambda tx: slug_availability(tx, slug), current=True)
    if found != "available":
        raise Conflict(f"the name {slug!r} is {found}; choose another", code="duplicate", field="slug")


def needs_passphrase(manifest: SignedManifest) -> bool:
    """Whether the data key came along, sealed."""
    return any("sealed" in key for key in manifest.content["data_keys"])


def _unwrapped(content: Mapping[str, Any], passphrase: str | None) -> list[DataKey] | None:
    """The data keys that came along; None when the values came opened."""
    if content["personal"] == OPEN:
        return None
    keys: list[DataKey] = []
    for told in content["data_keys"]:
        key = None
        if told["destroyed_at"] is None:
            if passphrase is None:
                raise Invalid("the archive's data key is sealed: a passphrase is needed", code="passphrase_wrong")
            key = unwrap_under(passphrase, told["sealed"], key_place(content["vault"]["id"], told["id"]))
        keys.append(DataKey(told["id"], key, told["created_at"], told["destroyed_at"]))
    return keys


def _extracted(reader: ArchiveReader, members: Sequence[Member], run: Run) -> Path:
    """The database in a file of this run, its audit log compared with the one beside it."""
    run.site.cache.mkdir(parents=True, exist_ok=True)
    path = run.site.cache / "arriving.sqlite"
    reader.extract(next(member for member in members if member.name == DATABASE), path)
    audit = next(member for member in members if member.name == AUDIT)
    digest = hashlib.sha256()
    with opened_file(path, PersonalCipher(None)) as content:
        for line in audit_lines(content):
            digest.update(line)
    if digest.hexdigest() != audit.sha256:
        raise damaged(f"the audit log in {DATABASE} is not the one in {AUDIT}")
    return path


def _put_files(
    services: Services, reader: ArchiveReader, members: Sequence[Member], vault_id: str, run: Run, now: Moment
) -> None:
    for member in members:
        if member.name.startswith(FILES):
            path = run.site.cache / "arriving.file"
            path.unlink(missing_ok=True)
            reader.extract(member, path)
            key = files_prefix(vault_id) + member.name.removeprefix(FILES)
            with suppress(ObjectExists):
                services.site.store.put(key, path, timestamp_ms=now.ms, op="import:file")


def _digest(signed: str) -> str:
    return hashlib.sha256(signed.encode()).hexdigest()
