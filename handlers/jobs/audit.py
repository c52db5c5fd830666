"""The audit job: every link of a vault's chain, and an anchor outside the vault each day. Knows no row's content.

The anchor is kept twice: in the registry, and as an object in the store under the day and the vault, which a bucket may
lock. A chain that lacks what was anchored before has been rewritten, by whoever holds the key; that is refused loudly
and nothing is anchored until somebody has looked.
"""

import json
from typing import Any, cast

from db.audit.links import Link, chain_head, link_at, verify_links
from db.clock import Moment
from db.errors import VaultError
from db.registry.audit_anchors import Anchor, find_anchor, record_anchor
from db.registry.directory import VaultEntry
from db.registry.maintenance_runs import find_run
from db.stores.base import ObjectExists
from db.transaction import WriteTx
from db.vault.vault import Vault
from handlers.jobs.job import DUE_AT, Report, time_is_over
from handlers.services import Services

# Between two looks at the clock, and the longest that readers of the vault wait for it: some ten milliseconds.
_LINKS = 2_000


def check_chain(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Verify the chain and anchor its head. Out of time, it goes on from there at once the next time.

    Raises VaultError: audit_broken for a changed or missing row, anchor_lost for a chain without what was anchored.
    """
    is_over = time_is_over(services, deadline)
    anchor = services.registry_read(lambda tx: find_anchor(tx, vault.id))
    run = services.registry_read(lambda tx: find_run(tx, vault.id, "audit"))
    reached = 0 if run is None else int(run.report.get("verified_to", 0))
    head = chain_head(vault)
    _require_link(vault, anchor)
    while head is not None and reached < head.seq:
        if is_over():
            return {"verified_to": reached, DUE_AT: now.text}
        last, broken = verify_links(vault, services.keyring, reached, _LINKS)
        if broken is not None:
            raise VaultError(broken, code="audit_broken")
        reached = last
    if head is None or (anchor is not None and anchor.seq == head.seq):
        return {"audit_rows": 0 if head is None else head.seq}
    _put_object(services, vault, head, now)
    return {"audit_rows": head.seq, "anchored": 1, "_seq": head.seq, "_mac": head.mac}


def keep_anchor(tx: WriteTx, vault_id: str, report: Report, now: Moment) -> None:
    """Keep the new anchor, if there is one, in the registry."""
    if "_mac" in report:
        record_anchor(tx, vault_id, Anchor(int(report["_seq"]), str(report["_mac"])), now)


def anchor_key(vault_id: str, now: Moment) -> str:
    """Where in the anchors' store the anchor of the day is."""
    return f"anchors/{now.text[:10]}/{vault_id}.json"


def _put_object(services: Services, vault: Vault, head: Link, now: Moment) -> None:
    """Put the day's anchor; one that is there already must be part of the chain."""
    key = anchor_key(vault.id, now)
    anchor = {"vault": vault.id, "seq": head.seq, "mac": head.mac, "bookmark": vault.bookmark, "anchored_at": now.text}
    body = json.dumps(anchor, separators=(",", ":")).encode()
    try:
        services.anchor_store.put(key, body, timestamp_ms=now.ms, op="anchor:put")
    except ObjectExists:
        kept = cast("dict[str, Any]", json.loads(services.anchor_store.get(key, op="anchor:get")))
        _require_link(vault, Anchor(int(kept["seq"]), str(kept["mac"])))


def _require_link(vault: Vault, anchor: Anchor | None) -> None:
    """Raise VaultError (anchor_lost) unless the chain still has the link."""
    if anchor is None:
        return
    found = link_at(vault, anchor.seq)
    if found is None or found.mac != anchor.mac:
        wrong = "is gone" if found is None else "is another"
        raise VaultError(f"audit row {anchor.seq}, which was anchored, {wrong}", code="anchor_lost")
