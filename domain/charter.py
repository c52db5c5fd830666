"""What a charter is: an application declared as data plus verbs. Knows the engine's words; no charter by name."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.clock import Moment
from db.fields import Field
from db.files.declared import FileBucket
from db.forgetting.declared import People
from db.principal import Principal
from db.resources import Resource
from db.schema.migrate import FOLDER, MigrationSet, load_set
from db.schema.schema import Schema
from db.transaction import ReadTx, WriteTx

Args = Mapping[str, Any]
# What every vault has, whatever it runs.
KERNEL = "kernel"


@dataclass(frozen=True, slots=True)
class Verb:
    """A named operation with rules of its own, called as `run(tx, principal, args, now)`.

    name: `subject.action`. writes: gets a WriteTx and needs POST; else a ReadTx, by GET or POST.
    allow: permissions of which one is needed; () lets everybody in, the verb then judges by itself.
    params: the arguments and their rules; `run` gets them parsed, absent optional ones left out.
    summary: one sentence for the API description.
    rows: the table of which the result is a row or rows, each with every column that clients can see, as REST gives
    it; it may have more. What belongs to them can be embedded then. None where the result is of another kind.
    slug: the argument that is an address on the platform. One that writes runs while the address is held for its vault,
    to which it leads afterwards; one that reads gets `availability` besides: available, reserved or taken.
    throttled: anybody may write by it, so calls are counted by network and by vault.
    link: the field of its rows that is a path below the vault's address; `link` beside it is the whole address.
    ends_scope: it may end the organisation or branch in effect, whose address others can have 30 days later.
    """

    name: str
    run: Callable[[Any, Principal, Args, Moment], Any]
    writes: bool
    summary: str
    allow: tuple[str, ...] = ()
    params: Mapping[str, Field] = field(default_factory=dict[str, Field])
    rows: str | None = None
    slug: str | None = None
    throttled: bool = False
    link: str | None = None
    ends_scope: bool = False


@dataclass(frozen=True, slots=True)
class PublicList:
    """A verb whose rows anybody may read together with those of every other vault of the charter.

    verb: one that only reads, without arguments; it is called as a guest outside of every organisation or branch, and
    its rows have an `id`. order: the fields they are sorted by over all vaults, ignoring case. slug: the field that is
    an address; a row is shown while that leads into its vault. form: rises when the same content gives other rows.
    Triggers of the charter change the mark of `vaultry_publication` whenever the rows change.
    """

    verb: str
    order: tuple[str, ...]
    slug: str
    form: int = 1


@dataclass(frozen=True, slots=True)
class RowImport:
    """A file of rows that the charter knows how to bring in, all of it or nothing.

    name: of the import. columns: of the file, and their rules. allow: permissions of which one is needed.
    key: what tells two rows of one file apart. begin: run once in the transaction, as `begin(tx, principal, now)`; what
    it returns brings in one row, whose columns are parsed and empty ones left out, and says whether it was added: False
    for one that is there already, which stays as it is. It raises for a row that it refuses.
    summary: one sentence that says what a row is and what becomes of one that is there.
    """

    name: str
    columns: Mapping[str, Field]
    allow: tuple[str, ...]
    key: Callable[[Args], str]
    begin: Callable[[WriteTx, Principal, Moment], Callable[[Args], bool]]
    summary: str


@dataclass(frozen=True, slots=True)
class CharterJob:
    """Upkeep of a vault by the charter's own rules: what it keeps and for how long, figures, checks.

    name: `subject.action`. every_s: seconds between two runs. work: run in one transaction as `work(tx, now)`; how many
    rows it changed or found. It may run again at any time: a second run right after the first does nothing.
    summary: one sentence for operators.
    """

    name: str
    every_s: int
    work: Callable[[WriteTx, Moment], int]
    summary: str


@dataclass(frozen=True, slots=True)
class CharterCount:
    """Figures of a vault by the charter's own rules, or a check: it reads, and changes nothing.

    name, every_s, summary: as of a job. count: whole numbers by name, as `count(tx, now)`; nothing personal.
    by_day: the registry keeps the figures of each calendar day, UTC.
    """

    name: str
    every_s: int
    count: Callable[[ReadTx, Moment], Mapping[str, int]]
    summary: str
    by_day: bool = False


@dataclass(frozen=True, slots=True)
class Founding:
    """What provisioning a tenant knows. owner_email: normalised; becomes the first principal with every owner right."""

    slug: str
    name: str
    owner_email: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Registration:
    """How anybody opens a tenant of the charter's where the platform lets them.

    verb: the name it goes by. params: the arguments and their rules. slug: the one that is to be the address.
    founding: what the parsed arguments come to; its `owner_email` is proven before anything is made.
    """

    verb: str
    params: Mapping[str, Field]
    slug: str
    founding: Callable[[Args], Founding]


@dataclass(frozen=True, slots=True)
class DemoFile:
    """One CSV file of the demo tenant. target: a table (rows go in as over REST) or a verb (a row is its arguments)."""

    target: str
    file: str


@dataclass(frozen=True, slots=True)
class Demo:
    """The tenant to try a charter with.

    founding: how it is provisioned. folder: where the files are. files: in loading order, loaded as the owner.
    sign_ins: addresses in the files whose people are to be registered, so that one can sign in as any of them.
    register: (tx, owner, email, now) registers one of them through the charter's own rules.
    play: (tx, owner, now) adds what happened so far, after everybody is registered; in one transaction.
    """

    founding: Founding
    folder: Path
    files: tuple[DemoFile, ...]
    sign_ins: tuple[str, ...]
    register: Callable[[WriteTx, Principal, str, Moment], None]
    play: Callable[[WriteTx, Principal, Moment], None] | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a vault takes note of people who sign in. email: normalised and proven. name: as they call themselves.

    expects: whether there is anything to do for this address, as `expects(tx, email)`. enter: does it, as
    `enter(tx, email, name, now)`; twice is once. It raises Forbidden for somebody who may not come in.
    """

    expects: Callable[[ReadTx, str], bool]
    enter: Callable[[WriteTx, str, str | None, Moment], None]


