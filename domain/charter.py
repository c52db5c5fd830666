"""What a charter is: an application declared as data plus verbs. Knows the engine's words; no charter by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db.clock import Moment
from db.fields import Field
from db.files.declared import FileBucket
from db.principal import Principal
from db.resources import Resource
from db.schema.migrate import FOLDER, MigrationSet, load_set
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
class Charter:
    """The application a vault runs.

    sets: migration sets in order, the kernel first. migrations: the folder its own sets are in; None = with the others.
    roles: permissions of each role, for tokens that act as one.
    found: fills a new vault and returns the scope (organisation or branch id) of the founding slug.
    admission: the verb by which somebody who is nobody here yet comes in, with an invitation's `token`; or None.
    demo: the tenant to try it with, if it has one. jobs: what maintenance does in each of its vaults.
    buckets: files that belong to rows. manages_files: the permission to make further buckets by hand, and to use them.
    public: what anybody may read of all vaults together. scope_of: the organisation or branch of a vault that has this
    address, or None; every charter with a verb that writes an address has it. imports: files it can be filled from.
    """

    name: str
    sets: tuple[str, ...]
    resources: tuple[Resource, ...]
    verbs: tuple[Verb, ...]
    roles: Mapping[str, frozenset[str]]
    found: Callable[[WriteTx, Founding, Moment], str]
    admission: str | None = None
    demo: Demo | None = None
    jobs: tuple[CharterJob | CharterCount, ...] = ()
    buckets: tuple[FileBucket, ...] = ()
    manages_files: str | None = None
    migrations: Path | None = None
    public: tuple[PublicList, ...] = ()
    scope_of: Callable[[ReadTx, str], str | None] | None = None
    imports: tuple[RowImport, ...] = ()

    @property
    def migration_sets(self) -> tuple[MigrationSet, ...]:
        """The steps of every set. Raises MigrationFailed for a set that is not there."""
        return tuple(load_set(name, FOLDER if name == KERNEL else self.migrations or FOLDER) for name in self.sets)

    def resource(self, table: str) -> Resource | None:
        """The declaration for a table, or None when REST does not reach it."""
        return next((resource for resource in self.resources if resource.table == table), None)

    def verb(self, name: str) -> Verb | None:
        """The verb of that name, or None."""
        return next((verb for verb in self.verbs if verb.name == name), None)
