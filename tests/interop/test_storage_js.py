"""The published storage clients for JavaScript against a running server: supabase-js, tus-js-client as Uppy uses it."""

from typing import Any

import pytest

from tests.interop.clients_page import check_methods, check_outcomes
from tests.interop.node import node, node_json
from tests.interop.served import open_aurora, served


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the script was told."""
    node()
    site, _ = open_aurora(tmp_path_factory.mktemp("aurora"))
    token = site.api_token(None)
    with served(site.services) as address:
        return node_json("storage.mjs", f"{address}/aurora", token)


def test_buckets_and_their_rules(told):
    assert told["buckets"] == ["notes", "scores"]
    assert told["bucket"]["public"] is True
    assert told["wrong"] == ["400", "StorageApiError"]
    assert told["long"] == ["413", "StorageApiError"]
    assert told["taken"] == ["409", "StorageApiError"]


def test_files_come_back_as_they_went(told):
    assert told["uploaded"] == "notes/folder/Püha öö 1.pdf"
    assert (told["same"], told["streamed"], told["link"], told["public"]) == (True, True, True, True)
    assert told["links"] == [True, True]
    assert told["exists"] == [True, False]
    assert (told["info"]["contentType"], told["info"]["metadata"]) == ("application/pdf", {"by": "me"})
    assert told["list"] == ["Püha öö 1.pdf"]
    assert [found["name"] for found in told["page"]["folders"]] == ["folder/"]
    assert (told["signed"], told["copied"]) == ("notes/signed.pdf", "notes/copied.pdf")
    assert told["missing"][0] == "404"
    assert told["removed"] == ["folder/Püha öö 1.pdf", "blob.pdf"]


def test_an_upload_that_was_cut_off_is_resumed(told):
    assert 100_000 <= told["offset"] < 300_009
    assert told["resumed"] is True


def test_what_is_not_here_is_refused_by_name(told):
    assert told["purge"] == told["purgeBucket"] == ["403", "StorageApiError"]


def test_stores_of_other_kinds_are_not_here(told):
    assert len(told["others"]) > 10
    assert set(told["others"].values()) == {"no_route"}


def test_no_method_is_left_out(told):
    """One that a new version of the package brings shows up here."""
    assert len(told["storage"]["methods"]) > 20
    assert told["storage"]["uncalled"] == []
    check_methods("@supabase/storage-js", told["storage"]["methods"])
    check_outcomes("@supabase/storage-js", told["storage"]["outcomes"])
    assert (told["thrown"], told["bucketsThrown"], told["encoded"]) == ("StorageApiError", "StorageApiError", "w7Y=")
