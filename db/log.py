"""The log of one vault: which objects there are, and which of them rebuild a state. Knows names; not SQLite."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from db.errors import CorruptLog, NotFound, StoreUnavailable
from db.ltx import TXID, LtxFile, LtxHeader, decode, object_name, parse_name, read_header
from db.stores.base import ObjectExists, ObjectMissing, ObjectStore, OutcomeUnknown

COMMIT_LEVEL = 0
RANGE_LEVEL = 1
SNAPSHOT_LEVEL = 9
PUT_ATTEMPTS = 4
LISTINGS = 3
NOTHING = TXID(0)
_FETCHERS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="log-fetch")


@dataclass(frozen=True, slots=True)
class LogObject:
    """One stored file of the log. modified_ms: time of its last commit, as the store keeps it."""

    key: str
    level: int
    min_txid: TXID
    max_txid: TXID
    size: int
    modified_ms: int


class CommitLog:
    """The objects of one vault in one store."""

    def __init__(self, store: ObjectStore, vault_id: str) -> None:
        self.vault_id = vault_id
        self._store = store

    def folder(self, level: int) -> str:
        """Key prefix of a level's objects."""
        return self._store.level_folder.format(vault=self.vault_id, level=level)

    def key(self, level: int, min_txid: TXID, max_txid: TXID) -> str:
        """Key of one object."""
        return self.folder(level) + object_name(min_txid, max_txid)

    def look(self, txid: TXID) -> bytes | None:
        """The commit's body, or None when nobody has made it yet.

        Fetching instead of asking for existence costs the same one call and spares a second one when it is there.
        """
        try:
            return self._store.get(self.key(COMMIT_LEVEL, txid, txid), op="commit:look")
        except ObjectMissing:
            return None

    def put_commit(self, txid: TXID, body: bytes, timestamp_ms: int) -> bytes | None:
        """Make the commit. None when it is ours now, else the body of the one who was first.

        An outcome that stays unknown is never guessed: the same put is sent again, and whoever is found under the
        name is compared with what was sent. Raises OutcomeUnknown when the store gives no definite answer in time,
        StoreUnavailable when it refused every attempt, so that none can have had an effect.
        """
        key = self.key(COMMIT_LEVEL, txid, txid)
        unknown: OutcomeUnknown | None = None
        for _ in range(PUT_ATTEMPTS):
            try:
                self._store.put(key, body, timestamp_ms=timestamp_ms, op="commit:put")
            except ObjectExists:
                found = self._winner(key)
                return None if found == body else found
            except OutcomeUnknown as exc:
                unknown = exc
            except StoreUnavailable:
                # Refused now; but an attempt before this one may have come through.
                if unknown is None:
                    raise
            else:
                return None
        raise unknown or AssertionError("no attempt was made")

    def _winner(self, key: str) -> bytes:
        """The body of the commit that is there. It may be our own, so failing to read it leaves the outcome open."""
        try:
            return self._store.get(key, op="commit:compare")
        except (ObjectMissing, StoreUnavailable) as exc:
            raise OutcomeUnknown(f"{key} is taken, and by whom could not be read: {exc.message}") from exc

    def holds(self, txid: TXID, node_id: int) -> bool:
        """Whether this commit, and no other of its number, is in the log; one that was pruned is not."""
        body = self.look(txid)
        return body is not None and read_header(body).node_id == node_id

    def put_file(self, level: int, header: LtxHeader, body: bytes) -> None:
        """Store a range or a snapshot; one that is there already says the same and stays."""
        key = self.key(level, header.min_txid, header.max_txid)
        step = "snapshot:put" if level == SNAPSHOT_LEVEL else "range:put"
        try:
            self._store.put(key, body, timestamp_ms=header.timestamp_ms, op=step)
        except ObjectExists:
            return

    def list_level(self, level: int, *, after: TXID | None = None) -> list[LogObject]:
        """The objects of a level by TXID; only those whose range begins after `after`, if given."""
        folder = self.folder(level)
        start = "" if after is None else folder + object_name(after, TXID(2**64 - 1))
        objects: list[LogObject] = []
        for stored in self._store.list(folder, after=start, op=f"list:{level}"):
            txids = parse_name(stored.key.removeprefix(folder))
            if txids is not None:
                objects.append(LogObject(stored.key, level, *txids, stored.size, stored.modified_ms))
        return objects

    def list_all(self) -> list[LogObject]:
        """Every object of the vault; the levels are listed at the same time."""
        levels = (SNAPSHOT_LEVEL, RANGE_LEVEL, COMMIT_LEVEL)
        return [found for listed in _FETCHERS.map(self.list_level, levels) for found in listed]

    def chain(self, *, base: TXID = NOTHING, upto: TXID | None = None) -> list[LogObject]:
        """`restore_chain` over a fresh listing; a gap counts only when listings agree on it.

        A folder or a bucket that is written to while it is listed may show a later commit and lack an earlier one.
        """
        for _ in range(LISTINGS - 1):
            with suppress(CorruptLog):
                return restore_chain(self.list_all(), base=base, upto=upto)
        return restore_chain(self.list_all(), base=base, upto=upto)

    def restore_files(self, *, base: TXID = NOTHING, upto: TXID | None = None) -> list[LtxFile]:
        """The files of `chain`, decoded; it is chosen anew when one of them was pruned before it was fetched."""
        for _ in range(LISTINGS - 1):
            with suppress(ObjectMissing):
                return list(self.fetch(self.chain(base=base, upto=upto)))
        return list(self.fetch(self.chain(base=base, upto=upto)))

    def fetch(self, objects: Sequence[LogObject]) -> Iterable[LtxFile]:
        """The decoded files in the given order, fetched at the same time. Raises CorruptLog naming the object."""
        bodies = _FETCHERS.map(self._body, objects)
        for found, body in zip(objects, bodies, strict=True):
            yield decode_object(found.key, body)

    def txid_at(self, objects: Iterable[LogObject], time_ms: int) -> TXID:
        """The last commit at or before the time, by the timestamps inside the files (a store may round its own).

        Timestamps never fall as TXIDs rise, so a binary search reads few files. Raises NotFound (time_out_of_range)
        when the vault is younger or the time was pruned.
        """
        points = sorted({found.max_txid: found for found in objects}.values(), key=lambda found: found.max_txid)
        low, high = 0, len(points)
        while low < high:
            middle = (low + high) // 2
            body = self._store.get(points[middle].key, op="log:get")
            low, high = (middle + 1, high) if read_header(body).timestamp_ms <= time_ms else (low, middle)
        if low == 0:
            raise NotFound("the log holds no commit at or before that time", code="time_out_of_range")
        return points[low - 1].max_txid

    def _body(self, found: LogObject) -> bytes:
        return self._store.get(found.key, op="log:get")

    def delete(self, objects: Sequence[LogObject]) -> None:
        """Remove objects that no restore within the retention needs."""
        if objects:
            self._store.delete([found.key for found in objects], op="prune:delete")


