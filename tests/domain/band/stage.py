"""A band's vault in memory and callers to act in it, as the doors would build them. Knows the schema; not HTTP."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from db.clock import Moment, timestamp_ms
from db.errors import Forbidden, NotAuthenticated
from db.fields import parse_fields
from db.personal import PersonalCipher
from db.principal import Principal, find_principal, guest
from db.schema.constraints import constraints_translated
from db.sql_functions import register_functions
from db.transaction import WriteTx
from domain.band import users
from domain.band.charter import BAND
from domain.charter import Founding

_MIGRATIONS = Path(__file__).parents[3] / "migrations"
NOW = "2026-04-10T12:00:00.000Z"
SAM = "sam@riverside.example"


def open_vault(cipher: PersonalCipher) -> sqlite3.Connection:
    """An in-memory vault with every migration of the charter, under the pragmas the engine uses."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")
    register_functions(connection, cipher)
    for migration_set in BAND.sets:
        for path in sorted((_MIGRATIONS / migration_set).glob("*.sql")):
            connection.executescript(path.read_text())
    return connection


class Stage:
    """One band, its clock, and shorthand for rows and callers. Sam runs the installation."""

    def __init__(self) -> None:
        self.cipher = PersonalCipher(bytes(32))
        self.connection = open_vault(self.cipher)
        self.tx = WriteTx(self.connection)
        self.at = NOW
        self._random = random.Random(7)
        BAND.found(self.tx, Founding("riverside", "Riverside Concert Band", SAM, {"owner_name": "Sam"}), self.now)

    def close(self) -> None:
        self.connection.close()

    @property
    def now(self) -> Moment:
        return Moment(timestamp_ms(self.at), self._random.randbytes)

    def user(self, name: str, *roles: str) -> str:
        """The id of a new verified user, reached at `name@riverside.example`."""
        email = f"{name.lower()}@riverside.example"
        user_id = users.add_user(self.tx, email=email, name=name, verified=True, now=self.now)
        for role in roles:
            users.grant_role(self.tx, user_id, role, assigned_by=None, now=self.now)
        return user_id

    def member(self, name: str, *roles: str, status: str = "ACTIVE", sections: Sequence[str] = (), user: bool = True,
               leads: bool = False) -> str:  # fmt: skip
        """The id of a new member called `name`, linked to a user with these roles unless `user` is False."""
        member_id = self.now.new_id()
        user_id = self.user(name, *roles) if user else None
        self.tx.insert("members", id=member_id, user_id=user_id, first_name=name, last_name="Player", status=status)
        for section in sections:
            self.tx.insert(
                "member_sections",
                id=self.now.new_id(),
                member_id=member_id,
                section_id=self.named("sections", section),
                is_leader=int(leads),
            )
        return member_id

    def named(self, table: str, name: str) -> str:
        """The id of the row of that name."""
        found: str = self.connection.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()[0]
        return found

    def as_person(self, name: str) -> Principal:
        """The verified holder of `name@riverside.example`, with what the contract views grant."""
        email = f"{name.lower()}@riverside.example"
        found = find_principal(self.tx, email, self.cipher.lookup(email), "")
        return found or Principal(None, "person", "", frozenset(), email, email)

    def call(self, verb_name: str, caller: str, /, **given: Any) -> Any:
        """Run a verb as a door does: permission, parameters, then one transaction. caller: '' is a guest."""
        principal = self.as_person(caller) if caller else guest("")
        verb = BAND.verb(verb_name)
        assert verb is not None, verb_name
        if verb.allow and not principal.may(*verb.allow):
            raise Forbidden(verb_name) if principal.email else NotAuthenticated(verb_name)
        args = parse_fields(given, verb.params)
        with self.transaction():
            return verb.run(self.tx, principal, args, self.now)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with constraint failures as the engine words them."""
        self.connection.execute("BEGIN")
        try:
            with constraints_translated():
                yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(sql, values).fetchall()]

    def value(self, sql: str, *values: Any) -> Any:
        return self.connection.execute(sql, values).fetchone()[0]
