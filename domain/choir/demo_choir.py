"""The choir to try things with: who founds it, which files fill it, who can sign in. Knows the charter's verbs."""

from pathlib import Path

from db.clock import Moment
from db.errors import NotFound
from db.fields import normalise_email
from db.principal import Principal, guest
from db.transaction import WriteTx
from domain.charter import Demo, DemoFile, Founding
from domain.choir import acceptance, invites

_BY_CONTACT = """
SELECT m.id FROM members AS m JOIN member_organizations AS o ON o.member_id = m.id
 WHERE o.org_id = :org_id AND personal_open('members.email_contact', m.email_contact) = :email
"""


def register(tx: WriteTx, owner: Principal, email: str, now: Moment) -> None:
    """Let the roster person with this contact address accept an invitation by the owner. Raises NotFound."""
    address = normalise_email(email)
    roster_id = tx.value(_BY_CONTACT, org_id=owner.scope, email=address)
    if roster_id is None:
        raise NotFound(f"nobody on the roster is reached at {address}", field="email")
    invite = invites.create(tx, owner, {"roster_member_id": roster_id}, now)
    verified = Principal(None, "person", owner.scope, guest(owner.scope).permissions, address, address)
    acceptance.accept(tx, verified, {"token": invite["token"]}, now)


def play(tx: WriteTx, owner: Principal, now: Moment) -> None:
    """A year of the choir around this moment."""
    from domain.choir import demo_year  # here: only making a demo needs it, and every process loads this module

    demo_year.play(tx, owner, CONDUCTOR, now)


CONDUCTOR = "mari@aurora.example"
DEMO = Demo(
    founding=Founding(
        slug="aurora",
        name="Aurora Chamber Choir",
        owner_email="liis@aurora.example",
        options={"owner_name": "Liis Kuusk", "language": "en", "locale": "en-GB", "timezone": "Europe/Tallinn"},
    ),
    folder=Path(__file__).parent / "demo",
    files=(
        DemoFile("member.add_roster", "members.csv"),
        DemoFile("works", "works.csv"),
        DemoFile("editions", "editions.csv"),
    ),
    sign_ins=(
        "jaan@aurora.example",
        CONDUCTOR,
        "maarja@aurora.example",
        "tonu@aurora.example",
        "helena@aurora.example",
        "kadri@aurora.example",
    ),
    register=register,
    play=play,
)