def decode_object(key: str, body: bytes) -> LtxFile:
    """The file, checked, also against its name. Raises CorruptLog that names the object."""
    try:
        file = decode(body)
    except CorruptLog as exc:
        raise CorruptLog(f"{key}: {exc.message}") from exc
    name = object_name(file.header.min_txid, file.header.max_txid)
    if not key.endswith(name):
        raise CorruptLog(f"{key}: holds what belongs into {name}")
    return file


def restore_chain(objects: Iterable[LogObject], *, base: TXID = NOTHING, upto: TXID | None = None) -> list[LogObject]:
    """The fewest objects that lead from the state at `base` (0: nothing) to `upto` (None: the newest).

    A newer snapshot replaces the base. Raises NotFound when the log is empty or does not reach or cannot stop at
    `upto`, CorruptLog when a commit is missing in between.
    """
    objects = list(objects)
    usable = [found for found in objects if upto is None or found.max_txid <= upto]
    snapshots = [found for found in usable if found.level == SNAPSHOT_LEVEL and found.max_txid > base]
    chain = [max(snapshots, key=lambda found: found.max_txid)] if snapshots else []
    reached = chain[0].max_txid if chain else base
    steps = sorted((found for found in usable if found.level != SNAPSHOT_LEVEL), key=lambda found: found.min_txid)
    head = max((found.max_txid for found in steps), default=reached)
    position = 0
    while reached < head:
        best: LogObject | None = None
        while position < len(steps) and steps[position].min_txid <= reached + 1:
            if best is None or steps[position].max_txid > best.max_txid:
                best = steps[position]
            position += 1
        if best is None or best.max_txid <= reached:
            if best is not None:
                continue
            raise CorruptLog(f"the log lacks commit {reached + 1:016x}; later ones exist up to {head:016x}")
        chain.append(best)
        reached = best.max_txid
    if upto is not None and reached != upto:
        oldest = min((found.max_txid for found in objects if found.min_txid == 1), default=NOTHING)
        nearest = f"the nearest before it is {reached:016x}" if reached else f"the oldest kept is {oldest:016x}"
        raise NotFound(
            f"no point {upto:016x} in the log; {nearest}",
            hint="older commits are kept as ranges; choose the end of a range",
        )
    if not chain and base == 0:
        raise NotFound("the vault has no log", code="vault_not_found")
    return chain
