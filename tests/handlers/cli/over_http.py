"""Somebody who writes over HTTP to the store the commands work on. Each request carries an id of the test's own."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from handlers.app import create_app
from handlers.services import Services
from tests.handlers.http.asgi_client import Client
from tests.handlers.http.site import Caller, inline


class Owner:
    """The owner of a choir, signed in by the link that `tenants create` printed."""

    def __init__(self, services: Services, link: str, slug: str = "bella") -> None:
        token = parse_qs(urlsplit(link).query)["token_hash"][0]
        guest = Caller(Client(create_app(services, inline)), slug)
        session = guest.auth("verify", {"type": "magiclink", "token_hash": token})
        assert session.status == 200, session.text
        self.caller = guest.with_token(session.json()["access_token"])

    def send(self, request: str, method: str, query: str, body: Any = None) -> Any:
        """The answer to a request that must succeed, sent under that id."""
        prefer = "return=representation"
        answer = self.caller.send(method, f"/rest/v1/{query}", body, prefer=prefer, x_request_id=request)
        assert answer.status in (200, 201, 204), answer.text
        assert answer.header("x-request-id") == request
        return answer.json() if answer.body else None

    def add(self, request: str, table: str, *rows: dict[str, Any]) -> list[str]:
        """The ids of new rows; a column that one of them lacks is null."""
        columns = {name: None for row in rows for name in row}
        return [row["id"] for row in self.send(request, "POST", table, [{**columns, **row} for row in rows])]

    def change(self, request: str, query: str, **values: Any) -> None:
        self.send(request, "PATCH", query, values)

    def remove(self, request: str, query: str) -> None:
        self.send(request, "DELETE", query)


def owner_of(shell: Any, open_services: Callable[[], Services], slug: str = "bella") -> Owner:
    """The owner of a new choir, who is its librarian as well."""
    link = shell.choir(slug)
    librarian = "SELECT member_id, org_id, 'librarian' FROM member_roles"
    shell.write(f"INSERT INTO member_roles (member_id, org_id, role) {librarian}", slug)
    return Owner(open_services(), link, slug)
