"""The log of one vault: which objects there are, and which of them rebuild a state. Knows names; not SQLite."""

import random
import time
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

from db.errors import CorruptLog, NotFound, StoreUnavailable
from db.log.fetch import FETCHERS, PART_BYTES, fetch_each
from db.log.ltx import TXID, LtxFile, LtxHeader, decode, object_name, parse_name, read_header
from db.log.ltx_stream import LtxReader
from db.stores.base import ObjectExists, ObjectMissing, ObjectStore, OutcomeUnknown

COMMIT_LEVEL = 0
RANGE_LEVEL = 1
SNAPSHOT_LEVEL = 9
PUT_ATTEMPTS = 4
# Before the second attempt, at most; four times as long before each further one.
PUT_PAUSE_S = 0.02
LISTINGS = 3
NOTHING = TXID(0)
# What a look fetches at most; a commit that is as long or longer is fetched by `open_each`.
LOOK_BYTES = PART_BYTES
_HEADER_BYTES = 256


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
        """The commit's body, the first LOOK_BYTES of a longer one, or None when nobody has made it yet.

        Fetching instead of asking for existence costs the same one call and spares a second one when it is there.
        """
        try:
            return self._store.get(self.key(COMMIT_LEVEL, txid, txid), op="commit:look", limit=LOOK_BYTES)
        except ObjectMissing:
            return None

    def look_beside(self, txid: TXID) -> "Future[bytes | None]":
        """`look`, begun: it goes on beside what is asked of the store next."""
        return FETCHERS.submit(self.look, txid)

    def put_commit(self, txid: TXID, body: bytes | Path, timestamp_ms: int) -> bytes | None:
        """Make the commit. None when it is ours now, else what `look` gives of the one who was first.

        An outcome that stays unknown is never guessed: the same put is sent again, and whoever is found under the
        name is compared with what was sent. Raises OutcomeUnknown when the store gives no definite answer in time,
        StoreUnavailable when it refused every attempt, so that none can have had an effect.
        """
        key = self.key(COMMIT_LEVEL, txid, txid)
        unknown: OutcomeUnknown | None = None
        for attempt in range(PUT_ATTEMPTS):
            if attempt:
                # A store that asks to be asked less often is; not all writers come back at the same moment.
                time.sleep(random.uniform(0.5, 1) * PUT_PAUSE_S * 4 ** (attempt - 1))  # noqa: S311 - no secret
            try:
                return self._put_once(key, body, timestamp_ms)
            except OutcomeUnknown as exc:
                unknown = exc
            except StoreUnavailable:
                # Refused now; but an attempt before this one may have come through.
                if unknown is None:
                    raise
        try:
            return self._rival(key, body)
        except OutcomeUnknown as exc:
            # Not there, or not to be read: the put may still be on its way.
            raise unknown or exc from None

    def _put_once(self, key: str, body: bytes | Path, timestamp_ms: int) -> bytes | None:
        try:
            self._store.put(key, body, timestamp_ms=timestamp_ms, op="commit:put")
        except ObjectExists:
            return self._rival(key, body)
        return None

    def _rival(self, key: str, body: bytes | Path) -> bytes | None:
        """None when the commit that is there is ours. Raises OutcomeUnknown when it could not be read in full."""
        ours = _beginning(body)
        try:
            found = self._store.get(key, op="commit:compare", limit=LOOK_BYTES)
            if found == ours:
                return None
            if read_header(found).node_id != read_header(ours).node_id:
                return found
        except (ObjectMissing, StoreUnavailable, CorruptLog) as exc:
            raise OutcomeUnknown(f"whose commit {key} is could not be read: {exc.message}") from exc
        raise OutcomeUnknown(f"{key} is our commit, but not as it was sent")

    def holds(self, txid: TXID, node_id: int) -> bool:
        """Whether this commit, and no other of its number, is in the log; one that was pruned is not."""
        body = self.look(txid)
        return body is not None and read_header(body).node_id == node_id

    def put_file(self, level: int, header: LtxHeader, body: bytes | Path) -> None:
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
        return [found for listed in FETCHERS.map(self.list_level, levels) for found in listed]

    def chain(self, *, base: TXID = NOTHING, upto: TXID | None = None) -> list[LogObject]:
        """`restore_chain` over a fresh listing; a gap counts only when listings agree on it.

        A folder or a bucket that is written to while it is listed may show a later commit and lack an earlier one.
        """
        for _ in range(LISTINGS - 1):
            with suppress(CorruptLog):
                return restore_chain(self.list_all(), base=base, upto=upto)
        return restore_chain(self.list_all(), base=base, upto=upto)

    def open_each(self, objects: Sequence[LogObject]) -> Generator[LtxReader]:
        """The objects in the given order, fetched at the same time, a few megabytes of them in memory at once.

        The pages of each must be read to their end before the next. Raises CorruptLog naming the object, and the
        readers' `pages` do.
        """
        with closing(fetch_each(self._store, [(found.key, found.size) for found in objects])) as contents:
            for found, chunks in zip(objects, contents, strict=True):
                reader = LtxReader(chunks, found.size, found.key)
                _check_name(found.key, reader.header)
                yield reader

    def save_each(self, objects: Sequence[LogObject], folder: Path) -> list[Path]:
        """The objects as files in the folder, in the given order, every one checked. Raises as `open_each`."""
        saved: list[Path] = []
        with closing(fetch_each(self._store, [(found.key, found.size) for found in objects])) as contents:
            for found, chunks in zip(objects, contents, strict=True):
                saved.append(folder / f"{len(saved)}.ltx")
                with saved[-1].open("wb", buffering=0) as file:
                    reader = LtxReader(_kept(chunks, file), found.size, found.key)
                    _check_name(found.key, reader.header)
                    for _ in reader.pages():
                        pass
        return saved

    def fetch(self, objects: Sequence[LogObject]) -> Iterable[LtxFile]:
        """The decoded files in the given order: for commits of ordinary size. Raises as `open_each`."""
        return (LtxFile(reader.header, dict(reader.pages())) for reader in self.open_each(objects))

    def check(self, found: LogObject) -> None:
        """Read one object through, two megabytes of it in memory. Raises ObjectMissing, CorruptLog naming it."""
        with closing(fetch_each(self._store, [(found.key, found.size)], 2 * PART_BYTES)) as contents:
            reader = LtxReader(next(contents), found.size, found.key)
            _check_name(found.key, reader.header)
            for _ in reader.pages():
                pass

    def header(self, found: LogObject) -> LtxHeader:
        """The header of one object, of which no more than that is fetched. Raises ObjectMissing, CorruptLog."""
        body = self._store.get(found.key, op="log:get", limit=_HEADER_BYTES)
        try:
            header = read_header(body)
        except CorruptLog as exc:
            raise CorruptLog(f"{found.key}: {exc.message}", details=exc.details) from exc
        _check_name(found.key, header)
        return header

    def txid_at(self, objects: Iterable[LogObject], time_ms: int) -> TXID:
        """The last commit at or before the time, by the timestamps inside the files (a store may round its own).

        Timestamps never fall as TXIDs rise, so a binary search reads few files. Raises NotFound (time_out_of_range)
        when the vault is younger or the time was pruned.
        """
        points = sorted({found.max_txid: found for found in objects}.values(), key=lambda found: found.max_txid)
        low, high = 0, len(points)
        while low < high:
            middle = (low + high) // 2
            before = self.header(points[middle]).timestamp_ms <= time_ms
            low, high = (middle + 1, high) if before else (low, middle)
        if low == 0:
            raise NotFound("the log holds no commit at or before that time", code="time_out_of_range")
        return points[low - 1].max_txid

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
    _check_name(key, file.header)
    return file


def _check_name(key: str, header: LtxHeader) -> None:
    name = object_name(header.min_txid, header.max_txid)
    if not key.endswith(name):
        raise CorruptLog(f"{key}: holds what belongs into {name}")


def _kept(chunks: Iterable[bytes], file: RawIOBase) -> Generator[bytes]:
    """The chunks, each written to the file before it is handed on."""
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            rest = rest[file.write(rest) or 0 :]
        yield chunk


def _beginning(body: bytes | Path) -> bytes:
    """What a look at the body gives. Every attempt to commit has a nonce in its header, so this tells two apart."""
    if isinstance(body, bytes):
        return body[:LOOK_BYTES]
    with body.open("rb") as file:
        return file.read(LOOK_BYTES)


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
