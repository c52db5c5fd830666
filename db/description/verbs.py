"""Verbs as they are described: arguments by their rules, results by what the function says it returns."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from db.fields import Field

__all__ = ["DescribedVerb", "Result", "result_of"]

_PLAIN = {str: "text", int: "integer", float: "number", bool: "flag"}


class Result(NamedTuple):
    """kind: object, rows, list, text, integer, number, flag, nothing or any. optional: whether it may be nothing."""

    kind: str
    optional: bool = False


class DescribedVerb(NamedTuple):
    """One verb, its arguments and what it answers with. rows: the table whose rows it answers with, if it does."""

    name: str
    writes: bool
    summary: str
    params: Mapping[str, Field]
    result: Result
    rows: str | None = None


@cache
def result_of(run: Callable[..., Any]) -> Result:
    """What a verb's function returns, by its annotation."""
    function = run.func if isinstance(run, partial) else run
    declared = get_type_hints(function).get("return", Any)
    if get_origin(declared) not in (Union, UnionType):
        return Result(_kind_of(declared))
    kinds = {_kind_of(known) for known in get_args(declared)}
    several = kinds - {"nothing"}
    return Result(several.pop() if len(several) == 1 else "any", "nothing" in kinds)


def _kind_of(declared: Any) -> str:
    origin = get_origin(declared) or declared
    if declared is type(None):
        return "nothing"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "object"
    if origin is list:
        return "rows" if _kind_of(next(iter(get_args(declared)), Any)) == "object" else "list"
    return _PLAIN.get(declared, "any")
