"""`POST /public/v1/{charter}/{verb}`: anybody opens a tenant, where the platform lets them. Knows no charter's rule.

Asked without a code, it mails one to the owner-to-be; asked the same with the code, it makes the vault. The vault comes
first and the directory last: interrupted in between, the name is still free, and the same request begins anew with
another vault, or answers again once it is there. What an interrupted one left is removed an hour later.
"""

import json
from contextlib import suppress
from typing import Any

from db.clock import Moment
from db.errors import CommitUnknown, Conflict, Forbidden, Invalid, NotFound, VaultError
from db.fields import Text, normalise_email, parse_fields
from db.registry.attempts import CODE_BY_NETWORK, MAIL_BY_NETWORK, Limit, counter, network_of, take_attempt
from db.registry.directory import VaultEntry, create_vault_entry, get_vault
from db.registry.one_time_links import create_link_token
from db.registry.refusal import Refused, accepted
from db.registry.registrations import Taken, Wanted, ask_registration, enter_registration, take_registration
from db.registry.slugs import normalise_slug, slug_availability
from db.transaction import Actor, WriteTx
from domain.charter import Charter, Founding, Registration
from domain.charters import CHARTERS
from handlers.fleet.scratch import drop_scratch
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.tenant.provisioning import prepare_vault, sign_in_link

_DAY_S, _HOUR_S = 86400, 3600
_CODE = {"code": Text(max_characters=20)}


def register(services: Services, call: Call) -> Reply:
    """Open a tenant for the owner of a mailbox: 202 when a code was sent there, 201 with the code, and with a link.

    Raises Forbidden `registration_off`, Invalid, Conflict `duplicate`, NotAuthenticated for the code, RateLimited.
    """
    charter, known = _declared(call.path["charter"], call.path["verb"])
    if services.settings.registrations == 0:
        raise Forbidden("this platform opens no vaults on request; ask its operator", code="registration_off")
    body = call.json_object()
    code: str | None = parse_fields({"code": body.pop("code", None)}, _CODE).get("code")
    args = parse_fields(body, known.params)
    founding = known.founding(args)
    wanted = Wanted(charter.name, _slug(args, known), normalise_email(founding.owner_email))
    actor = Actor("guest", "guest", call.request_id, known.verb)
    if code is None:
        return _ask(services, call, wanted, known, actor)
    return _open(services, call, wanted, founding, code, known, actor)


def _declared(charter_name: str, verb: str) -> tuple[Charter, Registration]:
    charter = CHARTERS.get(charter_name)
    if charter is None or charter.registration is None or charter.registration.verb != verb:
        raise NotFound(f"nobody opens vaults at {charter_name[:40]}/{verb[:80]}", code="no_route")
    return charter, charter.registration


def _slug(args: Any, known: Registration) -> str:
    text: str = args[known.slug]
    try:
        return normalise_slug(text)
    except Invalid as exc:
        raise Invalid(f"{known.slug}: {text!r} is not available: {exc.message}", field=known.slug) from exc


def _ask(services: Services, call: Call, wanted: Wanted, known: Registration, actor: Actor) -> Reply:
    """Mail a code, unless the name cannot be had anyway."""
    found = services.registry_read(lambda tx: slug_availability(tx, wanted.slug), current=True)
    if found != "available":
        raise _taken(known, wanted.slug, found)
    network, ring = network_of(call.address), services.keyring
    limits = (Limit("public write network", services.settings.public_writes, _HOUR_S), MAIL_BY_NETWORK)
    counters = tuple(counter(ring, limit, network) for limit in limits) if network else ()

    def ask(tx: WriteTx) -> str:
        take_attempt(tx, counters, call.now)
        return ask_registration(tx, ring, wanted, call.now)

    expires_at = services.registry_write(ask, actor, call.now, call.began)
    services.deliver(services.registry)
    told = {"status": "code_sent", known.slug: wanted.slug, "code_expires_at": expires_at}
    return Reply(202, json.dumps(told))


def _open(
    services: Services, call: Call, wanted: Wanted, founding: Founding, code: str, known: Registration, actor: Actor
) -> Reply:
    """Make the vault, or answer again for one that is there."""
    network, ring = network_of(call.address), services.keyring
    guesses = (counter(ring, CODE_BY_NETWORK, network),) if network else ()
    opened = counter(ring, Limit("registrations", services.settings.registrations, _DAY_S), "platform")

    def take(tx: WriteTx) -> Taken | Refused:
        take_attempt(tx, guesses, call.now)
        outcome = take_registration(tx, ring, wanted, code, call.now)
        if isinstance(outcome, Taken) and not outcome.entered:
            take_attempt(tx, (opened,), call.now)
        return outcome

    taken = accepted(services.registry_write(take, actor, call.now, call.began))
    if taken.entered:
        entry = services.registry_read(lambda tx: get_vault(tx, taken.vault_id), current=True)
        token = services.registry_write(
            lambda tx: create_link_token(tx, wanted.email, taken.vault_id, call.now), actor, call.now
        )
    else:
        entry, token = _made(services, taken, wanted, founding, known, actor)
    told = {"id": entry.scope, known.slug: entry.slug, "link": sign_in_link(services, entry.slug, token)}
    return Reply(201, json.dumps(told))


def _made(
    services: Services, taken: Taken, wanted: Wanted, founding: Founding, known: Registration, actor: Actor
) -> tuple[VaultEntry, str]:
    """The vault, in the directory, and the token of its owner's link."""
    now: Moment = services.clock()
    try:
        new = prepare_vault(services, wanted.charter, founding, actor, now, taken.vault_id)

        def enter(tx: WriteTx) -> tuple[VaultEntry, str]:
            enter_registration(tx, taken, now)
            return create_vault_entry(tx, new, now), create_link_token(tx, wanted.email, new.id, now)

        entry, token = services.registry_write(enter, actor, now)
    except CommitUnknown:
        # It may be in the directory. If it is not, the sweep removes it in an hour.
        raise
    except Exception as exc:
        # A process that is killed here leaves it to the sweep too.
        services.pool.close(taken.vault_id)
        with suppress(VaultError):
            drop_scratch(services, [taken.vault_id], actor)
        if isinstance(exc, Conflict) and exc.code == "duplicate":
            raise _taken(known, wanted.slug, "taken") from exc
        raise
    with services.quiet_vault(entry) as vault:
        services.publish(vault, entry)
    return entry, token


def _taken(known: Registration, slug: str, why: str) -> Conflict:
    message = f"{known.slug}: {slug!r} is {why}; choose another"
    return Conflict(message, code="duplicate", field=known.slug, details=why)
