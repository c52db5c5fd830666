"""The band charter: everything a band's vault declares, in one place. Data only."""

from domain.band.founding import found
from domain.band.people import accounts, directory, members, role_grants, seating, standing
from domain.band.people.resources import PEOPLE
from domain.band.permissions import TOKEN_ROLES
from domain.charter import Charter

BAND = Charter(
    name="band",
    sets=("kernel", "band"),
    resources=(*PEOPLE,),
    verbs=(
        *accounts.VERBS,
        *role_grants.VERBS,
        *members.VERBS,
        *standing.VERBS,
        *seating.VERBS,
        *directory.VERBS,
    ),
    roles=TOKEN_ROLES,
    found=found,
    manages_files="system.config",
)
