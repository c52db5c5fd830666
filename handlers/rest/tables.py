"""`/{vault}/rest/v1/{table}`: rows. Parses, authenticates, calls the engine, answers; holds no rule of its own."""

from collections.abc import Mapping
from dataclasses import replace

from db.errors import Forbidden, NotFound, PermissionMissing
from db.principal import Principal
from db.resources import Resource
from db.rest import run as rest
from db.rest.request import ReadRequest, parse_request
from db.transaction import ReadTx, WriteTx
from handlers.http.call import Call
from handlers.http.identity import Identity, identify_at_rest, principal_of, reachable
from handlers.http.reply import Reply
from handlers.http.unchanged import mark_of, question_of
from handlers.http.written import written
from handlers.rest.replies import allow_reply, read_reply, unchanged_reply, write_reply
from handlers.services import Services
from handlers.tenant.own_schema import charter_of


def serve_table(services: Services, call: Call) -> Reply:
    """Read or write rows of one table, or say which methods it takes."""
    entry = services.entry(call.path["vault"])
    identity = identify_at_rest(services, call, entry)
    table = call.path["table"]
    charter = services.charter(entry)
    if call.method == "OPTIONS":
        declared = charter_of(services, entry)
        return allow_reply(_methods(reachable(declared.resources, identity), table))
    limits = services.settings.rest_limits
    request = parse_request(call.method, table, call.query, call.headers, call.body, limits)
    with services.vault(entry) as vault:
        if isinstance(request, ReadRequest):
            cut = paged(request, limits.answer_rows)
            question = question_of(call, identity, entry, charter, limits)
            if request.conditions.none_match and not request.head:
                here = vault.read(_nothing, call.freshness).bookmark
                tag = request.conditions.marked(mark_of(question, here))
                if tag is not None:
                    return unchanged_reply(tag).with_headers(("x-d1-bookmark", here))

            def read(tx: ReadTx) -> rest.RestAnswer:
                principal, schema = principal_of(tx, identity, entry, charter), services.schema(vault, tx)
                resources = reachable(charter.resources_at(tx, schema), identity)
                return rest.read(tx, principal, resources, schema, cut, call.now, limits)

            answer = vault.read(read, call.freshness)
            mark = mark_of(question, answer.bookmark)
            return read_reply(answer.value, cut, call, mark).with_headers(("x-d1-bookmark", answer.bookmark))
        _check_token_writes(identity, table)

        def write(tx: WriteTx, principal: Principal) -> Reply:
            schema = services.schema(vault, tx)
            resources = reachable(charter.resources_at(tx, schema), identity)
            try:
                done = rest.write(tx, principal, resources, schema, request, call.now, limits)
            except PermissionMissing as exc:
                verbs = (
                    None if exc.permissions else f"rows of {table} are written by verbs; /{entry.slug}/docs has them"
                )
                exc.hint = charter.roles_hint(exc.permissions, tx) or verbs
                raise
            return write_reply(done, request, call)

        verb = f"{call.method.lower()}.{table}"
        rollback = request.shown.preferences.rollback
        return written(vault, call, identity, entry, charter, verb, write, rollback=rollback)


def _nothing(tx: ReadTx) -> None:
    """Read nothing: to know at which commit a read would be."""


def _methods(resources: Mapping[str, Resource], table: str) -> tuple[str, ...]:
    """The methods that the declaration of a table has policies for. Raises NotFound PGRST205."""
    resource = resources.get(table)
    if resource is None:
        raise NotFound(f"Could not find the table 'public.{table}' in the schema cache", code="PGRST205")
    put = ("PUT",) if resource.insert and resource.update else ()
    return (
        *("GET", "HEAD"),
        *(("POST", *put) if resource.insert else ()),
        *(("PATCH",) if resource.update else ()),
        *(("DELETE",) if resource.delete else ()),
    )


def _check_token_writes(identity: Identity, table: str) -> None:
    if identity.token is not None and not identity.token.may_write(table):
        raise Forbidden(f"this API token may not write {table}", code="42501")


def paged(request: ReadRequest, most: int) -> ReadRequest:
    """The request with at most so many rows."""
    root = request.root
    limit = most if root.limit is None else min(root.limit, most)
    return replace(request, restrictions={**request.restrictions, (): replace(root, limit=limit)})
