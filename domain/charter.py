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
from db.transaction import WriteTx

Args = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """A named operation with rules of its own, called as `run(tx, principal, args, now)`.

    name: `subject.action`. writes: gets a WriteTx and needs POST; else a ReadTx, by GET or POST.
    allow: permissions of which one is needed; () lets everybody in, the verb then judges by itself.
    params: the arguments and their rules; `run` gets them parsed, absent optional ones left out.
    summary: one sentence for the API description.
    """

    name: str
    run: Callable[[Any, Principal, Args, Moment], Any]
    writes: bool
    summary: str
    allow: tuple[str, ...] = ()
    params: Mapping[str, Field] = field(default_factory=dict[str, Field])


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
    """

    founding: Founding
    folder: Path
    files: tuple[DemoFile, ...]
    sign_ins: tuple[str, ...]
    register: Callable[[WriteTx, Principal, str, Moment], None]


@dataclass(frozen=True, slots=True)
class Charter:
    """The application a vault runs.

    sets: migration sets in order, the kernel first. roles: permissions of each role, for tokens that act as one.
    found: fills a new vault and returns the scope (organisation or branch id) of the founding slug.
    admission: the verb by which somebody who is nobody here yet comes in, with an invitation's `token`; or None.
    demo: the tenant to try it with, if it has one. jobs: what maintenance does in each of its vaults.
    buckets: files that belong to rows. manages_files: the permission to make further buckets by hand, and to use them.
    """

    name: str
    sets: tuple[str, ...]
    resources: tuple[Resource, ...]
    verbs: tuple[Verb, ...]
    roles: Mapping[str, frozenset[str]]
    found: Callable[[WriteTx, Founding, Moment], str]
    admission: str | None = None
    demo: Demo | None = None
    jobs: tuple[CharterJob, ...] = ()
    buckets: tuple[FileBucket, ...] = ()
    manages_files: str | None = None

    def resource(self, table: str) -> Resource | None:
        """The declaration for a table, or None when REST does not reach it."""
        return next((resource for resource in self.resources if resource.table == table), None)

    def verb(self, name: str) -> Verb | None:
        """The verb of that name, or None."""
        return next((verb for verb in self.verbs if verb.name == name), None)
