"""The HTTP application: routes, and the way of every request through them. Knows Starlette; no rule, no SQL."""

import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import wait
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route

from db.errors import MethodNotAllowed, NotFound, TooLarge
from db.events import emit
from db.registry.signing_keys import PUBLISHED_SECONDS, jwks
from db.stores.directory import DirectoryStore
from handlers.auth.routes import AUTH_ROUTES, CALLBACK, INVITATION_ROUTES, AuthRoute
from handlers.d1.routes import PREFIX as D1
from handlers.d1.routes import ROUTES as D1_ROUTES
from handlers.d1.routes import D1Route
from handlers.http.answer import Served, body_of, headers_of, query_of, request_id_of
from handlers.http.call import Call
from handlers.http.errors import error_reply
from handlers.http.reply import Reply
from handlers.rest import tables as rest
from handlers.rest import verbs
from handlers.rest.quick_read import ROWS, QuickReads
from handlers.services import Services
from handlers.storage.routes import PREFIX as STORAGE
from handlers.storage.routes import ROUTES as STORAGE_ROUTES
from handlers.storage.routes import StorageRoute
from handlers.storage.shape import storage_error

T = TypeVar("T")
Serve = Callable[[Services, Call], Reply]
# How a request's work gets off the event loop: a thread in a server; on Lambda, one request at a time, it stays.
Run = Callable[[Callable[[], Reply]], Awaitable[Reply]]
_FORM = "application/x-www-form-urlencoded"
_EXPOSED = (
    "Content-Range",
    "Content-Location",
    "ETag",
    "x-d1-bookmark",
    "x-request-id",
    "Preference-Applied",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "x-supabase-api-version",
    # of files, and of uploads in parts
    "Accept-Ranges",
    "Content-Disposition",
    "x-access-reason",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Resumable",
    "Tus-Version",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Offset",
)
# Without it supabase's sign-in clients do not read the code of an error.
_AUTH_VERSION = ("x-supabase-api-version", "2024-01-01")
# Where the description of the API is, and which module and function below handlers/description serve it.
DESCRIPTIONS = {
    "/openapi.json": ("serving", "serve_platform"),
    "/docs": ("page", "show_platform"),
    "/docs/{file}": ("page", "send_file"),
    "/{vault}/openapi.json": ("serving", "serve_vault"),
    "/{vault}/docs": ("page", "show_vault"),
    "/{vault}/rest/v1": ("serving", "serve_rest"),
    "/{vault}/rest/v1/": ("serving", "serve_rest"),
}
# What anybody may read of all vaults together, and which function of handlers/public serves it.
PUBLIC = {
    "/public/v1/slugs/{slug}": "check_name",
    "/public/v1/{charter}/{verb}": "show_list",
}
REGISTER = "/public/v1/{charter}/{verb}"
SHOWN_PATH_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Streamed:
    """A route whose handler reads the body itself. package: the one below handlers that its module is in."""

    route: StorageRoute | D1Route
    package: str


def create_app(services: Services, run: Run, run_sql: Run | None = None) -> Starlette:
    """The application over the services of this process. run_sql: for what is below `/client/v4`, by default as all."""

    def route(path: str, serve: Serve | Streamed, *methods: str) -> Route:
        chosen = run_sql if run_sql is not None and path.startswith(D1) else run

        async def endpoint(request: Request) -> Response:
            return await _respond(services, chosen, serve, path, request)

        return Route(path, endpoint, methods=list(methods))

    tables = ("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS")
    by_sql = [route(f"{D1}{known.path}", _named(known, "d1"), *known.methods) for known in D1_ROUTES]
    routes = [
        # First, for most requests are for rows or by SQL, and routes are tried in turn, 1 us each.
        route(ROWS, rest.serve_table, *tables),
        *by_sql,
        route("/healthz", _health, "GET"),
        route("/.well-known/jwks.json", _jwks, "GET"),
        *(route(known, _described(module, name), *_methods(name)) for known, (module, name) in DESCRIPTIONS.items()),
        *(route(known, _public(name), "GET") for known, name in PUBLIC.items()),
        route(REGISTER, _register, "POST"),
        route("/{vault}/rest/v1/rpc/{verb}", verbs.serve_verb, *tables),
        *(route(f"/{{vault}}/auth/v1/{known.path}", _signing_in(known), known.method) for known in AUTH_ROUTES),
        *(route(f"/{{vault}}/{known.path}", _signing_in(known), known.method) for known in INVITATION_ROUTES),
        route(f"/auth/v1/{CALLBACK.path}", _signing_in(CALLBACK), CALLBACK.method),
        route("/{vault}/auth/v1/.well-known/jwks.json", _jwks, "GET"),
        *(route(f"{STORAGE}{known.path}", _named(known, "storage"), *known.methods) for known in STORAGE_ROUTES),
    ]

    async def unrouted(request: Request, _: Exception) -> Response:
        partial = [known for known in routes if known.matches(request.scope)[0] is Match.PARTIAL]
        allowed = sorted({method for known in partial for method in known.methods or ()})
        return _unrouted(services, request, ", ".join(allowed))

    app = Starlette(routes=routes, middleware=_middleware(services), exception_handlers={404: unrouted, 405: unrouted})
    # It would answer a path with a slash too many by a redirect to whatever host the request named.
    app.router.redirect_slashes = False
    return app


