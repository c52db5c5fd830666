"""What a choir asks for over a year of real size, in the engine with its guard: its season first, then its library."""

import statistics
import time
from pathlib import Path

from benchmarks.choir_year import NOW, Collective, fill
from benchmarks.engine import ACTOR
from benchmarks.table import Line, microseconds
from db.clock import Moment, timestamp_ms
from db.keyring import KeyRing
from db.principal import Principal, find_principal
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import ReadTx
from db.vault.opening import Kind, Site, create_vault
from db.vault.vault import Vault
from domain.choir.charter import CHOIR

ROUNDS = 15
MOMENT = Moment(timestamp_ms(NOW))


def choir_reads(folder: Path) -> list[Line]:
    """The median of each read, and the longest of them. There is no reference to hold it against."""
    site = Site(DirectoryStore(folder / "store"), folder / "cache", KeyRing("benchmark-secret-" * 3))
    personal = {f"{resource.table}.{column}" for resource in CHOIR.resources for column in resource.personal}
    vault = create_vault(site, "year", Kind(tuple(load_set(name) for name in CHOIR.sets), frozenset(personal)))
    try:
        started = time.perf_counter()
        choir = vault.write(fill, ACTOR, MOMENT).value.collectives[0]
        filled = Line(
            "a year of three choirs written in one commit", f"{time.perf_counter() - started:.1f} s", "", "", ""
        )
        asked = (*_season(choir), *_library(vault, choir))
        return [filled, *(_read(vault, choir, verb, args) for verb, args in asked)]
    finally:
        vault.close()


Asked = tuple[tuple[str, dict[str, str]], ...]


def _season(choir: Collective) -> Asked:
    season, event = {"season_id": choir.seasons[0]}, {"event_id": choir.events[3]}
    year = {"start": "2025-09-01T00:00:00.000Z", "end": "2026-09-01T00:00:00.000Z"}
    return (
        ("member.list", {}),
        ("season.events", season),
        ("event.list", {}),
        ("participation.list", event),
        ("participation.summary", event),
        ("roster.view", season),
        ("roster.view", year),
        ("repertoire.get", season),
        ("repertoire.coverage", season),
        ("repertoire.suggestions", event),
        ("materials.what_to_bring", event),
    )


_EDITION = "SELECT edition_id FROM physical_copies WHERE id = :id"


def _library(vault: Vault, choir: Collective) -> Asked:
    season, event = {"season_id": choir.seasons[1]}, {"event_id": choir.events[3]}
    edition = {"edition_id": str(vault.read(lambda tx: tx.value(_EDITION, id=choir.copies[0])).value)}
    return (
        ("work.list", {}),
        ("work.search", {"q": "composer 1"}),
        ("edition.list", {}),
        ("copy.list", edition),
        ("copy.history", edition),
        ("member.copies", {"member_id": choir.members[3]}),
        ("report.inventory", {}),
        ("report.demand", {}),
        ("report.mismatches", {}),
        ("report.missing", season),
        ("report.missing", event),
        ("report.collection", season),
        ("takedown.list", {}),
        ("catalogue.public_domain", {}),
    )


def _read(vault: Vault, choir: Collective, verb: str, args: dict[str, str]) -> Line:
    declared = CHOIR.verb(verb)
    assert declared is not None
    lookup = vault.read(lambda tx: tx.value("SELECT personal_lookup(:email)", email=choir.conductor)).value

    def caller(tx: ReadTx) -> Principal:
        found = find_principal(tx, choir.conductor, lookup, choir.org_id)
        assert found is not None
        return found

    times: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        vault.read(lambda tx: declared.run(tx, caller(tx), args, MOMENT))
        times.append(time.perf_counter() - started)
    what = f"{verb}({', '.join(args)})"
    return Line(what, microseconds(statistics.median(times)), "", "", f"longest {microseconds(max(times))}")
