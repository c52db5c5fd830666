"""Errors on the command line: the message, the code, what to do, the exit status. Knows our errors; prints no cause."""

import sqlite3
import sys
from typing import Any

import click

from db.errors import VaultError
from db.schema.constraints import translate
from handlers.cli.output import printable

INTERRUPTED = 130


class Refused(click.ClickException):
    """One of our errors on its way to standard error. Exit status 1."""

    exit_code = 1

    def __init__(self, error: VaultError) -> None:
        super().__init__(error.message)
        self.error = error

    def show(self, file: Any = None) -> None:
        """Write `error: message (code)` and, when there is one, the hint."""
        error = self.error
        click.echo(printable(f"error: {error.message} ({error.code})"), err=True)
        if error.details:
            click.echo(printable(f"details: {error.details}"), err=True)
        if error.hint:
            click.echo(printable(f"hint: {error.hint}"), err=True)


class Door(click.Group):
    """A group that turns our errors into messages and an interrupt into its status; anything else is a bug."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except VaultError as exc:
            raise Refused(exc) from exc
        except (sqlite3.IntegrityError, sqlite3.OperationalError) as exc:
            raise Refused(translate(exc)) from exc
        except KeyboardInterrupt:
            click.echo("interrupted; what was reported as durable stays", err=True)
            sys.exit(INTERRUPTED)
