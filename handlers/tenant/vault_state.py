"""What the directory keeps of an open vault: where its schema stands, and whether it takes writes. Knows no rollout."""

from dataclasses import dataclass

from db.errors import VaultError
from db.registry.directory import record_vault_state
from db.schema.state import SchemaState, read_schema_state
from db.transaction import WriteTx
from db.vault.freshness import FIRST_UNCONSTRAINED
from db.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class VaultState:
    """A vault as this process knows it. refusal: why it takes no writes, '' = it does."""

    schema: SchemaState
    bookmark: str
    size_bytes: int
    refusal: str


def vault_state(vault: Vault) -> VaultState:
    """The state of the open vault; nothing is asked of the store."""
    schema = vault.read_raw(lambda connection, _: read_schema_state(connection), FIRST_UNCONSTRAINED)
    return VaultState(schema.value, schema.bookmark, vault.local_bytes, refusal_text(vault.refusal))


def refusal_text(refusal: VaultError | None) -> str:
    """The refusal as the directory keeps it: message and code, the message naming the step; '' for none."""
    return "" if refusal is None else f"{refusal.message} ({refusal.code})"


def record_state(tx: WriteTx, vault_id: str, state: VaultState) -> bool:
    """Tell the directory; False when it knows of a newer commit of the vault, or of no such vault."""
    hold = state.schema.hold
    return record_vault_state(
        tx,
        vault_id,
        schema=state.schema.numbers,
        bookmark=state.bookmark,
        size_bytes=state.size_bytes,
        schema_hash=state.schema.digest,
        schema_hold={} if hold is None else hold.highest,
        refusal=state.refusal,
    )
