"""`/{vault}/rest/v1/rpc/{verb}`: verbs. Parses, authenticates, calls the charter, answers; holds no rule of its own."""

from collections.abc import Callable, Mapping
from typing import Any

from db.errors import Forbidden, Invalid, MethodNotAllowed, NotAuthenticated, NotFound
from db.fields import is_json_list, parse_fields
from db.principal import Principal
from db.registry.slugs import slug_availability
from db.resources import Resource
from db.rest.preferences import check_profile, parse_preferences
from db.transaction import ReadTx, WriteTx
from db.vault.vault import Vault
from domain.charter import Charter, Verb
from handlers.http.call import Call
from handlers.http.identity import identify_at_rest, principal_of, reachable
from handlers.http.reply import Reply
from handlers.http.written import written
from handlers.rest.replies import allow_reply, value_reply
from handlers.rest.verb_arguments import arguments_and_rest, arguments_named
from handlers.services import Services


def serve_verb(services: Services, call: Call) -> Reply:
    """Call a verb: POST with a JSON object, or GET for one that only reads."""
    entry = services.entry(call.path["vault"])
    identity = identify_at_rest(services, call, entry)
    charter = services.charter(entry)
    verb = _find_verb(charter, call)
    if identity.token is not None and not identity.token.may_call(verb.name, writes=verb.writes):
        raise Forbidden(f"this API token may not call {verb.name}", code="42501")
    if call.method == "OPTIONS":
        return allow_reply(("POST",) if verb.writes else ("GET", "HEAD", "POST"))
    _check_method(call, verb)
    check_profile(call.headers)
    given, rest = arguments_and_rest(call, verb)
    args = parse_fields(given, verb.params)
    if verb.throttled:
        from handlers.public.throttling import take_public_write  # here: hardly any verb is open to everybody

        take_public_write(services, call, entry)
    shaped = bool(rest) or any(name in ("accept", "prefer", "range", "if-none-match") for name, _ in call.headers)

    resources: Mapping[str, Resource] = reachable(charter.resources, identity) if shaped else {}

    def reply(vault: Vault, tx: ReadTx, principal: Principal, value: Any) -> Reply:
        if verb.link is not None:
            value = _linked(value, verb.link, f"{services.settings.base_url}/{entry.slug}")
        if not shaped:
            return value_reply(value)
        # Here, because most calls take what the verb returns as it is.
        from db.rest.result_rows import RowsOf
        from handlers.rest.verb_reply import shaped_reply

        rows_of = None
        if verb.rows is not None and verb.rows in resources:
            rows_of = RowsOf(verb.rows, services.schema(vault, tx), resources, principal, call.now)
        return shaped_reply(tx, call, rest, value, services.settings.rest_limits, rows_of)

    with services.vault(entry) as vault:
        if not verb.writes:
            if verb.slug is not None:
                args = {**args, **_availability(services, args[verb.slug])}

            def read(tx: ReadTx) -> Reply:
                principal = principal_of(tx, identity, entry, charter)
                return reply(vault, tx, principal, verb.run(tx, _admitted(principal, verb, charter), args, call.now))

            answer = vault.read(read, call.freshness)
            return answer.value.with_headers(("x-d1-bookmark", answer.bookmark))

        def carry_out(check_time: Callable[[], None] | None = None) -> Reply:
            def write(tx: WriteTx, principal: Principal) -> Reply:
                if check_time is not None:
                    check_time()
                value = verb.run(tx, _admitted(principal, verb, charter), args, call.now)
                _check_affected(wishes.max_affected, value)
                return reply(vault, tx, principal, value)

            return written(vault, call, identity, entry, charter, verb.name, write, rollback=wishes.rollback)

        wishes = parse_preferences(call.headers)
        if verb.slug is None and not verb.ends_scope:
            return carry_out()
        from handlers.public.address import ending_address, with_address  # here: few verbs give or end an address

        # Nobody gets a name held for a write that is not allowed.
        vault.read(lambda tx: _admitted(principal_of(tx, identity, entry, charter), verb, charter))
        if verb.slug is None:
            return ending_address(services, entry, call, carry_out)
        return with_address(services, entry, (verb.slug, args[verb.slug]), call, carry_out)


def _linked(value: Any, field: str, address: str) -> Any:
    """The rows with the whole address of what they name by a path below the vault's."""
    if is_json_list(value):
        return [_linked(row, field, address) for row in value]
    return {**value, "link": f"{address}{value[field]}"}


def _availability(services: Services, address: str) -> dict[str, str]:
    """What the directory says of an address; nothing of one that is malformed, which the verb refuses."""
    try:
        return {"availability": services.registry_read(lambda tx: slug_availability(tx, address), current=True)}
    except Invalid:
        return {}


def _check_method(call: Call, verb: Verb) -> None:
    """Refuse a method that no verb, or not this one, takes."""
    if call.method not in ("GET", "HEAD", "POST"):
        raise MethodNotAllowed(f"Cannot use the {call.method} method on RPC", code="PGRST101")
    if verb.writes and call.method != "POST":
        raise MethodNotAllowed(f"{verb.name} writes: call it by POST", code="25006")


def _check_affected(most: int | None, value: Any) -> None:
    """Hold `max-affected` against the rows that a verb returns."""
    if most is None:
        return
    if not is_json_list(value):
        raise Invalid(
            "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
            code="PGRST128",
        )
    if len(value) > most:
        raise Invalid(
            "Query result exceeds max-affected preference constraint",
            code="PGRST124",
            details=f"The query affects {len(value)} rows",
        )


def _find_verb(charter: Charter, call: Call) -> Verb:
    name = call.path["verb"]
    verb = charter.verb(name)
    if verb is None:
        import difflib  # here, because only a mistake needs it

        near = difflib.get_close_matches(name, [known.name for known in charter.verbs], 1)
        given = arguments_named(call)
        called = f"({', '.join(given)})" if given else " without parameters"
        searched = f" with parameter{'s' if len(given) > 1 else ''} {', '.join(given)}" if given else called
        if call.method == "POST" and given:
            searched += " or with a single unnamed json/jsonb parameter"
        raise NotFound(
            f"Could not find the function public.{name}{called} in the schema cache",
            code="PGRST202",
            details=f"Searched for the function public.{name}{searched}, "
            "but no matches were found in the schema cache.",
            hint=f"Perhaps you meant to call the function public.{near[0]}" if near else None,
        )
    return verb


def _admitted(principal: Principal, verb: Verb, charter: Charter) -> Principal:
    """The principal, if one of the permissions the verb asks for is held."""
    if verb.allow and not principal.may(*verb.allow):
        if principal.kind == "guest":
            raise NotAuthenticated(f"sign in first: {verb.name} is not for guests")
        hint = charter.roles_hint(verb.allow)
        raise Forbidden(f"{verb.name} needs one of: {', '.join(verb.allow)}", hint=hint)
    return principal
