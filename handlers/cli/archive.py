"""`vaultry archive` and `vaultry import-archive`: taking a tenant along. Asks and tells; packs and unpacks nothing."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from db.archive.export import appearing
from db.archive.file import ArchiveReader, Member, opened_archive
from db.archive.trust import SignedManifest, jwks_fingerprints, own_fingerprints, require_trusted
from db.errors import Conflict, Invalid
from handlers.cli.output import json_option, note, print_json
from handlers.cli.progress import Report, progress
from handlers.cli.session import living_tenant, operator, session
from handlers.services import Services
from handlers.tenant.archiving import Wish, write_archive
from handlers.tenant.arriving import check_archive, import_archive, judge, needs_passphrase, require_free

_FILE = click.Path(dir_okay=False, path_type=Path)
_THERE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("slug")
@click.argument("file", type=_FILE)
@click.option("--at", metavar="TIME|BOOKMARK", help="The state then; default: now.")
@click.option("--with-personal-data", "opened", is_flag=True, help="Open personal columns for whoever has the file.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@json_option
def archive(slug: str, file: Path, at: str | None, *, opened: bool, force: bool, as_json: bool) -> None:
    """Write a tenant to one signed archive.

    The archive is a zip: the database as a plain SQLite file, uploaded files, the audit log as lines of JSON, and a
    signed manifest with digests and counts. `vaultry import-archive` brings it back, here or on another platform.

    Personal columns stay encrypted, and the key to them goes along under a passphrase, which is asked for, or taken
    from VAULTRY_ARCHIVE_PASSPHRASE. Without it nobody reads them again. With --with-personal-data they are opened and
    no passphrase is needed: keep such a file as you would keep an address book.

    Interrupted: the file is not there, or whole; an unfinished one has another name and can be removed.

    \b
    Example:
      vaultry archive aurora aurora.zip
      vaultry archive aurora aurora.zip --at 2026-05-01T00:00:00Z --with-personal-data
    """
    if file.exists() and not force:
        raise Conflict(f"{file} exists already", code="file_exists", hint="choose another name, or add --force")
    with session() as services, progress() as report:
        entry = living_tenant(services, slug)
        passphrase = None if opened else _passphrase(services, new=True)
        with _written(file, force=force) as unfinished:
            done = _advance(report, f"archiving {slug}", entry.size_bytes)
            made = write_archive(services, entry, unfinished, Wish(at, passphrase), done)
            size = unfinished.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size, "manifest": made.manifest})
        return
    click.echo(f"{file}: {size} bytes, {slug} at {made.manifest['timestamp']}")
    note(f"signed by key {made.manifest['key']['kid']}, fingerprint {made.fingerprint}")
    if made.manifest["audit"]["chain"] != "whole":
        note(f"warning: the audit log is not whole: {made.manifest['audit']['chain']}")


@click.command("import-archive")
@click.argument("file", type=_THERE)
@click.option("--slug", metavar="NAME", help="The name it gets here.")
@click.option("--fingerprint", metavar="FINGERPRINT", help="Of the key that signed it, as its platform tells.")
@click.option("--jwks", type=_THERE, metavar="FILE", help="The published keys of the platform it came from.")
@click.option("--check", is_flag=True, help="Only check signature and digests.")
@json_option
def import_archive_file(
    file: Path, slug: str | None, fingerprint: str | None, jwks: Path | None, *, check: bool, as_json: bool
) -> None:
    """Bring a tenant back from its archive.

    Every digest and the signature are checked before anything is made. The key that signed must be known: this
    platform's own, or one named by --fingerprint or --jwks. The tenant gets a new vault id; its audit log is kept as a
    sealed section which the new one refers to. The same people can sign in.

    Interrupted: the name is still free and nothing is left, or the tenant is complete; run it again.

    \b
    Example:
      vaultry import-archive aurora.zip --slug aurora
      vaultry import-archive aurora.zip --slug aurora --fingerprint kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
    """
    if (slug is None) != check:
        raise click.UsageError("wanted --slug, or --check without it")
    with session(makes_store=True) as services, progress() as report, opened_archive(file) as reader:
        manifest = judge(reader)
        require_trusted(manifest, _known(services, fingerprint, jwks))
        members = _checked(reader, manifest, report)
        if slug is None:
            _print_checked(manifest, members, as_json=as_json)
            return
        require_free(services, slug)
        passphrase = _passphrase(services, new=False) if needs_passphrase(manifest) else None
        actor = operator(services, "import-archive")
        entry = import_archive(services, reader, manifest, members, slug, passphrase, actor)
    if as_json:
        print_json(asdict(entry))
    else:
        click.echo(f"{entry.slug} is vault {entry.id}, as it was at {manifest.content['timestamp']}")


def _known(services: Services, fingerprint: str | None, jwks: Path | None) -> list[str]:
    """The fingerprints of the keys to trust."""
    if fingerprint is not None or jwks is not None:
        listed = [] if jwks is None else jwks_fingerprints(_text(jwks))
        return [*listed, *([] if fingerprint is None else [fingerprint.strip()])]
    return services.registry_read(own_fingerprints, current=True)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError) as exc:
        raise Invalid(f"cannot read {file}: {exc}", code="file_invalid") from exc


def _checked(reader: ArchiveReader, manifest: SignedManifest, report: Report) -> list[Member]:
    total = sum(int(member["size"]) for member in manifest.content["members"])
    return check_archive(reader, manifest, _advance(report, "checking", total))


def _print_checked(manifest: SignedManifest, members: list[Member], *, as_json: bool) -> None:
    content = manifest.content
    if as_json:
        print_json({"fingerprint": manifest.fingerprint, "manifest": content})
        return
    vault = content["vault"]
    click.echo(f"sound: {vault['slug']} ({vault['charter']}) at {content['timestamp']}, {len(members)} members")
    note(f"signed by key {content['key']['kid']} of {content['issuer']}, fingerprint {manifest.fingerprint}")


def _passphrase(services: Services, *, new: bool) -> str:
    """The passphrase of the settings, or what somebody types; twice for a new one."""
    given = services.settings.archive_passphrase
    if given:
        return given
    typed: Any = click.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True)
    return str(typed)


def _advance(report: Report, label: str, total: int) -> Callable[[int], object]:
    """What is told how many more bytes are done."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(label, done, max(total, done))

    return advance


@contextmanager
def _written(file: Path, *, force: bool) -> Generator[Path]:
    """Where to write the file until it is whole. Raises Invalid (file_unwritable)."""
    try:
        with appearing(file, replace=force) as unfinished:
            yield unfinished
    except OSError as exc:
        raise Invalid(f"cannot write {file}: {exc.strerror or exc}", code="file_unwritable") from exc
