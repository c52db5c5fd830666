"""An operator's desk for tests: a site, a token, and calls to the D1 face of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.clock import Moment
from db.registry.api_tokens import TokenReach, create_api_token
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import OPERATOR, Clock, Site, make_site

ACCOUNT = "/client/v4/accounts/vaultry"
DATABASES = f"{ACCOUNT}/d1/database"


@dataclass
class Desk:
    """A site and who sits at its desk: by default the operator."""

    site: Site
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """path: below /client/v4/accounts/vaultry/d1/database, or from `/client` on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"authorization": f"Bearer {self.token}", **self.headers, **named}
        where = path if path.startswith("/client") else f"{DATABASES}{path}"
        return self.site.client.request(method, where, headers=sent, body=body)

    def done(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The result of a call that must succeed."""
        answer = self.send(method, path, body, **headers)
        told = answer.json()
        assert answer.status == 200, answer.text
        assert (told["success"], told["errors"]) == (True, [])
        return told["result"]

    def refused(self, status: int, code: int, method: str, path: str, body: Any = None, **headers: str) -> str:
        """The message of a call that must fail so."""
        answer = self.send(method, path, body, **headers)
        told = answer.json()
        assert (answer.status, told["success"]) == (status, False), answer.text
        assert [error["code"] for error in told["errors"]] == [code], answer.text
        assert answer.header("cf-d1") == f"err={code}"
        message: str = told["errors"][0]["message"]
        return message

    def create(self, name: str = "shop", **headers: str) -> str:
        """The UUID of a new database."""
        made: str = self.done("POST", "", {"name": name}, **headers)["uuid"]
        return made

    def query(self, database: str, sql: str) -> list[Any]:
        """The rows of the last statement."""
        rows: list[Any] = self.done("POST", f"/{database}/query", {"sql": sql})[-1]["results"]
        return rows

    def with_token(self, token: str) -> "Desk":
        return Desk(self.site, token)

    def sql_token(self, vault_id: str, sql: str) -> "Desk":
        """A caller whose token is for SQL in one vault."""
        return self.with_token(make_token(self.site, TokenReach(vault_id, sql=sql)))


def make_desk(folder: Path, clock: Callable[[], Moment] | None = None, **settings: str) -> Desk:
    """A desk over an empty store; its clock stands still unless another is given."""
    site = make_site(folder, clock or Clock(), **settings)
    return Desk(site, site.api_token(None))


def make_token(site: Site, reach: TokenReach) -> str:
    """A new API token."""
    token, _ = site.services.registry_write(
        lambda tx: create_api_token(tx, "test", reach, site.clock()), OPERATOR, site.clock()
    )
    return token
