"""A charter's vault filled once, and how long its reading verbs take in the engine. Knows no charter by name."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.engine import ACTOR
from benchmarks.table import Line, microseconds
from db.clock import Moment
from db.keyring import KeyRing
from db.principal import Principal, find_principal, guest
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import ReadTx, WriteTx
from db.vault.opening import Kind, Site, create_vault
from db.vault.vault import Vault
from domain.charter import Charter

ROUNDS = 15
T = TypeVar("T")


def filled_vault(folder: Path, charter: Charter, fill: Callable[[WriteTx], T], now: Moment) -> tuple[Vault, T, float]:
    """A new vault of the charter, what filling it returned, and the seconds that the one commit took."""
    site = Site(DirectoryStore(folder / f"{charter.name}-store"), folder / "cache", KeyRing("benchmark-secret-" * 3))
    personal = {f"{resource.table}.{column}" for resource in charter.resources for column in resource.personal}
    kind = Kind(tuple(load_set(name) for name in charter.sets), frozenset(personal))
    vault = create_vault(site, charter.name, kind)
    started = time.perf_counter()
    made = vault.write(fill, ACTOR, now).value
    return vault, made, time.perf_counter() - started


def read_line(vault: Vault, charter: Charter, who: tuple[str, str], verb: str, args: Mapping[str, Any],
              now: Moment) -> Line:  # fmt: skip
    """The median of a verb's calls, and the longest. who: address ('' = a guest) and scope of the caller."""
    declared, (email, scope) = charter.verb(verb), who
    assert declared is not None
    lookup = vault.read(lambda tx: tx.value("SELECT personal_lookup(:email)", email=email)).value

    def caller(tx: ReadTx) -> Principal:
        found = find_principal(tx, email, lookup, scope) if email else guest(scope)
        assert found is not None
        return found

    times: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        vault.read(lambda tx: declared.run(tx, caller(tx), args, now))
        times.append(time.perf_counter() - started)
    what = f"{verb}({', '.join(args)})"
    return Line(what, microseconds(statistics.median(times)), "", "", f"longest {microseconds(max(times))}")
