"""The stage on which the guide for choirs is played: its tenants, its clock, its people signed in."""

import json
import shlex
from pathlib import Path

from domain.charter import Founding
from handlers.tenants import provision
from tests.domain.choir.guide import Example, commands, people
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import OPERATOR, Caller, Clock, Site, make_site
from tests.page_examples import Names, filled_in

PDF = b"%PDF-1.4\n% one page of a score\n"


class GuideSite:
    """One process with the tenants of the guide. names: what the `<name>` of the examples stand for."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock("2025-09-01T17:00:00Z")
        self.site: Site = make_site(folder, self.clock, base_url="http://127.0.0.1:8000")
        self.people = people()
        self.names: Names = {}
        self._callers: dict[str, Caller] = {}
        for command in commands():
            self._provision(shlex.split(command))

    def close(self) -> None:
        self.site.services.close()

    def send(self, example: Example) -> Answer:
        """The answer to an example, sent over HTTP by the person it names."""
        if example.at:
            self.clock.at(example.at)
        given = filled_in(example.given, {**self.names, **self._code(example.given)}) if example.given else ""
        caller = self._caller(example.who)
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

    def _caller(self, who: str) -> Caller:
        """The person, signed in afresh: the examples span a year. `Guest` is nobody, at the first choir's address."""
        if who == "Guest":
            return self.site.guest(next(iter(self.people.values())).slug)
        person = self.people[who]
        first = next(known for known in self.people.values() if known.email == person.email)
        if first != person:
            # One sign-in for every choir of an association.
            return self._caller(first.name).at(person.slug)
        known = self._callers.get(who)
        if known is None or known.get("member_organizations?limit=1").status == 401:
            self._callers[who] = known = self._signed_in(person.slug, person.email)
        return known

    def _signed_in(self, slug: str, email: str) -> Caller:
        """Signed in; who is on the list but cannot sign in yet joins before, as the guide shows for one of them."""
        owner = next(person for person in self.people.values() if person.slug == slug)
        if email != owner.email:
            desk = self._caller(owner.name)
            found = [row for row in desk.done("member.list") if row["email_contact"] == email]
            if found and not found[0]["registered"]:
                invite = desk.done("invite.create", roster_member_id=found[0]["id"])
                session = self.site.session(slug, email, invite_token=invite["token"])
                return self.site.guest(slug).with_token(session["access_token"])
        return self.site.sign_in(slug, email)

    def _code(self, given: str) -> Names:
        """The code of the newest mail to the address of the call, where it shows `<code>`."""
        return {"code": self.site.code(json.loads(given)["email"])} if "<code>" in given else {}
