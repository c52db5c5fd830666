"""The choir charter: everything a choir's vault declares, in one place. Data only."""

from domain.charter import Charter
from domain.choir import (
    acceptance,
    editions,
    invites,
    member_directory,
    member_placements,
    members,
    organizations,
    roles,
    score_files,
    sections,
    upkeep,
    voices,
    works,
)
from domain.choir.demo_choir import DEMO
from domain.choir.founding import found
from domain.choir.permissions import TOKEN_ROLES
from domain.choir.resources import RESOURCES

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
    ),
    roles=TOKEN_ROLES,
    found=found,
    admission="invite.accept",
    demo=DEMO,
    jobs=upkeep.JOBS,
    buckets=score_files.BUCKETS,
    manages_files="desk:admin",
)
