"""The band charter: everything a band's vault declares, in one place. Data only."""

from domain.band.calendar import events, figures, marking, programme, showing
from domain.band.calendar.resources import CALENDAR
from domain.band.founding import found
from domain.band.music import assignments, desk, parts, pieces, search
from domain.band.music import seating as music_seating
from domain.band.music.catalogue import CATALOGUE
from domain.band.people import accounts, directory, members, role_grants, seating, standing
from domain.band.people.resources import PEOPLE
from domain.band.permissions import TOKEN_ROLES
from domain.charter import Charter

BAND = Charter(
    name="band",
    sets=("kernel", "band"),
    resources=(*PEOPLE, *CATALOGUE, *CALENDAR),
    verbs=(
        *accounts.VERBS,
        *role_grants.VERBS,
        *members.VERBS,
        *standing.VERBS,
        *seating.VERBS,
        *directory.VERBS,
        *pieces.VERBS,
        *search.VERBS,
        *parts.VERBS,
        *assignments.VERBS,
        *music_seating.VERBS,
        *desk.VERBS,
        *events.VERBS,
        *programme.VERBS,
        *showing.VERBS,
        *marking.VERBS,
        *figures.VERBS,
    ),
    roles=TOKEN_ROLES,
    found=found,
    jobs=(*desk.JOBS,),
    manages_files="system.config",
)
