"""Labels that operators put on tenants, to ask or change some of them together. Knows ids of vaults; opens none."""

import re
from collections.abc import Iterable

from db.clock import Moment
from db.errors import Invalid
from db.transaction import ReadTx, WriteTx

MAX_PER_VAULT = 50
_FORM = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def check_label(text: str) -> str:
    """The label, trimmed. Raises Invalid for any other than 1-40 of a-z, 0-9, dot, hyphen and underscore."""
    label = text.strip()
    if not _FORM.fullmatch(label):
        raise Invalid(
            f"label: got {text!r}, wanted 1-40 of a-z, 0-9, '.', '-' and '_', a letter or digit first", field="label"
        )
    return label


_ADD = """
INSERT INTO vault_labels (vault_id, label, created_at) VALUES (:vault_id, :label, :now)
ON CONFLICT (vault_id, label) DO NOTHING
"""


def change_labels(tx: WriteTx, vault_id: str, add: Iterable[str], remove: Iterable[str], now: Moment) -> list[str]:
    """Take labels off, put labels on; what the vault has then, sorted. Raises Invalid, also for more than 50."""
    for label in remove:
        strike = "DELETE FROM vault_labels WHERE vault_id = :vault_id AND label = :label"
        tx.execute(strike, vault_id=vault_id, label=check_label(label))
    for label in add:
        tx.execute(_ADD, vault_id=vault_id, label=check_label(label), now=now.text)
    labels = labels_of(tx, vault_id)
    if len(labels) > MAX_PER_VAULT:
        raise Invalid(f"got {len(labels)} labels, wanted at most {MAX_PER_VAULT} on one tenant", field="label")
    return labels


def labels_of(tx: ReadTx, vault_id: str) -> list[str]:
    """The labels of a vault, sorted."""
    rows = tx.rows("SELECT label FROM vault_labels WHERE vault_id = :vault_id ORDER BY label", vault_id=vault_id)
    return [row["label"] for row in rows]


def vaults_labelled(tx: ReadTx, label: str) -> frozenset[str]:
    """Ids of the vaults that have the label. Raises Invalid."""
    rows = tx.rows("SELECT vault_id FROM vault_labels WHERE label = :label", label=check_label(label))
    return frozenset(row["vault_id"] for row in rows)
