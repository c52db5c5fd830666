"""`/{vault}/rest/v1`: tables and verbs. Parses, authenticates, calls the engine, answers; holds no rule of its own."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from db.errors import Forbidden, MethodNotAllowed, NotAuthenticated, NotFound
from db.fields import from_text, parse_fields
from db.idempotency import answer_once, request_digest
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.resources import Resource
from db.rest import run as rest
from db.rest.query import Restriction
from db.rest.request import InsertRequest, ReadRequest, parse_request
from db.transaction import ReadTx, WriteTx
from db.vault import Vault
from domain.charter import Charter, Verb
from handlers.call import Call
from handlers.identity import Identity, actor_of, identify, principal_of
from handlers.reply import Reply
from handlers.services import Services

VARY = ("Vary", "Accept, Prefer, Range, Authorization")


def serve_table(services: Services, call: Call) -> Reply:
    """Read or write rows of one table."""
    entry = services.entry(call.path["vault"])
    identity = identify(services, call, entry)
    table = call.path["table"]
    request = parse_request(call.method, table, call.query, call.headers, call.body)
    charter = services.charter(entry)
    resources = _reachable(charter, identity)
    with services.vault(entry) as vault:
        if isinstance(request, ReadRequest):
            paged = _paged(request, services.settings.max_rows)

            def read(tx: ReadTx) -> rest.RestAnswer:
                principal = principal_of(tx, identity, entry, charter)
                return rest.read(tx, principal, resources, services.schema(vault, tx), paged, call.now)

            answer = vault.read(read, call.freshness)
            return _read_reply(answer.value, paged).with_headers(("x-d1-bookmark", answer.bookmark))
        _check_token_writes(identity, table)

        def write(tx: WriteTx, principal: Principal) -> Reply:
            done = rest.write(tx, principal, resources, services.schema(vault, tx), request, call.now)
            return _write_reply(done, request)

        return _written(vault, call, identity, entry, charter, f"{call.method.lower()}.{table}", write)


def serve_verb(services: Services, call: Call) -> Reply:
    """Call a verb: POST with a JSON object, or GET for one that only reads."""
    entry = services.entry(call.path["vault"])
    identity = identify(services, call, entry)
    charter = services.charter(entry)
    verb = _find_verb(charter, call.path["verb"])
    if identity.token is not None and not identity.token.may_call(verb.name, writes=verb.writes):
        raise Forbidden(f"this API token may not call {verb.name}", code="42501")
    if call.method not in ("GET", "HEAD", "POST"):
        raise MethodNotAllowed("Only GET, HEAD and POST verbs are allowed on RPC", code="PGRST101")
    if verb.writes and call.method != "POST":
        raise MethodNotAllowed(f"{verb.name} writes: call it by POST", code="25006")
    args = parse_fields(_arguments(call, verb), verb.params)
    with services.vault(entry) as vault:
        if not verb.writes:

            def read(tx: ReadTx) -> Any:
                principal = principal_of(tx, identity, entry, charter)
                return verb.run(tx, _admitted(principal, verb), args, call.now)

            answer = vault.read(read, call.freshness)
            return _value_reply(answer.value).with_headers(("x-d1-bookmark", answer.bookmark))

        def write(tx: WriteTx, principal: Principal) -> Reply:
            return _value_reply(verb.run(tx, _admitted(principal, verb), args, call.now))

        return _written(vault, call, identity, entry, charter, verb.name, write)


def _written(
    vault: Vault,
    call: Call,
    identity: Identity,
    entry: VaultEntry,
    charter: Charter,
    verb: str,
    write: Callable[[WriteTx, Principal], Reply],
) -> Reply:
    """Run a write once per Idempotency-Key and answer with its bookmark."""
    key = call.header("idempotency-key")

    def work(tx: WriteTx) -> Reply:
        principal = principal_of(tx, identity, entry, charter)
        tx.acting_as = principal.actor_id
        if key is None:
            return write(tx, principal)
        query = json.dumps(list(call.query)).encode()
        digest = request_digest(call.method.encode(), call.url_path.encode(), query, _wishes(call), call.body)
        # Guests are nobody in particular: only the very same request of another guest is a repeat.
        asker = f"guest:{digest}" if principal.kind == "guest" else principal.actor_id
        stored, replayed = answer_once(tx, asker, key, digest, call.now, lambda: write(tx, principal).as_json())
        reply = Reply.from_json(stored)
        return reply.with_headers(("Idempotency-Replayed", "true")) if replayed else reply

    answer = vault.write(work, actor_of(identity, call, verb), call.now)
    return answer.value.with_headers(("x-d1-bookmark", answer.bookmark))


def _wishes(call: Call) -> bytes:
    """The headers that change an answer."""
    return "\n".join(f"{name}: {value}" for name, value in call.headers if name in ("prefer", "accept")).encode()


def _reachable(charter: Charter, identity: Identity) -> Mapping[str, Resource]:
    """The resources of a charter, without those an API token was not given."""
    token = identity.token
    return {
        resource.table: resource for resource in charter.resources if token is None or token.may_read(resource.table)
    }


def _check_token_writes(identity: Identity, table: str) -> None:
    if identity.token is not None and not identity.token.may_write(table):
        raise Forbidden(f"this API token may not write {table}", code="42501")


def _paged(request: ReadRequest, max_rows: int) -> ReadRequest:
    """The request with at most `max_rows` rows."""
    root = request.restrictions.get((), Restriction())
    limit = max_rows if root.limit is None else min(root.limit, max_rows)
    return replace(request, restrictions={**request.restrictions, (): replace(root, limit=limit)})


def _read_reply(answer: rest.RestAnswer, request: ReadRequest) -> Reply:
    media = "application/vnd.pgrst.object+json" if request.singular else "application/json"
    status = 206 if answer.is_partial and not request.singular else 200
    headers = [("Content-Range", answer.content_range), VARY]
    if answer.applied:
        headers.append(("Preference-Applied", ", ".join(answer.applied)))
    return Reply(status, "" if request.head else answer.body, f"{media}; charset=utf-8", tuple(headers))


def _write_reply(answer: rest.RestAnswer, request: rest.WriteRequest) -> Reply:
    shown = request.shown
    changed = 200 if answer.body else 204
    created = 201 if answer.inserted else 200
    status = created if isinstance(request, InsertRequest) else changed
    headers = [("Content-Range", answer.content_range), VARY]
    if answer.applied:
        headers.append(("Preference-Applied", ", ".join(answer.applied)))
    if answer.location:
        headers.append(("Location", f"/{shown.table}?{answer.location}"))
    media = "application/vnd.pgrst.object+json" if shown.singular else "application/json"
    return Reply(status, answer.body, f"{media}; charset=utf-8", tuple(headers))


def _value_reply(value: Any) -> Reply:
    """A verb's result as JSON; None is no content."""
    if value is None:
        return Reply(204)
    return Reply(200, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _find_verb(charter: Charter, name: str) -> Verb:
    verb = charter.verb(name)
    if verb is None:
        import difflib  # here, because only a mistake needs it

        near = difflib.get_close_matches(name, [known.name for known in charter.verbs], 1)
        hint = f"Perhaps you meant to call {near[0]}" if near else None
        raise NotFound(f"Could not find the verb {name}", code="PGRST202", hint=hint)
    return verb


def _admitted(principal: Principal, verb: Verb) -> Principal:
    """The principal, if one of the permissions the verb asks for is held."""
    if verb.allow and not principal.may(*verb.allow):
        if principal.kind == "guest":
            raise NotAuthenticated(f"sign in first: {verb.name} is not for guests")
        raise Forbidden(f"{verb.name} needs one of: {', '.join(verb.allow)}")
    return principal


def _arguments(call: Call, verb: Verb) -> Mapping[str, Any]:
    """The arguments of a call as JSON values."""
    if call.method == "POST":
        return call.json_object()
    return {name: from_text(value, verb.params.get(name)) for name, value in call.query}
