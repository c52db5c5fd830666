"""Aurora's people and its library, for tests over HTTP: callers signed in, works with editions, copies on the shelf."""

from dataclasses import dataclass
from typing import Any

from db.registry.slugs import add_slug
from domain.choir.founding import Opening, open_organization
from tests.handlers.http.site import OPERATOR, Caller, Choir, Site, make_choir

LIIS, JAAN, MARI = "liis@aurora.example", "jaan@aurora.example", "mari@aurora.example"
TONU, KADRI = "tonu@aurora.example", "kadri@aurora.example"


@dataclass(frozen=True)
class Aurora:
    """Liis (owner), Jaan (admin), Mari (conductor and librarian), Tõnu (section leader) and Kadri (alto, no role)."""

    site: Site
    choir: Choir
    ids: dict[str, str]

    def as_(self, email: str) -> Caller:
        return self.site.sign_in(self.choir.slug, email)

    @property
    def guest(self) -> Caller:
        return self.site.guest(self.choir.slug)


def make_aurora(site: Site, *, slug: str = "aurora", liis: str = LIIS) -> Aurora:
    choir = make_choir(site, slug, owner=liis)
    ids = {
        "Jaan": site.add_member(choir, "Jaan", JAAN, ["admin"]),
        "Mari": site.add_member(choir, "Mari", MARI, ["conductor", "librarian"]),
        "Tõnu": site.add_member(choir, "Tõnu", TONU, ["section_leader"]),
        "Kadri": site.add_member(choir, "Kadri", KADRI, sections=["Alto"]),
    }
    return Aurora(site, choir, ids)


def make_neighbour(aurora: Aurora, slug: str = "meretuul") -> Caller:
    """The owner of a second choir in the same vault."""
    site, vault_id, owner = aurora.site, aurora.choir.entry.id, f"owner@{slug}.example"
    opening = Opening(slug.capitalize(), slug, "collective", owner)
    scope = site.vault_write(aurora.choir, lambda tx: open_organization(tx, opening, site.clock()))
    site.services.registry_write(lambda tx: add_slug(tx, slug, vault_id, scope, site.clock()), OPERATOR, site.clock())
    return site.sign_in(slug, owner)


def edition(desk: Caller, title: str = "Locus iste", name: str = "Choir score", **given: Any) -> str:
    """The id of an edition of a new work."""
    work = desk.done("work.create", title=title)
    made: str = desk.done("edition.create", work_id=work["id"], name=name, **given)["id"]
    return made


def copies(desk: Caller, edition_id: str, count: int = 1, **given: Any) -> list[str]:
    """The ids of a batch of new copies."""
    return [line["id"] for line in desk.done("copy.add_batch", edition_id=edition_id, count=count, **given)]


def lend(desk: Caller, copy_id: str, member_id: str) -> str:
    """The id of a loan."""
    made: str = desk.done("copy.assign", copy_id=copy_id, member_id=member_id)["id"]
    return made


def section(desk: Caller, name: str) -> str:
    """The id of the section, active from now on."""
    found: str = desk.rows(f"sections?name=eq.{name}&select=id")[0]["id"]
    desk.done("section.activate", section_id=found, is_active=True)
    return found


def programme(desk: Caller, item_of: dict[str, str], *edition_ids: str) -> None:
    """Plan the works of these editions, and pick the editions. item_of: `season_id` or `event_id`."""
    for edition_id in edition_ids:
        work_id = desk.done("edition.get", edition_id=edition_id)["work_id"]
        item = desk.done("repertoire.add_work", **item_of, work_id=work_id)["id"]
        desk.done("repertoire.add_edition", **item_of, item_id=item, edition_id=edition_id)
