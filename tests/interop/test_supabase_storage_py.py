"""The published storage client for Python, as supabase-py brings it, against a running server: every method it has."""

import io
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from storage3 import AsyncStorageClient, SyncStorageClient
from storage3._async.file_api import AsyncBucketActionsMixin
from storage3._sync.file_api import SyncBucketActionsMixin
from storage3.exceptions import StorageApiError, VectorBucketException
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

from tests.handlers.http.site import Site
from tests.handlers.storage.desk import PDF, PNG
from tests.interop.clients_page import check_methods
from tests.interop.served import KADRI, MARI, open_aurora, served
from tests.interop.watched import public_methods

# The client warns of a parameter that it passes to itself.
pytestmark = pytest.mark.filterwarnings("ignore:The '(timeout|verify|proxy)' parameter is deprecated")
NAME = "folder/Püha öö #1?.pdf"


@dataclass(frozen=True)
class Aurora:
    """A served choir. edition: of the librarian, with no file."""

    site: Site
    url: str
    connections: httpx.Client
    operator: str
    edition: str

    def client(self, key: str = "sb_publishable_none") -> Client:
        options = SyncClientOptions(auto_refresh_token=False, httpx_client=self.connections)
        return create_client(self.url, key, options)

    def sign_in(self, email: str) -> Client:
        client = self.client()
        client.auth.sign_in_with_otp({"email": email})
        client.auth.verify_otp({"email": email, "token": self.site.code(email), "type": "email"})
        return client


@pytest.fixture
def aurora(tmp_path) -> Iterator[Aurora]:
    site, _ = open_aurora(tmp_path)
    mari = site.sign_in("aurora", MARI)
    work = mari.add("works", {"title": "Locus iste"}).json()[0]["id"]
    edition = mari.add("editions", {"work_id": work, "name": "Urtext", "license_type": "owned"}).json()[0]["id"]
    with served(site.services) as address, httpx.Client(trust_env=False) as connections:
        yield Aurora(site, f"{address}/aurora", connections, site.api_token(None), edition)


@pytest.fixture
def store(aurora: Aurora) -> Any:
    """The client of an operator, with a bucket made by hand."""
    store = aurora.client(aurora.operator).storage
    assert store.create_bucket("notes", options={"public": False}) == {"name": "notes"}
    return store


def refused(caught: "pytest.ExceptionInfo[StorageApiError]") -> tuple[int, str]:
    return int(caught.value.status), str(caught.value.code)


def test_buckets_are_made_shown_changed_emptied_and_removed(store):
    store.create_bucket("pictures", options={"allowed_mime_types": ["image/*"], "file_size_limit": 2048})
    assert [bucket.id for bucket in store.list_buckets()] == ["notes", "pictures", "scores"]
    shown = store.get_bucket("pictures")
    assert (shown.public, shown.file_size_limit, shown.allowed_mime_types) == (False, 2048, ["image/*"])
    store.update_bucket("pictures", options={"public": True})
    assert store.get_bucket("pictures").public
    store.from_("pictures").upload("a.png", PNG, {"content-type": "image/png"})
    with pytest.raises(StorageApiError) as full:
        store.delete_bucket("pictures")
    assert refused(full) == (409, "bucket_not_empty")
    store.empty_bucket("pictures")
    store.delete_bucket("pictures")
    with pytest.raises(StorageApiError) as gone:
        store.get_bucket("pictures")
    assert refused(gone) == (404, "Bucket not found")


def test_a_file_is_uploaded_in_every_way_the_client_knows(store, tmp_path):
    files = store.from_("notes")
    on_disk = tmp_path / "a.pdf"
    on_disk.write_bytes(PDF)
    assert files.upload(NAME, PDF, {"content-type": "application/pdf"}).full_path == f"notes/{NAME}"
    files.upload("path.pdf", on_disk, {"content-type": "application/pdf", "metadata": {"by": "me"}})
    with on_disk.open("rb") as opened:
        assert isinstance(opened, io.BufferedReader)
        files.upload("reader.pdf", opened, {"cache-control": "60"})
    for name in (NAME, "path.pdf", "reader.pdf"):
        assert files.download(name) == PDF
    info = files.info("reader.pdf")
    assert (info["content_type"], info["cache_control"]) == ("application/pdf", "max-age=60")
    assert files.info("path.pdf")["metadata"] == {"by": "me"}


def test_a_file_is_replaced_by_update_and_upsert_and_by_nothing_else(store):
    files = store.from_("notes")
    files.upload("a.pdf", PDF)
    with pytest.raises(StorageApiError) as taken:
        files.upload("a.pdf", PDF)
    assert refused(taken) == (409, "Duplicate")
    files.upload("a.pdf", PDF + b"2", {"upsert": "true"})
    files.update("a.pdf", PDF + b"3")
    assert (files.download("a.pdf"), files.info("a.pdf")["version"]) == (PDF + b"3", "3")


