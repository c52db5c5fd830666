"""A charter that declares nothing by itself: the schema is its owner's, and so are the policies on it.

Its vault begins with the kernel, two views that name nobody, and no policy.
"""

from typing import Final

from db.clock import Moment
from db.transaction import WriteTx
from domain.blank.own_schema import OWN_SCHEMA
from domain.charter import Charter, Founding


def _found(tx: WriteTx, founding: Founding, now: Moment) -> str:
    """Nothing is needed, and the vault has no parts."""
    return ""


BLANK: Final = Charter(
    name="blank",
    sets=("kernel", "blank"),
    resources=(),
    verbs=(),
    roles={},
    found=_found,
    own_schema=OWN_SCHEMA,
)
