"""The stage on which a charter's guide is played: its tenants, its clock, its people signed in."""

import json
import shlex
from pathlib import Path

from domain.charter import Founding
from handlers.tenant.provisioning import provision
from tests.domain.guide import Example, Guide
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import OPERATOR, Caller, Clock, Site, make_site
from tests.page_examples import Names, filled_in

# Shorter than a token lives.
_TOKEN_MS = 10 * 60_000
PDF = b"%PDF-1.4\n% one page of a score\n"


class GuideSite:
    """One process with the tenants of the guide. names: what the `<name>` of the examples stand for."""

    def __init__(self, folder: Path, guide: Guide, begins: str) -> None:
        self.clock = Clock(begins)
        self.site: Site = make_site(folder, self.clock, base_url="http://127.0.0.1:8000")
        self.people = guide.people()
        self.names: Names = {}
        self._callers: dict[str, tuple[Caller, int]] = {}
        for command in guide.commands():
            self._provision(shlex.split(command))

    def close(self) -> None:
        self.site.services.close()

    def send(self, example: Example) -> Answer:
        """The answer to an example, sent over HTTP by the person it names."""
        if example.at:
            self.clock.at(example.at)
        given = filled_in(example.given, {**self.names, **self._code(example.given)}) if example.given else ""
        caller = self.caller(example.who)
        if example.verb:
            return caller.send("POST", f"/rest/v1/rpc/{example.verb}", json.loads(given or "{}"))
        body = PDF if given == "(the PDF)" else json.loads(given) if given else None
        headers = {"content_type": "application/pdf"} if given == "(the PDF)" else {}
        return caller.send(example.method, filled_in(example.path, self.names), body, **headers)

    def _provision(self, words: list[str]) -> None:
        slug, given = words[3], dict(zip(words[4::2], words[5::2], strict=True))
        options = [value for name, value in zip(words[4::2], words[5::2], strict=True) if name == "--option"]
        named = dict(option.split("=", 1) for option in options)
        founding = Founding(slug, given["--name"], given["--owner"], named)
        provision(self.site.services, given["--charter"], founding, OPERATOR)

    def caller(self, who: str) -> Caller:
        """The person, signed in afresh: the examples span a year. `Guest` is nobody, at the first choir's address."""
        if who == "Guest":
            return self.site.guest(next(iter(self.people.values())).slug)
        person = self.people[who]
        first = next(known for known in self.people.values() if known.email == person.email)
        if first != person:
            # One sign-in for every choir of an association.
            return self.caller(first.name).at(person.slug)
        known, at = self._callers.get(who, (None, 0))
        if known is None or not 0 <= self.clock.ms - at < _TOKEN_MS:
            known = self.sign_in(person.slug, person.email)
            self._callers[who] = known, self.clock.ms
        return known

    def sign_in(self, slug: str, email: str) -> Caller:
        """The person, signed in at the tenant."""
        return self.site.sign_in(slug, email)

    def _code(self, given: str) -> Names:
        """The code of the newest mail to the address of the call, where it shows `<code>`."""
        return {"code": self.site.code(json.loads(given)["email"])} if "<code>" in given else {}
