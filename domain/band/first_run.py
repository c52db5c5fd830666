"""What every band starts with: roles and what they allow, instruments, sections. Running it again changes nothing."""

from db.clock import Moment
from db.transaction import WriteTx
from domain.band.permissions import MATRIX, ROLES, split_name

SECTIONS = ("Woodwinds", "Brass", "Percussion")

# Family, and its instruments with their place in a score.
INSTRUMENTS: dict[str, dict[str, int]] = {
    "Woodwind": {
        "Piccolo": 1,
        "Flute": 2,
        "Oboe": 3,
        "English Horn": 4,
        "Bassoon": 5,
        "Contrabassoon": 6,
        "E♭ Clarinet": 7,
        "B♭ Clarinet": 8,
        "Alto Clarinet": 9,
        "Bass Clarinet": 10,
        "Contra-alto Clarinet": 11,
        "Contrabass Clarinet": 12,
        "Soprano Saxophone": 13,
        "Alto Saxophone": 14,
        "Tenor Saxophone": 15,
        "Baritone Saxophone": 16,
    },
    "Brass": {
        "Cornet": 20,
        "Trumpet": 21,
        "Flugelhorn": 22,
        "French Horn": 23,
        "Trombone": 24,
        "Bass Trombone": 25,
        "Euphonium": 26,
        "Baritone": 27,
        "Tuba": 28,
    },
    "Percussion": {"Percussion": 30, "Timpani": 31, "Mallets": 32, "Drum Set": 33},
    "String": {"String Bass": 40},
    "Keyboard": {"Piano": 41},
}

_ROLE = """
INSERT INTO roles (id, name, display_name, type, created_at, updated_at)
VALUES (:id, :name, :display_name, :name, :now, :now)
    ON CONFLICT (name) DO UPDATE SET display_name = excluded.display_name, updated_at = excluded.updated_at
 WHERE display_name IS NOT excluded.display_name
"""
_PERMISSION = """
INSERT INTO permissions (id, name, resource, action, scope, created_at)
VALUES (:id, :name, :resource, :action, :scope, :now) ON CONFLICT (name) DO NOTHING
"""
_ALLOW = """
INSERT INTO role_permissions (id, role_id, permission_id)
SELECT :id, r.id, p.id FROM roles AS r JOIN permissions AS p WHERE r.name = :role AND p.name = :permission
    ON CONFLICT (role_id, permission_id) DO NOTHING
"""
_INSTRUMENT = """
INSERT INTO instruments (id, name, family, sort_order, created_at, updated_at)
VALUES (:id, :name, :family, :sort_order, :now, :now) ON CONFLICT (name) DO NOTHING
"""
_SECTION = """
INSERT INTO sections (id, name, sort_order, created_at, updated_at)
VALUES (:id, :name, :sort_order, :now, :now) ON CONFLICT (name) DO NOTHING
"""


def load_first_run_data(tx: WriteTx, now: Moment) -> None:
    """Roles, permissions, who holds which, instruments and sections; those that exist by name are left as they are."""
    for role, display_name in ROLES.items():
        tx.execute(_ROLE, id=now.new_id(), name=role, display_name=display_name, now=now.text)
    for name, roles in MATRIX.items():
        parts = split_name(name)
        tx.execute(
            _PERMISSION,
            id=now.new_id(),
            name=name,
            resource=parts.resource,
            action=parts.action,
            scope=parts.scope,
            now=now.text,
        )
        for role in sorted(roles):
            tx.execute(_ALLOW, id=now.new_id(), role=role, permission=name)
    for family, names in INSTRUMENTS.items():
        for name, place in names.items():
            tx.execute(_INSTRUMENT, id=now.new_id(), name=name, family=family, sort_order=place, now=now.text)
    for place, name in enumerate(SECTIONS, start=1):
        tx.execute(_SECTION, id=now.new_id(), name=name, sort_order=place, now=now.text)
