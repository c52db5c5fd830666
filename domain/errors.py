"""Errors of the charters: a valid request that a domain rule refuses. Knows codes; not statuses, tables or HTTP.

Conflict
|- Duplicate            duplicate            the name, membership or assignment exists already
|- LastOwner            last_owner           the organization would be left without an owner who can sign in
|- SelfRemoval          self_removal         nobody removes herself from the organization
|- AlreadyRegistered    already_registered   the person can sign in already
|- PendingInvite        pending_invite       a live invitation exists
|- InUse                in_use               something still refers to it; the message counts
|- Inactive             inactive             deactivated entries take no new assignments
Gone
|- InviteExpired        invite_expired       the invitation's 48 hours are over
"""

from db.errors import Conflict, Gone


class Duplicate(Conflict):
    """It exists already."""

    code = "duplicate"


class LastOwner(Conflict):
    """The organization would be left without an owner who can sign in."""

    code = "last_owner"


class SelfRemoval(Conflict):
    """Nobody removes herself from the organization."""

    code = "self_removal"


class AlreadyRegistered(Conflict):
    """The person can sign in already."""

    code = "already_registered"


class PendingInvite(Conflict):
    """A live invitation for the person exists."""

    code = "pending_invite"


class InUse(Conflict):
    """Something still refers to it."""

    code = "in_use"


class Inactive(Conflict):
    """Deactivated entries take no new assignments."""

    code = "inactive"


class InviteExpired(Gone):
    """The invitation can no longer be accepted; it can be renewed."""

    code = "invite_expired"
