"""People and memberships, as several verbs need them. Knows one organization at a time; judges no caller."""

from db.clock import Moment
from db.errors import NotFound
from db.transaction import ReadTx, Row, WriteTx
from domain.errors import Duplicate

_HERE = """
SELECT m.id, m.name, m.email_id IS NOT NULL AS registered, o.joined_at
  FROM members AS m JOIN member_organizations AS o ON o.member_id = m.id
 WHERE m.id = :member_id AND o.org_id = :org_id
"""


def member_here(tx: ReadTx, org_id: str, member_id: str) -> Row:
    """The member (id, name, registered, joined_at) of this organization. Raises NotFound."""
    found = tx.row(_HERE, member_id=member_id, org_id=org_id)
    if found is None:
        raise NotFound(f"member {member_id}: not in this organization", field="member_id")
    return found


def known_member(tx: ReadTx, email: str) -> str | None:
    """The id of the person of this vault who signs in with this normalised address."""
    found: str | None = tx.value("SELECT id FROM members WHERE email_id_lookup = personal_lookup(:email)", email=email)
    return found


_NAME_TAKEN = """
SELECT 1 FROM member_organizations AS o JOIN members AS m ON m.id = o.member_id
 WHERE o.org_id = :org_id AND casefold(m.name) = casefold(:name) AND m.id IS NOT :except_id
"""


def name_taken(tx: ReadTx, org_id: str, name: str, *, except_id: str | None = None) -> bool:
    """Whether another member of the organization has this name, ignoring case."""
    return tx.value(_NAME_TAKEN, org_id=org_id, name=name, except_id=except_id) is not None


def refuse_taken_name(tx: ReadTx, org_id: str, name: str, *, except_id: str | None = None) -> None:
    """Raise Duplicate when another member of the organization has this name, ignoring case."""
    if name_taken(tx, org_id, name, except_id=except_id):
        raise Duplicate(f"name: somebody here is called {name!r} already; choose another", field="name")


_ADD_PERSON = """
INSERT INTO members (id, name, nickname, email_id, email_id_lookup, email_contact, invited_by, joined_at)
VALUES (:id, :name, :nickname, personal_seal('members.email_id', :email_id), personal_lookup(:email_id),
        personal_seal('members.email_contact', :email_contact), :invited_by, :joined_at)
"""


def add_person(
    tx: WriteTx,
    now: Moment,
    *,
    name: str,
    nickname: str | None = None,
    email_id: str | None = None,
    email_contact: str | None = None,
    invited_by: str | None = None,
    joined_at: str | None = None,
) -> str:
    """The id of a new person, in no organization yet. email_id: verified; None = roster-only. joined_at: None = now."""
    member_id = now.new_id()
    tx.execute(
        _ADD_PERSON,
        id=member_id,
        name=name,
        nickname=nickname,
        email_id=email_id,
        email_contact=email_contact,
        invited_by=invited_by,
        joined_at=joined_at or now.text,
    )
    return member_id


def add_membership(
    tx: WriteTx, org_id: str, member_id: str, invited_by: str | None, now: Moment, joined_at: str | None = None
) -> None:
    """Make the person a member of the organization, from now on or since `joined_at`."""
    since = joined_at or now.text
    tx.insert("member_organizations", member_id=member_id, org_id=org_id, invited_by=invited_by, joined_at=since)
