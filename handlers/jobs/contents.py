"""Jobs that look at what is in a vault: figures, damage, the planner's own figures. Reads counts, never values."""

import json

from db.clock import Moment
from db.errors import VaultError
from db.log.ltx import TXID
from db.registry.directory import VaultEntry, record_vault_state
from db.registry.maintenance_runs import find_run
from db.registry.request_counts import total_requests
from db.schema.tables import SCHEMA_TABLE, analyse, count_rows, find_damage, needs_analysis, table_names
from db.transaction import WriteTx
from db.vault.vault import Vault
from handlers.jobs.job import Report, time_is_over
from handlers.services import Services
from handlers.tenant.vault_state import VaultState, vault_state

# Beside the totals: so many tables get a figure of their own, the largest.
_TABLES_SHOWN = 40


def count(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Rows in all and by table (`rows.<table>`), bytes, commits and requests since the count before, its state."""
    is_over = time_is_over(services, deadline)
    rows = {name: count_rows(vault, name, is_over) for name in table_names(vault)}
    requests = services.registry_read(lambda tx: total_requests(tx, vault.id))
    largest = sorted(rows.items(), key=lambda item: (-item[1], item[0]))[:_TABLES_SHOWN]
    return {
        "rows": sum(rows.values()),
        "bytes": vault.local_bytes,
        "commits": commits_since(services, vault, "statistics"),
        "requests": requests - _counted_before(services, vault),
        "txid": f"{vault.head.txid:016x}",
        "requests.total": requests,
        **{f"rows.{name}": number for name, number in sorted(largest) if number},
        "_state": _told(vault_state(vault)),
    }


def record_count(tx: WriteTx, vault_id: str, report: Report, now: Moment) -> None:
    """Tell the directory where the vault stands."""
    record_vault_state(tx, vault_id, **json.loads(str(report["_state"])))


def check(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """SQLite's quick check and the references, table by table. Raises VaultError (vault_damaged) naming tables."""
    is_over = time_is_over(services, deadline)
    names = table_names(vault)
    found = [find_damage(vault, name, is_over) for name in (SCHEMA_TABLE, *names)]
    damaged = [damage for damage in found if damage is not None]
    if damaged:
        first = damaged[0]
        what = first.lines[0] if first.lines else f"{first.dangling} rows refer to rows that are not there"
        raise VaultError(f"{len(damaged)} tables; {first.table}: {what}", code="vault_damaged")
    return {"tables": len(names)}


def optimise(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Renew the planner's figures, in one commit, where they are missing or far off; else change nothing."""
    is_over = time_is_over(services, deadline)
    rows = {name: count_rows(vault, name, is_over) for name in table_names(vault)}
    if not needs_analysis(vault, rows):
        return {}
    if vault.refusal is not None:
        raise vault.refusal
    analyse(vault)
    return {"analysed": 1}


def commits_since(services: Services, vault: Vault, job: str) -> int:
    """Commits of the vault since the job went well the last time, or since its first."""
    run = services.registry_read(lambda tx: find_run(tx, vault.id, job))
    before = 0 if run is None else int(str(run.report.get("txid", "0")), 16)
    return max(0, vault.head.txid - TXID(before))


def _counted_before(services: Services, vault: Vault) -> int:
    run = services.registry_read(lambda tx: find_run(tx, vault.id, "statistics"))
    return 0 if run is None else int(run.report.get("requests.total", 0))


def _told(state: VaultState) -> str:
    """The state as JSON, by the names under which the directory keeps it."""
    hold = state.schema.hold
    return json.dumps(
        {
            "schema": dict(state.schema.numbers),
            "schema_hash": state.schema.digest,
            "schema_hold": {} if hold is None else dict(hold.highest),
            "bookmark": state.bookmark,
            "size_bytes": state.size_bytes,
            "refusal": state.refusal,
        }
    )
