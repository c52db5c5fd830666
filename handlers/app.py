"""The HTTP application: routes, and the way of every request through them. Knows Starlette; no rule, no SQL."""

import functools
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import wait
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar, cast
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route

from db.clock import Moment
from db.errors import MethodNotAllowed, NotFound, TooLarge
from db.events import Event, emit
from db.registry.signing_keys import PUBLISHED_SECONDS, jwks
from handlers import rest, verbs
from handlers.auth.routes import AUTH_ROUTES, CALLBACK, AuthRoute
from handlers.call import Call
from handlers.errors import error_reply
from handlers.reply import Reply
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
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
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
QUERY_PARAMETERS = 1000
SHOWN_PATH_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Streamed:
    """A route whose handler reads the body itself."""

    route: StorageRoute


@dataclass(frozen=True, slots=True)
class Served(Event):
    """One request answered. route: its pattern, '' for none; so no name or value of a tenant gets into the log."""

    method: str
    route: str
    status: int
    ms: float
    request_id: str


def create_app(services: Services, run: Run) -> Starlette:
    """The application over the services of this process."""

    def route(path: str, serve: Serve | Streamed, *methods: str) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _respond(services, run, serve, path, request)

        return Route(path, endpoint, methods=list(methods))

    tables = ("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS")
    routes = [
        route("/healthz", _health, "GET"),
        route("/.well-known/jwks.json", _jwks, "GET"),
        *(route(known, _described(module, name), "GET") for known, (module, name) in DESCRIPTIONS.items()),
        route("/{vault}/rest/v1/rpc/{verb}", verbs.serve_verb, *tables),
        route("/{vault}/rest/v1/{table}", rest.serve_table, *tables),
        *(route(f"/{{vault}}/auth/v1/{known.path}", _signing_in(known), known.method) for known in AUTH_ROUTES),
        route(f"/auth/v1/{CALLBACK.path}", _signing_in(CALLBACK), CALLBACK.method),
        route("/{vault}/auth/v1/.well-known/jwks.json", _jwks, "GET"),
        *(route(f"{STORAGE}{known.path}", _storing(known), *known.methods) for known in STORAGE_ROUTES),
    ]

    async def unrouted(request: Request, _: Exception) -> Response:
        partial = [known for known in routes if known.matches(request.scope)[0] is Match.PARTIAL]
        allowed = sorted({method for known in partial for method in known.methods or ()})
        return _unrouted(services, request, ", ".join(allowed))

    app = Starlette(routes=routes, middleware=_middleware(services), exception_handlers={404: unrouted, 405: unrouted})
    # It would answer a path with a slash too many by a redirect to whatever host the request named.
    app.router.redirect_slashes = False
    return app


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


def _storing(known: StorageRoute) -> Serve | Streamed:
    """A handler of files, loaded as above."""
    if known.streams:
        return Streamed(known)

    def serve(services: Services, call: Call) -> Reply:
        handler = cast("Serve", getattr(import_module(f"handlers.storage.{known.module}"), known.name))
        return handler(services, call)

    return serve


async def _receive(services: Services, run: Run, known: StorageRoute, call: Call, request: Request) -> Reply:
    """Serve a request whose handler reads the body as it comes."""
    from handlers.storage.intake import Begin, receive  # as the handler: only uploads need it

    try:
        begin = cast("Begin", getattr(import_module(f"handlers.storage.{known.module}"), known.name))
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
    request_id = _request_id(request, now)
    try:
        body = b"" if isinstance(serve, Streamed) else await _read_body(request, services.settings.max_body_bytes)
        call = Call(
            method=request.method,
            url_path=request.url.path,
            path=request.path_params,
            query=_query(request.url.query),
            headers=_headers(request, body),
            body=body,
            request_id=request_id,
            now=now,
            address=_address(request, services.settings.proxies),
        )
        if isinstance(serve, Streamed):
            reply = await _receive(services, run, serve.route, call, request)
        else:
            reply = await run(functools.partial(_serve, serve, services, call))
    except Exception as exc:
        reply = error_reply(exc, request_id)
    if reply.status >= 400 and path.startswith(STORAGE):
        reply = storage_error(reply, path)
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
        wait(call.beside)
    for done in call.beside:
        done.result()
    return reply


def _request_id(request: Request, now: Moment) -> str:
    """The id the client chose, if it is a plain word, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else now.new_id()


def _address(request: Request, proxies: int) -> str:
    """The caller's network address. proxies: how many stand in front, each of which added the one it saw."""
    seen = "" if request.client is None else request.client.host
    if proxies == 0:
        return seen
    # What comes before the ones our own proxies added may be made up by the caller.
    told = [part.strip() for value in request.headers.getlist("x-forwarded-for") for part in value.split(",")]
    return told[-proxies] if len(told) >= proxies else seen


def _query(text: str) -> list[tuple[str, str]]:
    """Names and values of a query string. Raises TooLarge."""
    count = text.count("&") + 1
    if count > QUERY_PARAMETERS:
        raise TooLarge(f"got {count} query parameters, the limit is {QUERY_PARAMETERS}")
    return parse_qsl(text, keep_blank_values=True)


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


def _http(reply: Reply, request_id: str, *, head: bool = False) -> Response:
    headers = [("content-type", reply.media_type), *reply.headers] if reply.body or head else list(reply.headers)
    if reply.content is not None:
        response: Response = StreamingResponse(reply.content, reply.status)
        headers = [("content-type", reply.media_type), *reply.headers]
    else:
        # Half a surrogate pair, quoted from a request, has no UTF-8: JSON's escape stands for it.
        response = Response(b"" if head else reply.body.encode("utf-8", "backslashreplace"), reply.status)
    for name, value in (*headers, ("x-request-id", request_id), ("cache-control", "no-store")):
        if name.lower() not in response.headers:
            response.headers[name] = value
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
    request_id = _request_id(request, services.clock())
    path = request.url.path[:SHOWN_PATH_CHARACTERS]
    if not allowed:
        reply = error_reply(NotFound(f"no route {path}", code="no_route"), request_id)
    else:
        refused = MethodNotAllowed(f"{path} does not take {request.method}", hint=f"It takes {allowed}.")
        reply = error_reply(refused, request_id).with_headers(("Allow", allowed))
    emit(Served(request.method, "", reply.status, 0, request_id))
    return _http(reply, request_id, head=request.method == "HEAD")


def _middleware(services: Services) -> list[Middleware]:
    origins = services.settings.cors_origins
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=list(_EXPOSED),
            max_age=600,
        )
    ]


def configure_log(form: str) -> None:
    """Send our log lines to standard error. form: json as they are, text with the time before them.

    Of others only warnings: Mangum reports every path, in which names of tenants stand. For json the handlers that
    are there go: Lambda's own would put words before each line, and let none through at the level of ours.
    """
    as_json = form == "json"
    logging.basicConfig(format="%(message)s" if as_json else "%(asctime)s %(levelname)s %(message)s", force=as_json)
    logging.getLogger("vaultry").setLevel(logging.INFO)
