"""Buckets and lists: the charter's buckets and those made by hand, folders and pages, each as far as one may see."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.errors import Invalid
from db.files.names import check_name
from tests.handlers.storage.desk import FILES, PDF, Desk, ask, fetch, put, refused, stored

NAMES = ["a.txt", "b/1.txt", "b/2.txt", "b/deep/3.txt", "Õhtu.txt", "z.txt"]


@pytest.fixture
def bucket(desk: Desk) -> str:
    bucket = desk.bucket()
    for name in NAMES:
        stored(desk.operator, f"{bucket}/{name.replace('Õ', '%C3%95')}", name.encode(), "text/plain")
    return bucket


def folder(desk: Desk, bucket: str, **wish: object) -> list[str]:
    return [found["name"] for found in ask(desk.operator, f"object/list/{bucket}", {"prefix": "", **wish})]


def test_the_charters_buckets_are_there_and_are_not_changed_by_anybody(desk):
    (shown,) = ask(desk.singer, "bucket", method="GET")
    assert (shown["id"], shown["public"], shown["allowed_mime_types"]) == ("scores", False, ["application/pdf"])
    assert ask(desk.guest, "bucket", method="GET") == []
    for method, path in (("PUT", "bucket/scores"), ("DELETE", "bucket/scores"), ("POST", "bucket/scores/empty")):
        assert refused(desk.operator.send(method, f"{FILES}/{path}", {})) == (409, "bucket_declared")
    assert refused(desk.operator.send("POST", f"{FILES}/bucket", {"id": "scores"})) == (409, "already_exists")


def test_a_bucket_made_by_hand_is_its_managers_alone(desk):
    bucket = desk.bucket()
    stored(desk.operator, f"{bucket}/a.pdf", PDF)
    for caller, status in ((desk.librarian, 403), (desk.guest, 401)):
        assert refused(caller.send("POST", f"{FILES}/bucket", {"id": "more"})) == (status, "42501")
        assert refused(caller.send("GET", f"{FILES}/bucket/{bucket}")) == (404, "bucket_not_found")
        assert refused(caller.send("DELETE", f"{FILES}/bucket/{bucket}")) == (404, "bucket_not_found")
        assert refused(put(caller, f"{bucket}/b.pdf", PDF)) == (status, "42501")
        assert refused(fetch(caller, f"{bucket}/a.pdf")) == (404, "not_found")
        assert ask(caller, f"object/list/{bucket}", {"prefix": ""}) == []
    assert [known["id"] for known in ask(desk.operator, "bucket", method="GET")] == ["notes", "scores"]


def test_a_bucket_goes_only_when_it_is_empty(desk, bucket):
    assert refused(desk.operator.send("DELETE", f"{FILES}/bucket/{bucket}")) == (409, "bucket_not_empty")
    ask(desk.operator, f"bucket/{bucket}/empty")
    assert folder(desk, bucket) == []
    ask(desk.operator, f"bucket/{bucket}", method="DELETE")
    assert refused(desk.operator.send("GET", f"{FILES}/bucket/{bucket}")) == (404, "bucket_not_found")
    assert refused(put(desk.operator, f"{bucket}/a.pdf", PDF)) == (404, "bucket_not_found")


@pytest.mark.parametrize("wrong", ["", "sign", "a/b", "..", "x" * 101, "a\n", 7, None])
def test_a_bucket_has_a_name_that_can_stand_in_a_path(desk, wrong):
    assert refused(desk.operator.send("POST", f"{FILES}/bucket", {"id": wrong})) == (400, "bucket_id_invalid")


@pytest.mark.parametrize(
    "wish",
    [{"public": "yes"}, {"file_size_limit": "many"}, {"file_size_limit": -1}, {"allowed_mime_types": ["pdf"]},
     {"allowed_mime_types": "a/b"}, {"allowed_mime_types": ["/*"]}],
)  # fmt: skip
def test_a_bucket_whose_rules_are_none_is_not_made(desk, wish):
    assert desk.operator.send("POST", f"{FILES}/bucket", {"id": "notes", **wish}).status == 400
    assert [known["id"] for known in ask(desk.operator, "bucket", method="GET")] == ["scores"]


def test_a_folder_lists_folders_then_files(desk, bucket):
    assert folder(desk, bucket) == ["b", "a.txt", "z.txt", "Õhtu.txt"]
    assert folder(desk, bucket, prefix="b") == folder(desk, bucket, prefix="b/") == ["deep", "1.txt", "2.txt"]
    assert folder(desk, bucket, limit=2) == ["b", "a.txt"]
    assert folder(desk, bucket, limit=2, offset=2) == ["z.txt", "Õhtu.txt"]
    assert folder(desk, bucket, search="õh") == ["Õhtu.txt"]
    assert folder(desk, bucket, prefix="nowhere") == []
    assert folder(desk, bucket, sortBy={"column": "name", "order": "desc"}) == ["b", "Õhtu.txt", "z.txt", "a.txt"]
    (first, *_) = ask(desk.operator, f"object/list/{bucket}", {"prefix": "b", "search": "1"})
    assert (first["metadata"]["size"], first["metadata"]["mimetype"]) == (7, "text/plain")


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("column", ["name", "created_at"])
def test_pages_show_every_file_once(desk, bucket, column, order):
    seen, cursor = [], None
    while True:
        wish = {"limit": 2, "sortBy": {"column": column, "order": order}, "cursor": cursor}
        page = ask(desk.operator, f"object/list-v2/{bucket}", wish)
        seen += [found["name"] for found in page["objects"]]
        if not page["hasNext"]:
            break
        cursor = page["nextCursor"]
    assert seen == sorted(NAMES, reverse=order == "desc")


def test_a_page_groups_what_is_in_folders(desk, bucket):
    page = ask(desk.operator, f"object/list-v2/{bucket}", {"prefix": "b/", "with_delimiter": True})
    assert [found["name"] for found in page["folders"]] == ["b/deep/"]
    assert [found["name"] for found in page["objects"]] == ["b/1.txt", "b/2.txt"]


def test_a_list_shows_a_caller_only_what_he_may_read(desk):
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", PDF)
    stored(desk.librarian, f"scores/{desk.free}/b.pdf", PDF)
    seen = [found["name"] for found in ask(desk.guest, "object/list/scores", {"prefix": ""})]
    assert seen == [desk.free]
    assert ask(desk.guest, "object/list/scores", {"prefix": desk.owned}) == []
    assert len(ask(desk.singer, "object/list/scores", {"prefix": ""})) == 2


@pytest.mark.parametrize(
    "wrong", ["", "/", "a//b", "../a", "a/./b", "a%00", "a%5Cb", "a%FF", "x" * 1025, "%C3%BC" * 513, "a/"]
)
def test_a_name_that_is_no_path_is_refused(desk, wrong):
    answer = put(desk.operator, f"{desk.bucket()}/{wrong}", PDF)
    assert answer.status in (400, 404, 405)
    assert desk.objects() == []


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_a_name_that_is_taken_stays_within_its_bucket(name):
    try:
        kept = check_name(name)
    except Invalid:
        return
    assert kept == name
    assert not {"", ".", ".."} & set(name.split("/"))
    assert name.isprintable()


def test_a_change_of_a_bucket_leaves_what_it_does_not_mention(desk):
    bucket = desk.bucket(allowed_mime_types=["image/*"], file_size_limit="2kb")
    ask(desk.operator, f"bucket/{bucket}", {"public": True}, "PUT")
    told = ask(desk.operator, f"bucket/{bucket}", method="GET")
    assert (told["public"], told["file_size_limit"], told["allowed_mime_types"]) == (True, 2048, ["image/*"])
    ask(desk.operator, f"bucket/{bucket}", {"file_size_limit": None, "allowed_mime_types": None}, "PUT")
    told = ask(desk.operator, f"bucket/{bucket}", method="GET")
    assert (told["public"], told["file_size_limit"], told["allowed_mime_types"]) == (True, None, None)
