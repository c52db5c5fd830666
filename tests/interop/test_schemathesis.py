"""schemathesis over the descriptions, against a running server: no 5xx, and no answer the description does not know.

The examples are the same in every run: derandomised, without a database of earlier failures.
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from db.registry.access_tokens import mint_access_token
from db.registry.accounts import find_account_by_email
from db.registry.sessions import start_session
from db.registry.signing_keys import current_signer
from db.transaction import WriteTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.rest.quick_read import QuickReads
from handlers.services import Services
from tests.handlers.http.site import OPERATOR, Caller, Choir, Site
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
NOTHING: Mapping[str, str] = {}
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


def probe(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    base: str,
    token: str,
    known: Mapping[str, str] = NOTHING,
) -> set[int]:
    """Send the operation's examples; the statuses that came. known: what is there, for names that stand in the path."""
    statuses: set[int] = set()
    headers = {"authorization": f"Bearer {token}"} if token else {}

    @settings(BOUNDED, max_examples=EXAMPLES[mode])
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        if "authorization" in {name.lower() for name in case.headers or ()}:
            return
        for name in known.keys() & (case.path_parameters or {}).keys():
            case.path_parameters[name] = known[name]
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


def session_of(site: Site, choir: Choir, email: str) -> str:
    """An access token of a session of its own: some operations end the one they come with."""
    services, now = site.services, site.services.clock()

    def start(tx: WriteTx) -> str:
        account = find_account_by_email(tx, email)
        assert account is not None
        begun = start_session(tx, account.id, choir.entry.id, now, "password")
        return mint_access_token(
            current_signer(tx, services.keyring, now),
            account_id=account.id,
            email=email,
            vault_id=choir.entry.id,
            session_id=begun.session_id,
            issuer=services.settings.issuer,
            now=now,
        )

    return services.registry_write(start, OPERATOR, now)


def stored_file(operator: Caller) -> dict[str, str]:
    """A bucket with a file, which some operations take away; their names in paths."""
    operator.send("POST", "/storage/v1/bucket", {"id": "notes", "name": "notes", "public": True})
    operator.send("POST", "/storage/v1/object/notes/a.txt", b"abc", content_type="text/plain", x_upsert="true")
    return {"bucket": "notes", "name": "a.txt", "other": "aurora"}


@pytest.mark.parametrize("known", [False, True])
def test_every_answer_of_sign_in_and_files_is_one_the_description_knows(aurora, known):
    """All that is below a vault and is neither table nor verb: for a guest, to whom nothing that paths name is there,

    and for whoever may do most, to whom it is.
    """
    site, choir, address = aurora
    site.sign_in("aurora", choir.owner)
    operator = site.guest("aurora").with_token(site.api_token(None))
    document = described(address, "/aurora/openapi.json", operator.token)
    statuses: set[int] = set()
    for operation in operations(document, "/"):
        if operation.path.startswith("/rest/v1"):
            continue
        own = operation.path.startswith("/auth/v1/") and "/admin/" not in operation.path
        token = "" if not known else session_of(site, choir, choir.owner) if own else operator.token
        there = stored_file(operator) if known else {}
        # Their bodies are described too loosely for examples that break the description.
        statuses |= probe(operation, GenerationMode.POSITIVE, f"{address}/aurora", token, there)
    # With what is there, the examples reach behind the look for it.
    assert {200, 400, 401, 404} <= statuses


def test_every_answer_of_the_platform_is_one_the_description_knows(aurora):
    _, _, address = aurora
    for operation in operations(described(address, "/openapi.json", ""), "/"):
        probe(operation, GenerationMode.POSITIVE, address, "")


def test_every_answer_about_databases_and_public_lists_is_one_the_description_knows(aurora):
    site, _, address = aurora
    token = site.api_token(None)
    databases = "/client/v4/accounts/vaultry/d1/database"
    known = {"account": "vaultry", "database": "scratch", "charter": "choir", "slug": "aurora"}
    statuses: set[int] = set()
    for operation in operations(described(address, "/openapi.json", ""), "/"):
        if not operation.path.startswith(("/client/v4", "/public/v1")):
            continue
        made = httpx.post(
            f"{address}{databases}",
            json={"name": "scratch"},
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        )
        # There already, unless an operation took it away.
        assert made.status_code in (200, 400), made.text
        statuses |= probe(operation, GenerationMode.POSITIVE, address, token, known)
    assert {200, 400} <= statuses


def crashed(services: Services, call: Call) -> Reply:
    raise RuntimeError("planted")


PLANTED = {
    "a crash": ("handlers.auth.user.get_user", "/auth/v1/user", crashed),
    "a status": ("handlers.auth.user.get_user", "/auth/v1/user", lambda *_: Reply(299, "{}")),
    "a body": ("handlers.auth.user.get_user", "/auth/v1/user", lambda *_: Reply(200, '{"id": 7}')),
    "a type": ("handlers.auth.user.get_user", "/auth/v1/user", lambda *_: Reply(200, "<p>", "text/html")),
    "a row": ("handlers.rest.tables.read_reply", "/rest/v1/works", lambda *_: Reply(200, "7")),
    "an error": ("handlers.rest.tables.read_reply", "/rest/v1/works", lambda *_: Reply(404, '{"message": "no"}')),
    "a result": ("handlers.rest.verb_reply.value_reply", "/rest/v1/rpc/work.list", lambda *_: Reply(200, "7")),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_the_description_does_not_know_is_found(aurora, monkeypatch, what):
    """The check of the checks: each of these faults is planted, and must not go unseen."""
    site, choir, address = aurora
    site.sign_in("aurora", choir.owner)
    place, path, planted = PLANTED[what]
    token = session_of(site, choir, choir.owner)
    (operation,) = [
        known
        for known in operations(described(address, "/aurora/openapi.json", token), path)
        if known.path == path and known.method.lower() == "get"
    ]
    assert probe(operation, GenerationMode.POSITIVE, f"{address}/aurora", token) <= {200, 206, 304, 400}
    monkeypatch.setattr(place, planted)
    monkeypatch.setattr(QuickReads, "_answer", lambda *_: None)
    with pytest.raises((Failure, BaseExceptionGroup)):
        probe(operation, GenerationMode.POSITIVE, f"{address}/aurora", token)
