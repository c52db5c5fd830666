"""What the owner of a blank vault declares about his own tables, as a charter has it. Knows no caller."""

from collections.abc import Mapping
from typing import Final

from db.policies.declared import Declared, declared_of, read_stored
from db.policies.own_tables import own_resources
from db.resources import Resource, Supply
from db.schema.schema import Schema
from db.transaction import ReadTx
from domain import supplied
from domain.charter import OwnSchema

# What the server fills in, by the word that policies have for it.
SUPPLIES: Final[Mapping[str, Supply]] = {
    "caller": supplied.caller,
    "new_id": supplied.new_id,
    "now": supplied.moment,
}
_KEPT: Final = 256
# By vault as it stands: the same tables under the same policies are the same objects, which others remember by.
_RESOURCES: dict[int, tuple[Schema, Declared, tuple[Resource, ...]]] = {}


def _roles(tx: ReadTx) -> Mapping[str, frozenset[str]]:
    """Permissions of each role."""
    return declared_of(read_stored(tx)).roles


def _resources(tx: ReadTx, schema: Schema) -> tuple[Resource, ...]:
    """The owner's tables as REST reaches them."""
    declared = declared_of(read_stored(tx))
    known = _RESOURCES.get(id(schema))
    if known is None or known[0] is not schema or known[1] is not declared:
        if len(_RESOURCES) >= _KEPT:
            _RESOURCES.clear()
        known = _RESOURCES[id(schema)] = (schema, declared, own_resources(tx, schema, declared, SUPPLIES))
    return known[2]


OWN_SCHEMA: Final = OwnSchema(_roles, _resources, frozenset(SUPPLIES))
