"""The choir's tables over REST: who reads which rows, who writes what. Data only; rules with branches are verbs.

Tables whose rules need a verb (members, roles, invitations, placements) can be read only. Every predicate names the
organization in effect, :scope. Inside a predicate other tables are `main.x`.
"""

from db.clock import Moment
from db.fields import Text
from db.principal import Principal
from db.resources import Policy, Resource, Values
from db.transaction import Row, WriteTx
from domain.choir.editions import DEFAULTED, EDITION_FIELDS, edition_here
from domain.choir.library.resources import SHELVES
from domain.choir.placements import require_here
from domain.choir.planning_resources import PLANNING
from domain.choir.sections import SECTION
from domain.choir.works import WORK_FIELDS, work_here
from domain.partial_update import refuse_null
from domain.supplied import moment, new_id, scope

_HERE = "org_id = :scope"
_MEMBERS_HERE = "SELECT member_id FROM main.member_organizations WHERE org_id = :scope"
_OF_MEMBER_HERE = f"id IN ({_MEMBERS_HERE})"
_WORK_HERE = "work_id IN (SELECT id FROM main.works WHERE org_id = :scope)"
_EDITION_HERE = (
    "edition_id IN (SELECT e.id FROM main.editions AS e JOIN main.works AS w ON w.id = e.work_id"
    " WHERE w.org_id = :scope)"
)
# By member as well: a member has few of them, a section of a choir has many.
_SECTION_HERE = f"member_id IN ({_MEMBERS_HERE}) AND section_id IN (SELECT id FROM main.sections WHERE org_id = :scope)"
_VOICE_HERE = f"member_id IN ({_MEMBERS_HERE}) AND voice_id IN (SELECT id FROM main.voices WHERE org_id = :scope)"
_FREE = "license_type = 'public_domain' AND deleted_at IS NULL"
# Found from the work, by the index of free editions alone.
_HAS_FREE_EDITION = f"EXISTS (SELECT 1 FROM main.editions AS e WHERE e.work_id = works.id AND {_FREE})"


def _check_edition(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Raise Invalid for a type or licence given as null, NotFound for a work of another organization."""
    refuse_null(new, DEFAULTED)
    if old is None:
        work_here(tx, principal.scope, str(new["work_id"]))


def _check_listing(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Raise NotFound for an edition or a section of another organization, as for one that does not exist."""
    edition_here(tx, principal.scope, str(new["edition_id"]))
    require_here(tx, SECTION, principal.scope, str(new["section_id"]))


RESOURCES: tuple[Resource, ...] = (
    # Organizations are listed publicly; what is not in the public directory is for members.
    Resource(
        "organizations",
        read=(Policy(None, "id = :scope"),),
        masks={
            name: (Policy("member", "id = :scope"),)
            for name in ("language", "locale", "timezone", "trust_individual_responsibility")
        },
    ),
    Resource(
        "members",
        read=(Policy("member", _OF_MEMBER_HERE),),
        masks={
            name: (Policy("desk:admin", _OF_MEMBER_HERE), Policy("member", "id = :principal_id"))
            for name in ("email_id", "email_contact")
        },
        hidden=frozenset({"email_id_lookup"}),
        personal=frozenset({"email_id", "email_contact"}),
    ),
    Resource("member_organizations", read=(Policy("member", _HERE),)),
    Resource("member_roles", read=(Policy("member", _HERE),)),
    Resource("voices", read=(Policy("member", _HERE),)),
    Resource("sections", read=(Policy("member", _HERE),)),
    Resource("member_voices", read=(Policy("member", _VOICE_HERE),)),
    Resource("member_sections", read=(Policy("member", _SECTION_HERE),)),
    Resource(
        "works",
        read=(Policy("scores:view", _HERE), Policy(None, f"{_HERE} AND {_HAS_FREE_EDITION}", unless="scores:view")),
        insert=(Policy("desk:librarian", _HERE),),
        update=(Policy("desk:librarian", _HERE),),
        delete=(Policy("scores:delete", _HERE),),
        fields=WORK_FIELDS,
        supplied={"id": new_id, "org_id": scope, "created_at": moment},
    ),
    # What was taken down is for the librarian desk alone.
    Resource(
        "editions",
        read=(
            Policy("desk:librarian", _WORK_HERE),
            Policy("scores:view", f"{_WORK_HERE} AND deleted_at IS NULL", unless="desk:librarian"),
            Policy(None, f"{_WORK_HERE} AND {_FREE}", unless="scores:view"),
        ),
        insert=(Policy("desk:librarian", _WORK_HERE),),
        update=(Policy("desk:librarian", _WORK_HERE),),
        delete=(Policy("scores:delete", _WORK_HERE),),
        fields={"work_id": Text(required=True), **EDITION_FIELDS},
        supplied={"id": new_id, "created_at": moment},
        fixed=frozenset({"work_id"}),
        check=_check_edition,
    ),
    Resource(
        "edition_sections",
        read=(Policy("scores:view", _EDITION_HERE),),
        insert=(Policy("desk:librarian", _EDITION_HERE),),
        delete=(Policy("desk:librarian", _EDITION_HERE),),
        fields={"edition_id": Text(required=True), "section_id": Text(required=True)},
        check=_check_listing,
    ),
    Resource("invites", read=(Policy("desk:admin", _HERE),), redacted=frozenset({"token"})),
    Resource("vault_settings", read=(Policy("desk:admin", _HERE),)),
    Resource("member_preferences", read=(Policy("member", "member_id = :principal_id"),)),
    Resource("affiliations", read=(Policy("desk:admin", "collective_id = :scope OR umbrella_id = :scope"),)),
    *SHELVES,
    *PLANNING,
)
