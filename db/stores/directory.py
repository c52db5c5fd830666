"""Objects as files below one folder, durable before `put` returns. Knows the file system; not vaults or formats.

An object is written and synced without a name, or where the system knows no such files under a name of its own in
`staging/`, then hard-linked to its key. The link is the put-if-absent: it fails when the key is taken, and a crash
leaves the whole object or none, where creating the final name exclusively and then writing would leave half of one that
nobody may replace. One file system must hold the root, and it must know hard links.
"""

# These calls stand on the path of every commit, and making a Path object costs more than the call itself.
# ruff: noqa: PTH100, PTH102, PTH103, PTH106, PTH108, PTH110, PTH116, PTH120, PTH123

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from db.errors import Invalid, StoreUnavailable
from db.stores.base import ObjectExists, ObjectMissing, OutcomeUnknown, StoredObject, check_key, check_prefix

_STAGING = "staging"
# Linux's name for the open file of that number.
_OPEN_FILE = "/proc/self/fd/{}"
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700
_FOLDERS_REMEMBERED = 20_000
_COPY_BYTES = 1 << 20


class DirectoryStore:
    """A store in a local folder, made if missing. Safe for many threads and processes on one machine at once.

    Failures of a local disk do not pass by themselves, so reads are not retried.
    """

    level_folder = "vaults/{vault}/ltx/{level}/"

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = os.path.abspath(root)
        self._staging = f"{self._root}/{_STAGING}"
        self._known_folders: set[str] = set()
        os.makedirs(self._staging, _PRIVATE_FOLDER, exist_ok=True)
        self._nameless = _knows_nameless(self._staging)

    def exists(self, key: str, *, op: str) -> bool:
        """Whether the file is there. Raises StoreUnavailable."""
        try:
            return S_ISREG(os.stat(self._path(key)).st_mode)
        except _ABSENT:
            return False
        except OSError as exc:
            raise _refused(op, "look at", key, exc) from exc

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        """The file's bytes, or that part of them. Raises ObjectMissing, StoreUnavailable."""
        try:
            # Most of these are looks that find nothing: opening by number says so in a third of the time.
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return _read(descriptor, start, limit)
            finally:
                os.close(descriptor)
        except _ABSENT as exc:
            raise ObjectMissing(f"{op}: no object {key}") from exc
        except OSError as exc:
            raise _refused(op, "read", key, exc) from exc

    def put(self, key: str, body: bytes | Path, *, timestamp_ms: int, op: str) -> None:
        """Write, sync, link, sync the folder; the file's mtime is timestamp_ms, which litestream takes as its time.

        Raises ObjectExists, StoreUnavailable, OutcomeUnknown (the folder could not be synced, or linking failed oddly).
        """
        final = self._path(key)
        folder = os.path.dirname(final)
        descriptor, staged = -1, ""
        try:
            try:
                self._make_folder(folder)
                descriptor, staged = self._stage()
                _fill(descriptor, body, timestamp_ms)
            except OSError as exc:
                raise _refused(op, "write", key, exc) from exc
            self._link(descriptor, staged, final, key, op)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
            if staged:
                with suppress(OSError):  # a leftover is swept up by remove_stale
                    os.unlink(staged)
        try:
            _sync_folder(folder)
        except OSError as exc:
            raise OutcomeUnknown(f"{op}: {key} is linked, but its folder could not be synced: {exc}") from exc

    def folders(self, prefix: str, *, op: str) -> list[str]:
        """The names of the folders right below the prefix, sorted. Raises StoreUnavailable."""
        try:
            with os.scandir(f"{self._root}/{check_prefix(prefix)}") as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except _ABSENT:
            return []
        except OSError as exc:
            raise _refused(op, "list", prefix, exc) from exc

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        """Every file below the folder, by key; folders below it are walked too. Raises StoreUnavailable."""
        found: list[StoredObject] = []
        folders = [check_prefix(prefix)]
        try:
            while folders:
                files, deeper = _list_folder(self._root, folders.pop(), after)
                found += files
                folders += deeper
        except OSError as exc:
            raise _refused(op, "list", prefix, exc) from exc
        found.sort(key=lambda stored: stored.key)
        return found

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        """Unlink the files, sync their folders, and remove those that are empty now. Raises StoreUnavailable."""
        folders: set[str] = set()
        for key in keys:
            path = self._path(key)
            try:
                os.unlink(path)
            except _ABSENT:
                continue
            except OSError as exc:
                raise _refused(op, "delete", key, exc) from exc
            folders.add(os.path.dirname(path))
        for folder in sorted(folders):
            try:
                _sync_folder(folder)
            except OSError as exc:
                raise _refused(op, "sync after deleting in", folder, exc) from exc
            self._remove_empty(folder)

    def remove_stale(self, *, before_ms: int) -> int:
        """Remove what crashed writers left in staging before that moment; the number of files removed.

        before_ms: milliseconds since 1970; leave a day, an object in flight must not be touched.
        """
        removed = 0
        with os.scandir(self._staging) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    # ctime: mtime carries the time of the object, which for a compacted file may be weeks ago
                    if entry.stat(follow_symlinks=False).st_ctime_ns < before_ms * 1_000_000:
                        os.unlink(entry.path)
                        removed += 1
        return removed

    def _path(self, key: str) -> str:
        check_key(key)
        if key.startswith(f"{_STAGING}/"):
            raise Invalid(f"object key: got {key!r}; {_STAGING}/ belongs to the store itself")
        return f"{self._root}/{key}"

    def _stage(self) -> tuple[int, str]:
        """A new file to write to: its descriptor and name, '' for one without a name.

        That one costs the disk an eighth less: no second name is made and removed.
        """
        if self._nameless:
            return os.open(self._staging, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _PRIVATE_FILE), ""
        staged = f"{self._staging}/{os.urandom(12).hex()}"
        return os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE), staged

    def _link(self, descriptor: int, staged: str, final: str, key: str, op: str) -> None:
        """Give the staged file the name `final` as well."""
        source = staged or _OPEN_FILE.format(descriptor)
        try:
            try:
                # The system follows the name of an open file to the file only in the call that takes a folder's
                # descriptor as well, which for whole paths it does not look at.
                os.link(source, final, src_dir_fd=descriptor, follow_symlinks=True)
            except FileNotFoundError:
                # the folder we remembered was removed meanwhile, by hand or with its vault
                self._known_folders.clear()
                self._make_folder(os.path.dirname(final))
                os.link(source, final, src_dir_fd=descriptor, follow_symlinks=True)
        except FileExistsError as exc:
            # Over NFS the answer to a link that worked can get lost, and the client's own repetition then finds the
            # name taken. The second name of the staged file tells our success from somebody else's.
            if os.fstat(descriptor).st_nlink < (2 if staged else 1):
                # Whoever finds the name taken goes on to rely on it: an earlier put of it may lack this very sync.
                _sync_folder(os.path.dirname(final))
                raise ObjectExists(f"{op}: {key} is taken") from exc
        except OSError as exc:
            if exc.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT):
                raise OutcomeUnknown(f"{op}: link {key}: {exc}") from exc
            raise _refused(op, "link", key, exc) from exc

    def _remove_empty(self, folder: str) -> None:
        """Remove the folder and those above it, as long as they are empty; a put that needs one makes it again."""
        while os.path.dirname(folder) != self._root:
            try:
                os.rmdir(folder)
            except OSError:
                return
            self._known_folders.discard(folder)
            folder = os.path.dirname(folder)

    def _make_folder(self, folder: str) -> None:
        """Make the folder and those above it, and sync each one's entry in its parent, once for each process.

        Also when it exists: the process that made it may have died before its sync.
        """
        if folder in self._known_folders or folder == self._root:
            return
        parent = os.path.dirname(folder)
        self._make_folder(parent)
        with suppress(FileExistsError):
            os.mkdir(folder, _PRIVATE_FOLDER)
        _sync_folder(parent)
        if len(self._known_folders) >= _FOLDERS_REMEMBERED:
            self._known_folders.clear()
        self._known_folders.add(folder)


