"""`vaultry webhook-secret`: what receivers check a vault's webhooks with. Prints it; sends nothing."""

import click

from db.transaction import WriteTx
from db.webhook_secrets import OVERLAP_SECONDS, ensure_webhook_secret, rotate_webhook_secret, shown
from handlers.cli.output import json_option, note, print_json
from handlers.cli.session import living_tenant, operator, session


@click.command("webhook-secret")
@click.argument("slug")
@click.option("--rotate", is_flag=True, help="Make a new one; the one before signs beside it for a day.")
@json_option
def webhook_secret(slug: str, *, rotate: bool, as_json: bool) -> None:
    """Show the secret that signs a tenant's webhooks.

    Made on first use. Receivers enter it into a Standard Webhooks library, which checks signature and time.

    Interrupted: the secret is the old one or the new one; run it again to see which.

    \b
    Example:
      vaultry webhook-secret aurora
    """
    with session() as services:
        entry = living_tenant(services, slug)
        now, ring = services.clock(), services.keyring

        def work(tx: WriteTx) -> bytes:
            return rotate_webhook_secret(tx, ring, now) if rotate else ensure_webhook_secret(tx, ring, now)

        with services.vault(entry) as vault:
            secret = shown(vault.write(work, operator(services, "webhook.secret"), now).value)
    if as_json:
        print_json({"slug": entry.slug, "secret": secret})
        return
    click.echo(secret)
    if rotate:
        note(f"the one before still signs for {OVERLAP_SECONDS // 3600} hours")
