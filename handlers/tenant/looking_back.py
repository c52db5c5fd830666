"""What the commands about a vault's past share: what may be shown of it. Knows charters."""

from db.audit.redaction import Redaction
from db.forgetting.sealing import REDACTED
from db.history.difference import RowChange
from db.history.row_effects import Effect
from db.history.row_writes import key_names
from db.personal import PersonalCipher, load_cipher
from db.registry.directory import VaultEntry
from db.schema.schema import Schema
from db.vault.vault import Vault
from handlers.services import Services


def todays_cipher(services: Services, vault: Vault) -> PersonalCipher:
    """The vault's cipher as it is now: a look at the past does not bring back what was erased since."""
    return vault.read(lambda tx: load_cipher(tx, services.keyring)).value


def personal_columns(services: Services, entry: VaultEntry) -> dict[str, frozenset[str]]:
    """The columns that hold sealed text, by table."""
    return {known.table: known.personal for known in services.charter(entry).resources if known.personal}


def redaction_of(services: Services, entry: VaultEntry, cipher: PersonalCipher | None) -> Redaction:
    """What is hidden of this vault's rows. cipher: opens personal columns; None keeps them hidden."""
    hidden = services.kind(services.charter(entry)).redacted
    sealed = {f"{table}.{name}" for table, names in personal_columns(services, entry).items() for name in names}
    return Redaction(hidden, frozenset(sealed), cipher)


def as_change(effect: Effect, schema: Schema) -> RowChange:
    """An effect as the difference it makes."""
    table = schema.tables[effect.table]
    key = dict(zip(key_names(table), effect.new_key, strict=True))
    before, after = effect.before, effect.after
    if before is None or after is None:
        return RowChange(effect.table, "added" if before is None else "removed", key, before, after)
    return RowChange(effect.table, "changed", key, before, {name: after.get(name, REDACTED) for name in before})
