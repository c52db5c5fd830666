"""`vaultry verify`: is every vault what its log says? Prints findings; finds none itself."""

from dataclasses import asdict, dataclass, field

import click

from db.errors import VaultError
from db.history.verification import Finding, verify_content, verify_objects
from db.log.commit_log import CommitLog
from handlers.cli.output import json_option, print_json, printable
from handlers.cli.progress import Report, progress
from handlers.cli.session import session
from handlers.services import REGISTRY_ID, Services
from handlers.tenant.provisioning import every_tenant, find_tenant


@dataclass(slots=True)
class _Verified:
    """What was found in one vault."""

    slug: str
    objects: int = 0
    audit_rows: int = 0
    bookmark: str = ""
    findings: list[Finding] = field(default_factory=list[Finding])


@click.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="The registry and every tenant that is not deleted.")
@json_option
def verify(slugs: tuple[str, ...], *, every: bool, as_json: bool) -> None:
    """Check vaults against their logs.

    SLUG may be `registry`. Status 1 when anything is wrong, which is then named.

    Every object of the log is read and its checksum compared; no commit may be missing; a database rebuilt from the
    log must equal the local copy; SQLite's integrity and foreign-key checks and the chain of the audit log must hold.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry verify aurora
      vaultry verify --all --json
    """
    if every == bool(slugs):
        raise click.UsageError("wanted names of tenants, or --all")
    with session() as services, progress() as report:
        names = [REGISTRY_ID, *(entry.id for entry in every_tenant(services))] if every else list(slugs)
        found = [_verify(services, name, report, as_json=as_json) for name in names]
    if as_json:
        print_json([asdict(verified) for verified in found])
    if any(verified.findings for verified in found):
        raise click.exceptions.Exit(1)


def _verify(services: Services, name: str, report: Report, *, as_json: bool) -> _Verified:
    """One vault. What keeps it from being opened is a finding like the others."""
    entry = None if name == REGISTRY_ID else find_tenant(services, name)
    vault_id, slug = (REGISTRY_ID, name) if entry is None else (entry.id, entry.slug or entry.id)
    verified = _Verified(slug)
    log = CommitLog(services.site.store, vault_id)
    verified.objects, verified.findings = verify_objects(log, lambda done, total: report(slug, done, total))
    try:
        if entry is None:
            content = verify_content(services.registry, services.keyring)
        else:
            with services.vault(entry) as vault:
                content = verify_content(vault, services.keyring)
        verified.audit_rows, verified.bookmark = content.audit_rows, content.bookmark
        verified.findings += content.findings
    except VaultError as exc:
        verified.findings.append(Finding("rebuild", exc.message))
    if not as_json:
        _say(verified)
    return verified


def _say(verified: _Verified) -> None:
    if not verified.findings:
        click.echo(f"{verified.slug}: sound: {verified.objects} objects, {verified.audit_rows} audit rows")
    for finding in verified.findings:
        click.echo(printable(f"{verified.slug}: {finding.check}: {finding.message}"))