def _list_folder(root: str, prefix: str, after: str) -> tuple[list[StoredObject], list[str]]:
    """The files of one folder with keys greater than `after`, and the prefixes of the folders in it."""
    files: list[StoredObject] = []
    folders: list[str] = []
    try:
        entries = os.scandir(f"{root}/{prefix}")
    except _ABSENT:
        return files, folders
    with entries:
        for entry in entries:
            key = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if key != _STAGING:
                    folders.append(f"{key}/")
            elif key > after:
                with suppress(FileNotFoundError):  # pruned since the folder was read
                    status = entry.stat(follow_symlinks=False)
                    files.append(StoredObject(key, status.st_size, status.st_mtime_ns // 1_000_000))
    return files, folders


def _read(descriptor: int, start: int, limit: int | None) -> bytes:
    """The bytes from `start` on, at most `limit`; one read may give fewer than there are."""
    left = os.fstat(descriptor).st_size - start
    if limit is not None and limit < left:
        left = limit
    parts: list[bytes] = []
    while left > 0 and (part := os.pread(descriptor, left, start)):
        parts.append(part)
        start, left = start + len(part), left - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _fill(descriptor: int, body: bytes | Path, timestamp_ms: int) -> None:
    """Write the content and its time, and have it on disk."""
    if isinstance(body, Path):
        with open(body, "rb") as content, open(descriptor, "wb", closefd=False) as file:
            shutil.copyfileobj(content, file, _COPY_BYTES)
    else:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    os.utime(descriptor, ns=(timestamp_ms * 1_000_000, timestamp_ms * 1_000_000))
    os.fsync(descriptor)


def _knows_nameless(folder: str) -> bool:
    """Whether files without a name can be made here and be given one later: on Linux, by most of its file systems."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _PRIVATE_FILE)
    except (AttributeError, OSError):
        return False
    try:
        return os.path.exists(_OPEN_FILE.format(descriptor))
    finally:
        os.close(descriptor)


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(op: str, action: str, key: str, cause: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"{op}: {action} {key}: {cause.strerror or cause}; free the disk or mend its rights, retry")
