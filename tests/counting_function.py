"""The API function with two verbs of the tests' own in the choir charter: one counts up, one crashes half-way.

Loaded by the Lambda runtime client as `tests.counting_function.handler`.
"""

from dataclasses import replace
from typing import Any

import domain.choir.charter as choir
from db.clock import Moment
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Verb

_COUNT = """
INSERT INTO vaultry_settings (key, value, updated_at) VALUES ('count', '1', :now)
    ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1, updated_at = :now
RETURNING CAST(value AS INTEGER) AS value
"""


def count_up(tx: WriteTx, principal: Principal, args: Any, now: Moment) -> int:
    """The number reached."""
    return int(tx.rows(_COUNT, now=now.text)[0]["value"])


def crash(tx: WriteTx, principal: Principal, args: Any, now: Moment) -> None:
    """Count, and then fail as our own fault."""
    count_up(tx, principal, args, now)
    raise RuntimeError("half-way")


choir.CHOIR = replace(
    choir.CHOIR,
    verbs=(
        *choir.CHOIR.verbs,
        Verb("count.up", count_up, writes=True, summary="Counts up by one."),
        Verb("count.crash", crash, writes=True, summary="Fails half-way."),
    ),
)

from handlers.api import handler  # noqa: E402

__all__ = ["handler"]
