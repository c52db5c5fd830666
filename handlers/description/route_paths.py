"""Signing in, files and the platform as paths of the OpenAPI document: from the same tables that route requests.

Knows the tables and the first sentence of each handler; no caller.
"""

import inspect
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from db.description.json_schema import Shape
from db.registry.public_lines import MAX_LINES
from handlers.auth.routes import AUTH_ROUTES, INVITATION_ROUTES, AuthRoute
from handlers.d1.routes import PREFIX as D1
from handlers.d1.routes import ROUTES as D1_ROUTES
from handlers.d1.routes import D1Route
from handlers.description.auth_bodies import EXCHANGES, Exchange
from handlers.description.vocabulary import answer, content, parameter, ref
from handlers.public.lists import PATH as PUBLIC
from handlers.storage.routes import ROUTES, StorageRoute

_OPERATORS_ONLY = ("admin/", "invite")
# They answer with a page, or lead to one.
_PAGES = frozenset({"link_page", "invitation_page", "authorize"})
_FORM = "application/x-www-form-urlencoded"
_TEXT: Shape = {"type": "string"}
_OBJECT: Shape = {"type": "object"}
_COUNT: Shape = {"type": "integer", "minimum": 1}
_ANYTHING: Shape = {"*/*": {}}
_ERRORS = {status: ref("responses", "Error") for status in ("4XX", "5XX")}
_PAGE_ERRORS = {status: answer("What went wrong", _ANYTHING) for status in ("4XX", "5XX")}
# Shared between documents: nobody changes one.
Paths = Mapping[str, Mapping[str, Any]]


@cache
def auth_paths(*, operator: bool) -> Paths:
    """The routes of signing in. operator: those for operators too."""
    paths: dict[str, dict[str, Any]] = {}
    for route in AUTH_ROUTES:
        if operator or not route.path.startswith(_OPERATORS_ONLY):
            paths.setdefault(f"/auth/v1/{route.path}", {})[route.method.lower()] = _auth(route)
    for route in INVITATION_ROUTES:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _auth(route)
    paths["/auth/v1/.well-known/jwks.json"] = {"get": _keys("auth_keys")}
    return paths


@cache
def storage_paths() -> Paths:
    """The routes below `/storage/v1`."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = f"/storage/v1{_bare(route.path)}"
        for method in route.methods:
            paths.setdefault(path, {})[method.lower()] = _storage(route, method)
    return paths


@cache
def d1_paths() -> Paths:
    """The routes below `/client/v4`. Their bodies are those of D1's published clients, which describe them."""
    paths: dict[str, dict[str, Any]] = {}
    for route in D1_ROUTES:
        for method in route.methods:
            paths.setdefault(f"{D1}{route.path}", {})[method.lower()] = _d1(route, method)
    return paths


def _d1(route: D1Route, method: str) -> Shape:
    sends = method in ("POST", "PUT", "PATCH") and route.name != "restore"
    body = {"requestBody": {"content": _ANYTHING if route.streams else content(_OBJECT)}} if sends else {}
    file = route.path.endswith("{file}")
    return {
        **_named("d1", method, route.path, f"handlers.d1.{route.module}", route.name),
        "parameters": _in_path(route.path),
        **body,
        "responses": {
            "200": answer("The file, or nothing" if file else "The envelope", _ANYTHING if file else content(_OBJECT)),
            **{status: answer("The envelope, with the errors", content(_OBJECT)) for status in ("4XX", "5XX")},
        },
    }


def platform_paths() -> Paths:
    """The routes of the platform itself."""
    described = {
        "/healthz": ("health", "Alive, and able to read the registry."),
        "/openapi.json": ("platform_description", "This document."),
    }
    paths: Paths = {
        path: {"get": _get(name, summary, answer("Yes", content(_OBJECT)))}
        for path, (name, summary) in described.items()
    }
    page = answer("The page", content(_TEXT, "text/html"))
    return {
        **paths,
        **public_paths(),
        "/.well-known/jwks.json": {"get": _keys("keys")},
        "/auth/v1/callback": {
            "get": {
                **_named("platform", "GET", "callback", "handlers.auth.authorize", "callback"),
                "responses": {"3XX": answer("Back to who asked"), **_ERRORS},
            }
        },
        "/docs": {"get": _get("docs", "A page that shows this document.", page)},
        **d1_paths(),
    }


