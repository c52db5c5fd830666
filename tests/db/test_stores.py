"""What every store does alike, and how a store is opened by its address."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import Invalid
from db.stores import open_store
from db.stores.base import ObjectExists, ObjectMissing, ObjectStore, Staging, check_key
from db.stores.directory import DirectoryStore
from db.stores.s3 import SINGLE_PUT_BYTES
from tests.moto_s3 import MotoS3, moto_s3

TIME_MS = 1_777_000_000_123
THREADS = 8


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as running:
        yield running


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Each kind of store, empty."""
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    return request.getfixturevalue("s3").store(prefix=f"test/{tmp_path.name}")


def put(store: ObjectStore, key: str, body: bytes = b"body") -> None:
    store.put(key, body, timestamp_ms=TIME_MS, op="test:put")


def keys(store: ObjectStore, prefix: str, after: str = "") -> list[str]:
    return [stored.key for stored in store.list(prefix, after=after, op="test:list")]


def test_get_returns_what_was_put(store: ObjectStore) -> None:
    body = bytes(range(256)) * 40
    put(store, "vaults/a/0/1", body)
    assert store.get("vaults/a/0/1", op="test:get") == body
    assert store.exists("vaults/a/0/1", op="test:exists")


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    put(store, "empty", b"")
    assert store.exists("empty", op="test:exists")
    assert store.get("empty", op="test:get") == b""


def test_a_part_of_an_object_is_what_lies_there(store: ObjectStore) -> None:
    body = bytes(range(256))
    put(store, "parts", body)

    def part(start: int, limit: int | None) -> bytes:
        return store.get("parts", op="test:get", start=start, limit=limit)

    assert part(0, 10) == body[:10]
    assert part(250, 10) == body[250:]
    assert part(255, 1) == body[255:]
    assert part(100, None) == body[100:]
    assert part(0, 256) == part(0, 257) == body
    with pytest.raises(ObjectMissing, match="test:get"):
        store.get("absent", op="test:get", limit=10)


@pytest.mark.parametrize("size", [0, 5, SINGLE_PUT_BYTES, SINGLE_PUT_BYTES + 1])
def test_a_file_is_put_as_its_bytes_would_be(store: ObjectStore, tmp_path: Path, size: int) -> None:
    body = tmp_path / "body"
    body.write_bytes(os.urandom(size))
    store.put("vaults/a/1", body, timestamp_ms=TIME_MS, op="test:put")
    assert store.get("vaults/a/1", op="test:get") == body.read_bytes()
    body.write_bytes(os.urandom(size))
    with pytest.raises(ObjectExists, match="test:put"):
        store.put("vaults/a/1", body, timestamp_ms=TIME_MS, op="test:put")
    assert [(stored.key, stored.size) for stored in store.list("", op="test:list")] == [("vaults/a/1", size)]


def test_one_of_many_simultaneous_puts_of_files_wins_and_its_bytes_stay(tmp_path: Path) -> None:
    # Of the directory alone: moto looks whether a multipart upload may be completed and completes it in two steps,
    # between which another may come; S3 documents it as one.
    store, start = DirectoryStore(tmp_path / "store"), threading.Barrier(3)

    def try_to_put(number: int) -> bool:
        body = tmp_path / str(number)
        body.write_bytes(bytes([number]) * (SINGLE_PUT_BYTES + 1))
        start.wait()
        try:
            store.put("large", body, timestamp_ms=TIME_MS, op="test:put")
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(3) as threads:
        won = list(threads.map(try_to_put, range(3)))
    assert won.count(True) == 1
    assert set(store.get("large", op="test:get")) == {won.index(True)}


def test_what_a_killed_writer_left_is_swept_up(store: ObjectStore, tmp_path: Path) -> None:
    assert isinstance(store, Staging)
    put(store, "vaults/a/1")
    leave_behind(store)
    assert store.remove_stale(before_ms=TIME_MS) == 0
    assert store.remove_stale(before_ms=2 * TIME_MS) == 1
    assert store.remove_stale(before_ms=2 * TIME_MS) == 0
    assert keys(store, "") == ["vaults/a/1"]


def leave_behind(store: ObjectStore) -> None:
    """What is left of a put that was killed before its object got its name."""
    if isinstance(store, DirectoryStore):
        (store.root / "staging" / "left").write_bytes(b"half")
    else:
        put(store, "staging/left", b"half")


def test_an_absent_object_is_missing(store: ObjectStore) -> None:
    put(store, "vaults/a/1")
    for absent in ("vaults/a/2", "vaults/a", "vaults/a/1/2", "nowhere/1"):
        assert not store.exists(absent, op="test:exists")
        with pytest.raises(ObjectMissing, match="test:get"):
            store.get(absent, op="test:get")


def test_put_leaves_an_existing_object_alone(store: ObjectStore) -> None:
    put(store, "vaults/a/1", b"first")
    with pytest.raises(ObjectExists, match="test:put"):
        put(store, "vaults/a/1", b"second")
    assert store.get("vaults/a/1", op="test:get") == b"first"