def _public(name: str) -> Serve:
    """A handler of what is public, loaded as those of signing in are."""

    def serve(services: Services, call: Call) -> Reply:
        handler = cast("Serve", getattr(import_module("handlers.public.lists"), name))
        return handler(services, call)

    return serve


def _methods(name: str) -> tuple[str, ...]:
    """The methods a description takes; HEAD comes with GET."""
    return ("GET", "OPTIONS") if name == "serve_rest" else ("GET",)


def _register(services: Services, call: Call) -> Reply:
    """Open a tenant on request, loaded as the others."""
    from handlers.public.registering import register

    return register(services, call)


def _described(module: str, name: str) -> Serve:
    """A handler of the description, loaded as those of signing in are."""

    def serve(services: Services, call: Call) -> Reply:
        handler = cast("Serve", getattr(import_module(f"handlers.description.{module}"), name))
        return handler(services, call)

    return serve


def _signing_in(known: AuthRoute) -> Serve:
    """A handler whose module is loaded by its first request: most requests are signed in already."""

    def serve(services: Services, call: Call) -> Reply:
        handler = cast("Serve", getattr(import_module(f"handlers.auth.{known.module}"), known.function))
        return handler(services, call)

    return serve


def _named(known: StorageRoute | D1Route, package: str) -> Serve | Streamed:
    """A handler of files or of SQL, loaded as above."""
    if known.streams:
        return Streamed(known, package)

    def serve(services: Services, call: Call) -> Reply:
        handler = cast("Serve", getattr(import_module(f"handlers.{package}.{known.module}"), known.name))
        return handler(services, call)

    return serve


async def _receive(services: Services, run: Run, streamed: Streamed, call: Call, request: Request) -> Reply:
    """Serve a request whose handler reads the body as it comes."""
    from handlers.storage.intake import Begin, receive  # as the handler: only uploads need it

    try:
        known = streamed.route
        begin = cast("Begin", getattr(import_module(f"handlers.{streamed.package}.{known.module}"), known.name))
        reply = await receive(begin, services, run, call, request.stream())
    except Exception as exc:
        reply = error_reply(exc, call.request_id)

    def answered(_: Services, __: Call) -> Reply:
        return reply

    return await run(functools.partial(_serve, answered, services, call))


async def _respond(services: Services, run: Run, serve: Serve | Streamed, path: str, request: Request) -> Response:
    """Read the request, serve it off the loop, turn what comes back into HTTP."""
    started = time.perf_counter()
    now = services.clock()
    request_id = request_id_of(request.headers.get("x-request-id", ""), now)
    try:
        body = b"" if isinstance(serve, Streamed) else await _read_body(request, services.settings.max_body_bytes)
        call = Call(
            method=request.method,
            url_path=request.scope["path"],
            path=request.path_params,
            query=query_of(request.scope["query_string"], services.settings.query_parameters),
            headers=_headers(request, body),
            body=body,
            request_id=request_id,
            now=now,
            address=_address(request, services.settings.proxies),
        )
        if isinstance(serve, Streamed):
            reply = await _receive(services, run, serve, call, request)
        else:
            reply = await run(functools.partial(_serve, serve, services, call))
    except Exception as exc:
        reply = error_reply(exc, request_id)
    if reply.status >= 400 and path.startswith(STORAGE):
        reply = storage_error(reply, path)
    if reply.status >= 400 and path.startswith(D1):
        reply = _d1_error(reply)
    if "/auth/v1/" in path:
        reply = reply.with_headers(_AUTH_VERSION)
    elapsed_ms = (time.perf_counter() - started) * 1000
    emit(Served(request.method, path, reply.status, round(elapsed_ms, 2), request_id))
    return _http(reply, request_id, head=request.method == "HEAD")


def _serve(serve: Serve, services: Services, call: Call) -> Reply:
    """Serve the request, and see to its end what was begun beside it: after the answer a Lambda process is frozen."""
    try:
        reply = serve(services, call)
        counts = services.requests.take_due(call.now.ms)
        if counts:
            call.beside.append(services.aside(lambda: services.tell_requests(counts)))
    finally:
        if call.beside:
            wait(call.beside)
    for done in call.beside:
        done.result()
    return reply


