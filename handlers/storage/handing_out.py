"""Telling the charter that a file was handed out, once all of it was. Knows headers; not what is kept of it."""

from db.files.declared import FileReading, Recipient
from db.principal import Principal
from db.transaction import Actor, Row
from handlers.http.call import Call
from handlers.http.errors import report_fault
from handlers.storage.visit import Visit

_ADDRESS_CHARACTERS = 100
_AGENT_CHARACTERS = 400


def note_handed_out(visit: Visit, reading: FileReading, row: Row, principal: Principal) -> None:
    """Run what the charter does about it. Who has the file does not learn when that fails: the log of errors does."""
    call = visit.call
    agent = call.header("user-agent")
    recipient = Recipient(principal.id, _address(call), agent[:_AGENT_CHARACTERS] if agent else None)
    actor = Actor(principal.actor_id, principal.kind, call.request_id, "file.download")
    try:
        with visit.services.vault(visit.entry) as vault:
            vault.write(lambda tx: reading.handed_out(tx, row, recipient, call.now), actor, call.now)
    except Exception as exc:
        # Whatever it is, the file was handed out already.
        report_fault(exc, call.request_id)


def _address(call: Call) -> str:
    """Whom the request says it comes from: anybody can say so, and nothing is decided by it."""
    told = (call.header("x-forwarded-for") or "").partition(",")[0].strip()
    return (told or (call.header("x-real-ip") or "").strip() or "unknown")[:_ADDRESS_CHARACTERS]
