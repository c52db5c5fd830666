"""`vaultry types`: a vault's tables and verbs as types for programs. Knows the languages; writes no type itself."""

from pathlib import Path

import click

from db.archive.export import write_whole
from db.description.python_types import python_types
from db.description.typescript import typescript
from db.errors import Invalid
from db.transaction import ReadTx
from handlers.cli.output import json_option, print_json
from handlers.cli.session import living_tenant, session
from handlers.description.offer import Offer, described
from handlers.tenant.provisioning import owner_of

_WRITERS = {"ts": typescript, "python": python_types}


@click.command()
@click.argument("slug")
@click.option("--lang", type=click.Choice(list(_WRITERS)), required=True, help="The language.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; default: standard output.")
@json_option
def types(slug: str, lang: str, out: Path | None, *, as_json: bool) -> None:
    """Write a vault's tables and verbs as types.

    For ts, the type `Database` that supabase's createClient<Database>() takes. For python, pydantic models of rows and
    typed dictionaries of what inserts, updates and verbs take. They tell what the charter declares, whoever asks:
    where a caller has no right to a column it reads as null, so those columns may be null here.

    Interrupted: the file is as it was, or complete.

    \b
    Example:
      vaultry types aurora --lang ts --out src/database.ts
      vaultry types aurora --lang python > aurora_types.py
    """
    with session() as services:
        entry = living_tenant(services, slug)
        charter, owner = services.charter(entry), owner_of(services, entry)
        with services.vault(entry) as vault:

            def read(tx: ReadTx) -> Offer:
                tables = [known.table for known in charter.resources_at(tx, services.schema(vault, tx))]
                return described(services, vault, tx, charter, owner, tables, charter.verbs)

            offer = vault.read(read).value
    text = _WRITERS[lang](f"Types of the vault {slug}, by `vaultry types`.", offer.tables, offer.verbs)
    if out is None:
        print_json({"lang": lang, "types": text}) if as_json else click.echo(text, nl=False)
        return
    try:
        write_whole(out, text.encode(), replace=True)
        # Source, not data: as readable as the files beside it.
        out.chmod(0o644)
    except OSError as exc:
        raise Invalid(f"cannot write {out}: {exc.strerror or exc}", code="file_unwritable") from exc
    counts = {"tables": len(offer.tables), "verbs": len(offer.verbs)}
    if as_json:
        print_json({"file": str(out), "lang": lang, **counts})
    else:
        click.echo(f"{out}: {counts['tables']} tables, {counts['verbs']} verbs")
