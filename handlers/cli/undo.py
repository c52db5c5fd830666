"""`vaultry undo`: one request taken back. Shows and asks; how a row gets back it does not know."""

import click

from db.history.rehearsal import perform, rehearse
from db.history.row_effects import Effect
from db.history.running_changes import effects_so_far
from db.history.undo import undo as undo_rows
from db.history.undo_plan import plan_undo
from db.schema.schema import read_schema
from db.transaction import WriteTx
from handlers.cli.changes import ask, change_json, note_changes
from handlers.cli.output import json_option, note, print_json
from handlers.cli.session import living_tenant, operator, session
from handlers.tenant.forgetting import settling
from handlers.tenant.looking_back import as_change, redaction_of, todays_cipher


@click.command()
@click.argument("slug")
@click.argument("request_id", metavar="REQUEST")
@click.option("--force", is_flag=True, help="Also rows that changed since; leave out what nobody knows any more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def undo(slug: str, request_id: str, *, force: bool, yes: bool, as_json: bool) -> None:
    """Undo what one request changed.

    REQUEST is the id in `vaultry history`, and in the x-request-id of the answer to the request.

    Its rows become what they were before, in one new commit, audited as the operator's doing, which can be undone in
    turn. Rows that changed since stop it and are listed. Mails already delivered and the engine's own rows stay; the
    command says so. Nobody who was forgotten comes back.

    Interrupted: it is undone or untouched; `vaultry history` tells which.

    \b
    Example:
      vaultry undo aurora 0197a1d2-7c5e-7d1a-9b0e-3f6f1c2d4e5a
    """
    with session() as services:
        entry = living_tenant(services, slug)
        with services.vault(entry) as vault:
            plan = plan_undo(vault, request_id, todays_cipher(services, vault))
            actor, now = operator(services, f"undo.{request_id}"), services.clock()
            settle = settling(services, services.charter(entry), vault)
            besides: list[str] = []

            def work(tx: WriteTx) -> list[Effect]:
                done = undo_rows(tx, plan, force=force)
                besides[:] = done.besides
                return effects_so_far(tx, read_schema(tx)) if settle(tx) else done.effects

            for line in plan.left:
                note(f"stays: {line}")
            expected = rehearse(vault, work, actor, now)
            schema = vault.read(read_schema).value
            redaction = redaction_of(services, entry, None)
            changes = [as_change(effect, schema) for effect in expected]
            if not as_json or not yes:
                note_changes(changes, redaction)
                for name in besides:
                    note(f"goes along: {name}")
            ask(f"Undo {', '.join(plan.verbs)} of {plan.at}?", yes=yes)
            bookmark = perform(vault, work, actor, now, expected).bookmark
    if as_json:
        told = {"undone": request_id, "request_id": actor.request_id, "bookmark": bookmark}
        rows = [change_json(change, redaction) for change in changes]
        print_json({**told, "rows": rows, "besides": besides, "left": list(plan.left)})
    else:
        click.echo(f"undone: {len(changes)} rows; take it back with: vaultry undo {slug} {actor.request_id}")
