"""A charter that declares nothing: its vault begins with the kernel and two views that name nobody."""

from typing import Final

from db.clock import Moment
from db.transaction import WriteTx
from domain.charter import Charter, Founding


def _found(tx: WriteTx, founding: Founding, now: Moment) -> str:
    """Nothing is needed, and the vault has no parts."""
    return ""


BLANK: Final = Charter(name="blank", sets=("kernel", "blank"), resources=(), verbs=(), roles={}, found=_found)
