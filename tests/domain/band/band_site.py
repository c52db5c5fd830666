"""Riverside behind its doors: the band of the story in a vault of the platform, and each of its people signed in.

Everything a caller does goes over HTTP; the story itself was written through the vault's own way of writing.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.clock import Moment
from db.registry.access_tokens import mint_access_token
from db.registry.signing_keys import current_signer
from db.transaction import WriteTx
from domain.charter import Founding
from handlers.tenant.provisioning import provision
from handlers.upkeep.rounds import run_due
from tests.domain.band.riverside import Riverside, build, email
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import OPERATOR, Caller, Choir, Clock, Site, error_of, make_site

NOW = "2026-04-10T12:00:00.000Z"
# Before anything of the story happens.
FOUNDED = "2026-03-01T12:00:00.000Z"
SLUG = "riverside"
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Story:
    """The story on disk, closed. tenant: as the directory has it; ids: of everybody and everything in it."""

    folder: Path
    tenant: Choir
    ids: Riverside


def write_story(folder: Path, fill: Callable[[WriteTx, Moment], Riverside] = build) -> Story:
    """Found Riverside in a store of its own and fill it."""
    site = make_site(folder, Clock(FOUNDED))
    try:
        founding = Founding(SLUG, "Riverside Concert Band", email("Sam"), {"owner_name": "Sam"})
        made = provision(site.services, "band", founding, OPERATOR)
        tenant = Choir(SLUG, made.entry, email("Sam"), made.link)
        ids = site.vault_write(tenant, lambda tx: fill(tx, site.clock()))
    finally:
        site.services.close()
    return Story(folder, tenant, ids)


class BandSite:
    """A copy of the story that a test may change. ids: by the names of the story."""

    def __init__(self, story: Story, folder: Path, at: str = NOW) -> None:
        shutil.copytree(story.folder / "store", folder / "store")
        self.clock = Clock(at)
        self.site: Site = make_site(folder, self.clock)
        self.tenant = story.tenant
        self.ids = story.ids

    def close(self) -> None:
        self.site.services.close()

    def at(self, text: str) -> None:
        self.clock.at(text)

    def caller(self, who: str) -> Caller:
        """Somebody of the story by name, with a fresh access token; '' is a guest."""
        return self.site.guest(SLUG).with_token(self.token(email(who)) if who else "")

    def token(self, address: str) -> str:
        """An access token of whoever has the address, as a sign-in at this moment would give it."""
        now, services = self.clock(), self.site.services
        signer = services.registry_read(lambda tx: current_signer(tx, services.keyring, now))
        return mint_access_token(
            signer,
            account_id=now.new_id(),
            email=address,
            vault_id=self.tenant.entry.id,
            session_id=now.new_id(),
            issuer=services.settings.issuer,
            now=now,
        )

    def call(self, who: str, verb: str, /, **given: Any) -> Answer:
        """The answer to a verb."""
        return self.caller(who).call(verb, **given)

    def done(self, who: str, verb: str, /, **given: Any) -> Any:
        """The result of a verb that must succeed."""
        return self.caller(who).done(verb, **given)

    def refused(self, who: str, verb: str, /, **given: Any) -> tuple[int, str]:
        """Status and code of the refusal."""
        answer = self.call(who, verb, **given)
        return answer.status, error_of(answer)["code"]

    def rows(self, who: str, query: str) -> Any:
        """Rows over REST, as this person reads them."""
        return self.caller(who).rows(query)

    def named(self, table: str, name: str) -> str:
        """The id of the row of that name."""
        found: str = self.stored(f"SELECT id FROM {table} WHERE name = :name", name=name)[0]["id"]
        return found

    def stored(self, sql: Any, **values: Any) -> list[dict[str, Any]]:
        """Rows as the vault holds them, past every door."""
        return self.site.vault_rows(self.tenant, sql, **values)

    def value(self, sql: Any, **values: Any) -> Any:
        """One value as the vault holds it."""
        return next(iter(self.stored(sql, **values)[0].values()))

    def write(self, work: Callable[[WriteTx], Any]) -> Any:
        """Change the vault past every door."""
        return self.site.vault_write(self.tenant, work)

    def job(self, *names: str) -> int:
        """Run the band's jobs of these names now, due or not; how many failed."""
        jobs = [f"band.{name}" for name in names]
        report = run_due(self.site.services, jobs=jobs, deadline=Moment(self.clock.ms + DAY_MS), force=True)
        assert report.runs == len(jobs)
        return report.failed
