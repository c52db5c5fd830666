"""What only the folder does: durability step by step, staging, and failing disks."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from db.errors import Invalid, StoreUnavailable, VaultError
from db.stores import directory
from db.stores.base import ObjectExists, ObjectStore, OutcomeUnknown
from db.stores.directory import DirectoryStore

TIME_MS = 1_777_000_000_123


@pytest.fixture(params=["nameless", "named"], autouse=True)
def staged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds for files staged without a name, and where the system knows no such files."""
    if request.param == "named":
        monkeypatch.setattr(directory, "_knows_nameless", lambda _: False)


def put(store: ObjectStore, key: str, body: bytes = b"body") -> None:
    store.put(key, body, timestamp_ms=TIME_MS, op="test:put")


def keys(store: ObjectStore, prefix: str, after: str = "") -> list[str]:
    return [stored.key for stored in store.list(prefix, after=after, op="test:list")]


def test_a_file_carries_the_time_of_its_object(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    put(store, "vaults/a/1")
    assert (tmp_path / "vaults/a/1").stat().st_mtime_ns == TIME_MS * 1_000_000
    assert store.list("vaults/a/", op="test:list")[0].modified_ms == TIME_MS


def test_nothing_is_left_in_staging(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    put(store, "vaults/a/1")
    with pytest.raises(ObjectExists):
        put(store, "vaults/a/1")
    assert list((tmp_path / "staging").iterdir()) == []


def test_staging_is_neither_listed_nor_reachable(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    (tmp_path / "staging" / "half").write_bytes(b"hal")
    assert store.list("", op="test:list") == []
    with pytest.raises(Invalid):
        store.get("staging/half", op="test:get")


def test_files_left_in_staging_are_removed_once_stale(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    left = tmp_path / "staging" / "half"
    left.write_bytes(b"hal")
    os.utime(left, (0, 0))
    written_ms = left.stat().st_ctime_ns // 1_000_000
    assert store.remove_stale(before_ms=written_ms) == 0
    assert store.remove_stale(before_ms=written_ms + 1) == 1
    assert not left.exists()


def test_a_folder_removed_behind_the_stores_back_is_made_again(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    put(store, "vaults/a/1")
    (tmp_path / "vaults/a/1").unlink()
    (tmp_path / "vaults/a").rmdir()
    put(store, "vaults/a/2")
    assert keys(store, "") == ["vaults/a/2"]


def test_a_folder_that_deleting_leaves_empty_goes_too_and_is_made_again_for_a_put(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    for key in ("vaults/a/ltx/0/1", "vaults/a/ltx/0/2", "vaults/b/ltx/0/1"):
        store.put(key, b"x", timestamp_ms=1, op="test")
    store.delete(["vaults/a/ltx/0/1"], op="test")
    assert (tmp_path / "vaults" / "a" / "ltx" / "0" / "2").exists()
    store.delete(["vaults/a/ltx/0/2"], op="test")
    assert [path.name for path in (tmp_path / "vaults").iterdir()] == ["b"]
    store.put("vaults/a/ltx/0/3", b"x", timestamp_ms=1, op="test")
    assert store.get("vaults/a/ltx/0/3", op="test") == b"x"


def test_the_file_is_synced_before_it_is_linked_and_each_new_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path)
    steps: list[str] = []
    real_sync, real_link = os.fsync, os.link

    def sync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("file" if target.parent.name == "staging" else f"/{target.relative_to(tmp_path)}")
        real_sync(descriptor)

    def link(staged: str, final: str, **options: Any) -> None:
        steps.append("link")
        real_link(staged, final, **options)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "link", link)
    put(store, "vaults/a/1")
    assert steps == ["/.", "/vaults", "file", "link", "/vaults/a"]
    steps.clear()
    put(store, "vaults/a/2")
    assert steps == ["file", "link", "/vaults/a"]
    steps.clear()
    put(DirectoryStore(tmp_path), "vaults/a/3")
    assert steps[:2] == ["/.", "/vaults"], "another process made the folders and may have died before its sync"


def fail_with(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def break_call(monkeypatch: pytest.MonkeyPatch, name: str, error: OSError, *, nth: int = 1) -> None:
    """Let the nth call of a function of `os` fail, once."""
    real, calls = getattr(os, name), iter(range(1, 1000))

    def broken(*args: object, **options: object) -> object:
        if next(calls) == nth:
            raise error
        return real(*args, **options)

    monkeypatch.setattr(os, name, broken)


@pytest.mark.parametrize(
    ("call", "nth", "number", "expected", "has_effect"),
    [
        ("write", 1, errno.ENOSPC, StoreUnavailable, False),
        ("fsync", 1, errno.EIO, StoreUnavailable, False),
        ("fsync", 2, errno.EIO, OutcomeUnknown, True),
        ("link", 1, errno.ENOSPC, StoreUnavailable, False),
        ("link", 1, errno.EPERM, StoreUnavailable, False),
        ("link", 1, errno.EIO, OutcomeUnknown, False),
    ],
)
def test_a_failing_disk_is_told_apart_by_whether_the_object_may_be_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    nth: int,
    number: int,
    expected: type[VaultError],
    has_effect: bool,
) -> None:
    store = DirectoryStore(tmp_path)
    put(store, "vaults/a/1")
    break_call(monkeypatch, call, fail_with(number), nth=nth)
    with pytest.raises(expected, match="test:put"):
        put(store, "vaults/a/2")
    assert store.exists("vaults/a/2", op="test:exists") == has_effect
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    store = DirectoryStore(tmp_path)
    put(store, "vaults/a/1", b"0123456789")
    assert store.get("vaults/a/1", op="test:get") == b"0123456789"


def test_a_link_whose_answer_got_lost_and_was_repeated_counts_as_won(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link_twice(staged: str, final: str, **options: Any) -> None:
        real(staged, final, **options)
        real(staged, final, **options)

    monkeypatch.setattr(os, "link", link_twice)
    store = DirectoryStore(tmp_path)
    put(store, "vaults/a/1", b"ours")
    assert store.get("vaults/a/1", op="test:get") == b"ours"


@pytest.mark.parametrize(("call", "verb"), [("stat", "exists"), ("scandir", "list"), ("unlink", "delete")])
def test_a_folder_that_cannot_be_used_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, verb: str
) -> None:
    store = DirectoryStore(tmp_path)
    put(store, "vaults/a/1")
    break_call(monkeypatch, call, fail_with(errno.EACCES))
    argument = {"exists": "vaults/a/1", "list": "vaults/", "delete": ["vaults/a/1"]}[verb]
    with pytest.raises(StoreUnavailable, match="test:use"):
        getattr(store, verb)(argument, op="test:use")
