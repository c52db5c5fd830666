"""A site for tests: the application over a store in a folder, choirs in it, and callers at its doors.

Everything a caller does goes over HTTP; what is set the stage with goes through the same services.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from db.clock import Moment, timestamp_ms
from db.registry.api_tokens import TokenReach, create_api_token
from db.registry.directory import VaultEntry
from db.transaction import Actor, WriteTx
from domain.charter import Founding
from handlers.app import create_app
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.provisioning import member_of, provision
from handlers.upkeep.mail import read_folder
from tests.handlers.http.asgi_client import Answer, Client

OPERATOR = Actor("operator", "operator", "test", "test.stage")
START = "2026-02-05T10:00:00Z"
REST, AUTH = "/rest/v1", "/auth/v1"


class Clock:
    """The time of a whole site; it stands still until it is moved."""

    def __init__(self, at: str = START) -> None:
        self.ms = timestamp_ms(at)

    def __call__(self) -> Moment:
        return Moment(self.ms)

    def at(self, text: str) -> None:
        self.ms = timestamp_ms(text)

    def tick(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


@dataclass(frozen=True)
class Caller:
    """Somebody at the door of one vault. token: bearer token, '' = none. headers: sent with every request."""

    client: Client
    slug: str
    token: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """headers: by name, `_` for `-`."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        bearer = [("authorization", f"Bearer {self.token}")] if self.token else []
        return self.client.request(method, f"/{self.slug}{path}", headers=[*bearer, *self.headers, *named], body=body)

    def get(self, query: str, **headers: str) -> Answer:
        """query: a table, with its query string."""
        return self.send("GET", f"{REST}/{query}", **headers)

    def rows(self, query: str) -> Any:
        answer = self.get(query)
        assert answer.status in (200, 206), answer.text
        return answer.json()

    def add(self, table: str, body: Any, **headers: str) -> Answer:
        return self.send("POST", f"{REST}/{table}", body, **{"prefer": "return=representation", **headers})

    def call(self, verb: str, /, **args: Any) -> Answer:
        return self.send("POST", f"{REST}/rpc/{verb}", args)

    def done(self, verb: str, /, **args: Any) -> Any:
        """The result of a verb that must succeed."""
        answer = self.call(verb, **args)
        assert answer.status == 200, answer.text
        return answer.json()

    def auth(self, path: str, body: Any = None, method: str = "POST", **headers: str) -> Answer:
        return self.send(method, f"{AUTH}/{path}", body, **headers)

    def with_token(self, token: str) -> "Caller":
        return Caller(self.client, self.slug, token, self.headers)

    def at(self, slug: str) -> "Caller":
        return Caller(self.client, slug, self.token, self.headers)


@dataclass(frozen=True)
class Choir:
    """A provisioned tenant. link: signs the owner in once."""

    slug: str
    entry: VaultEntry
    owner: str
    link: str

    @property
    def link_token(self) -> str:
        return parse_qs(urlsplit(self.link).query)["token_hash"][0]


