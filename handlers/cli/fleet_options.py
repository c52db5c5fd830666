"""Options that the commands of `vaultry fleet` share. Knows click; no fleet."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_MOST_AT_ONCE = 64


def charter_option(command: F) -> F:
    """`--charter`."""
    return click.option("--charter", metavar="NAME", help="Only vaults of this charter.")(command)


def concurrency_option(command: F) -> F:
    """`--concurrency`."""
    at_once = click.IntRange(1, _MOST_AT_ONCE)
    return click.option(
        "--concurrency", default=4, show_default=True, type=at_once, help="Vaults worked on at the same time."
    )(command)
