"""Single steps of a write: values by rule, row in, row changed, policies held. Knows one table at a time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotAuthenticated, PermissionMissing, VaultError
from db.fields import parse_fields
from db.json_sql import identifier, literal
from db.principal import Principal
from db.resources import Policy, Resource, Values
from db.rest.sql import keys_condition
from db.rest.visibility import allowed_sql, is_open, missing_column, policy_values
from db.schema.constraints import constraints_translated
from db.schema.schema import Table
from db.transaction import Row, SqlValue, Statement, WriteTx

__all__ = ["Key", "Writing", "key_json"]

Key = tuple[SqlValue, ...]


@dataclass(frozen=True, slots=True)
class Writing:
    """One caller's write on one table."""

    tx: WriteTx
    principal: Principal
    table: Table
    resource: Resource
    now: Moment

    def need_open(self, policies: Sequence[Policy]) -> None:
        """Refuse a caller whom no policy lets in. Raises NotAuthenticated for guests, else Forbidden; both 42501."""
        key = self.table.primary_key
        if not key or not self.resource.hidden.isdisjoint(key):
            reason = f"{self.table.name} has no visible primary key; writing over REST needs one"
            raise Invalid(reason, code="0A000")
        if not is_open(policies, self.principal):
            denied = f"permission denied for table {self.table.name}"
            if self.principal.kind == "guest":
                raise NotAuthenticated(denied, code="42501")
            named = dict.fromkeys(policy.permission for policy in policies if policy.permission is not None)
            raise PermissionMissing(denied, tuple(named), code="42501")

    def new_values(self, given: Mapping[str, Any]) -> Values:
        """The row to insert: given values by their rules, then what the server fills in.

        A column that is both given and supplied keeps what was given, unless that is null.
        """
        self._check_names(given)
        values = _stored(parse_fields(given, self.resource.fields))
        for name, supply in self.resource.supplied.items():
            if values.get(name) is None:
                values[name] = supply(self.principal, self.now)
        return values

    def changed_values(self, given: Mapping[str, Any]) -> Values:
        """The columns to change. Raises Invalid for a field that is fixed once the row exists."""
        self._check_names(given)
        fixed = sorted(self.resource.fixed.intersection(given))
        if fixed:
            raise Invalid(f"{fixed[0]}: cannot be changed once the row exists; leave it out", field=fixed[0])
        values = _stored(parse_fields(given, self.resource.fields, partial=True))
        touched = {name: supply(self.principal, self.now) for name, supply in self.resource.touched.items()}
        return values | touched if values else {}

    def insert(self, values: Values) -> Key:
        """Check and insert one row; its primary key."""
        self.resource.check(self.tx, self.principal, None, values, self.now)
        names = ", ".join(map(identifier, values))
        items = ", ".join(self._item(name, place) for place, name in enumerate(values))
        source = f"({names}) VALUES ({items})" if values else "DEFAULT VALUES"
        key = ", ".join(map(identifier, self.table.primary_key))
        sql = f"INSERT INTO main.{identifier(self.table.name)} {source} RETURNING {key}"
        with constraints_translated():
            return tuple(self.tx.query(Statement(sql, _parameters(values)))[0])

    def update(self, old: Row, values: Values) -> Key:
        """Check and change one row; its primary key afterwards."""
        new = dict(values)
        self.resource.check(self.tx, self.principal, old, new, self.now)
        key = self.key_of(old)
        sets = ", ".join(f"{identifier(name)} = {self._item(name, place)}" for place, name in enumerate(new))
        where = " AND ".join(f"{identifier(name)} = :k{n}" for n, name in enumerate(self.table.primary_key))
        sql = f"UPDATE main.{identifier(self.table.name)} SET {sets} WHERE {where}"
        keyed = {f"k{n}": value for n, value in enumerate(key)}
        with constraints_translated():
            self.tx.run(Statement(sql, {**_parameters(new), **keyed}))
        return tuple(new.get(name, value) for name, value in zip(self.table.primary_key, key, strict=True))

    def delete(self, keys: Sequence[Key]) -> None:
        """Remove the rows."""
        condition = keys_condition(self.table.primary_key, "keys")
        sql = f"DELETE FROM main.{identifier(self.table.name)} WHERE {condition}"
        with constraints_translated():
            self.tx.run(Statement(sql, {"keys": key_json(keys)}))

    def hold(self, policies: Sequence[Policy], keys: Sequence[Key]) -> None:
        """Refuse rows that the policies do not allow as they are now. Raises Forbidden 42501."""
        if not keys:
            return
        condition = keys_condition(self.table.primary_key, "keys")
        sql = (
            f"SELECT count(*) FROM main.{identifier(self.table.name)} "
            f"WHERE {condition} AND ({allowed_sql(policies, self.principal)})"
        )
        values = {**policy_values(self.principal, self.now), "keys": key_json(keys)}
        if self.tx.query(Statement(sql, values))[0][0] < len(set(keys)):
            raise Forbidden(f"new row violates the row policy of {self.table.name}", code="42501")

    def old_columns(self) -> str:
        """Every column for SELECT, personal ones opened: what `Resource.check` gets as the old row."""
        return ", ".join(
            f"personal_open({self._label(c.name)}, {identifier(c.name)}) AS {identifier(c.name)}"
            if c.name in self.resource.personal
            else identifier(c.name)
            for c in self.table.columns
        )

    def key_of(self, row: Row) -> Key:
        """The row's primary key."""
        return tuple(row[name] for name in self.table.primary_key)

    def _check_names(self, given: Mapping[str, Any]) -> None:
        """Refuse columns that do not exist for clients. Raises Invalid PGRST204."""
        for name in given:
            if name not in self.resource.fields and (self.table.column(name) is None or name in self.resource.hidden):
                raise missing_column(self.table.name, name)

    def _item(self, name: str, place: int) -> str:
        """The SQL that stores a column's parameter."""
        if self.table.column(name) is None:
            raise VaultError(f"{self.table.name} has no column {name}; its declaration or its check names one")
        return f"personal_seal({self._label(name)}, :c{place})" if name in self.resource.personal else f":c{place}"

    def _label(self, column: str) -> str:
        """The name a personal value is sealed for."""
        return literal(f"{self.table.name}.{column}")


def key_json(keys: Sequence[Key]) -> str:
    """The keys in order, each once, as `keys_condition` wants them bound."""
    return json.dumps([key[0] if len(key) == 1 else key for key in dict.fromkeys(keys)])


def _parameters(values: Values) -> dict[str, SqlValue]:
    """The values by place; `c0` and on, so that equal column sets have equal SQL text."""
    return {f"c{place}": value for place, value in enumerate(values.values())}


def _stored(parsed: Mapping[str, Any]) -> Values:
    """The parsed values as SQLite holds them: lists and objects as JSON text."""
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
        for name, value in parsed.items()
    }
