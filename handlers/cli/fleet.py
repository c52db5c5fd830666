"""`vaultry fleet`: the group of commands that work on many vaults. Knows which there are; not what any of them does."""

import click

from handlers.cli.fleet_plan import plan, status
from handlers.cli.fleet_query import query
from handlers.cli.fleet_rehearse import rehearse
from handlers.cli.fleet_revert import revert
from handlers.cli.fleet_roll import roll

COMMANDS: tuple[click.Command, ...] = (plan, rehearse, roll, revert, status, query)


@click.group()
def fleet() -> None:
    """Work on many vaults at once: plan, rehearse, roll out and take back migrations; ask them all one question.

    \b
    Example:
      vaultry fleet plan
    """


for _command in COMMANDS:
    fleet.add_command(_command)