@dataclass
class Site:
    """One process over a store, and the mail it sent."""

    folder: Path
    clock: Callable[[], Moment]
    services: Services
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(create_app(self.services, inline))

    def guest(self, slug: str) -> Caller:
        return Caller(self.client, slug)

    def mails(self, email: str) -> list[Any]:
        """The messages to one address, oldest first."""
        return [mail for mail in read_folder(self.folder / "mail") if mail["To"] == email]

    def code(self, email: str) -> str:
        """The code in the newest mail to the address that has one."""
        found = [match[0] for mail in self.mails(email) if (match := re.match(r"\d{6}", mail["Subject"]))]
        return found[-1]

    def sign_in(self, slug: str, email: str) -> Caller:
        """The person, signed in by a code."""
        return self.guest(slug).with_token(self.session(slug, email)["access_token"])

    def session(self, slug: str, email: str, **further: str) -> dict[str, Any]:
        """The body of a sign-in by code."""
        door = self.guest(slug)
        answer = door.auth("otp", {"email": email})
        assert answer.status == 200, answer.text
        answer = door.auth("verify", {"type": "email", "email": email, "token": self.code(email), **further})
        assert answer.status == 200, answer.text
        session: dict[str, Any] = answer.json()
        return session

    def api_token(self, choir: Choir | None, role: str | None = None, **reach: Any) -> str:
        """A new API token: of one choir in a role, or the operator's."""
        given = TokenReach(choir.entry.id if choir else None, role, choir.entry.scope if choir else "", **reach)
        token, _ = self.services.registry_write(
            lambda tx: create_api_token(tx, "test", given, self.clock()), OPERATOR, self.clock()
        )
        return token

    def vault_write(self, choir: Choir, work: Callable[[WriteTx], Any]) -> Any:
        """Run a work in the choir's vault, past every door."""
        with self.services.vault(choir.entry) as vault:
            return vault.write(work, OPERATOR, self.clock()).value

    def vault_rows(self, choir: Choir, sql: Any, **values: Any) -> list[dict[str, Any]]:
        """Rows of the choir's vault as they are stored."""
        with self.services.vault(choir.entry) as vault:
            return [dict(row) for row in vault.read(lambda tx: tx.rows(sql, **values)).value]

    def add_member(
        self, choir: Choir, name: str, email: str | None = None, roles: Sequence[str] = (), **more: Any
    ) -> str:
        """The id of a roster person; with an address, of somebody who can sign in."""
        charter = self.services.charter(choir.entry)
        add, owner = charter.verb("member.add_roster"), member_of(self.services, choir.entry, choir.owner)
        assert add is not None
        assert charter.demo is not None
        demo = charter.demo
        args = {"name": name, "email_contact": email, "roles": list(roles), **more}
        member_id: str = self.vault_write(choir, lambda tx: add.run(tx, owner, args, self.clock()))["id"]
        if email is not None:
            self.vault_write(choir, lambda tx: demo.register(tx, owner, email, self.clock()))
        return member_id

    def restart(self) -> "Site":
        """Another process over the same store."""
        self.services.close()
        return make_site(self.folder, self.clock)


async def inline(work: Callable[[], Reply]) -> Reply:
    """Work on the event loop, as on Lambda."""
    return work()


def make_site(folder: Path, clock: Callable[[], Moment], **settings: str) -> Site:
    """A new site, or the same one again in another process. settings: `VAULTRY_` names in lower case."""
    environ = {
        "VAULTRY_STORE": f"file:{folder / 'store'}",
        "VAULTRY_MAIL": f"folder:{folder / 'mail'}",
        "VAULTRY_BASE_URL": "https://choirs.example",
        **{f"VAULTRY_{name.upper()}": value for name, value in settings.items()},
    }
    return Site(folder, clock, Services(Settings.from_env(environ), clock=clock))


def make_choir(site: Site, slug: str, owner: str | None = None, **options: str) -> Choir:
    """A choir of its own, founded by its owner."""
    email = owner or f"owner@{slug}.example"
    made = provision(site.services, "choir", Founding(slug, slug.capitalize(), email, options), OPERATOR)
    return Choir(slug, made.entry, email, made.link)


def make_sister(site: Site, umbrella: Choir, slug: str, owner: str) -> Choir:
    """A collective in an umbrella's vault, with a name in the directory of its own."""
    door = site.sign_in(umbrella.slug, umbrella.owner)
    door.done("organization.register", name=slug.capitalize(), subdomain=slug, type="collective", contact_email=owner)
    return Choir(slug, site.services.entry(slug), owner, "")


def error_of(answer: Answer) -> dict[str, Any]:
    """The error body, which has its four keys and no others."""
    body: dict[str, Any] = json.loads(answer.body)
    assert set(body) == {"code", "message", "details", "hint"}, body
    assert answer.header("content-type") == "application/json; charset=utf-8"
    return body


def refused(answer: Answer) -> tuple[int, str]:
    """Status and code of an error."""
    return answer.status, error_of(answer)["code"]
