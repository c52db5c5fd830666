"""Which methods a client for Python has, which were called, and what came of it: they work, or why they were refused.

A method that another method of the client calls does not count. A method is known by the class that defines it, so
that one which is overridden counts for each.
"""

import inspect
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any

WORKS = "works"


def public_methods(kinds: Iterable[type], prefix: str = "") -> set[str]:
    """`prefix.method` of the classes, inherited ones and properties included."""
    return {
        prefix + name
        for kind in kinds
        for name, value in inspect.getmembers(kind)
        if name[0] != "_" and (inspect.isfunction(value) or isinstance(value, property))
    }


def defined_methods(kinds: Iterable[type]) -> set[str]:
    """`Class.method` for each class that defines one, the classes these derive from included."""
    return {
        f"{owner.__name__}.{name}"
        for kind in kinds
        for owner in kind.__mro__
        for name, value in vars(owner).items()
        if name[0] != "_" and (inspect.isfunction(value) or isinstance(value, property))
    }


def code_of(error: Exception) -> str:
    """What a refusal is known by."""
    return str(getattr(error, "code", None) or getattr(error, "status", None) or type(error).__name__)


@dataclass
class Calls:
    """What was called. outcomes: `works` or a code, by `Class.method`."""

    kinds: tuple[type, ...]
    outcomes: dict[str, str] = field(default_factory=dict[str, str])

    def watch(self, target: Any, names: tuple[str, ...] = ()) -> Any:
        """The object, if it is of these classes, and what its methods return likewise; they work if `execute` does."""
        return _Watched(self, target, names) if isinstance(target, self.kinds) else target

    def note(self, names: Iterable[str], error: Exception | None = None) -> None:
        """Keep what came of methods; that one worked once is not forgotten."""
        for name in names:
            if error is None or self.outcomes.get(name) != WORKS:
                self.outcomes[name] = WORKS if error is None else code_of(error)


class _Watched:
    def __init__(self, calls: Calls, target: Any, names: tuple[str, ...]) -> None:
        self._calls, self._target, self._names = calls, target, names

    def __getattr__(self, name: str) -> Any:
        owner = next((kind for kind in type(self._target).__mro__ if name in vars(kind)), None)
        names = self._names if owner is None else (*self._names, f"{owner.__name__}.{name}")
        value = getattr(self._target, name)
        if not callable(value):
            return self._calls.watch(value, names)

        def call(*given: Any, **named: Any) -> Any:
            try:
                answer = value(*given, **named)
            except Exception as exc:
                self._calls.note(names, exc)
                raise
            if inspect.isawaitable(answer):
                return self._awaited(answer, names)
            if not isinstance(answer, self._calls.kinds):
                self._calls.note(names)
            return self._calls.watch(answer, names)

        return call

    async def _awaited(self, answer: Awaitable[Any], names: tuple[str, ...]) -> Any:
        try:
            got = await answer
        except Exception as exc:
            self._calls.note(names, exc)
            raise
        self._calls.note(names)
        return got
