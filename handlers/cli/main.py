"""The tree of commands and its entry point. Knows every command; not what any of them does."""

from importlib.metadata import PackageNotFoundError, version

import click

from handlers.cli.alerts import alerts
from handlers.cli.archive import archive, import_archive_file
from handlers.cli.difference import diff
from handlers.cli.drills import drills
from handlers.cli.export import export
from handlers.cli.fleet import fleet
from handlers.cli.history import bookmark, fork, restore
from handlers.cli.importing import import_file
from handlers.cli.keys import keys
from handlers.cli.maintain import maintain
from handlers.cli.migrate import migrate
from handlers.cli.migrations import migrations
from handlers.cli.outbox import outbox
from handlers.cli.policies import policies
from handlers.cli.providers import providers
from handlers.cli.purge import certificates
from handlers.cli.reference import docs_cli
from handlers.cli.refusal import Door
from handlers.cli.schema import schema
from handlers.cli.serve import serve
from handlers.cli.settings import settings
from handlers.cli.signing_in import sign_in
from handlers.cli.sql import sql
from handlers.cli.tenants import tenants
from handlers.cli.timeline import history
from handlers.cli.tokens import tokens
from handlers.cli.types import types
from handlers.cli.undo import undo
from handlers.cli.verify import verify
from handlers.cli.webhook_secret import webhook_secret

COMMANDS: tuple[click.Command, ...] = (
    serve,
    tenants,
    certificates,
    tokens,
    policies,
    keys,
    sign_in,
    providers,
    alerts,
    import_file,
    sql,
    export,
    archive,
    import_archive_file,
    bookmark,
    history,
    diff,
    restore,
    undo,
    fork,
    migrate,
    migrations,
    fleet,
    verify,
    maintain,
    drills,
    outbox,
    webhook_secret,
    settings,
    types,
    schema,
    docs_cli,
)


def _version() -> str:
    try:
        return version("vaultry")
    except PackageNotFoundError:
        return "not installed"


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version(), prog_name="vaultry")
def cli() -> None:
    """Run and look after Vaultry: a SQLite vault per tenant, durable as a log of commits.

    Settings are VAULTRY_* variables (`vaultry settings` shows them); without any, the store is the folder ./data.
    Every command works beside a running server. Exit status: 0 done, 1 refused or failed, 2 wrong usage, 130
    interrupted. Whatever was reported as durable stays, however a command ends.

    \b
    Example:
      vaultry serve
    """


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line of this process and end it with its status."""
    cli(prog_name="vaultry")
