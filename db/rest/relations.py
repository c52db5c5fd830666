"""Which relationship an embed means: by foreign keys of the declared resources. Knows keys; no rows, no caller."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from db.errors import Invalid
from db.resources import Resource
from db.schema.schema import ForeignKey, Schema, Table

__all__ = ["Junction", "Relationship", "find_relationship"]

_Pairs = tuple[tuple[str, str], ...]


class Junction(NamedTuple):
    """The join table of a many-to-many relationship. pairs: (its column, column of the target)."""

    table: str
    pairs: _Pairs


class Relationship(NamedTuple):
    """A way from one table to another. pairs: (column of the origin, column of the target or of the junction).

    to_many: whether the answer is a list. names: what a hint may call it, most precise first.
    back_to_many: whether a row of the target may belong to several of the origin.
    """

    target: str
    pairs: _Pairs
    to_many: bool
    names: tuple[str, ...]
    junction: Junction | None = None
    back_to_many: bool = True


def find_relationship(
    schema: Schema, resources: Mapping[str, Resource], origin: str, target: str, hint: str | None
) -> Relationship:
    """The one relationship that `target!hint` means inside `origin`.

    target: a resource, or a foreign key column of the origin. hint: the column of a foreign key, its name as Postgres
    would give it (`editions_work_id_fkey`), or a join table. A table that refers to itself: its own name means the
    children, the column the parent. Raises Invalid PGRST200 for none, PGRST201 for several.
    """
    every = list(_relationships(schema, resources, origin))
    named = [r for r in every if r.target == target and not (target == origin and not r.to_many)]
    named = named or [r for r in every if not r.to_many and target in r.names]
    found = [r for r in named if hint is None or hint in r.names]
    if len(found) == 1:
        return found[0]
    if not found:
        way = f"'{origin}' and '{target}'" + (f" using the hint '{hint}'" if hint else "")
        raise Invalid(
            f"Could not find a relationship between '{origin}' and '{target}' in the schema cache",
            code="PGRST200",
            details=f"Searched for a foreign key relationship between {way} in the schema 'public', "
            "but no matches were found.",
            hint=_meant(target, {r.target for r in every}),
        )
    found.sort(key=lambda r: r.names)
    raise Invalid(
        f"Could not embed because more than one relationship was found for '{origin}' and '{target}'",
        code="PGRST201",
        details=[_described(origin, r) for r in found],
        hint=f"Try changing '{target}' to one of the following: "
        f"{', '.join(repr(f'{target}!{r.names[0]}') for r in found)}. "
        "Find the desired relationship in the 'details' key.",
    )


def _meant(target: str, known: set[str]) -> str | None:
    """What a name that leads nowhere may have meant; nothing where the name is right and the hint is not."""
    import difflib  # here, because only a mistake needs it

    near = [] if target in known else difflib.get_close_matches(target, sorted(known), 1)
    return f"Perhaps you meant '{near[0]}' instead of '{target}'." if near else None


def _described(origin: str, way: Relationship) -> dict[str, str]:
    """One of several ways, as PostgREST lists them in the details of PGRST201."""
    left, right = (", ".join(names) for names in zip(*way.pairs, strict=True))
    if way.junction:
        join, far = way.junction.table, ", ".join(column for column, _ in way.junction.pairs)
        cardinality = "many-to-many"
        using = f"{join} using {_constraint(join, right)}({right}) and {_constraint(join, far)}({far})"
    else:
        cardinality = f"{'many' if way.back_to_many else 'one'}-to-{'many' if way.to_many else 'one'}"
        using = f"{way.names[0]} using {origin}({left}) and {way.target}({right})"
    return {
        "cardinality": cardinality,
        "embedding": f"{origin} with {way.target}",
        "relationship": using,
    }


def _constraint(table: str, columns: str) -> str:
    """The name of a foreign key, as Postgres would give it. columns: with commas between."""
    return f"{table}_{columns.replace(', ', '_')}_fkey"


def _relationships(schema: Schema, resources: Mapping[str, Resource], origin: str) -> Iterator[Relationship]:
    """Every relationship of the origin with a declared resource, over columns that clients can see."""
    references = {
        name: [key for key in table.foreign_keys if _is_visible(resources, name, key)]
        for name, table in schema.tables.items()
        if name in resources
    }
    for key in references.get(origin, ()):
        pairs = tuple(zip(key.columns, key.parent_columns, strict=True))
        several = not any(set(unique) <= set(key.columns) for unique in schema.tables[origin].keys)
        yield Relationship(key.parent_table, pairs, False, _names(origin, key), back_to_many=several)
    for child, keys in references.items():
        for key in keys:
            if key.parent_table == origin:
                yield _children(schema.tables[child], key)
        yield from _through(schema.tables[child], keys, origin)


def _children(child: Table, key: ForeignKey) -> Relationship:
    """The rows that refer here; at most one when the reference is itself a key of the child."""
    to_many = not any(set(unique) <= set(key.columns) for unique in child.keys)
    pairs = tuple(zip(key.parent_columns, key.columns, strict=True))
    return Relationship(child.name, pairs, to_many, _names(child.name, key), back_to_many=False)


def _through(join_table: Table, keys: Sequence[ForeignKey], origin: str) -> Iterator[Relationship]:
    """The ways through a table one of whose keys holds both references."""
    for near in keys:
        for far in keys:
            both = {*near.columns, *far.columns}
            if near is far or near.parent_table != origin or not any(both <= set(key) for key in join_table.keys):
                continue
            pairs = tuple(zip(near.parent_columns, near.columns, strict=True))
            onward = tuple(zip(far.columns, far.parent_columns, strict=True))
            names = (join_table.name, *far.columns)
            yield Relationship(far.parent_table, pairs, True, names, Junction(join_table.name, onward))


def _is_visible(resources: Mapping[str, Resource], child: str, key: ForeignKey) -> bool:
    """Whether the parent is a resource and neither side of the reference is hidden."""
    parent = resources.get(key.parent_table)
    if parent is None or not key.parent_columns:
        return False
    return resources[child].hidden.isdisjoint(key.columns) and parent.hidden.isdisjoint(key.parent_columns)


def _names(child: str, key: ForeignKey) -> tuple[str, ...]:
    """What a hint may call a reference."""
    constraint = f"{child}_{'_'.join(key.columns)}_fkey"
    return (constraint, *key.columns) if len(key.columns) == 1 else (constraint,)
