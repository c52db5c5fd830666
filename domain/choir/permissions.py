"""The permission matrix in Python, for tokens that act as a role. Knows roles; what a person may do is a view.

A test holds this table equal to the view `permission_matrix`, which is what decides for persons.
"""

from collections.abc import Mapping

ROLES = ("owner", "admin", "librarian", "conductor", "section_leader")
UMBRELLA_ROLES = ("owner", "admin")

# permission, roles that hold it in a collective, in an umbrella. 'member' is every registered member.
MATRIX: tuple[tuple[str, str, str], ...] = (
    ("member", "member", "member"),
    ("owner", "owner", "owner"),
    ("desk:admin", "owner admin", "owner admin"),
    ("desk:librarian", "owner admin librarian", "owner admin"),
    ("desk:repertoire", "owner admin librarian conductor", "owner admin"),
    ("scores:view", "owner admin librarian conductor section_leader member", "owner admin member"),
    ("scores:download", "owner admin librarian conductor section_leader member", "owner admin member"),
    ("scores:upload", "librarian", "owner admin"),
    ("scores:delete", "librarian", "owner admin"),
    ("members:invite", "owner admin", "owner admin"),
    ("members:manage", "owner admin", "owner admin"),
    ("vault:delete", "owner", "owner"),
    ("federation:manage", "owner", "owner"),
    ("events:create", "conductor", "owner admin"),
    ("events:manage", "conductor", "owner admin"),
    ("events:delete", "conductor", "owner admin"),
    ("attendance:record", "conductor section_leader", ""),
    ("takedowns:process", "owner admin", "owner admin"),
)


def _held_by(role: str) -> frozenset[str]:
    """What a member with this one role may do in a collective. A token acts like a member who holds the role."""
    return frozenset(name for name, collective, _ in MATRIX if {role, "member"} & set(collective.split()))


TOKEN_ROLES: Mapping[str, frozenset[str]] = {role: _held_by(role) for role in (*ROLES, "member")}
