"""`vaultry serve`: listen, fill an empty store with the demo, say how to get in. Prints; serves nothing itself."""

import ipaddress
import os
import shlex
import signal
import socket
from collections.abc import Mapping
from typing import Any

import click

from domain.charters import CHARTERS
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.progress import progress
from handlers.services import Services
from handlers.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free port.")
@json_option
def serve(host: str, port: int, *, as_json: bool) -> None:
    """Serve the application; an empty store gets a demo.

    Interrupted (Ctrl-C): running requests are finished, then it ends with status 0; killed outright, too, everything
    that was acknowledged stays. A demo that was not finished starts over the next time.

    \b
    Example:
      vaultry serve
      VAULTRY_STORE=file:/srv/vaultry vaultry serve --port 9000
    """
    from handlers import server  # here: only this command pays for the HTTP application
    from handlers.app import configure_log

    with server.listen(host, port) as listener:
        address = _address(listener)
        services = Services(Settings.from_env({"VAULTRY_BASE_URL": address, **_given()}), readers=server.READERS)
        # SIGTERM is how service managers say Ctrl-C.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            begun = _begin(services)
            if not _is_local(host):
                note(f"warning: {host} is reachable from other machines, without TLS; put a proxy with TLS before it")
            _announce(services, address, begun, as_json=as_json)
            configure_log(services.settings.log)
            server.serve(services, listener)
        except KeyboardInterrupt:
            pass
        finally:
            services.close()
            signal.signal(signal.SIGTERM, before)
        note("stopped; everything acknowledged is kept")


def _given() -> dict[str, str]:
    """The environment without empty values, which count as absent."""
    return {name: value for name, value in os.environ.items() if value.strip()}


def _begin(services: Services) -> dict[str, Any] | None:
    """The demo that was made, or None on a store that has tenants."""
    from handlers import server

    if not server.is_empty(services):
        return None
    note("an empty store: making the demo tenant")
    with progress() as report:
        provisioned = server.load_demo(services, report)
    entry = provisioned.entry
    base = f"{services.settings.base_url}/{entry.slug}"
    table = server.public_table(CHARTERS[entry.charter])
    people = server.demo_people(services, entry)
    return {
        "slug": entry.slug,
        "name": entry.name,
        "address": base,
        "people": [{"name": who.name, "email": who.email, "roles": list(who.roles)} for who in people],
        "link": provisioned.link,
        "try": None if table is None else f"curl {shlex.quote(f'{base}/rest/v1/{table}?limit=3')}",
    }


def _announce(services: Services, address: str, demo: Mapping[str, Any] | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"address": address, "store": services.settings.store, "demo": demo})
        return
    click.echo(f"Vaultry is at {address}, its store at {services.settings.store}. Ctrl-C ends it.")
    if demo is None:
        click.echo("Its tenants: vaultry tenants list")
        return
    click.echo(f"\nThe demo: {demo['name']} at {demo['address']}\n")
    print_table(
        ("name", "address", "roles"), [(who["name"], who["email"], ", ".join(who["roles"])) for who in demo["people"]]
    )
    click.echo(f"\nSign in as {demo['people'][0]['name']} (once, within 24 hours):\n  {demo['link']}")
    if services.settings.mail.startswith("folder:"):
        click.echo("The others sign in with a code by mail, which stays on this machine: vaultry outbox --last")
    if demo["try"] is not None:
        click.echo(f"Try:\n  {demo['try']}\n")


def _address(listener: socket.socket) -> str:
    """The URL at which this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    ip = ipaddress.ip_address(host)
    if ip.is_unspecified:
        return f"http://127.0.0.1:{port}"
    return f"http://[{host}]:{port}" if ip.version == 6 else f"http://{host}:{port}"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
