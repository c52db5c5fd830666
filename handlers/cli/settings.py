"""`vaultry settings`: every setting, its value in effect and what it means. Shows no secret."""

import click

from handlers.cli.output import json_option, print_json, print_table
from handlers.cli.session import settings_in_effect
from handlers.settings import documentation
from handlers.settings_page import page


@click.command()
@click.option("--markdown", is_flag=True, help="The page of the reference instead, without values.")
@json_option
def settings(*, markdown: bool, as_json: bool) -> None:
    """Show every setting and its value in effect.

    Secrets show as (set).

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry settings
    """
    if markdown:
        click.echo(page(), nl=False)
        return
    rows = documentation(settings_in_effect())
    if as_json:
        print_json([{"name": row.name, "value": row.value, "unit": row.unit, "meaning": row.meaning} for row in rows])
    else:
        print_table(
            ("name", "value", "unit", "meaning"), [(row.name, row.value, row.unit, row.meaning) for row in rows]
        )
