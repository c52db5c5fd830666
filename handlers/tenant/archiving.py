"""Archives going out: a tenant's database, files and audit log in one signed file. Joins vault, files, keys, signature.

The archive is made whole or not at all. What only its platform can use stays behind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.archive.database import (
    DataKey,
    chain_verdict,
    count_tables,
    prepare_to_leave,
    read_keys,
    refuse_odd_lookups,
)
from db.archive.export import plain_file
from db.archive.file import ArchiveWriter, manifest_text, member_list
from db.archive.passphrase import wrap_under
from db.archive.trust import KIND, public_key_of, sign_manifest
from db.audit.imported import audit_head, audit_lines
from db.errors import Conflict
from db.files.keys import file_objects, files_prefix
from db.forgetting.ledger import forgotten_here
from db.history.difference import opened_file
from db.history.points import Point, current_database_file, database_file_at, find_point
from db.log.fetch import fetch_each
from db.personal import PersonalCipher
from db.registry.directory import VaultEntry
from db.registry.signing_keys import current_signer
from db.schema.state import newest_numbers
from db.vault.vault import Vault
from handlers.services import Services
from handlers.tenant.looking_back import personal_columns, todays_cipher

VERSION = 1
DATABASE, AUDIT, FILES = "database.sqlite", "audit.jsonl", "files/"
SEALED, OPEN = "sealed", "open"
Done = Callable[[int], object]
_README = """This is the archive of one Vaultry tenant.

database.sqlite  the data, for any SQLite program
audit.jsonl      who changed what, one JSON object a line, the oldest first
files/           uploaded files, if there were any
manifest.json    what there is, with sizes, digests and counts
manifest.jws     the same, signed (a compact JWS)

Bring it back with: vaultry import-archive FILE --slug NAME
"""


def _unheard(count: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How to archive. at: bookmark or time, None = now. passphrase: seals the data key; None = open personal values."""

    at: str | None = None
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Archived:
    """An archive that was made. manifest: what it says of itself."""

    manifest: Mapping[str, Any]
    fingerprint: str


def write_archive(services: Services, entry: VaultEntry, target: Path, wish: Wish, done: Done = _unheard) -> Archived:
    """Write the archive of a vault to the new file `target`. done: told how many more bytes of content are in it.

    Raises Invalid `passphrase_short`, `lookup_differs`, Conflict `people_forgotten`, and what reading the vault raises.
    Trust the file when this has returned.
    """
    now = services.clock()
    signer = services.registry_read(lambda tx: current_signer(tx, services.keyring, now))
    with services.vault(entry) as vault, vault.scratch() as folder:
        keys = vault.read_raw(lambda connection, _: read_keys(connection, services.keyring)).value
        wrapped = [_wrapped(key, entry, wish) for key in keys]
        point, database = _database(services, entry, vault, folder, wish, keys)
        with closing(ArchiveWriter(target, now)) as writer, opened_file(database, PersonalCipher(None)) as content:
            writer.add(DATABASE, _told(_file(database), done))
            audit = writer.add(AUDIT, _told(audit_lines(content), done))
            _add_files(services, entry, writer, done)
            rows, head = audit_head(content)
            manifest: dict[str, Any] = {
                "format": KIND,
                "version": VERSION,
                "issuer": services.settings.issuer,
                "made_at": now.text,
                "key": public_key_of(signer),
                "vault": {"id": entry.id, "charter": entry.charter, "name": entry.name, "scope": entry.scope,
                          "slug": entry.slug, "created_at": entry.created_at},
                "bookmark": point.bookmark,
                "timestamp": point.timestamp,
                "schema": newest_numbers(content),
                "personal": OPEN if wish.passphrase is None else SEALED,
                "data_keys": wrapped,
                "audit": {"rows": rows, "head": head, "sha256": audit.sha256,
                          "chain": chain_verdict(content, services.keyring)},
                "tables": count_tables(content),
                "members": member_list(writer.members),
            }  # fmt: skip
            writer.finish(manifest_text(manifest), sign_manifest(signer, manifest), _README)
    return Archived(manifest, manifest["key"]["fingerprint"])


def _wrapped(key: DataKey, entry: VaultEntry, wish: Wish) -> dict[str, Any]:
    """A data key as the manifest has it: sealed under the passphrase, or left behind where values are open."""
    told: dict[str, Any] = {"id": key.id, "created_at": key.created_at, "destroyed_at": key.destroyed_at}
    if key.key is not None and wish.passphrase is not None:
        told["sealed"] = wrap_under(wish.passphrase, key.key, key_place(entry.id, key.id))
    return told


def key_place(vault_id: str, key_id: str) -> str:
    """What a sealed data key is bound to."""
    return f"archive of vault {vault_id}, key {key_id}"


def _database(
    services: Services, entry: VaultEntry, vault: Vault, folder: Path, wish: Wish, keys: Sequence[DataKey]
) -> tuple[Point, Path]:
    """The point, and the file of the database as it goes into the archive."""
    state, leaving = folder / "state.sqlite", folder / "leaving.sqlite"
    if wish.at is None:
        point = current_database_file(vault, state)
    else:
        point = find_point(vault.log, wish.at)
        _refuse_remembering(vault, point)
        database_file_at(vault.log, point.txid, state)
    cipher = todays_cipher(services, vault)
    personal = personal_columns(services, entry) if wish.passphrase is None else {}
    with opened_file(state, cipher) as content:
        refuse_odd_lookups(content, personal)
    vault.read_raw(lambda present, _: prepare_to_leave(state, keys, present))
    plain_file(state, leaving, cipher, personal)
    return point, leaving


def _refuse_remembering(vault: Vault, point: Point) -> None:
    """Raise Conflict `people_forgotten` for a point from before somebody was forgotten: they would leave with it."""
    since = [one for one in vault.read(forgotten_here).value if one.at > point.timestamp]
    if since:
        raise Conflict(
            f"{len(since)} people were forgotten since {point.timestamp}; an archive of then would remember them",
            code="people_forgotten",
            hint="archive the vault as it is now",
        )


def _add_files(services: Services, entry: VaultEntry, writer: ArchiveWriter, done: Done) -> None:
    prefix = files_prefix(entry.id)
    stored = file_objects(services.site.store, entry.id)
    with closing(fetch_each(services.site.store, [(found.key, found.size) for found in stored])) as contents:
        for found, chunks in zip(stored, contents, strict=True):
            writer.add(FILES + found.key.removeprefix(prefix), _told(chunks, done))


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _told(chunks: Iterator[bytes], done: Done) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        done(len(chunk))
