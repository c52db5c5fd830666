"""A choir's vault in memory and callers to act in it, as the doors would build them. Knows the schema; not HTTP."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
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
from domain.charter import Founding
from domain.choir.charter import CHOIR

_MIGRATIONS = Path(__file__).parents[3] / "migrations"
START = "2026-02-05T10:00:00Z"


def open_vault(cipher: PersonalCipher) -> sqlite3.Connection:
    """An in-memory vault with every migration of the charter, under the pragmas the engine uses."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")
    register_functions(connection, cipher)
    for migration_set in CHOIR.sets:
        for path in sorted((_MIGRATIONS / migration_set).glob("*.sql")):
            connection.executescript(path.read_text())
    return connection


class Stage:
    """One vault, its clock, and shorthand for rows and callers."""

    def __init__(self) -> None:
        self.cipher = PersonalCipher(bytes(32))
        self.connection = open_vault(self.cipher)
        self.tx = WriteTx(self.connection)
        self.at = START
        self._random = random.Random(7)
        self._names = count(1)

    def close(self) -> None:
        self.connection.close()

    @property
    def now(self) -> Moment:
        return Moment(timestamp_ms(self.at), self._random.randbytes)

    def choir(self, slug: str = "aurora", *, owner: str = "liis@aurora.example", kind: str = "collective") -> str:
        """The id of a newly founded organization."""
        founding = Founding(slug, slug.capitalize(), owner, {"type": kind})
        return CHOIR.found(self.tx, founding, self.now)

    def singer(self, org: str, name: str = "", *, email: str | None = None, roles: Sequence[str] = ()) -> str:
        """The id of a member written straight into the tables; without an address roster-only."""
        member_id = self.now.new_id()
        self.tx.execute(
            "INSERT INTO members (id, name, email_id, email_id_lookup)"
            " VALUES (:id, :name, personal_seal('members.email_id', :email), personal_lookup(:email))",
            id=member_id,
            name=name or f"Singer {next(self._names)}",
            email=email,
        )
        self.join(org, member_id, roles)
        return member_id

    def join(self, org: str, member_id: str, roles: Sequence[str] = ()) -> None:
        self.tx.insert("member_organizations", member_id=member_id, org_id=org)
        for role in roles:
            self.tx.insert("member_roles", member_id=member_id, org_id=org, role=role)

    def entry(self, org: str, name: str, table: str = "sections") -> str:
        """The id of the organization's section or voice of that name."""
        sql = f"SELECT id FROM {table} WHERE org_id = ? AND name = ?"
        found: str = self.connection.execute(sql, (org, name)).fetchone()[0]
        return found

    def as_person(self, org: str, email: str) -> Principal:
        """The verified holder of the address, with what the contract views grant here."""
        found = find_principal(self.tx, email, self.cipher.lookup(email), org)
        return found or Principal(None, "person", org, frozenset(), email, email)

    def call(self, name: str, principal: Principal | str, /, org: str | None = None, **given: Any) -> Any:
        """Run a verb as a door does: permission, parameters, then one transaction.

        principal: an address needs `org`; '' is a guest there.
        """
        if isinstance(principal, str):
            assert org is not None
            principal = self.as_person(org, principal) if principal else guest(org)
        verb = CHOIR.verb(name)
        assert verb is not None, name
        if verb.allow and not principal.may(*verb.allow):
            raise Forbidden(name) if principal.email else NotAuthenticated(name)
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
