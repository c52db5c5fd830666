"""What a person's values leave beside the charter's rows: effects that wait, answers kept for repeats. Knows text."""

import json
from collections.abc import Iterable

from db.transaction import WriteTx

_EFFECTS = "DELETE FROM vaultry_outbox WHERE instr(payload, :text)"
# An answer is kept as the text of a reply, whose body is JSON within JSON.
_ANSWERS = "DELETE FROM vaultry_idempotency WHERE instr(answer, :text) OR instr(answer, :within)"


def forget_traces(tx: WriteTx, values: Iterable[str | None]) -> int:
    """Drop effects and kept answers that hold one of the values as a whole text; how many.

    What was to be sent to the person is not sent any more; a repeat of a request whose answer went is carried out.
    """
    dropped = 0
    for value in {value for value in values if value}:
        text = json.dumps(value, ensure_ascii=False)
        within = json.dumps(text, ensure_ascii=False)[1:-1]
        dropped += tx.execute(_EFFECTS, text=text) + tx.execute(_ANSWERS, text=text, within=within)
    return dropped
