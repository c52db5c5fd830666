"""Roles and permissions of a band: the matrix as data. Knows names; what a person holds is a view.

Nothing is inherited: a role holds what its row lists. A test holds the seeded tables equal to this matrix.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ROLES: Mapping[str, str] = {
    "SUPER_ADMIN": "Super Administrator",
    "ADMIN": "Administrator",
    "DIRECTOR": "Director",
    "STAFF": "Staff",
    "SECTION_LEADER": "Section Leader",
    "LIBRARIAN": "Librarian",
    "MUSICIAN": "Musician",
    "PUBLIC": "Public User",
}
PLAYING_ROLES = ("MUSICIAN", "SECTION_LEADER")
SCOPES = ("all", "assigned", "own", "section", "public")

_SUPER = frozenset({"SUPER_ADMIN"})
_ADMINS = _SUPER | {"ADMIN"}
_CONDUCTING = _ADMINS | {"DIRECTOR", "STAFF"}
_LEADING = _CONDUCTING | {"SECTION_LEADER"}
_PLAYERS = _LEADING | {"LIBRARIAN", "MUSICIAN"}
_EVERYBODY = frozenset(ROLES)

# Which roles hold a permission, in the order in which an administrator reads them.
MATRIX: Mapping[str, frozenset[str]] = {
    "music.view.all": _CONDUCTING | {"LIBRARIAN"},
    "music.view.assigned": _PLAYERS,
    "music.create": _ADMINS | {"LIBRARIAN"},
    "music.delete": _ADMINS | {"LIBRARIAN"},
    "music.upload": _ADMINS | {"LIBRARIAN"},
    "music.edit": _CONDUCTING | {"LIBRARIAN"},
    "music.assign": _CONDUCTING | {"LIBRARIAN"},
    "music.download.all": _CONDUCTING | {"LIBRARIAN"},
    "music.download.assigned": _PLAYERS,
    "member.view.all": _CONDUCTING,
    "member.create": _CONDUCTING,
    "member.edit.all": _CONDUCTING,
    "member.view.section": _LEADING,
    "member.view.own": _PLAYERS,
    "member.edit.own": _PLAYERS,
    "member.delete": _ADMINS,
    "event.view.all": _PLAYERS,
    "event.view.public": _EVERYBODY,
    "event.create": _CONDUCTING,
    "event.edit": _CONDUCTING,
    "event.delete": _CONDUCTING,
    "event.publish": _CONDUCTING,
    "attendance.view.all": _CONDUCTING,
    "attendance.mark.all": _CONDUCTING,
    "attendance.view.section": _LEADING,
    "attendance.mark.section": _LEADING,
    "attendance.view.own": _PLAYERS,
    "attendance.mark.own": _PLAYERS,
    "cms.view.all": _CONDUCTING,
    "cms.edit": _CONDUCTING,
    "cms.view.public": _EVERYBODY,
    "cms.publish": _ADMINS,
    "cms.delete": _ADMINS,
    "announcement.view.all": _PLAYERS,
    "announcement.create": _LEADING,
    "message.send.all": _CONDUCTING,
    "message.send.section": _LEADING,
    "report.view": _CONDUCTING,
    "report.export": _CONDUCTING,
    "audit.view": _ADMINS,
    "system.config": _SUPER,
    "auth.manage": _SUPER,
}


@dataclass(frozen=True, slots=True)
class PermissionName:
    """`resource.action`, or `resource.action.scope` where the scope narrows whose rows it is about."""

    resource: str
    action: str
    scope: str | None


def split_name(name: str) -> PermissionName:
    """The parts of a permission's name. Raises ValueError for anything but two or three words between dots."""
    resource, action, *scope = name.split(".")
    if len(scope) > 1 or not all((resource, action, *scope)):
        raise ValueError(f"{name!r}: wanted resource.action or resource.action.scope")
    return PermissionName(resource, action, scope[0] if scope else None)


def held_by(role: str) -> frozenset[str]:
    """What the role holds, and what `x.y.all` stands for: every narrower scope of the same action."""
    held = {name for name, roles in MATRIX.items() if role in roles}
    wide = [name.removesuffix("all") for name in held if name.endswith(".all")]
    return frozenset(held | {name + scope for name in wide for scope in SCOPES if scope != "all"})


TOKEN_ROLES: Mapping[str, frozenset[str]] = {role: held_by(role) for role in ROLES}
