"""What every door of one process shares: settings, registry, open vaults, charters. Knows no route and no rule."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from db.clock import Moment, system_moment
from db.errors import CommitUnknown, Conflict, NotFound, RateLimited, VaultError
from db.forgetting.declared import Subject
from db.forgetting.ledger import untold
from db.keyring import KeyRing
from db.memory_limit import limit_memory
from db.outbox import next_delivery
from db.personal import REDACTED_COLUMNS as PERSONAL_KEYS
from db.publication import publication_mark
from db.registry.directory import VaultEntry, find_slug, require_active
from db.registry.maintenance_runs import ask_for_run, is_asked_for
from db.registry.refusal import REDACTED_COLUMNS, UNAUDITED
from db.registry.request_counts import add_requests
from db.registry.signing_keys import VerificationKeys, rotate_signing_keys, verification_keys
from db.registry.verified_tokens import VerifiedTokens
from db.schema.migrate import load_set
from db.schema.schema import Schema, read_schema
from db.stores import open_store
from db.stores.base import ObjectStore
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.cache_discard import discard_copies
from db.vault.opening import Kind, Site, create_vault, open_vault
from db.vault.pool import VaultPool
from db.vault.vault import FIRST_UNCONSTRAINED, Answer, Freshness, Vault, VaultOptions
from domain.charter import Charter
from domain.charters import CHARTERS, declare_charter
from handlers.d1.at_once import CallsAtOnce
from handlers.http.kept_answers import KeptAnswers
from handlers.http.read_throttle import ReadThrottle
from handlers.http.request_counter import RequestCounter
from handlers.settings import Settings

if TYPE_CHECKING:
    from handlers.d1.access import Access
    from handlers.d1.jobs import DatabaseJobs
    from handlers.upkeep.mail import MailSender

T = TypeVar("T")
REGISTRY_ID = "registry"
# Between two looks at the registry's log its local copy answers: so long a suspension, a revoked token or a new name
# may take to reach another process.
REGISTRY_LOOK_MS = 2_000
ENTRIES_KEPT = 1_000
# Looks at the registry's log, in a minute, for API tokens that its local copy does not know: made-up ones must not
# cost a call to the store each. Beyond them a token counts when the copy has it.
TOKEN_LOOKS = 60
# Source: the published keys are cacheable for longer; an unknown key id is looked up at once.
KEYS_MS = 300_000
_SYSTEM = Actor("system", "system", "", "registry.begin")
_DELIVERY = Actor("system", "system", "", "outbox.ask")
_COUNTING = Actor("system", "system", "", "requests.count")


class Services:
    """The state of one process. clock: the moment now. freezes: it stands still between requests, as on Lambda."""

    def __init__(
        self,
        settings: Settings,
        *,
        readers: int = 1,
        clock: Callable[[], Moment] = system_moment,
        freezes: bool = False,
    ) -> None:
        self.settings = settings
        self.freezes = freezes
        self.clock = clock
        for further in settings.further_charters:
            declare_charter(*further)
        self.keyring = KeyRing(settings.secret)
        options = VaultOptions(readers=readers, commit_attempts=settings.commit_attempts)
        endpoint = settings.s3_endpoint or None
        store = open_store(settings.store_address, endpoint=endpoint, timeout_s=settings.put_timeout_ms / 1000)
        self.site = Site(store, settings.cache, self.keyring, options, clock)
        self.pool = VaultPool(settings.cache_vaults, settings.cache_bytes, self._discard_copies)
        self.verified = VerifiedTokens(settings.issuer)
        self.requests = RequestCounter(clock().ms)
        self._asides = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aside")
        self._lock = threading.Lock()
        self._registry: Vault | None = None
        self._looked_ms = 0
        self._keys: tuple[int, VerificationKeys] = (0, {})
        self._schemas: dict[str, tuple[tuple[int, int], Schema]] = {}
        # By slug, with the bookmark of the registry at which it was read.
        self._entries: dict[str, tuple[str, VaultEntry]] = {}
        # Accesses by SQL: by account, database and digest of the token, with the bookmark of the registry as above.
        self.entered: dict[tuple[str, str, str], tuple[str, Access]] = {}
        # Hashes of vault and statements.
        self.sql_that_wrote: set[int] = set()
        # The mark of each vault whose public lines this process knows to be published.
        self._published: dict[str, str] = {}
        self.public_reads = ReadThrottle(settings.public_reads)
        self.public_pages = KeptAnswers()
        self._token_looks = ReadThrottle(TOKEN_LOOKS)
        self.sql_calls = CallsAtOnce()
        limit_memory(settings.sql_memory_bytes)

    def close(self) -> None:
        """Tell what was counted and close every vault; nobody may be at work any more."""
        if "database_jobs" in self.__dict__:
            self.database_jobs.stop()
        self._asides.shutdown()
        if self._registry is not None:
            self.tell_requests(self.requests.take(self.clock().ms))
        self.pool.close_all()
        with self._lock:
            if self._registry is not None:
                self._registry.close()
                self._registry = None

    @cached_property
    def anchor_store(self) -> ObjectStore:
        """Where the daily anchors of the audit chains go: a store of their own if the settings name one."""
        address = self.settings.anchors_address
        patience_s = self.settings.put_timeout_ms / 1000
        return open_store(address, timeout_s=patience_s) if address else self.site.store

    @cached_property
    def sender(self) -> "MailSender":
        """The way out for mail. Loaded when the first mail is due: most processes never send one."""
        from handlers.upkeep.mail import mail_sender

        return mail_sender(self.settings.mail, self.settings.mail_from)

    @cached_property
    def database_jobs(self) -> "DatabaseJobs":
        """The imports and exports this process works on. Loaded when the first is asked for."""
        from handlers.d1.jobs import DatabaseJobs  # as `sender`

        return DatabaseJobs(self)

    @property
    def registry(self) -> Vault:
        """The registry, opened on first use, and made on the very first."""
        with self._lock:
            if self._registry is None:
                now_ms = self.clock().ms
                self._registry = self._open_registry()
                self._looked_ms = now_ms
            return self._registry

    def registry_read(self, work: Callable[[ReadTx], T], *, current: bool = False, since: int | None = None) -> T:
        """What `work` returns from the registry, at most 2 s old unless `current`.

        since: as in `Freshness`, when there is a look.
        """
        return self.registry_answer(work, current=current, since=since).value

    def registry_answer(
        self, work: Callable[[ReadTx], T], *, current: bool = False, since: int | None = None
    ) -> Answer[T]:
        """As `registry_read`, with the bookmark it was read at."""
        registry, now_ms = self.registry, self.clock().ms
        look = current or now_ms - self._looked_ms >= REGISTRY_LOOK_MS
        answer = registry.read(work, Freshness(look, since=since))
        if look:
            self._looked_ms = now_ms
        return answer

    def may_look_again(self, now_ms: int) -> bool:
        """Whether the registry may be looked at for a token that its copy does not know; the look is counted."""
        try:
            self._token_looks.take("", now_ms)
        except RateLimited:
            return False
        return True

    def registry_write(self, work: Callable[[WriteTx], T], actor: Actor, now: Moment, since: int | None = None) -> T:
        """What `work` returned in a durable commit of the registry. since: as in `Vault.write`."""
        return self.registry.write(work, actor, now, since).value

    def aside(self, work: Callable[[], None]) -> "Future[None]":
        """Begin a work that the request needs not wait for until it is answered."""
        return self._asides.submit(work)

    def entry(self, slug: str) -> VaultEntry:
        """The active vault a request's slug leads to; it is counted. Raises NotFound, Gone (deleted), Forbidden."""
        entry = self.known_entry(slug)
        if entry is None:
            found = self.registry_answer(lambda tx: find_slug(tx, slug))
            if found.value is None:
                found = self.registry_answer(lambda tx: find_slug(tx, slug), current=True)
            entry = require_active(found.value)
            if len(self._entries) >= ENTRIES_KEPT:
                self._entries.clear()
            self._entries[slug] = (found.bookmark, entry)
        self.requests.add(entry.id)
        return entry

    def known_entry(self, slug: str) -> VaultEntry | None:
        """The active vault of a slug that was looked up before, while the registry stands where it stood then.

        None also when it is time for a look at the registry's log. It is not counted.
        """
        bookmark, entry = self._entries.get(slug, ("", None))
        return entry if entry is not None and bookmark == self.held_bookmark() else None

    def held_bookmark(self) -> str | None:
        """Where the registry stands in this process; None when it is time for a look at its log."""
        registry = self._registry
        if registry is None or self.clock().ms - self._looked_ms >= REGISTRY_LOOK_MS:
            return None
        return registry.bookmark

    def tell_requests(self, counts: Counter[str]) -> None:
        """Add counted requests to the registry's totals; those it cannot take now wait."""
        if not counts:
            return
        try:
            self.registry_write(lambda tx: add_requests(tx, counts), _COUNTING, self.clock())
        except CommitUnknown:
            # Told twice would be worse than lost.
            return
        except (VaultError, sqlite3.Error):
            self.requests.put_back(counts)

    def charter(self, entry: VaultEntry) -> Charter:
        """The charter a vault runs. Raises VaultError (misconfigured) for one that this process was not told of."""
        if entry.charter not in CHARTERS:
            raise VaultError(
                f"this vault runs the charter {entry.charter!r}, which this process does not have",
                code="misconfigured",
                hint="VAULTRY_CHARTERS names charters that are not in the box",
            )
        return CHARTERS[entry.charter]

    def kind(self, charter: Charter) -> Kind:
        """Migration sets and redacted columns of vaults with this charter."""
        hidden = {f"{known.table}.{name}" for known in charter.resources for name in known.personal | known.redacted}
        values: Mapping[str, Subject] = {} if charter.people is None else charter.people.values
        return Kind(charter.migration_sets, frozenset(hidden) | PERSONAL_KEYS, charter.unaudited, values)

    @property
    def registry_kind(self) -> Kind:
        """Migration sets of the registry, and what its audit log does not show."""
        return Kind((load_set("kernel"), load_set("registry")), REDACTED_COLUMNS, UNAUDITED)

    @contextmanager
    def vault(self, entry: VaultEntry) -> Generator[Vault]:
        """The open vault for the length of a block; what is written in it may ask for effects outside."""
        with self.quiet_vault(entry) as vault:
            before = vault.head.txid
            try:
                yield vault
            except VaultError as error:
                error.bookmark = vault.bookmark
                raise
            if vault.head.txid > before:
                self._see_to_effects(vault, entry)
            # The first use of a vault makes good what a process that died may have left.
            elif vault.id not in self._published:
                self.publish(vault, entry)

    @contextmanager
    def quiet_vault(self, entry: VaultEntry) -> Generator[Vault]:
        """The open vault for the length of a block of maintenance, which looks after effects itself."""
        charter = self.charter(entry)
        with self.pool.use(entry.id, lambda: open_vault(self.site, entry.id, self.kind(charter))) as vault:
            yield vault

    def keys(self, wanted: str | None, since: int | None = None) -> VerificationKeys:
        """The trusted public keys, fetched again after five minutes, or two seconds for a key id that is not there.

        since: when they are fetched, a look that began after this `instant` will do. The two seconds keep made-up key
        ids from costing a call to the store each.
        """
        now_ms = self.clock().ms
        fetched_ms, keys = self._keys
        patience_ms = KEYS_MS if wanted is None or wanted in keys else REGISTRY_LOOK_MS
        if now_ms - fetched_ms >= patience_ms:
            keys = self.registry_read(verification_keys, current=True, since=since)
            self._keys = (now_ms, keys)
        return keys

    def held_keys(self, now_ms: int) -> VerificationKeys | None:
        """The trusted public keys, or None when it is time to fetch them."""
        fetched_ms, keys = self._keys
        return keys if now_ms - fetched_ms < KEYS_MS else None

    def schema(self, vault: Vault, tx: ReadTx) -> Schema:
        """The tables of the vault as the transaction sees them, kept while nothing can have changed them."""
        state = (vault.epoch, int(tx.value("PRAGMA schema_version")))
        known = self._schemas.get(vault.id)
        if known is None or known[0] != state:
            known = (state, read_schema(tx))
            self._schemas[vault.id] = known
        return known[1]

    def deliver(self, vault: Vault) -> None:
        """Deliver the mail that the vault's last commits asked for; the rest is left to maintenance."""
        from handlers.upkeep.delivery import deliver_outbox  # as `sender`

        deliver_outbox(vault, self.sender, self.clock())
        # The next round over all vaults finds the effects too.
        with suppress(VaultError, sqlite3.Error):
            self._ask_for_delivery(vault, vault.read(next_delivery, FIRST_UNCONSTRAINED).value)

    def publish(self, vault: Vault, entry: VaultEntry) -> None:
        """Bring what the vault lets anybody read into the registry, unless this process knows that it is there."""
        if not self.charter(entry).public:
            return
        # As with effects: what was written stands. Tried again after the next commit, by the next process or round, and
        # not by every read while the registry takes no writes.
        self._published.setdefault(vault.id, "")
        with suppress(VaultError, sqlite3.Error):
            self._publish(vault, entry, vault.read(publication_mark, FIRST_UNCONSTRAINED).value)

    def _publish(self, vault: Vault, entry: VaultEntry, marked: str | None) -> None:
        mark = marked or ""
        if mark != self._published.get(vault.id):
            from handlers.public.publishing import publish_if_changed  # here: most requests change nothing public

            publish_if_changed(self, vault, entry)
            self._published[vault.id] = mark

    def _see_to_effects(self, vault: Vault, entry: VaultEntry) -> None:
        """After a commit: have done outside the vault what it asks for there. Maintenance makes good what fails.

        One look at the vault for all of it, since most commits ask for nothing: three take 60 us more.
        """
        charter = self.charter(entry)

        def asked(tx: ReadTx) -> tuple[str | None, bool, str | None]:
            forgotten = charter.people is not None and bool(untold(tx))
            return next_delivery(tx), forgotten, publication_mark(tx) if charter.public else None

        self._published.setdefault(vault.id, "")
        with suppress(VaultError, sqlite3.Error):
            waiting, forgotten, mark = vault.read(asked, FIRST_UNCONSTRAINED).value
            # What was written is durable, whatever becomes of each of these.
            with suppress(VaultError, sqlite3.Error):
                self._ask_for_delivery(vault, waiting)
            if forgotten:
                with suppress(VaultError, sqlite3.Error):
                    self._tell_forgotten(vault)
            if charter.public:
                self._publish(vault, entry, mark)

    def _tell_forgotten(self, vault: Vault) -> None:
        """Have the register outside the vault know who was forgotten in it."""
        from handlers.tenant.forgetting import tell_register  # here: it happens a few times in a year

        tell_register(self, vault)

    def _discard_copies(self, vault_id: str) -> None:
        discard_copies(self.site.cache, vault_id)

    def _ask_for_delivery(self, vault: Vault, waiting: str | None) -> None:
        """Have maintenance look at the vault's outbox when something waits in it: it may be closed by then.

        waiting: when the first of it is due.
        """
        if waiting is None:
            return
        now = self.clock()
        at = max(waiting, now.later(seconds=1))
        if not self.registry_read(lambda tx: is_asked_for(tx, vault.id, "outbox", at)):
            self.registry_write(lambda tx: ask_for_run(tx, vault.id, "outbox", at), _DELIVERY, now)

    def _open_registry(self) -> Vault:
        try:
            return open_vault(self.site, REGISTRY_ID, self.registry_kind)
        except NotFound:
            pass
        try:
            registry = create_vault(self.site, REGISTRY_ID, self.registry_kind)
        except Conflict:
            # Another process was first, and sees to the keys.
            return open_vault(self.site, REGISTRY_ID, self.registry_kind)
        now = self.clock()
        algorithm = self.settings.signing_algorithm
        registry.write(lambda tx: rotate_signing_keys(tx, self.keyring, now, algorithm), _SYSTEM, now)
        return registry
