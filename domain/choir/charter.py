"""The choir charter: everything a choir's vault declares, in one place. Data only."""

from domain.charter import Charter, PublicList
from domain.choir import (
    acceptance,
    editions,
    invites,
    member_directory,
    member_placements,
    members,
    organizations,
    preferences,
    roles,
    roster_import,
    score_files,
    sections,
    settings,
    upkeep,
    voices,
    work_import,
    works,
)
from domain.choir.association import affiliations, figures, shared
from domain.choir.demo_choir import DEMO
from domain.choir.event import attendance_list, events, participation, roster, summary
from domain.choir.founding import found
from domain.choir.library import copies, inventory, loans, repertoire_reports, score_access, score_removal, takedowns
from domain.choir.permissions import TOKEN_ROLES
from domain.choir.repertoire import coverage, listing, materials, picks, programme
from domain.choir.resources import RESOURCES
from domain.choir.season import seasons

CHOIR = Charter(
    name="choir",
    sets=("kernel", "choir"),
    resources=RESOURCES,
    verbs=(
        *organizations.VERBS,
        *members.VERBS,
        *member_directory.VERBS,
        *member_placements.VERBS,
        *roles.VERBS,
        *invites.VERBS,
        *acceptance.VERBS,
        *voices.VERBS,
        *sections.VERBS,
        *works.VERBS,
        *editions.VERBS,
        *copies.VERBS,
        *loans.VERBS,
        *inventory.VERBS,
        *repertoire_reports.VERBS,
        *score_access.VERBS,
        *score_removal.VERBS,
        *takedowns.VERBS,
        *settings.VERBS,
        *preferences.VERBS,
        *affiliations.VERBS,
        *figures.VERBS,
        *shared.VERBS,
        *seasons.VERBS,
        *events.VERBS,
        *participation.VERBS,
        *attendance_list.VERBS,
        *summary.VERBS,
        *roster.VERBS,
        *listing.VERBS,
        *programme.VERBS,
        *picks.VERBS,
        *coverage.VERBS,
        *materials.VERBS,
    ),
    roles=TOKEN_ROLES,
    found=found,
    admission="invite.accept",
    invitation="invite.open",
    named=members.take_name,
    demo=DEMO,
    jobs=upkeep.JOBS,
    buckets=score_files.BUCKETS,
    manages_files="desk:admin",
    public=(
        PublicList("organization.list_public", order=("name",), slug="subdomain"),
        PublicList("catalogue.public_domain", order=("title", "name"), slug="subdomain"),
    ),
    scope_of=organizations.scope_of,
    has_scope=organizations.has_scope,
    registration=organizations.REGISTRATION,
    imports=(roster_import.MEMBERS, work_import.WORKS),
)
