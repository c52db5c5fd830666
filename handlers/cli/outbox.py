"""`vaultry outbox`: the mails that stayed on this machine. Knows the mail folder; sends nothing."""

import time
from email.message import EmailMessage
from pathlib import Path

import click

from db.errors import NotFound
from handlers.cli.output import json_option, print_json, printable
from handlers.cli.session import settings_in_effect
from handlers.upkeep.mail import read_folder

_LOOK_S = 0.5


@click.command()
@click.option("--last", is_flag=True, help="Only the newest.")
@click.option("--follow", is_flag=True, help="Go on with every mail that comes, until Ctrl-C.")
@json_option
def outbox(*, last: bool, follow: bool, as_json: bool) -> None:
    """Show the mails that stayed on this machine.

    Sign-in codes, invitations; the newest last. Interrupted: nothing was changed. With --json each mail is a line.

    \b
    Example:
      vaultry outbox --last
      vaultry outbox --follow
    """
    settings = settings_in_effect()
    way, _, folder = settings.mail.partition(":")
    if way != "folder":
        raise NotFound("mail leaves this machine by a server, so there is no folder to show", code="no_mail_folder")
    kept = read_folder(Path(folder))
    shown = kept[-1:] if last else kept
    for message in shown:
        _show(message, as_json=as_json)
    if follow:
        _follow(Path(folder), {str(message["Message-ID"]) for message in kept}, as_json=as_json)
    elif not shown and not as_json:
        click.echo(f"no mail in {folder}", err=True)


def _follow(folder: Path, known: set[str], *, as_json: bool) -> None:
    try:
        while True:
            for message in read_folder(folder):
                if str(message["Message-ID"]) not in known:
                    known.add(str(message["Message-ID"]))
                    _show(message, as_json=as_json)
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        return


def _show(message: EmailMessage, *, as_json: bool) -> None:
    body = message.get_body(("plain",))
    text = "" if body is None else str(body.get_content())
    headers = {name: str(message[name]) for name in ("To", "Subject", "Date")}
    if as_json:
        print_json({**{name.lower(): value for name, value in headers.items()}, "text": text})
        return
    for name, value in headers.items():
        click.echo(printable(f"{name}: {value}"))
    click.echo(f"\n{printable(text).rstrip()}\n\n--")