def test_files_are_listed_by_folder_and_by_page(store):
    files = store.from_("notes")
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        files.upload(name, b"words")
    assert [found["name"] for found in files.list()] == ["deep", "a.txt", "b.txt"]
    assert [found["name"] for found in files.list("deep", {"limit": 1, "search": "c"})] == ["c.txt"]
    page = files.list_v2({"limit": 2, "with_delimiter": True})
    assert ([found.name for found in page.objects], page.hasNext) == (["a.txt", "b.txt"], True)
    rest = files.list_v2({"limit": 2, "with_delimiter": True, "cursor": page.nextCursor})
    assert ([found.name for found in rest.folders], rest.hasNext) == (["deep/"], False)


def test_files_are_moved_copied_found_and_removed(store):
    files = store.from_("notes")
    files.upload("a.pdf", PDF)
    files.move("a.pdf", "b.pdf")
    files.copy("b.pdf", "c.pdf")
    assert [files.exists(name) for name in ("a.pdf", "b.pdf", "c.pdf")] == [False, True, True]
    assert [found["name"] for found in files.remove(["b.pdf", "c.pdf", "no.pdf"])] == ["b.pdf", "c.pdf"]
    assert not files.exists("c.pdf")
    with pytest.raises(StorageApiError) as missing:
        files.download("c.pdf")
    assert refused(missing) == (404, "not_found")
    with pytest.raises(StorageApiError):
        store.from_("nowhere").exists("a.pdf")


def test_links_open_files_of_any_name_to_anybody(aurora, store):
    files = store.from_("notes")
    for name in (NAME, "b.pdf"):
        files.upload(name, PDF)
    one = files.create_signed_url(NAME, 60, {"download": "mine.pdf"})["signedURL"]
    got = aurora.connections.get(one)
    assert (got.status_code, got.content) == (200, PDF)
    assert 'filename="mine.pdf"' in got.headers["content-disposition"]
    several = files.create_signed_urls([NAME, "no.pdf"], 60)
    assert aurora.connections.get(several[0]["signedURL"]).content == PDF
    assert several[1]["error"] is not None
    told = files.create_signed_upload_url("new/ö.pdf")
    client = aurora.client().storage.from_("notes")
    assert client.upload_to_signed_url("new/ö.pdf", told["token"], PDF, {"content-type": "application/pdf"}).path
    assert files.download("new/ö.pdf") == PDF


def test_a_public_bucket_has_addresses_for_everybody(aurora, store):
    store.update_bucket("notes", options={"public": True})
    store.from_("notes").upload(NAME, PDF)
    got = aurora.connections.get(aurora.client().storage.from_("notes").get_public_url(NAME))
    assert (got.status_code, got.content) == (200, PDF)
    part = aurora.connections.get(str(got.url), headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, PDF[1:4])


def test_the_rule_of_the_row_holds_for_the_client_too(aurora):
    librarian, singer, guest = aurora.sign_in(MARI), aurora.sign_in(KADRI), aurora.client()
    name = f"{aurora.edition}/urtext.pdf"
    with pytest.raises(StorageApiError) as forbidden:
        singer.storage.from_("scores").upload(name, PDF)
    assert refused(forbidden) == (403, "42501")
    librarian.storage.from_("scores").upload(name, PDF)
    assert singer.storage.from_("scores").download(name) == PDF
    assert not guest.storage.from_("scores").exists(name)
    assert singer.storage.from_("scores").remove([name]) == []


def test_images_are_not_transformed_and_that_is_said(store):
    files = store.from_("notes")
    files.upload("a.png", PNG)
    with pytest.raises(StorageApiError) as caught:
        files.download("a.png", {"transform": {"width": 10}})
    assert refused(caught) == (403, "FeatureNotEnabled")
    with pytest.raises(StorageApiError) as signing:
        files.create_signed_url("a.png", 60, {"transform": {"width": 10}})
    assert refused(signing) == (403, "FeatureNotEnabled")


def test_every_method_of_the_client_is_called_above():
    source = Path(__file__).read_text()
    buckets, files = public_methods([SyncStorageClient]), public_methods([SyncBucketActionsMixin])
    assert {name for name in buckets | files if f".{name}(" not in source} == set()
    check_methods("storage3", buckets | {f"from_().{name}" for name in files})
    assert public_methods([AsyncStorageClient]) == buckets
    assert public_methods([AsyncBucketActionsMixin]) == files


def test_stores_of_other_kinds_are_not_here(store):
    for call in (store.vectors().list_buckets, store.analytics().list):
        with pytest.raises((StorageApiError, VectorBucketException)) as missing:
            call()
        assert "no route" in str(missing.value)


def test_a_long_file_goes_through_without_being_in_memory(aurora, store):
    """40 MB up and down, measured in this very process, which serves them too."""
    chunk = bytes(1 << 20)

    def body() -> Iterator[bytes]:
        for _ in range(40):
            yield chunk
            time.sleep(0)

    bearer = {"authorization": f"Bearer {aurora.operator}", "content-type": "application/x-any"}
    url = f"{aurora.url}/storage/v1/object/notes/long.bin"
    tracemalloc.start()
    try:
        assert aurora.connections.post(url, content=body(), headers=bearer, timeout=60).status_code == 200
        with aurora.connections.stream("GET", url, headers=bearer, timeout=60) as got:
            size = sum(len(part) for part in got.iter_bytes())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == 40 << 20
    assert peak < 30 << 20
