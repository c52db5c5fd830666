"""Publishing: what a vault lets anybody read, brought into the registry. Knows charters' declarations; no list by name.

What is public changes in the vault's own commit, together with a mark. Whoever then finds a mark that is not the
published one gathers the lines anew: the process that committed, at once; if it died, the next one that uses the
vault, or a round of maintenance. Done twice or by two at once it comes to the same, for the newest commit wins.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from db.principal import guest
from db.publication import publication_mark
from db.registry.directory import VaultEntry
from db.registry.public_lines import PublicLine, keep_public_lines, public_line, published_mark
from db.transaction import Actor, ReadTx
from db.vault.vault import FIRST_UNCONSTRAINED, Vault
from domain.charter import Charter
from handlers.services import Services

# The registry is everybody's: no vault has more lines than so many in one list of it.
LINES = 10_000
_ACTOR = Actor("system", "system", "", "publish")


def list_name(charter: Charter, verb: str) -> str:
    """What the registry calls a public list."""
    return f"{charter.name}/{verb}"


def publish_if_changed(services: Services, vault: Vault, entry: VaultEntry) -> int:
    """Bring the vault's public lines up to date; how many changed. A vault whose mark is published is only read."""
    charter = services.charter(entry)
    if not charter.public:
        return 0
    mark = vault.read(lambda tx: _mark(tx, charter), FIRST_UNCONSTRAINED).value
    # Without a look: a copy of the registry that is behind costs a round in vain, and nothing else.
    known = services.registry.read(lambda tx: published_mark(tx, vault.id), FIRST_UNCONSTRAINED).value
    if mark is None or known == mark:
        return 0
    now = services.clock()
    found = vault.read(lambda tx: (_mark(tx, charter), _lines(services, tx, charter)))
    new_mark, lists = found.value
    return services.registry_write(
        lambda tx: keep_public_lines(tx, vault.id, lists, mark=new_mark or mark, bookmark=found.bookmark, now=now),
        _ACTOR,
        now,
    )


def _mark(tx: ReadTx, charter: Charter) -> str | None:
    """The vault's mark together with the form in which this release gathers; None in a vault that has none yet."""
    mark = publication_mark(tx)
    forms = ".".join(str(known.form) for known in charter.public)
    return None if mark is None else f"{forms}-{mark}"


def _lines(services: Services, tx: ReadTx, charter: Charter) -> Mapping[str, Iterable[PublicLine]]:
    """Every public list of the vault, as a guest gets it; of a very long one the beginning."""
    lists: dict[str, list[PublicLine]] = {}
    for known in charter.public:
        verb = charter.verb(known.verb)
        if verb is None:
            raise AssertionError(f"{charter.name} declares {known.verb} public, and has no such verb")
        rows = verb.run(tx, guest(""), {}, services.clock())
        shown = islice(rows, LINES)
        lists[list_name(charter, known.verb)] = [public_line(row, known.order, known.slug) for row in shown]
    return lists