def test_one_of_many_simultaneous_puts_wins_and_its_bytes_stay(store: ObjectStore) -> None:
    start = threading.Barrier(THREADS)

    def try_to_put(number: int) -> bool:
        start.wait()
        try:
            put(store, "vaults/a/1", str(number).encode() * 1000)
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as threads:
        won = list(threads.map(try_to_put, range(THREADS)))
    assert won.count(True) == 1
    assert store.get("vaults/a/1", op="test:get") == str(won.index(True)).encode() * 1000


def test_list_is_by_key_and_begins_after_the_key_asked_for(store: ObjectStore) -> None:
    for name in ("3", "1", "2"):
        put(store, f"vaults/a/{name}")
    assert keys(store, "vaults/a/") == ["vaults/a/1", "vaults/a/2", "vaults/a/3"]
    assert keys(store, "vaults/a/", after="vaults/a/1") == ["vaults/a/2", "vaults/a/3"]
    assert keys(store, "vaults/a/", after="vaults/a/15") == ["vaults/a/2", "vaults/a/3"]
    assert keys(store, "vaults/a/", after="vaults/a/3") == []


def test_list_reaches_into_deeper_folders_and_not_into_similar_names(store: ObjectStore) -> None:
    for key in ("vaults/a/0/1", "vaults/a/9/1", "vaults/ab/0/1", "vaults/a-b/0/1", "other/1"):
        put(store, key)
    assert keys(store, "vaults/a/") == ["vaults/a/0/1", "vaults/a/9/1"]
    assert keys(store, "vaults/") == ["vaults/a-b/0/1", "vaults/a/0/1", "vaults/a/9/1", "vaults/ab/0/1"]
    assert keys(store, "vaults/", after="vaults/a/0/1") == ["vaults/a/9/1", "vaults/ab/0/1"]
    assert keys(store, "") == ["other/1", *keys(store, "vaults/")]
    assert keys(store, "nowhere/") == []


def test_list_tells_the_size(store: ObjectStore) -> None:
    put(store, "vaults/a/1", b"12345")
    (stored,) = store.list("vaults/a/", op="test:list")
    assert stored.size == 5
    assert stored.modified_ms > 0


def test_list_returns_more_than_one_page_of_the_service(store: ObjectStore) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda number: put(store, f"many/{number:04}"), range(1005)))
    assert keys(store, "many/") == [f"many/{number:04}" for number in range(1005)]
    store.delete(keys(store, "many/"), op="test:delete")
    assert keys(store, "many/") == []


def test_delete_removes_what_is_there_and_forgives_what_is_not(store: ObjectStore) -> None:
    put(store, "vaults/a/1")
    put(store, "vaults/a/2")
    store.delete(["vaults/a/1", "vaults/a/7", "nowhere/1"], op="test:delete")
    store.delete([], op="test:delete")
    assert keys(store, "") == ["vaults/a/2"]


def test_a_deleted_key_can_be_put_again(store: ObjectStore) -> None:
    put(store, "vaults/a/1", b"old")
    store.delete(["vaults/a/1"], op="test:delete")
    put(store, "vaults/a/1", b"new")
    assert store.get("vaults/a/1", op="test:get") == b"new"


BAD_KEYS = ["", "/", "/etc/passwd", "a/", "a//b", "../a", "a/../b", "a/..", ".", "a/./b", "a\0b"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_could_leave_the_store_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(Invalid):
        put(store, key)
    with pytest.raises(Invalid):
        store.get(key, op="test:get")
    with pytest.raises(Invalid):
        store.exists(key, op="test:exists")
    with pytest.raises(Invalid):
        store.delete([key], op="test:delete")


@pytest.mark.parametrize("prefix", ["vaults", "/", "../", "a//", "a/../"])
def test_a_prefix_that_is_no_folder_is_refused(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(Invalid):
        store.list(prefix, op="test:list")


@given(st.text(alphabet="ab./\0", max_size=12))
def test_an_accepted_key_stays_below_the_root(key: str) -> None:
    try:
        check_key(key)
    except Invalid:
        return
    assert os.path.normpath(f"/root/{key}") == f"/root/{key}"


def test_litestream_finds_the_level_folders_of_each_store(tmp_path: Path, s3: MotoS3) -> None:
    assert DirectoryStore(tmp_path).level_folder.format(vault="v", level=9) == "vaults/v/ltx/9/"
    assert s3.store().level_folder.format(vault="v", level=9) == "vaults/v/0009/"


def test_open_store_opens_a_folder_by_its_address(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/a%20b")
    put(store, "1")
    assert (tmp_path / "a b" / "1").read_bytes() == b"body"


def test_open_store_opens_a_bucket_by_its_address(s3: MotoS3) -> None:
    store = open_store(s3.url("by/address"), access_key_id=s3.access_key_id, secret_access_key=s3.secret_access_key)
    put(store, "1")
    assert s3.store(prefix="by/address").get("1", op="test:get") == b"body"


@pytest.mark.parametrize(
    "url",
    ["", "data", "/tmp/x", "http://bucket/x", "file://host/x", "file:///", "s3://", "s3:///x", "s3://b/x?regio=eu"],
)
def test_open_store_refuses_an_address_it_cannot_open(url: str) -> None:
    with pytest.raises(Invalid, match="store address"):
        open_store(url)


def test_a_store_in_a_folder_does_not_load_obstore(tmp_path: Path) -> None:
    program = f"import sys, db.stores; db.stores.open_store('file://{tmp_path}/x'); sys.exit('obstore' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
