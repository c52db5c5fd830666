"""Granting and revoking roles, and the owner an organization keeps."""

import pytest

from db.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from domain.choir.roles import leaves_no_owner
from domain.errors import LastOwner
from tests.domain.choir.stage import Stage

LIIS, JAAN, KADRI = "liis@aurora.example", "jaan@aurora.example", "kadri@aurora.example"


def aurora(stage: Stage) -> tuple[str, str, str]:
    """The choir, and the ids of Jaan (admin) and Kadri (no role)."""
    org = stage.choir("aurora", owner=LIIS)
    return org, stage.singer(org, "Jaan", email=JAAN, roles=("admin",)), stage.singer(org, "Kadri", email=KADRI)


def id_of(stage: Stage, org: str, email: str) -> str:
    found = stage.as_person(org, email).id
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("owners", "member", "expected"),
    [({"a"}, "a", True), ({"a", "b"}, "a", False), ({"b"}, "a", False), (set(), "a", False)],
)
def test_only_the_one_registered_owner_leaves_none_behind(owners: set[str], member: str, expected: bool):
    assert leaves_no_owner(owners, member) is expected


def test_an_owner_grants_herself_the_right_she_lacks(stage: Stage):
    org, _, _ = aurora(stage)
    assert not stage.as_person(org, LIIS).may("scores:upload", "events:create")
    stage.call("role.grant", LIIS, org, member_id=id_of(stage, org, LIIS), role="librarian")
    assert stage.as_person(org, LIIS).may("scores:upload")


def test_an_admin_cannot_grant_or_remove_owner(stage: Stage):
    org, _, kadri = aurora(stage)
    with pytest.raises(Forbidden):
        stage.call("role.grant", JAAN, org, member_id=kadri, role="owner")
    with pytest.raises(Forbidden):
        stage.call("role.revoke", JAAN, org, member_id=id_of(stage, org, LIIS), role="owner")


def test_the_last_registered_owner_keeps_the_role_until_it_is_handed_over(stage: Stage):
    org, jaan, _ = aurora(stage)
    liis, peeter = id_of(stage, org, LIIS), stage.singer(org, "Peeter")
    stage.call("role.grant", LIIS, org, member_id=peeter, role="owner")
    with pytest.raises(LastOwner):
        stage.call("role.revoke", LIIS, org, member_id=liis, role="owner")
    stage.call("role.grant", LIIS, org, member_id=jaan, role="owner")
    stage.call("role.revoke", LIIS, org, member_id=liis, role="owner")
    with pytest.raises(LastOwner):
        stage.call("role.revoke", JAAN, org, member_id=jaan, role="owner")


def test_a_dormant_owner_may_lose_the_role(stage: Stage):
    org, _, _ = aurora(stage)
    peeter = stage.singer(org, "Peeter", roles=("owner",))
    assert stage.call("role.revoke", LIIS, org, member_id=peeter, role="owner")["changed"] is True


def test_granting_a_held_role_changes_nothing(stage: Stage):
    org, _, kadri = aurora(stage)
    stage.call("role.grant", JAAN, org, member_id=kadri, role="conductor")
    first = stage.rows("SELECT granted_at, granted_by FROM member_roles WHERE member_id = ?", kadri)
    stage.at = "2026-03-01T10:00:00Z"
    assert stage.call("role.grant", LIIS, org, member_id=kadri, role="conductor")["changed"] is False
    assert stage.rows("SELECT granted_at, granted_by FROM member_roles WHERE member_id = ?", kadri) == first


def test_revoking_a_role_that_is_not_held_changes_nothing(stage: Stage):
    org, _, kadri = aurora(stage)
    assert stage.call("role.revoke", JAAN, org, member_id=kadri, role="conductor")["changed"] is False


def test_a_stranger_to_the_organization_is_not_found(stage: Stage):
    org, _, _ = aurora(stage)
    other = stage.singer(stage.choir("meretuul", owner="m@x.example"), email="tom@x.example")
    with pytest.raises(NotFound):
        stage.call("role.grant", LIIS, org, member_id=other, role="librarian")


@pytest.mark.parametrize("role", ["singer", "Owner", "", None, 1])
def test_an_unknown_role_is_invalid(stage: Stage, role: object):
    org, _, kadri = aurora(stage)
    with pytest.raises(Invalid):
        stage.call("role.grant", LIIS, org, member_id=kadri, role=role)


@pytest.mark.parametrize("role", ["librarian", "conductor", "section_leader"])
def test_an_umbrella_grants_owner_and_admin_only(stage: Stage, role: str):
    union = stage.choir("union", owner=LIIS, kind="umbrella")
    member = stage.singer(union, email="member@x.example")
    with pytest.raises(Invalid):
        stage.call("role.grant", LIIS, union, member_id=member, role=role)
    assert stage.call("role.grant", LIIS, union, member_id=member, role="admin")["changed"] is True


def test_roles_are_for_the_desk(stage: Stage):
    org, _, kadri = aurora(stage)
    with pytest.raises(Forbidden):
        stage.call("role.grant", KADRI, org, member_id=kadri, role="admin")
    with pytest.raises(NotAuthenticated):
        stage.call("role.grant", "", org, member_id=kadri, role="admin")
