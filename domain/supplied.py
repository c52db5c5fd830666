"""Columns the server fills by itself. Knows the call; not the table."""

from db.clock import Moment
from db.principal import Principal


def new_id(principal: Principal, now: Moment) -> str:
    """A fresh id."""
    return now.new_id()


def moment(principal: Principal, now: Moment) -> str:
    """The moment of the call."""
    return now.text


def scope(principal: Principal, now: Moment) -> str:
    """The organisation or branch in effect."""
    return principal.scope


def caller(principal: Principal, now: Moment) -> str | None:
    """The principal who calls; None for a token that is no person."""
    return principal.id
