"""Errors of the charters: a valid request that a domain rule refuses. Knows codes; not statuses, tables or HTTP.

Conflict
|- Duplicate            duplicate            the name, membership or assignment exists already
|- LastOwner            last_owner           the organization would be left without an owner who can sign in
|- SelfRemoval          self_removal         nobody removes herself from the organization
|- AlreadyRegistered    already_registered   the person can sign in already
|- PendingInvite        pending_invite       a live invitation exists
|- InUse                in_use               something still refers to it; the message counts
|- Inactive             inactive             deactivated entries take no new assignments
|- EventNotStarted      event_not_started    nobody is present before the first moment
|- RsvpClosed           rsvp_closed          the event has started; what was planned stays
|- CopyOnLoan           copy_on_loan         the copy is out
|- CopyLost             copy_lost            a lost copy cannot be lent
|- AlreadyReturned      already_returned     the loan was closed before
|- AlreadyProcessed     already_processed    the complaint was decided before
|- ActiveAffiliation    active_affiliation   the two organizations are affiliated already
Gone
|- InviteExpired        invite_expired       the invitation's 48 hours are over
|- TakenDown            taken_down           a complaint about copyright was approved
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


class EventNotStarted(Conflict):
    """Attendance is recorded from the first moment on."""

    code = "event_not_started"


class RsvpClosed(Conflict):
    """The event has started; what was planned stays."""

    code = "rsvp_closed"


class CopyOnLoan(Conflict):
    """The copy is out."""

    code = "copy_on_loan"


class CopyLost(Conflict):
    """A lost copy cannot be lent."""

    code = "copy_lost"


class AlreadyReturned(Conflict):
    """The loan was closed before."""

    code = "already_returned"


class AlreadyProcessed(Conflict):
    """The complaint was decided before."""

    code = "already_processed"


class ActiveAffiliation(Conflict):
    """The two organizations are affiliated already."""

    code = "active_affiliation"


class InviteExpired(Gone):
    """The invitation can no longer be accepted; it can be renewed."""

    code = "invite_expired"


class TakenDown(Gone):
    """A complaint about copyright was approved; there is no way back."""

    code = "taken_down"
