"""schemathesis over the descriptions, against a running server: no 5xx, and no answer the description does not know.

The examples are the same in every run: derandomised, without a database of earlier failures.
"""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.handlers.http.site import Choir, Site
from tests.interop.served import open_aurora, served

# Requests that fit the description, and requests that do not, for each operation.
EXAMPLES = {GenerationMode.POSITIVE: 3, GenerationMode.NEGATIVE: 1}
BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
WITH_BODY = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BODILESS = [not_a_server_error, status_code_conformance, response_headers_conformance]


@pytest.fixture
def aurora(tmp_path) -> Iterator[tuple[Site, Choir, str]]:
    site, choir = open_aurora(tmp_path)
    librarian = site.guest("aurora").with_token(site.api_token(choir, "librarian"))
    for title in ("Locus iste", "Os justi"):
        work = librarian.add("works", {"title": title, "composer": "Bruckner"}).json()[0]
        librarian.add("editions", {"work_id": work["id"], "name": "Urtext", "license_type": "public_domain"})
    with served(site.services) as address:
        yield site, choir, address


def token_of(site: Site, choir: Choir, role: str) -> str:
    if role == "guest":
        return ""
    return site.api_token(None) if role == "operator" else site.api_token(choir, role)


def operations(document: dict[str, Any], below: str) -> list[APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_dict(document)
    return [found for found in (each.ok() for each in schema.get_all_operations()) if found.path.startswith(below)]


def probe(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, base: str, token: str) -> set[int]:
    """Send the operation's examples; the statuses that came."""
    statuses: set[int] = set()
    headers = {"authorization": f"Bearer {token}"} if token else {}

    @settings(BOUNDED, max_examples=EXAMPLES[mode])
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        if "authorization" in {name.lower() for name in case.headers or ()}:
            return
        answer = case.call(base_url=base, headers=headers, allow_redirects=False)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=WITH_BODY if answer.content else BODILESS)

    # An operation without parameters and body has nothing that could be wrong.
    with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
        send()
    return statuses


def described(address: str, path: str, token: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = httpx.get(f"{address}{path}", headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.parametrize("role", ["guest", "owner"])
@pytest.mark.parametrize("kind", ["tables", "verbs"])
def test_every_answer_of_tables_and_verbs_is_one_the_description_knows(aurora, role, kind):
    site, choir, address = aurora
    token = token_of(site, choir, role)
    statuses: set[int] = set()
    for operation in operations(described(address, "/aurora/openapi.json", token), "/rest/v1"):
        if operation.path.startswith("/rest/v1/rpc/") is (kind == "verbs"):
            for mode in EXAMPLES:
                statuses |= probe(operation, mode, f"{address}/aurora", token)
    # The examples reach behind the parser.
    assert {200, 400} <= statuses


def test_every_answer_of_sign_in_and_files_is_one_the_description_knows(aurora):
    site, choir, address = aurora
    token = token_of(site, choir, "operator")
    document = described(address, "/aurora/openapi.json", token)
    for operation in (*operations(document, "/auth/v1"), *operations(document, "/storage/v1")):
        probe(operation, GenerationMode.POSITIVE, f"{address}/aurora", token)


def test_every_answer_of_the_platform_is_one_the_description_knows(aurora):
    _, _, address = aurora
    for operation in operations(described(address, "/openapi.json", ""), "/"):
        probe(operation, GenerationMode.POSITIVE, address, "")
