"""Who may do what: the contract views against the table of the choir's rules."""

import pytest

from domain.choir.permissions import MATRIX, ROLES, TOKEN_ROLES
from tests.domain.choir.stage import Stage

EVERYBODY = {"member", "scores:view", "scores:download"}
HELD = {
    "owner": EVERYBODY
    | {"owner", "desk:admin", "desk:librarian", "desk:repertoire", "members:invite", "members:manage"}
    | {"vault:delete", "federation:manage", "takedowns:process"},
    "admin": EVERYBODY
    | {"desk:admin", "desk:librarian", "desk:repertoire", "members:invite", "members:manage", "takedowns:process"},
    "librarian": EVERYBODY | {"desk:librarian", "desk:repertoire", "scores:upload", "scores:delete"},
    "conductor": EVERYBODY
    | {"desk:repertoire", "events:create", "events:manage", "events:delete", "attendance:record"},
    "section_leader": EVERYBODY | {"attendance:record"},
    "member": EVERYBODY,
}
PERMISSIONS = sorted(set().union(*HELD.values()))
UMBRELLA_EXTRA = {"scores:upload", "scores:delete", "events:create", "events:manage", "events:delete"}


def roles_of(role: str) -> tuple[str, ...]:
    return () if role == "member" else (role,)


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("role", HELD)
def test_a_role_holds_exactly_the_permissions_of_the_matrix(stage: Stage, role: str, permission: str):
    org = stage.choir()
    stage.singer(org, email="singer@x.example", roles=roles_of(role))
    assert stage.as_person(org, "singer@x.example").may(permission) == (permission in HELD[role])


@pytest.mark.parametrize("role", HELD)
def test_a_role_grants_no_permission_outside_the_matrix(stage: Stage, role: str):
    org = stage.choir()
    stage.singer(org, email="singer@x.example", roles=roles_of(role))
    assert stage.as_person(org, "singer@x.example").permissions == HELD[role]


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_an_umbrella_desk_also_holds_the_rights_over_its_own_material(stage: Stage, role: str):
    org = stage.choir("union", kind="umbrella")
    stage.singer(org, email="singer@x.example", roles=(role,))
    assert stage.as_person(org, "singer@x.example").permissions == HELD[role] | UMBRELLA_EXTRA


def test_rights_are_the_union_of_all_roles_held_here(stage: Stage):
    org = stage.choir()
    stage.singer(org, email="mari@x.example", roles=("conductor", "librarian"))
    assert stage.as_person(org, "mari@x.example").permissions == HELD["conductor"] | HELD["librarian"]


def test_roles_held_elsewhere_count_for_nothing_here(stage: Stage):
    aurora, meretuul = stage.choir(), stage.choir("meretuul", owner="owner@meretuul.example")
    mari = stage.singer(aurora, email="mari@x.example", roles=("conductor", "librarian"))
    stage.join(meretuul, mari)
    assert stage.as_person(meretuul, "mari@x.example").permissions == EVERYBODY


def test_the_owner_of_a_sister_choir_is_a_guest_here(stage: Stage):
    aurora = stage.choir()
    stage.choir("meretuul", owner="owner@meretuul.example")
    assert stage.as_person(aurora, "owner@meretuul.example").permissions == frozenset()


def test_a_roster_only_person_has_no_grant_whatever_roles_are_stored(stage: Stage):
    org = stage.choir()
    peeter = stage.singer(org, "Peeter", roles=ROLES)
    assert stage.rows("SELECT * FROM grants WHERE principal_id = ?", peeter) == []
    assert stage.rows("SELECT * FROM principals WHERE id = ?", peeter) == []


def test_a_person_without_any_membership_is_not_active(stage: Stage):
    org = stage.choir()
    kadri = stage.singer(org, email="kadri@x.example")
    stage.tx.execute("DELETE FROM member_organizations WHERE member_id = :id", id=kadri)
    assert stage.rows("SELECT active FROM principals WHERE id = ?", kadri) == [(0,)]


def test_the_matrix_in_python_equals_the_view(stage: Stage):
    stored = stage.rows("SELECT permission, collective, umbrella FROM permission_matrix")
    assert [(name, collective.strip(), umbrella.strip()) for name, collective, umbrella in stored] == list(MATRIX)


def test_a_token_that_acts_as_a_role_holds_what_a_member_with_that_role_holds():
    assert {role: set(permissions) for role, permissions in TOKEN_ROLES.items()} == HELD
