"""The charters by name: those in the box and those added to it. Imports one only when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from db.errors import Conflict, VaultError
from domain.charter import Charter

IN_THE_BOX: Mapping[str, tuple[str, str]] = {
    "blank": ("domain.blank.charter", "BLANK"),
    "choir": ("domain.choir.charter", "CHOIR"),
    "band": ("domain.band.charter", "BAND"),
}
# Names of migration sets that belong to no charter.
_TAKEN = frozenset({"kernel", "registry"})
_declared: dict[str, tuple[str, str]] = dict(IN_THE_BOX)


class _Charters(Mapping[str, Charter]):
    """Charters by name; looking one up imports its module. A process that serves choirs never loads the others."""

    def __getitem__(self, name: str) -> Charter:
        module, constant = _declared[name]
        return _loaded(name, module, constant)

    def __iter__(self) -> Iterator[str]:
        return iter(_declared)

    def __len__(self) -> int:
        return len(_declared)

    def __contains__(self, name: object) -> bool:
        return name in _declared


CHARTERS: Mapping[str, Charter] = _Charters()


def declare_charter(name: str, module: str, constant: str) -> None:
    """Add the charter that `constant` of `module` is to those of this process; nothing is imported yet.

    Declaring the same again changes nothing. Raises Conflict for a name that another charter has.
    """
    if name in _TAKEN or _declared.get(name, (module, constant)) != (module, constant):
        raise Conflict(f"charter {name!r}: the name is taken; choose another", code="charter_taken")
    _declared[name] = (module, constant)


def _loaded(name: str, module: str, constant: str) -> Charter:
    """The charter. Raises VaultError (misconfigured) when there is none of that name where it should be."""
    try:
        found = getattr(import_module(module), constant)
    except (ImportError, AttributeError) as exc:
        raise VaultError(
            f"charter {name!r}: cannot load {constant} from {module}: {exc}",
            code="misconfigured",
            hint=None if name in IN_THE_BOX else "its folder must be on PYTHONPATH, or its package installed",
        ) from exc
    if not isinstance(found, Charter) or found.name != name:
        got = f"the charter {found.name!r}" if isinstance(found, Charter) else type(found).__name__
        raise VaultError(f"charter {name!r}: {module}:{constant} is {got}", code="misconfigured")
    return found
