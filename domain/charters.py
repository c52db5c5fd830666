"""The charters in the box, by name. Knows where each is declared; imports one only when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from domain.charter import Charter

_DECLARED = {
    "choir": ("domain.choir.charter", "CHOIR"),
}


class _Charters(Mapping[str, Charter]):
    """Charters by name; looking one up imports its module. A process that serves choirs never loads the others."""

    def __getitem__(self, name: str) -> Charter:
        module, constant = _DECLARED[name]
        return cast("Charter", getattr(import_module(module), constant))

    def __iter__(self) -> Iterator[str]:
        return iter(_DECLARED)

    def __len__(self) -> int:
        return len(_DECLARED)

    def __contains__(self, name: object) -> bool:
        return name in _DECLARED


CHARTERS: Mapping[str, Charter] = _Charters()
