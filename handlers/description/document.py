"""The OpenAPI 3.1 documents: of the platform, and of one vault for one caller. Puts parts together; asks nothing."""

from typing import Any

from handlers.description import auth_bodies
from handlers.description.offer import Offer
from handlers.description.route_paths import (
    Paths,
    auth_paths,
    description_paths,
    platform_paths,
    storage_paths,
)
from handlers.description.table_paths import table_path, table_schemas
from handlers.description.verb_paths import verb_path
from handlers.description.vocabulary import answer, components, content, parameter, ref

OPENAPI = "3.1.0"
VERSION = "1"
_VAULT = parameter(
    "path", "vault", "The name of a vault", {"type": "string", "pattern": "^[a-z0-9-]{3,30}$"}, required=True
)
_PLATFORM_NOTE = """What every vault has, and the platform itself. The tables and verbs of a vault depend on its charter
and on who asks: `/{vault}/openapi.json` lists those the caller may use."""
_VAULT_NOTE = """What the caller may use: without a token, what guests may. Errors have one form everywhere,
`{code, message, details, hint}`."""


def vault_document(title: str, base_url: str, slug: str, offer: Offer) -> dict[str, Any]:
    """The document of one vault. Paths are below `/{vault}`, whose name is a variable of the server."""
    tables = {f"/rest/v1/{table.name}": table_path(table) for table in offer.tables}
    verbs = {f"/rest/v1/rpc/{verb.name}": verb_path(verb) for verb in offer.verbs}
    auth, storage = auth_paths(operator=offer.operator), storage_paths()
    returned = {verb.rows for verb in offer.verbs}
    schemas = {
        name: shape
        for table in offer.tables
        for name, shape in table_schemas(table, returned=table.name in returned).items()
    }
    server = {"url": f"{base_url}/{{vault}}", "variables": {"vault": {"default": slug}}}
    paths = {**tables, **verbs, **auth, **storage, **description_paths()}
    return _document(title, _VAULT_NOTE, server, paths, {**auth_bodies.SCHEMAS, **schemas})


def platform_document(base_url: str) -> dict[str, Any]:
    """The document of what is the same for every vault and every caller."""
    below = {**_generic_paths(), **auth_paths(operator=False), **storage_paths(), **description_paths()}
    paths = {f"/{{vault}}{path}": {"parameters": [_VAULT], **methods} for path, methods in below.items()}
    every: Paths = {**platform_paths(), **paths}
    return _document("Vaultry", _PLATFORM_NOTE, {"url": base_url}, every, dict(auth_bodies.SCHEMAS))


def _document(title: str, note: str, server: dict[str, Any], paths: Paths, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "openapi": OPENAPI,
        "info": {"title": title, "description": note, "version": VERSION},
        "servers": [server],
        "security": [{"bearer": []}, {"apikey": []}, {}],
        "paths": paths,
        "components": components(schemas),
    }


def _generic_paths() -> Paths:
    """Tables and verbs, whichever a vault has."""
    rows = content({"type": "array", "items": ref("schemas", "ShapedRow")})
    failed = {status: ref("responses", "Error") for status in ("300", "4XX", "5XX")}

    def one(tag: str, name: str) -> dict[str, Any]:
        found = answer("Rows, or the result", rows if tag == "tables" else content({}), "x-d1-bookmark")
        needed = parameter("path", name, f"Name of a {name}", {"type": "string", "minLength": 1}, required=True)
        responses = {"200": found, "206": found, "204": answer("Nothing"), "304": answer("Unchanged"), **failed}
        summary = "Rows of a table" if tag == "tables" else "Call a verb that reads"
        return {
            "operationId": f"any_{name}",
            "tags": [tag],
            "summary": summary,
            "parameters": [needed],
            "responses": responses,
        }

    return {"/rest/v1/{table}": {"get": one("tables", "table")}, "/rest/v1/rpc/{verb}": {"get": one("verbs", "verb")}}
