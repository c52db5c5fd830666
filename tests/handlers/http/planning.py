"""A choir that plans: its people, and shorthand for events, repertoire and what is recorded."""

from typing import Any

from tests.handlers.http.site import Caller, Choir, Site, make_choir, make_sister

LIIS, JAAN, MARI = "liis@aurora.example", "jaan@aurora.example", "mari@aurora.example"
TONU, KADRI = "tonu@aurora.example", "kadri@aurora.example"
MERETUUL = "owner@meretuul.example"


def people_of(site: Site, choir: Choir) -> None:
    """Jaan (admin), Mari (conductor and librarian), Tõnu (section leader), Kadri (alto, no role)."""
    site.add_member(choir, "Jaan", JAAN, ["admin"])
    site.add_member(choir, "Mari", MARI, ["conductor", "librarian"])
    site.add_member(choir, "Tõnu", TONU, ["section_leader"])
    site.add_member(choir, "Kadri", KADRI, sections=["Alto"])


def aurora(site: Site) -> Choir:
    """Aurora on its own, owned by Liis."""
    choir = make_choir(site, "aurora", owner=LIIS)
    people_of(site, choir)
    return choir


def association(site: Site) -> dict[str, Choir]:
    """The umbrella `union` with Aurora and its people, and Meretuul with its owner."""
    union = make_choir(site, "union", type="umbrella")
    sisters = {
        "aurora": make_sister(site, union, "aurora", LIIS),
        "meretuul": make_sister(site, union, "meretuul", MERETUUL),
    }
    people_of(site, sisters["aurora"])
    return {"union": union, **sisters}


def id_of(caller: Caller, name: str) -> str:
    """The id of the member of that name."""
    found: str = caller.rows(f"members?name=eq.{name}&select=id")[0]["id"]
    return found


def section_of(caller: Caller, name: str) -> str:
    """The id of the section of that name."""
    found: str = caller.rows(f"sections?name=eq.{name}&select=id")[0]["id"]
    return found


def add_event(caller: Caller, starts_at: str, title: str = "Rehearsal", **more: Any) -> str:
    """The id of a new event."""
    event = {"title": title, "starts_at": starts_at, "event_type": "rehearsal", **more}
    made: str = caller.done("event.create_many", events=[event])[0]["id"]
    return made


def add_work(caller: Caller, title: str, **editions: dict[str, Any]) -> dict[str, str]:
    """The ids of a new work (`work`) and of its editions by name."""
    work_id = caller.done("work.create", title=title)["id"]
    made = {
        name: caller.done("edition.create", work_id=work_id, name=name, **given)["id"]
        for name, given in editions.items()
    }
    return {"work": work_id, **made}


def titles(rows: list[dict[str, Any]]) -> list[str]:
    return [row["title"] for row in rows]
