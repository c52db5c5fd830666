"""The band charter: everything a band's vault declares, in one place. Data only."""

from domain.band import integrity, settings
from domain.band.calendar import events, figures, marking, programme, reminders, showing
from domain.band.calendar.resources import CALENDAR
from domain.band.content import announcements, messages, news_desk, pages, publishing, site
from domain.band.content.resources import CONTENT
from domain.band.files import access, cleaning, describing, downloads, media, music, photos
from domain.band.files.resources import FILES
from domain.band.founding import found
from domain.band.music import assignments, desk, listing, parts, pieces, search
from domain.band.music import seating as music_seating
from domain.band.music.catalogue import CATALOGUE
from domain.band.people import accounts, arrival, directory, members, role_grants, seating, standing
from domain.band.people.resources import PEOPLE
from domain.band.permissions import TOKEN_ROLES
from domain.band.privacy import audit_views, disclosure, forgetting, retention
from domain.charter import Charter

BAND = Charter(
    name="band",
    sets=("kernel", "band"),
    resources=(*PEOPLE, *CATALOGUE, *CALENDAR, *CONTENT, *FILES),
    verbs=(
        *accounts.VERBS,
        *role_grants.VERBS,
        *members.VERBS,
        *standing.VERBS,
        *seating.VERBS,
        *directory.VERBS,
        *pieces.VERBS,
        *search.VERBS,
        *listing.VERBS,
        *parts.VERBS,
        *assignments.VERBS,
        *music_seating.VERBS,
        *desk.VERBS,
        *events.VERBS,
        *programme.VERBS,
        *showing.VERBS,
        *marking.VERBS,
        *figures.VERBS,
        *pages.VERBS,
        *publishing.VERBS,
        *site.VERBS,
        *announcements.VERBS,
        *messages.VERBS,
        *forgetting.VERBS,
        *disclosure.VERBS,
        *audit_views.VERBS,
        *integrity.VERBS,
        *settings.VERBS,
        *access.VERBS,
        *describing.VERBS,
        *downloads.VERBS,
        *cleaning.VERBS,
    ),
    roles=TOKEN_ROLES,
    found=found,
    jobs=(*news_desk.JOBS, *reminders.JOBS, *desk.JOBS, *cleaning.JOBS, *retention.JOBS, *integrity.JOBS),
    arrival=arrival.ARRIVAL,
    people=forgetting.PEOPLE_DATA,
    unaudited=frozenset({"file_downloads", "user_notifications.is_read", "user_notifications.read_at"}),
    audit_years=retention.AUDIT_YEARS,
    buckets=(*music.BUCKETS, *media.BUCKETS, *photos.BUCKETS),
    manages_files="system.config",
)
