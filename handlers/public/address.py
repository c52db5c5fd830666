"""A verb that gives something of its vault an address, or ends what has one. Knows no charter's rule.

The registry is another database than the vault. So the address is held first, then the vault commits, then whoever
looks into the vault settles it: this process, or `names` of maintenance when this one died in between. Nobody else can
have the address meanwhile, and what the vault has written keeps it.

What ends is marked first in the same way, and its address is looked at 30 days later: free if nothing has it by then.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from db.clock import Moment, timestamp_ms
from db.errors import CommitUnknown, Conflict, Invalid, Unavailable, VaultError
from db.registry.directory import VaultEntry
from db.registry.maintenance_runs import REGISTRY, ask_for_run
from db.registry.slug_reservations import (
    WRITE_SECONDS,
    Reservation,
    mark_slugs,
    reserve_slug,
    scope_led_to,
    settle_mark,
    settle_reservation,
)
from db.registry.slugs import normalise_slug
from db.transaction import Actor, WriteTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

# So long after an address was held somebody else looks whether it has been settled.
AFTER_SECONDS = 60
_ACTOR = Actor("system", "system", "", "address.settle")


def with_address(
    services: Services,
    entry: VaultEntry,
    named: tuple[str, str],
    call: Call,
    write: Callable[[Callable[[], None] | None], Reply],
) -> Reply:
    """The reply of a write that gives something of the vault this address.

    named: the argument and the address in it. write: carries it out; it calls what it is given inside the transaction,
    which refuses a write that comes too late for its address. Raises Invalid, Conflict `duplicate`, and what the write
    raises.
    """
    name, address = named
    try:
        held = services.registry_write(lambda tx: _hold(tx, address, entry, call.now), _ACTOR, call.now)
    except Invalid as exc:
        raise Invalid(f"{name}: {address!r} is not available: {exc.message}", field=name) from exc
    except Conflict as exc:
        raise Conflict(f"{name}: {exc.message}", code=exc.code, field=name, details=exc.details) from exc
    if held is None:
        _require_holder(services, entry, name, address)
        return write(None)
    unsure = False
    try:
        return write(lambda: _check_time(services, held))
    except CommitUnknown:
        unsure = True
        raise
    finally:
        # What was written stands, and maintenance settles what cannot be settled now.
        with suppress(VaultError, sqlite3.Error):
            settle_address(services, entry, held, services.clock(), frees=not unsure)


def ending_address(services: Services, entry: VaultEntry, call: Call, write: Callable[[], Reply]) -> Reply:
    """The reply of a write that may end what the request's address leads to. Raises what the write raises."""
    marks = services.registry_write(lambda tx: mark_slugs(tx, entry.id, entry.scope, call.now), _ACTOR, call.now)
    try:
        reply = write()
    except CommitUnknown:
        raise
    except Exception:
        _unmark(services, entry, marks)
        raise
    _unmark(services, entry, marks)
    return reply


def _unmark(services: Services, entry: VaultEntry, marks: Sequence[Reservation]) -> None:
    """Take the marks off what is still there: the write was refused, or only tried."""
    # As above: a mark that stays behind is settled by maintenance, and takes no address from anybody.
    with suppress(VaultError, sqlite3.Error):
        if marks and _is_there(services, entry, entry.scope):
            now = services.clock()
            for mark in marks:
                services.registry_write(partial(settle_mark, mark=mark, scope=entry.scope, gone=False), _ACTOR, now)


def _is_there(services: Services, entry: VaultEntry, scope: str) -> bool:
    charter = services.charter(entry)
    if charter.has_scope is None:
        raise AssertionError(f"{charter.name} has a verb that ends an address, and does not say what is there")
    find = charter.has_scope
    with services.quiet_vault(entry) as vault:
        return vault.read(lambda tx: find(tx, scope)).value


def settle_address(services: Services, entry: VaultEntry, held: Reservation, now: Moment, *, frees: bool) -> bool:
    """Let the address lead to what of the vault has it; whether the reservation is over.

    frees: an address that nothing has is freed, for its writer is done. One that leads into the vault already is kept
    or freed by what is there. Raises what the vault and the registry raise.
    """
    charter = services.charter(entry)
    leads = services.registry_read(lambda tx: scope_led_to(tx, held), current=True)
    if leads is not None and charter.has_scope is not None:
        # A name of the whole vault ('') is not given up by anything in it.
        gone = leads != "" and not _is_there(services, entry, leads)
        services.registry_write(lambda tx: settle_mark(tx, held, leads, gone=gone), _ACTOR, now)
        return True
    if charter.scope_of is None:
        raise AssertionError(f"{charter.name} has a verb that writes an address, and does not say what has it")
    find = charter.scope_of
    with services.quiet_vault(entry) as vault:
        scope = vault.read(lambda tx: find(tx, held.slug)).value
    if scope is None and not frees:
        return False
    services.registry_write(lambda tx: settle_reservation(tx, held, scope, now), _ACTOR, now)
    return True


def _hold(tx: WriteTx, address: str, entry: VaultEntry, now: Moment) -> Reservation | None:
    held = reserve_slug(tx, address, entry.id, now)
    if held is not None:
        ask_for_run(tx, REGISTRY, "names", now.later(seconds=AFTER_SECONDS))
    return held


def _require_holder(services: Services, entry: VaultEntry, name: str, address: str) -> None:
    """Refuse an address that leads into the vault already and is that of nothing in it, such as a second name."""
    find = services.charter(entry).scope_of
    slug = normalise_slug(address)
    with services.quiet_vault(entry) as vault:
        if find is not None and vault.read(lambda tx: find(tx, slug)).value is None:
            raise Conflict(f"{name}: {slug!r} is taken; choose another", code="duplicate", field=name, details="taken")


def _check_time(services: Services, held: Reservation) -> None:
    if services.clock().ms > timestamp_ms(held.reserved_at) + WRITE_SECONDS * 1000:
        raise Unavailable(f"holding the name {held.slug!r} took too long; try again", code="contended")