@dataclass(frozen=True, slots=True)
class OwnSchema:
    """What a vault says itself of the tables that its owner brought. Asked in the transaction it is to hold in.

    roles: as of a charter. resources: of the tables there are; the same objects as long as nothing changed.
    words: that policies have for what the server can fill in.
    """

    roles: Callable[[ReadTx], Mapping[str, frozenset[str]]]
    resources: Callable[[ReadTx, Schema], tuple[Resource, ...]]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Charter:
    """The application a vault runs.

    sets: migration sets in order, the kernel first. migrations: the folder its own sets are in; None = with the others.
    roles: permissions of each role, for tokens that act as one.
    found: fills a new vault and returns the scope (organisation or branch id) of the founding slug.
    admission: the verb by which somebody who is nobody here yet comes in, with an invitation's `token`; or None.
    invitation: the verb that says what such a token invites to, to whoever has it: `name` and `organization`.
    named: `named(tx, principal_id, name)` calls somebody who signed in as an outside provider does, where the charter's
    rules let it; whether it did. None = names are the vault's own.
    demo: the tenant to try it with, if it has one. jobs: what maintenance does in each of its vaults.
    buckets: files that belong to rows. manages_files: the permission to make further buckets by hand, and to use them.
    public: what anybody may read of all vaults together. scope_of: the organisation or branch of a vault that has this
    address, or None; every charter with a verb that writes an address has it. has_scope: whether an organisation or
    branch is there; every charter with a verb that ends one has it. imports: files it can be filled from.
    registration: how anybody opens a tenant; None = operators alone do.
    own_schema: of a charter without resources, whose vaults belong to whoever brings the tables.
    people: whom its rows are about, and how one person is forgotten. unaudited: `table` or `table.column` whose changes
    leave no row in the audit log. audit_years: how long rows of the audit log are kept; None = for good.
    arrival: what the vault does when somebody has proved an address by signing in; None = nothing.
    """

    name: str
    sets: tuple[str, ...]
    resources: tuple[Resource, ...]
    verbs: tuple[Verb, ...]
    roles: Mapping[str, frozenset[str]]
    found: Callable[[WriteTx, Founding, Moment], str]
    admission: str | None = None
    invitation: str | None = None
    named: Callable[[WriteTx, str, str], bool] | None = None
    demo: Demo | None = None
    jobs: tuple[CharterJob | CharterCount, ...] = ()
    buckets: tuple[FileBucket, ...] = ()
    manages_files: str | None = None
    migrations: Path | None = None
    public: tuple[PublicList, ...] = ()
    scope_of: Callable[[ReadTx, str], str | None] | None = None
    has_scope: Callable[[ReadTx, str], bool] | None = None
    registration: Registration | None = None
    imports: tuple[RowImport, ...] = ()
    own_schema: OwnSchema | None = None
    people: People | None = None
    unaudited: frozenset[str] = frozenset()
    audit_years: int | None = None
    arrival: Arrival | None = None

    @property
    def migration_sets(self) -> tuple[MigrationSet, ...]:
        """The steps of every set. Raises MigrationFailed for a set that is not there."""
        return tuple(load_set(name, FOLDER if name == KERNEL else self.migrations or FOLDER) for name in self.sets)

    def roles_at(self, tx: ReadTx) -> Mapping[str, frozenset[str]]:
        """Permissions of each role in the vault of the transaction."""
        return self.roles if self.own_schema is None else self.own_schema.roles(tx)

    def resources_at(self, tx: ReadTx, schema: Schema) -> tuple[Resource, ...]:
        """The tables that REST reaches in the vault of the transaction, which has this schema."""
        return self.resources if self.own_schema is None else self.own_schema.resources(tx, schema)

    def resource(self, table: str) -> Resource | None:
        """The declaration for a table, or None when REST does not reach it."""
        return next((resource for resource in self.resources if resource.table == table), None)

    def verb(self, name: str) -> Verb | None:
        """The verb of that name, or None."""
        return next((verb for verb in self.verbs if verb.name == name), None)

    def roles_hint(self, permissions: Collection[str], tx: ReadTx | None = None) -> str | None:
        """Which roles have one of the permissions, in words for whoever lacks them; None where no role has.

        tx: of a vault that may have roles of its own.
        """
        roles = self.roles if tx is None else self.roles_at(tx)
        found = [role for role, held in roles.items() if not held.isdisjoint(permissions)]
        return f"roles that have it: {', '.join(found)}" if found else None
