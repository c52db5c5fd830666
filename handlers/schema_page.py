"""`schema.sql`, made from the migrations of every kind of vault in the box. Knows which there are; not their tables."""

from pathlib import Path

from db.schema.migrate import load_set
from db.schema.sql_file import Section, schema_text
from domain.charters import CHARTERS, IN_THE_BOX

SCHEMA_FILE = Path(__file__).parents[1] / "schema.sql"
_INTRODUCTION = """Every table of Vaultry as the migrations leave it: of the registry, the kernel, each charter.
Written by `vaultry schema` and compared by a test; never run: to change a table, add a migration. Registry and
charters are databases of their own, each on top of the kernel's tables."""


def schema_page() -> str:
    """schema.sql, whole."""
    kernel = load_set("kernel")
    sections = [
        Section("Registry", (kernel, load_set("registry")), (kernel,)),
        Section("Kernel", (kernel,)),
        *(Section(f"Charter {name}", CHARTERS[name].migration_sets, (kernel,)) for name in IN_THE_BOX),
    ]
    return schema_text(_INTRODUCTION, sections)
