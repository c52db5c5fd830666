"""Several people click, invite, step down or lend at once: at one server, between two processes, on both stores.

The two processes are real ones: each makes its calls in threads of its own.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handlers.server import server_app
from tests.handlers.http.asgi_client import Client
from tests.handlers.http.planning import JAAN, LIIS, MERETUUL, association, aurora, id_of
from tests.handlers.http.shelves import copies, edition
from tests.handlers.http.site import AUTH, REST, START, Caller, Clock, Site, make_site, refused
from tests.moto_s3 import MotoS3, clean_environment, moto_s3

ANNA, TOM = "anna@x.example", "tom@x.example"
ROOT = Path(__file__).parents[3]
# Method, path below the vault, token, body.
Call = tuple[str, str, str, dict[str, Any]]


@dataclass(frozen=True)
class Ring:
    """Where a race is run. settings: of every process on the store, its cache apart."""

    site: Site
    settings: dict[str, str]
    environ: dict[str, str]
    processes: int

    def run(self, slug: str, calls: list[Call]) -> Counter[Any]:
        """How often each status, or status and code, came back."""
        sent = [
            [method, f"/{slug}{path}", [["authorization", f"Bearer {token}"]] if token else [], body]
            for method, path, token, body in calls
        ]
        if self.processes == 1:
            return Counter(self._threads(sent))
        parts = [sent[number :: self.processes] for number in range(self.processes)]
        return Counter(self._processes(slug, parts))

    def _threads(self, calls: list[list[Any]]) -> list[Any]:
        client = Client(server_app(self.site.services))

        def send(call: list[Any]) -> Any:
            method, path, headers, body = call
            answer = client.request(method, path, headers=headers, body=body)
            return 200 if answer.status == 200 else refused(answer)

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(send, calls))

    def _processes(self, slug: str, parts: list[list[list[Any]]]) -> list[Any]:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.handlers.http.racing_process", str(self.site.folder),
                 json.dumps({"settings": self.settings | {"cache": str(self.site.folder / f"cache-{number}")},
                             "at": START, "warm": f"/{slug}/rest/v1/organizations", "calls": calls})],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=self.environ)
            for number, calls in enumerate(parts)
        ]  # fmt: skip
        try:
            for process in running:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in running:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            said = [json.loads(process.communicate(timeout=60)[0]) for process in running]
        finally:
            for process in running:
                process.kill()
                process.communicate()
        return [200 if status == 200 else (status, code) for answers in said for status, code in answers]


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        yield running


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[1, 2], ids=["threads", "processes"])
def ring(request: pytest.FixtureRequest, store: str, tmp_path: Path, clock: Clock) -> Iterator[Ring]:
    settings = {"secret": "s" * 40, "mail_from": "post@choirs.example", "commit_attempts": "500"}
    environ = clean_environment()
    if store == "s3":
        running: MotoS3 = request.getfixturevalue("s3")
        settings["store"] = running.url(f"races/{tmp_path.name}")
        environ = running.environment()
    site = make_site(tmp_path, clock, cache=str(tmp_path / "cache"), **settings)
    yield Ring(site, settings, environ, request.param)
    site.services.close()


def verb(name: str, caller: Caller, /, **args: Any) -> Call:
    return ("POST", f"{REST}/rpc/{name}", caller.token, args)


def click(site: Site, email: str, invite: str) -> Call:
    """A sign-in by a code of its own, with the invitation remembered."""
    site.guest("aurora").auth("otp", {"email": email})
    body = {"type": "email", "email": email, "token": site.code(email), "invite_token": invite}
    return ("POST", f"{AUTH}/verify", "", body)


def people(site: Site, liis: Caller, name: str) -> int:
    return len(liis.rows(f"members?name=eq.{name}"))


def test_two_clicks_on_one_link_make_one_member(ring):
    site = ring.site
    aurora(site)
    liis = site.sign_in("aurora", LIIS)
    invite = liis.done("invite.create", name="Anna", sections=["Alto"])["token"]
    clicks = [click(site, ANNA, invite) for _ in range(4)]
    assert ring.run("aurora", clicks) == {200: 1, (409, "already_registered"): 3}
    assert people(site, liis, "Anna") == 1
    assert liis.rows("invites") == []
    assert len(liis.rows(f"member_sections?member_id=eq.{id_of(liis, 'Anna')}")) == 1
    # Liis and Anna have one each.
    begun = "SELECT count(*) AS n FROM sessions WHERE vault_id = :vault"
    vault_id = site.services.entry("aurora").id
    rows = site.services.registry_read(lambda tx: tx.rows(begun, vault=vault_id), current=True)
    assert [row["n"] for row in rows] == [2]


def test_two_clicks_on_the_link_of_a_roster_person_register_her_once(ring):
    site = ring.site
    aurora(site)
    liis = site.sign_in("aurora", LIIS)
    anna = liis.done("member.add_roster", name="Anna", sections=["Alto"])["id"]
    invite = liis.done("invite.create", roster_member_id=anna)["token"]
    clicks = [click(site, ANNA, invite) for _ in range(4)]
    assert ring.run("aurora", clicks) == {200: 1, (409, "already_registered"): 3}
    assert liis.rows("members?name=eq.Anna&select=id,email_id") == [{"id": anna, "email_id": ANNA}]


def test_of_two_people_who_click_one_link_one_joins(ring):
    site = ring.site
    aurora(site)
    liis = site.sign_in("aurora", LIIS)
    invite = liis.done("invite.create", name="Somebody")["token"]
    clicks = [click(site, email, invite) for email in (ANNA, TOM)]
    assert ring.run("aurora", clicks) == {200: 1, (404, "not_found"): 1}
    assert len(liis.rows("members?email_id=not.is.null")) == 6


def test_two_owners_who_step_down_at_once_leave_one(ring):
    site = ring.site
    aurora(site)
    liis, jaan = site.sign_in("aurora", LIIS), site.sign_in("aurora", JAAN)
    own = next(member["id"] for member in liis.done("member.list") if member["email_id"] == LIIS)
    liis.done("role.grant", member_id=id_of(liis, "Jaan"), role="owner")
    down = [verb("role.revoke", liis, member_id=own, role="owner"),
            verb("role.revoke", jaan, member_id=id_of(liis, "Jaan"), role="owner")]  # fmt: skip
    assert ring.run("aurora", down) == {200: 1, (409, "last_owner"): 1}
    assert len(liis.rows("member_roles?role=eq.owner")) == 1


def test_a_person_a_link_and_an_affiliation_are_made_once(ring, clock):
    site = ring.site
    clock.tick(-60)
    choirs = association(site)
    clock.at(START)
    liis, jaan, there = (site.sign_in(*who) for who in (("aurora", LIIS), ("aurora", JAAN), ("meretuul", MERETUUL)))
    names = [verb("member.add_roster", caller, name=name)
             for caller in (liis, jaan) for name in ("Õie Tamm", "õIE tamm")]  # fmt: skip
    assert ring.run("aurora", names) == {200: 1, (409, "duplicate"): 3}
    roster = next(member["id"] for member in liis.done("member.list") if member["name"].casefold() == "õie tamm")
    invites = [verb("invite.create", caller, roster_member_id=roster) for caller in (liis, jaan) * 2]
    assert ring.run("aurora", invites) == {200: 1, (409, "pending_invite"): 3}
    there.done("affiliation.end", umbrella_id=choirs["union"].entry.scope)
    board = site.sign_in("union", choirs["union"].owner)
    again = [verb("affiliation.create", board, collective_id=choirs["meretuul"].entry.scope)] * 4
    assert ring.run("union", again) == {200: 1, (409, "active_affiliation"): 3}
    assert len(board.done("affiliation.active")) == 2


def test_of_two_librarians_who_lend_one_copy_one_wins(ring):
    site = ring.site
    aurora(site)
    liis, jaan = site.sign_in("aurora", LIIS), site.sign_in("aurora", JAAN)
    copy_id, people_ids = copies(liis, edition(liis))[0], [id_of(liis, name) for name in ("Kadri", "Tõnu")]
    loans = [verb("copy.assign", caller, copy_id=copy_id, member_id=member_id)
             for caller in (liis, jaan) for member_id in people_ids]  # fmt: skip
    assert ring.run("aurora", loans) == {200: 1, (409, "copy_on_loan"): 3}
    assert len(liis.rows("copy_assignments?returned_at=is.null")) == 1