def public_paths() -> Paths:
    """What anybody may read of all vaults together."""
    lines = content({"type": "array", "items": _OBJECT})
    paged = [
        parameter("query", "limit", "At most so many lines; 100 without it", {**_COUNT, "maximum": MAX_LINES}),
        parameter("query", "after", "From the link to the next page", _TEXT),
    ]
    listed = _get("public_list", "A page of a list over all vaults of a charter.", answer("The lines", lines))
    named = _get("public_name", "Whether an address is free.", answer("Whether, and why not", content(_OBJECT)))
    list_path, name_path = f"{PUBLIC}/{{charter}}/{{verb}}", f"{PUBLIC}/slugs/{{slug}}"
    opened = {
        **_named("public", "POST", "register", "handlers.public.registering", "register"),
        "requestBody": {"required": True, "content": content(_OBJECT)},
        "responses": {"201": answer("It is there", content(_OBJECT)), "202": answer("A code was mailed"), **_ERRORS},
    }
    return {
        list_path: {
            "get": {**listed, "tags": ["public"], "parameters": [*_in_path(list_path), *paged]},
            "post": {**opened, "parameters": _in_path(list_path)},
        },
        name_path: {"get": {**named, "tags": ["public"], "parameters": _in_path(name_path)}},
    }


def description_paths() -> Paths:
    """The descriptions of a vault."""
    document = content(_OBJECT)
    root = content(_OBJECT, "application/openapi+json")
    page = content(_TEXT, "text/html")
    described = {
        "/rest/v1/": ("rest_description", "The tables and verbs as PostgREST describes them.", root),
        "/openapi.json": ("description", "Everything the caller may use.", document),
        "/docs": ("vault_docs", "A page that shows the description.", page),
    }
    return {
        path: {"get": _get(name, summary, answer("The description", body))}
        for path, (name, summary, body) in described.items()
    }


def _get(name: str, summary: str, found: Shape) -> Shape:
    return {
        "operationId": name,
        "tags": ["description"],
        "summary": summary,
        "responses": {"200": found, "304": {"description": "The caller has it, by If-None-Match"}, **_ERRORS},
    }


def _keys(name: str) -> Shape:
    found = answer("The keys", content(ref("schemas", "KeySet")))
    return {
        "operationId": name,
        "tags": ["auth"],
        "summary": "The public keys that verify access tokens.",
        "responses": {"200": found, **_ERRORS},
    }


def _auth(route: AuthRoute) -> Shape:
    known = EXCHANGES.get((route.method, route.path), Exchange(_OBJECT if route.method in ("POST", "PUT") else None))
    page = route.module in _PAGES
    result = None if known.result is None else _ANYTHING if page else content(known.result)
    media = _FORM if route.module == "invitation_page" else "application/json"
    done = answer("Done", result)
    # A page says what went wrong on a page.
    errors = _PAGE_ERRORS if route.module == "invitation_page" else _ERRORS
    further = {"3XX": answer("Elsewhere")} if page or route.path == "verify" else {}
    return {
        **_named("auth", route.method, route.path, f"handlers.auth.{route.module}", route.function),
        "parameters": [*_in_path(route.path), *known.parameters],
        **({"requestBody": {"required": True, "content": content(known.body, media)}} if known.body else {}),
        "responses": {"204" if result is None else "200": done, **further, **errors},
    }


def _storage(route: StorageRoute, method: str) -> Shape:
    sends = method in ("POST", "PUT", "PATCH", "DELETE")
    body = {"requestBody": {"content": _ANYTHING if route.streams else content({})}} if sends else {}
    plain = not route.streams and route.module not in ("downloads", "resumable")
    done = answer("Done", content({}) if plain else _ANYTHING)
    return {
        **_named("storage", method, route.path, f"handlers.storage.{route.module}", route.name),
        "parameters": _in_path(route.path),
        **body,
        "responses": {"2XX": done, "3XX": answer("Elsewhere"), **_ERRORS},
    }


def _named(tag: str, method: str, path: str, module: str, function: str) -> Shape:
    """Operation id, tag and summary. The summary is the first sentence of what serves the route."""
    words = re.sub(r"[^a-z0-9]+", "_", _bare(path).lower()).strip("_")
    served = getattr(import_module(module), function)
    # The handler's own words: a wrapper has others.
    note = (inspect.getdoc(served) or "").partition("\n")[0]
    return {"operationId": f"{tag}_{method.lower()}_{words}", "tags": [tag], "summary": note}


def _bare(path: str) -> str:
    """The path without the forms of its parameters."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def _in_path(path: str) -> list[Shape]:
    names: list[str] = re.findall(r"\{(\w+)", path)
    return [parameter("path", name, name.capitalize(), {**_TEXT, "minLength": 1}, required=True) for name in names]