def _address(request: Request, proxies: int) -> str:
    """The caller's network address. proxies: how many stand in front, each of which added the one it saw."""
    seen = "" if request.client is None else request.client.host
    if proxies == 0:
        return seen
    # What comes before the ones our own proxies added may be made up by the caller.
    told = [part.strip() for value in request.headers.getlist("x-forwarded-for") for part in value.split(",")]
    return told[-proxies] if len(told) >= proxies else seen


def _headers(request: Request, body: bytes) -> list[tuple[str, str]]:
    """The headers in order. JSON that calls itself a form, as `curl -d` does, is called JSON: no form begins so."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    if not body.lstrip().startswith((b"{", b"[")):
        return headers
    return [
        (name, "application/json" if name == "content-type" and value.startswith(_FORM) else value)
        for name, value in headers
    ]


async def _read_body(request: Request, most: int) -> bytes:
    """The body. Raises TooLarge as soon as it is known to be over the limit."""
    announced = request.headers.get("content-length", "0")
    parts: list[bytes] = []
    size = int(announced) if announced.isdecimal() else 0
    if size <= most:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                break
            parts.append(part)
    if size > most:
        raise TooLarge(f"got a body of {size} bytes or more, the limit is {most} (VAULTRY_MAX_BODY_BYTES)")
    return b"".join(parts)


class _Whole(Response):
    """An answer whose headers are ready: Starlette's way of adding them one by one costs as much as a read of a row."""

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = headers


def _http(reply: Reply, request_id: str, *, head: bool = False) -> Response:
    if reply.content is None:
        body = b"" if head else body_of(reply)
        typed = bool(reply.body) or head
        return _Whole(body, reply.status, headers_of(reply, request_id, len(body), typed=typed))
    response = StreamingResponse(reply.content, reply.status)
    response.raw_headers = headers_of(reply, request_id, None, typed=True)
    return response


def _health(services: Services, _: Call) -> Reply:
    """Alive, and able to read the registry."""
    bookmark = services.registry.read(lambda tx: tx.value("SELECT 1")).bookmark
    return Reply(200, json.dumps({"status": "ok", "registry": bookmark}))


def _jwks(services: Services, _: Call) -> Reply:
    """The public keys that verify access tokens."""
    headers = (("cache-control", f"public, max-age={PUBLISHED_SECONDS}"),)
    return Reply(200, json.dumps(services.registry_read(jwks)), headers=headers)


def _unrouted(services: Services, request: Request, allowed: str) -> Response:
    """The answer when no route takes the request. Some clients take a 404 without a JSON object for success."""
    request_id = request_id_of(request.headers.get("x-request-id", ""), services.clock())
    path = request.url.path[:SHOWN_PATH_CHARACTERS]
    at_rest = "/rest/v1/" in path
    if not allowed and at_rest:
        reply = error_reply(NotFound("Invalid path specified in request URL", code="PGRST125"), request_id)
    elif not allowed:
        reply = error_reply(NotFound(f"no route {path}", code="no_route"), request_id)
    else:
        hint = f"It takes {allowed}."
        refused = MethodNotAllowed(f"{path} does not take {request.method}", hint=hint)
        if at_rest:
            refused = MethodNotAllowed(f"Unsupported HTTP method: {request.method}", code="PGRST117", hint=hint)
        reply = error_reply(refused, request_id).with_headers(("Allow", allowed))
    if "/auth/v1/" in path:
        reply = reply.with_headers(_AUTH_VERSION)
    if path.startswith(f"{D1}/"):
        reply = _d1_error(reply)
    emit(Served(request.method, "", reply.status, 0, request_id))
    return _http(reply, request_id, head=request.method == "HEAD")


def _d1_error(reply: Reply) -> Reply:
    from handlers.d1.errors import d1_error  # as the handlers

    return d1_error(reply)


def _middleware(services: Services) -> list[Middleware]:
    quick, origins = _quick_ways(services), services.settings.cors_origins
    if not origins:
        return quick
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=list(_EXPOSED),
            max_age=600,
        ),
        *quick,
    ]


def _quick_ways(services: Services) -> list[Middleware]:
    """What answers reads before all routing: only where a look is a matter of microseconds, which over a network it is
    not."""
    if not isinstance(services.site.store, DirectoryStore):
        return []
    from handlers.d1.quick_query import QuickQueries  # here: on Lambda the store is never a folder

    return [Middleware(QuickReads, services=services), Middleware(QuickQueries, services=services)]


def configure_log(form: str) -> None:
    """Send our log lines to standard error. form: json as they are, text with the time before them.

    Of others only warnings: Mangum reports every path, in which names of tenants stand. For json the handlers that
    are there go: Lambda's own would put words before each line, and let none through at the level of ours.
    """
    as_json = form == "json"
    logging.basicConfig(format="%(message)s" if as_json else "%(asctime)s %(levelname)s %(message)s", force=as_json)
    logging.getLogger("vaultry").setLevel(logging.INFO)
