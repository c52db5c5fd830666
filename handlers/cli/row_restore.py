"""`vaultry restore --table`: rows of one table brought back. Shows and asks; `restore` hands over to it."""

import click

from db.errors import Invalid
from db.history.difference import opened_file
from db.history.past_state import bring_file_up, past_file
from db.history.points import find_point
from db.history.rehearsal import perform, rehearse
from db.history.row_effects import Effect
from db.history.row_restore import Wish, parse_filters, restore_rows
from db.history.running_changes import effects_so_far
from db.schema.hold import read_hold
from db.schema.schema import read_schema
from db.transaction import WriteTx
from handlers.cli.changes import ask, change_json, note_changes
from handlers.cli.output import note, print_json
from handlers.cli.session import living_tenant, operator, session
from handlers.tenant.forgetting import settling
from handlers.tenant.looking_back import as_change, personal_columns, redaction_of, todays_cipher


def restore_table(
    slug: str, at: str, table: str, where: tuple[str, ...], *, delete: bool, yes: bool, as_json: bool
) -> None:
    """Bring rows of one table back from the state at a bookmark or time, as one ordinary, audited commit."""
    parse_filters(where)
    with session() as services:
        entry = living_tenant(services, slug)
        charter = services.charter(entry)
        with services.vault(entry) as vault:
            point, cipher = find_point(vault.log, at), todays_cipher(services, vault)
            actor, now = operator(services, f"restore.{table}"), services.clock()
            settle = settling(services, charter, vault)
            hold = vault.read_raw(lambda connection, _: read_hold(connection)).value
            wish = Wish(table, where, delete, personal_columns(services, entry).get(table, frozenset()))
            with past_file(vault, point.txid) as path:
                bring_file_up(path, services.kind(charter).sets, hold, cipher, now)
                with opened_file(path, cipher) as past:

                    def work(tx: WriteTx) -> list[Effect]:
                        effects = restore_rows(tx, past, wish, now)
                        return effects_so_far(tx, read_schema(tx)) if settle(tx) else effects

                    expected = rehearse(vault, work, actor, now)
                    schema = vault.read(read_schema).value
                    redaction = redaction_of(services, entry, None)
                    changes = [as_change(effect, schema) for effect in expected]
                    if not as_json or not yes:
                        note(f"rows of {table} go back to {point.timestamp}, bookmark {point.bookmark}")
                        note_changes(changes, redaction)
                    bookmark = vault.bookmark
                    if changes:
                        ask("Change these rows?", yes=yes)
                        bookmark = perform(vault, work, actor, now, expected).bookmark
    if as_json:
        rows = [change_json(change, redaction) for change in changes]
        told = {"restored": point.bookmark, "request_id": actor.request_id, "bookmark": bookmark}
        print_json({**told, "rows": rows})
    elif changes:
        click.echo(f"restored: {len(changes)} rows; take it back with: vaultry undo {slug} {actor.request_id}")
    else:
        click.echo("nothing to restore: these rows are as they were")


def refuse_row_options(where: tuple[str, ...], *, delete: bool) -> None:
    """A whole restore knows neither filters nor deletions. Raises Invalid."""
    if where or delete:
        raise Invalid("--where and --delete go with --table", code="option_misplaced", field="table")
