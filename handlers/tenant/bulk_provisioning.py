"""Provisioning many tenants at once: a hundred in one commit of the registry. Knows lines; not the file they are from.

The vaults of a hundred are listed as scratch before they are made, and enter the directory in the commit that strikes
them from that list. Killed anywhere, a repeat skips what is there, and removes what was made and had not entered.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal

from db.errors import Conflict, Invalid, VaultError
from db.fields import normalise_email
from db.registry.directory import NewVault, create_vault_entry, find_slug
from db.registry.one_time_links import create_link_token
from db.registry.scratch_vaults import scratch_lists, strike_scratch
from db.registry.slugs import normalise_slug, slug_availability
from db.schema.constraints import constraints_translated
from db.schema.state import expected_digest
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.opening import create_vault
from domain.charter import Founding
from domain.charters import CHARTERS
from handlers.fleet.scratch import Run, drop_scratch, list_before_making, scratch_run
from handlers.services import Services
from handlers.tenant.provisioning import schema_numbers, sign_in_link

COLUMNS = ("slug", "charter", "name", "owner")
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One tenant to make. number: of the line in its file. fields: by column; further columns are founding options."""

    number: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of a line. made: with the owner's link; there: it exists already; refused: with the error."""

    number: int
    slug: str
    state: Literal["made", "there", "refused"]
    link: str = ""
    error: VaultError | None = None


@dataclass(slots=True)
class _Order:
    """A line on its way. outcome: set once it stands."""

    line: Line
    vault_id: str
    charter: str
    founding: Founding
    email: str
    new: NewVault | None = None
    outcome: Entered | None = None

    def refuse(self, error: VaultError) -> None:
        """The line ends here."""
        self.outcome = Entered(self.line.number, self.founding.slug, "refused", error=error)


def provision_lines(
    services: Services, lines: Iterable[Line], actor: Actor, concurrency: int, report: Callable[[int], None]
) -> Iterator[Entered]:
    """What became of each line, in order, told once it is durable. A bad line stops no other.

    report: told how many lines are done; what it raises ends the work there.
    """
    done = 0
    with scratch_run(services) as run, ThreadPoolExecutor(concurrency, thread_name_prefix="provision") as threads:
        waiting = iter(lines)
        while hundred := list(islice(waiting, _AT_ONCE)):
            yield from _provision_hundred(services, run, threads, hundred, actor)
            done += len(hundred)
            report(done)


def _provision_hundred(
    services: Services, run: Run, threads: ThreadPoolExecutor, lines: Sequence[Line], actor: Actor
) -> list[Entered]:
    found: list[Entered | _Order] = [_parsed(services, line) for line in lines]
    orders = [order for order in found if isinstance(order, _Order)]
    _settle_known(services, orders)
    waiting = [order for order in orders if order.outcome is None]
    ids = [order.vault_id for order in waiting]
    list_before_making(services, run, "provisioning", ids, actor)
    try:
        list(threads.map(partial(_make, services, run, actor), waiting))
        _enter(services, [order for order in waiting if order.outcome is None], actor)
    finally:
        # Those that entered are not listed any more, whatever this process knows of them.
        drop_scratch(services, ids, actor)
    return [entry if isinstance(entry, Entered) else _outcome(entry) for entry in found]


def _outcome(order: _Order) -> Entered:
    if order.outcome is None:
        raise AssertionError("every order has an outcome")
    return order.outcome


def _parsed(services: Services, line: Line) -> Entered | _Order:
    fields = {name: (value or "").strip() for name, value in line.fields.items()}
    try:
        missing = [name for name in COLUMNS if not fields.get(name)]
        if missing:
            raise Invalid(f"nothing in column {', '.join(missing)}", field=missing[0])
        if fields["charter"] not in CHARTERS:
            wanted = ", ".join(CHARTERS)
            raise Invalid(f"got charter {fields['charter']!r}, wanted one of: {wanted}", field="charter")
        options = {name: value for name, value in fields.items() if name not in COLUMNS and value}
        founding = Founding(normalise_slug(fields["slug"]), fields["name"], fields["owner"], options)
        email = normalise_email(fields["owner"])
        return _Order(line, services.clock().new_id(), fields["charter"], founding, email)
    except VaultError as exc:
        return Entered(line.number, fields.get("slug", ""), "refused", error=exc)


def _settle_known(services: Services, orders: Sequence[_Order]) -> None:
    """Settle the orders whose name is taken, reserved, or that of an earlier line."""

    def look(tx: ReadTx) -> None:
        seen: set[str] = set()
        for order in orders:
            slug = order.founding.slug
            existing, free = find_slug(tx, slug), slug_availability(tx, slug)
            alike = existing is not None and (existing.charter, existing.name) == (order.charter, order.founding.name)
            if alike:
                order.outcome = Entered(order.line.number, slug, "there")
            elif free != "available" or slug in seen:
                why = free if free != "available" else "taken by an earlier line"
                order.refuse(Conflict(f"the name {slug!r} is {why}; choose another", code="duplicate", field="slug"))
            seen.add(slug)

    services.registry_read(look, current=True)


def _make(services: Services, run: Run, actor: Actor, order: _Order) -> None:
    """Make and found the vault of an order."""
    charter, now = CHARTERS[order.charter], services.clock()
    kind = services.kind(charter)
    try:
        vault = create_vault(run.site, order.vault_id, kind)
        try:
            with constraints_translated():
                scope = vault.write(lambda tx: charter.found(tx, order.founding, now), actor, now).value
        finally:
            vault.close()
            run.forget_copy(order.vault_id)
        numbers = schema_numbers(kind.sets)
        digest = expected_digest(kind.sets, tuple(numbers.items()))
        order.new = NewVault(
            order.vault_id, charter.name, order.founding.name, order.founding.slug, scope, numbers, schema_hash=digest
        )
    except VaultError as exc:
        order.refuse(exc)


def _enter(services: Services, orders: Sequence[_Order], actor: Actor) -> None:
    """Enter the tenants in one commit; one by one when one of them is refused, to find out which."""
    if not orders:
        return
    now, ids = services.clock(), [order.vault_id for order in orders]

    def enter(tx: WriteTx) -> list[str]:
        if not all(scratch_lists(tx, vault_id) for vault_id in ids):
            raise Conflict("it took more than an hour, and what was made was removed", code="abandoned")
        tokens: list[str] = []
        for order in orders:
            if order.new is None:
                raise AssertionError("the vault was not made")
            create_vault_entry(tx, order.new, now)
            tokens.append(create_link_token(tx, order.email, order.vault_id, now))
        strike_scratch(tx, ids)
        return tokens

    try:
        with constraints_translated():
            tokens = services.registry_write(enter, actor, now)
    except VaultError as exc:
        if len(orders) > 1:
            for order in orders:
                _enter(services, [order], actor)
            return
        # Another process may have entered the very same line meanwhile, or a commit of unknown outcome did.
        _settle_known(services, orders)
        if orders[0].outcome is None or orders[0].outcome.state == "refused":
            orders[0].refuse(exc)
        return
    for order, token in zip(orders, tokens, strict=True):
        link = sign_in_link(services, order.founding.slug, token)
        order.outcome = Entered(order.line.number, order.founding.slug, "made", link)
