"""The descriptions over HTTP: who is shown what, that they are valid, and that they say what the routes do."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV31SpecValidator
from starlette.routing import Route

from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import REST, Caller, Choir, Site, make_choir, refused

ROOT, VAULT = f"{REST}/", "/openapi.json"
ROLES = ["owner", "librarian", "member"]


def scene(site: Site) -> tuple[Choir, Caller]:
    choir = make_choir(site, "aurora")
    owner = site.guest("aurora").with_token(site.api_token(choir, "owner"))
    work = owner.add("works", {"title": "Locus iste"}).json()[0]
    owner.add("editions", {"work_id": work["id"], "name": "Urtext", "license_type": "public_domain"})
    return choir, owner


def document(caller: Caller, path: str = VAULT) -> dict[str, Any]:
    answer = caller.send("GET", path)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def operations(found: dict[str, Any]) -> set[tuple[str, str]]:
    """Path and method of every table and verb."""
    paths = {path.removeprefix(REST): methods for path, methods in found["paths"].items()}
    elsewhere = ("/auth/", "/storage/", "/docs", "/openapi", "/invite/")
    return {
        (path, method)
        for path, methods in paths.items()
        for method in methods
        if path != "/" and not path.startswith(elsewhere)
    }


def callers(site: Site, choir: Choir) -> dict[str, Caller]:
    guest = site.guest("aurora")
    tokens = {role: site.api_token(choir, role) for role in ROLES}
    return {
        "guest": guest,
        **{role: guest.with_token(token) for role, token in tokens.items()},
        "operator": guest.with_token(site.api_token(None)),
        "narrow": guest.with_token(site.api_token(choir, "owner", tables=["works"], verbs=["work.get"])),
        "read only": guest.with_token(site.api_token(choir, "owner", read_only=True)),
    }


def test_each_document_is_valid(site):
    choir, _ = scene(site)
    known = callers(site, choir)
    for caller in (known["guest"], known["owner"]):
        OpenAPIV31SpecValidator(document(caller)).validate()
        OpenAPIV2SpecValidator(document(caller, ROOT)).validate()
    OpenAPIV31SpecValidator(site.client.request("GET", "/openapi.json").json()).validate()


def test_both_documents_of_a_vault_list_the_same(site):
    choir, _ = scene(site)
    for name, caller in callers(site, choir).items():
        swagger, openapi = operations(document(caller, ROOT)), operations(document(caller))
        assert {found for found in openapi if found[1] != "put"} == swagger, name


@pytest.mark.parametrize("name", ["guest", *ROLES, "operator", "narrow", "read only"])
def test_what_is_listed_is_let_in_and_what_is_not_is_refused(site, name):
    choir, _ = scene(site)
    caller = callers(site, choir)[name]
    listed, charter = operations(document(caller)), site.services.charter(choir.entry)
    for resource in charter.resources:
        for method in ("get", "post", "patch", "delete"):
            answer = tried(site, choir, caller, resource.table, method)
            closed = answer.status in (401, 403) or "schema cache" in answer.text
            # A table of which the caller may see no row answers all the same, with none.
            closed = closed or (method == "get" and answer.json() == [])
            is_listed = (f"/{resource.table}", method) in listed
            assert is_listed or closed, (resource.table, method, answer.text)
            if method != "get":
                assert not (is_listed and closed), (resource.table, method, answer.text)
    for verb in charter.verbs:
        answer = caller.send("POST", f"{REST}/rpc/{verb.name}", {"no_such_argument": 1})
        if (f"/rpc/{verb.name}", "post") in listed:
            assert refused(answer)[0] == 400, (verb.name, answer.text)
        else:
            # Arguments are read first.
            assert answer.status in (400, 401, 403), (verb.name, answer.text)


def tried(site: Site, choir: Choir, caller: Caller, table: str, method: str) -> Answer:
    """The request, for no row at all where it writes."""
    column = site.vault_rows(choir, 'SELECT name FROM pragma_table_info(:name) WHERE "notnull"', name=table)[0]["name"]
    where = {"get": "", "post": ""}.get(method, f"?{column}=is.null")
    body = {"post": [], "patch": {}}.get(method)
    return caller.send(method.upper(), f"{REST}/{table}{where}", body)


def test_a_guest_is_shown_what_is_public_and_nothing_else(site):
    scene(site)
    found = document(site.guest("aurora"))
    tables = {path for path in found["paths"] if path.startswith("/rest/v1/") and "/rpc/" not in path}
    assert {"/rest/v1/organizations", "/rest/v1/works", "/rest/v1/editions"} <= tables
    assert tables.isdisjoint({"/rest/v1/members", "/rest/v1/invites", "/rest/v1/vault_settings"})
    assert all(set(found["paths"][path]) == {"get"} for path in tables)
    assert not any(path.startswith("/auth/v1/admin/") for path in found["paths"])


def test_operators_alone_are_shown_what_is_theirs(site):
    _, owner = scene(site)
    admin = "/auth/v1/admin/users"
    assert admin not in document(owner)["paths"]
    assert admin in document(owner.with_token(site.api_token(None)))["paths"]


def test_a_hidden_column_is_nowhere_and_a_masked_one_may_be_null(site):
    _, owner = scene(site)
    for path in (ROOT, VAULT):
        text = owner.send("GET", path).text
        assert "email_id_lookup" not in text
    members = document(owner)["components"]["schemas"]["members"]
    assert "null" in members["properties"]["email_contact"]["type"]


def test_rows_are_as_described(site):
    _, owner = scene(site)
    found, validated = document(owner), 0
    schemas = found["components"]["schemas"]
    for path, methods in found["paths"].items():
        if "get" not in methods or "/rpc/" in path or not path.startswith("/rest/v1/") or path.endswith("/"):
            continue
        table = path.rpartition("/")[2]
        validator = Draft202012Validator({**schemas[table], "components": found["components"]})
        for row in owner.rows(table):
            validator.validate(row)
            validated += 1
    assert validated > 20


def test_verbs_that_answer_with_rows_name_their_table(site):
    _, owner = scene(site)
    found = document(owner)
    validator = Draft202012Validator(
        {**found["components"]["schemas"]["works.returned"], "components": found["components"]}
    )
    for row in owner.done("work.list"):
        validator.validate(row | {"added": 1})
    body = found["paths"]["/rest/v1/rpc/work.list"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert {"$ref": "#/components/schemas/works.returned"} in body["items"]["anyOf"]
    answered = document(owner, ROOT)["paths"]["/rpc/work.get"]["get"]["responses"]["200"]
    assert answered["schema"] == {"$ref": "#/definitions/works"}


def test_every_route_is_described(site):
    _, owner = scene(site)
    operator = owner.with_token(site.api_token(None))
    vault = document(operator)["paths"]
    platform = site.client.request("GET", "/openapi.json").json()["paths"]
    described = {(path, method) for path, methods in platform.items() for method in methods}
    described |= {(f"/{{vault}}{path}", method) for path, methods in vault.items() for method in methods}
    # The files of the page, the root without its slash, and what rows and verbs take besides their own paths.
    left_out = re.compile(r"/docs/\{file\}|/\{vault\}/rest/v1(/\{table\}|/rpc/\{verb\})?")
    served = {
        (re.sub(r":path\}", "}", route.path), method.lower())
        for route in site.client.app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method not in ("HEAD", "OPTIONS") and not left_out.fullmatch(route.path)
    }
    assert served - described == set()


def test_every_operation_says_what_it_does_under_a_name_of_its_own(site):
    _, owner = scene(site)
    for found in (document(owner.with_token(site.api_token(None))), site.client.request("GET", "/openapi.json").json()):
        every = [
            shape for methods in found["paths"].values() for name, shape in methods.items() if name != "parameters"
        ]
        assert len({shape["operationId"] for shape in every}) == len(every)
        assert [shape["operationId"] for shape in every if not shape.get("summary")] == []


def test_postgrests_words_are_kept(site):
    _, owner = scene(site)
    answer = owner.send("GET", ROOT)
    assert answer.header("content-type") == "application/openapi+json; charset=utf-8"
    found = answer.json()
    assert (found["swagger"], found["basePath"]) == ("2.0", "/aurora/rest/v1")
    editions = found["definitions"]["editions"]
    assert editions["properties"]["id"]["description"] == "Note:\nThis is a Primary Key.<pk/>"
    assert editions["properties"]["work_id"]["description"] == (
        "Note:\nThis is a Foreign Key to `works.id`.<fk table='works' column='id'/>"
    )
    assert editions["properties"]["license_type"] == {
        "type": "string", "format": "text", "enum": ["public_domain", "licensed", "owned"], "default": "owned",
    }  # fmt: skip
    assert "name" in editions["required"]
    assert "notes" not in editions["required"]
    assert found["parameters"]["rowFilter.works.title"] == {
        "name": "title", "required": False, "in": "query", "type": "string", "format": "text",
    }  # fmt: skip
    get = found["paths"]["/works"]["get"]["parameters"]
    assert {"$ref": "#/parameters/rowFilter.works.title"} in get
    assert found["paths"]["/rpc/work.create"].keys() == {"post"}


@pytest.mark.parametrize(
    ("accept", "status"),
    [("application/openapi+json", 200), ("application/json", 200), ("text/html, */*;q=0.1", 200), ("text/csv", 406)],
)
def test_the_root_answers_in_its_own_form_alone(site, accept, status):
    _, owner = scene(site)
    assert owner.send("GET", ROOT, accept=accept).status == status


def test_the_root_knows_one_schema(site):
    _, owner = scene(site)
    assert owner.send("GET", ROOT, accept_profile="public").status == 200
    assert refused(owner.send("GET", ROOT, accept_profile="private")) == (406, "PGRST106")


@pytest.mark.parametrize("path", [ROOT, VAULT, REST])
def test_a_description_has_a_tag_and_a_bookmark(site, path):
    _, owner = scene(site)
    first = owner.send("GET", path)
    assert first.header("x-d1-bookmark") == owner.get("works").header("x-d1-bookmark")
    again = owner.send("GET", path, if_none_match=first.header("etag") or "")
    assert (again.status, again.body) == (304, b"")
    guest = site.guest("aurora").send("GET", path, if_none_match=first.header("etag") or "")
    assert guest.status == 200


def test_the_form_of_an_error_is_described_for_every_operation(site):
    _, owner = scene(site)
    found = document(owner)
    for path, methods in found["paths"].items():
        for method, shape in methods.items():
            wrong = [status for status in shape["responses"] if status[0] in "45"]
            assert wrong, (path, method)
            for status in wrong:
                if path == "/invite/accept":
                    # A page says in words what went wrong.
                    assert "content" in shape["responses"][status]
                    continue
                name = shape["responses"][status]["$ref"].rpartition("/")[2]
                body = found["components"]["responses"][name]["content"]["application/json"]["schema"]
                assert body == {"$ref": "#/components/schemas/Error"}, json.dumps(shape)
