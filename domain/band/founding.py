"""Opening a band: what every band starts with, its name, and the user who runs the installation."""

from db.clock import Moment
from db.fields import Field, Text, normalise_email, parse_fields
from db.transaction import WriteTx
from domain.band.first_run import load_first_run_data
from domain.band.users import add_user, grant_role
from domain.charter import Founding

OPTIONS: dict[str, Field] = {"owner_name": Text()}
# A band is one whole: nothing in it is narrower than the vault.
WHOLE = ""


def found(tx: WriteTx, founding: Founding, now: Moment) -> str:
    """Fill a new tenant's vault; the scope of its name, which is the whole vault.

    Options: owner_name (default the address). Raises Invalid.
    """
    options = parse_fields(founding.options, OPTIONS)
    named = parse_fields({"name": founding.name}, {"name": Text(required=True)})
    load_first_run_data(tx, now)
    email = normalise_email(founding.owner_email, "owner_email")
    user_id = add_user(tx, email=email, name=options.get("owner_name"), verified=True, now=now)
    grant_role(tx, user_id, "SUPER_ADMIN", assigned_by=None, now=now)
    tx.insert("system_settings", id=now.new_id(), key="band_name", value=named["name"], updated_at=now.text)
    return WHOLE
