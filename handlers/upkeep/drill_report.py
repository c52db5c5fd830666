"""The report of a restore drill: what it says, signed, stored and recorded, and read again. Makes no drill."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from db.clock import Moment
from db.errors import Invalid, NotFound, StoreUnavailable
from db.history.verification import Finding
from db.registry.drills import Drilled, last_drill, record_drill
from db.registry.signed_documents import SignedDocument, read_document, sign_document
from db.registry.signing_keys import current_signer
from db.stores.base import ObjectExists, OutcomeUnknown
from db.transaction import Actor
from handlers.services import Services

KIND = "vaultry-drill"
_OURS = "vaultry"
_ACTOR = Actor("drill", "job", "", "drill.record")


@dataclass(slots=True)
class DrillReport:
    """What one drill found. passed: nothing was wrong.

    charter: `registry` for the registry. restored_with: `vaultry`, or litestream and its version. litestream: used,
    not_chosen, or not_found when it was its turn. bookmark, commit_at: of the commit both sides stand at; '' when the
    vault could not be read. newest_seen: bookmark of the newest commit that anybody knew to be durable, handed on from
    drill to drill: a log that has lost it is no success the next day. size_bytes: of the restored file. rows: restored,
    by table. digest, live_digest: of the whole content, restored and live.
    """

    drill_id: str
    vault_id: str
    tenant: str
    charter: str
    started_at: str
    finished_at: str = ""
    passed: bool = False
    restored_with: str = _OURS
    litestream: str = "not_chosen"
    bookmark: str = ""
    newest_seen: str = ""
    commit_at: str = ""
    size_bytes: int = 0
    digest: str = ""
    live_digest: str = ""
    audit_rows: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])
    rows: Mapping[str, int] = field(default_factory=dict[str, int])

    def add(self, check: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(check, message))


def keep_report(services: Services, report: DrillReport, now: Moment) -> None:
    """Sign the report, store it as an object, then record it: killed in between, the vault is simply due again."""
    signer = services.registry_read(lambda tx: current_signer(tx, services.keyring, now))
    content = asdict(report)
    signed = sign_document(signer, KIND, content)
    body = json.dumps({"report": content, "signed": signed}, ensure_ascii=False, indent=1).encode()
    key = _store(services, report, body, now)
    drilled = Drilled(report.vault_id, now.text, report.passed, report.litestream, key, signed)
    services.registry_write(lambda tx: record_drill(tx, drilled), _ACTOR, now)


def _store(services: Services, report: DrillReport, body: bytes, now: Moment) -> str:
    """Put the report where nobody has put one yet; its key. A second one on the same day gets the drill's id."""
    name = f"drills/{now.text[:10]}/{report.vault_id}"
    for key in (f"{name}.json", f"{name}.{report.drill_id}.json"):
        try:
            services.site.store.put(key, body, timestamp_ms=now.ms, op="drill:put")
        except (ObjectExists, OutcomeUnknown):
            # Who has no answer leaves the name alone: a report stored twice harms nobody.
            continue
        return key
    raise StoreUnavailable(f"drill:put: the store did not say whether it has the report of {report.vault_id}")


def last_report(services: Services, vault_id: str) -> SignedDocument:
    """The report of the vault's last drill, its signature checked. Raises NotFound, Invalid `signature_invalid`."""
    last = services.registry_read(lambda tx: last_drill(tx, vault_id), current=True)
    if last is None:
        raise NotFound("there was no drill of it yet", code="not_drilled", hint="vaultry drills run")
    return services.registry_read(lambda tx: read_document(tx, KIND, last.report))


def content_of(services: Services, last: Drilled) -> Mapping[str, Any] | None:
    """What a recorded report says; None when its signature does not hold."""
    try:
        return services.registry_read(lambda tx: read_document(tx, KIND, last.report)).content
    except Invalid:
        return None
