"""The stage on which the guide for choirs is played: who cannot sign in yet joins before she acts."""

from pathlib import Path

from tests.domain.guide import Guide
from tests.domain.guide_site import GuideSite
from tests.handlers.http.site import Caller

GUIDE = Guide("choir")


class ChoirGuideSite(GuideSite):
    """The choirs of the guide."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, GUIDE, "2025-09-01T17:00:00Z")

    def sign_in(self, slug: str, email: str) -> Caller:
        """Signed in; somebody not yet registered joins by an invitation, as the guide shows for one of them."""
        owner = next(person for person in self.people.values() if person.slug == slug)
        if email != owner.email:
            desk = self.caller(owner.name)
            found = [row for row in desk.done("member.list") if row["email_contact"] == email]
            if found and not found[0]["registered"]:
                invite = desk.done("invite.create", roster_member_id=found[0]["id"])
                session = self.site.session(slug, email, invite_token=invite["token"])
                return self.site.guest(slug).with_token(session["access_token"])
        return self.site.sign_in(slug, email)
