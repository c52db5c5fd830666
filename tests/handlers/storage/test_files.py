"""Files of rows: who may put, read and take away which, and what the row, the audit log and the store know of it."""

import hashlib
import json

import pytest

from tests.handlers.http.site import make_choir, make_site
from tests.handlers.storage.desk import FILES, PDF, PNG, ask, fetch, open_desk, put, refused, stored


def test_a_score_is_put_by_its_librarian_and_read_by_a_singer(desk):
    path = f"scores/{desk.owned}/urtext.pdf"
    answer = stored(desk.librarian, path, PDF)
    assert answer["Key"] == path
    got = fetch(desk.singer, path)
    assert (got.status, got.body) == (200, PDF)
    assert got.header("content-type") == "application/pdf"
    assert got.header("etag") == f'"{hashlib.sha256(PDF).hexdigest()}"'


def test_the_rule_of_the_row_decides_who_reads_its_file(desk):
    owned, free = f"scores/{desk.owned}/a.pdf", f"scores/{desk.free}/b.pdf"
    stored(desk.librarian, owned, PDF)
    stored(desk.librarian, free, PDF)
    assert fetch(desk.guest, free).body == PDF
    assert desk.guest.send("GET", f"{FILES}/object/public/{free}").body == PDF
    assert refused(fetch(desk.guest, owned)) == (401, "not_authenticated")
    assert refused(desk.singer.send("GET", f"{FILES}/object/public/{owned}")) == (401, "not_authenticated")
    names = [found["name"] for found in ask(desk.guest, "object/list-v2/scores", {})["objects"]]
    assert names == [f"{desk.free}/b.pdf"]


def test_whoever_may_only_read_neither_puts_nor_takes_away(desk):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, PDF)
    assert refused(put(desk.singer, path, PDF, x_upsert="true")) == (403, "42501")
    assert refused(put(desk.guest, f"scores/{desk.free}/b.pdf", PDF)) == (401, "42501")
    assert refused(desk.singer.send("DELETE", f"{FILES}/object/{path}")) == (403, "42501")
    assert ask(desk.singer, "object/scores", {"prefixes": [f"{desk.owned}/a.pdf"]}, "DELETE") == []
    assert fetch(desk.librarian, path).body == PDF


def test_a_row_that_is_not_there_takes_no_file(desk):
    assert refused(put(desk.librarian, "scores/no-such-row/a.pdf", PDF)) == (404, "not_found")
    assert refused(put(desk.librarian, "scores/a.pdf", PDF)) == (400, "path_invalid")
    assert desk.objects() == []


def test_the_edition_knows_its_file_and_loses_it(desk):
    path = f"scores/{desk.owned}/urtext.pdf"
    stored(desk.librarian, path, PDF)
    columns = "file_name,file_size"
    assert desk.librarian.rows(f"editions?id=eq.{desk.owned}&select={columns}") == [
        {"file_name": "urtext.pdf", "file_size": len(PDF)}
    ]
    assert len(ask(desk.operator, "object/scores", {"prefixes": [f"{desk.owned}/urtext.pdf"]}, "DELETE")) == 1
    assert desk.librarian.rows(f"editions?id=eq.{desk.owned}&select={columns}") == [
        {"file_name": None, "file_size": None}
    ]


def test_a_row_with_one_file_has_it_replaced_only_if_asked(desk):
    first, second = f"scores/{desk.owned}/a.pdf", f"scores/{desk.owned}/b.pdf"
    stored(desk.librarian, first, PDF)
    assert refused(put(desk.librarian, first, PDF)) == (409, "already_exists")
    assert refused(put(desk.librarian, second, PDF)) == (409, "already_exists")
    stored(desk.librarian, second, PDF + b"2", x_upsert="true")
    assert refused(fetch(desk.librarian, first)) == (404, "not_found")
    assert fetch(desk.librarian, second).body == PDF + b"2"


def test_putting_again_replaces_and_counts_the_version(desk):
    path = f"{desk.bucket()}/a.pdf"
    stored(desk.operator, path, PDF)
    assert desk.operator.send("PUT", f"{FILES}/object/{path}", PNG, content_type="image/png").status == 200
    told = ask(desk.operator, f"object/info/{path}", method="GET")
    assert (told["version"], told["size"], told["content_type"]) == ("2", len(PNG), "image/png")


def test_every_change_of_a_file_is_in_the_audit_log_with_who_did_it(desk):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, PDF)
    desk.operator.send("DELETE", f"{FILES}/object/{path}")
    columns = "verb, operation, actor_kind, new_values"
    audit = f"SELECT {columns} FROM vaultry_audit WHERE table_name = 'vaultry_files' ORDER BY seq"
    rows = desk.site.vault_rows(desk.choir, audit)
    assert [(row["verb"], row["operation"], row["actor_kind"]) for row in rows] == [
        ("file.put", "insert", "person"),
        ("file.remove", "delete", "operator"),
    ]
    assert json.loads(rows[0]["new_values"])["sha256"] == hashlib.sha256(PDF).hexdigest()


def test_the_same_content_is_kept_once_however_many_files_have_it(desk):
    bucket = desk.bucket()
    for name in ("a.pdf", "b.pdf"):
        stored(desk.operator, f"{bucket}/{name}", PDF)
    wish = {"bucketId": bucket, "sourceKey": "a.pdf", "destinationKey": "deep/c.pdf"}
    assert ask(desk.operator, "object/copy", wish)["Key"] == f"{bucket}/deep/c.pdf"
    assert len(desk.objects()) == 1
    assert fetch(desk.operator, f"{bucket}/deep/c.pdf").body == PDF


def test_the_same_content_in_two_vaults_is_two_objects(desk, site):
    other = make_choir(site, "harmonia")
    caller = site.guest("harmonia").with_token(desk.operator.token)
    ask(caller, "bucket", {"id": "notes"})
    stored(caller, "notes/a.pdf", PDF)
    stored(desk.operator, f"{desk.bucket()}/a.pdf", PDF)
    keys = [found.key for found in site.services.site.store.list("vaults/", op="test:list") if "/files/" in found.key]
    assert len(keys) == 2
    assert sum(other.entry.id in key for key in keys) == 1


def test_a_file_is_moved_with_its_content_and_its_rule(desk):
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", PDF)
    wish = {"bucketId": "scores", "sourceKey": f"{desk.owned}/a.pdf", "destinationKey": f"{desk.free}/a.pdf"}
    assert refused(desk.singer.send("POST", f"{FILES}/object/move", wish)) == (403, "42501")
    ask(desk.operator, "object/move", wish)
    assert fetch(desk.guest, f"scores/{desk.free}/a.pdf").body == PDF
    assert refused(fetch(desk.operator, f"scores/{desk.owned}/a.pdf")) == (404, "not_found")
    names = {row["id"]: row["file_name"] for row in desk.librarian.rows("editions?select=id,file_name")}
    assert names == {desk.owned: None, desk.free: "a.pdf"}


def test_nothing_is_moved_or_copied_over_a_file_that_is_there(desk):
    bucket = desk.bucket()
    stored(desk.operator, f"{bucket}/a.pdf", PDF)
    stored(desk.operator, f"{bucket}/b.png", PNG, "image/png")
    wish = {"bucketId": bucket, "sourceKey": "a.pdf", "destinationKey": "b.png"}
    for verb in ("move", "copy"):
        assert refused(desk.operator.send("POST", f"{FILES}/object/{verb}", wish)) == (409, "already_exists")
    ask(desk.operator, "object/copy", wish, x_upsert="true")
    assert fetch(desk.operator, f"{bucket}/b.png").body == PDF


def test_a_form_brings_file_metadata_and_cache_control(desk):
    path = f"{desk.bucket()}/a.pdf"
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="cacheControl"\r\n\r\n3600\r\n',
        b'--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"by": "me"}\r\n',
        b'--x\r\nContent-Disposition: form-data; name=""; filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n',
        PDF,
        b"\r\n--x--\r\n",
    ]
    stored(desk.operator, path, b"".join(parts), "multipart/form-data; boundary=x")
    told = ask(desk.operator, f"object/info/{path}", method="GET")
    assert (told["metadata"], told["cache_control"]) == ({"by": "me"}, "max-age=3600")
    assert fetch(desk.operator, path).body == PDF


@pytest.mark.parametrize("cut", [1, 60, 200, len(PDF)])
def test_a_form_that_ends_early_is_no_file(desk, cut):
    head = b'--x\r\nContent-Disposition: form-data; name=""; filename="a.pdf"\r\n\r\n'
    body = (head + PDF + b"\r\n--x--\r\n")[:cut]
    answer = put(desk.operator, f"{desk.bucket()}/a.pdf", body, "multipart/form-data; boundary=x")
    assert refused(answer) == (400, "form_invalid")
    assert desk.objects() == []


@pytest.mark.parametrize(
    ("body", "declared", "kept"),
    [
        (PDF, "", "application/pdf"),
        (PDF, "text/plain;charset=UTF-8", "application/pdf"),
        (b"plain words", "text/plain;charset=UTF-8", "text/plain"),
        (b"\x00\x01", "", "application/octet-stream"),
        (PNG, "image/png", "image/png"),
        (b"anything", "application/x-unheard-of", "application/x-unheard-of"),
    ],
)
def test_a_content_is_kept_as_what_it_is_declared_or_shows_itself_to_be(desk, body, declared, kept):
    path = f"{desk.bucket()}/a"
    stored(desk.operator, path, body, declared)
    assert fetch(desk.operator, path).header("content-type").partition(";")[0] == kept


@pytest.mark.parametrize(
    ("body", "declared"), [(PNG, "application/pdf"), (b"<html>", "image/png"), (b"\x00\x01", "text/html")]
)
def test_a_content_that_is_not_what_it_is_declared_as_is_refused(desk, body, declared):
    answer = put(desk.operator, f"{desk.bucket()}/a", body, declared)
    assert refused(answer) == (400, "content_mismatch")
    assert declared in answer.json()["message"]
    assert desk.objects() == []


def test_a_bucket_takes_the_types_and_the_length_it_was_made_for(desk):
    bucket = desk.bucket("pictures", allowed_mime_types=["image/*"], file_size_limit="1kb")
    assert refused(put(desk.operator, f"{bucket}/a.pdf", PDF[:100])) == (400, "invalid_mime_type")
    exact = PNG + bytes(1024 - len(PNG))
    stored(desk.operator, f"{bucket}/a.png", exact, "image/png")
    for body, more in ((exact + b"x", {}), (exact + b"x", {"content_length": "10"}), (b"", {"content_length": "1025"})):
        answer = put(desk.operator, f"{bucket}/b.png", body, "image/png", **more)
        assert refused(answer) == (413, "file_too_large")
        assert "1024" in answer.json()["message"]
        assert bucket in answer.json()["message"]
    assert refused(put(desk.operator, "scores/x/a.png", PNG, "image/png"))[0] == 404


@pytest.mark.parametrize("size", [2047, 2048, 2049])
def test_a_file_may_be_as_long_as_the_setting_says(tmp_path, clock, size):
    site = make_site(tmp_path, clock, file_bytes="2048")
    try:
        desk = open_desk(site)
        answer = put(desk.operator, f"{desk.bucket()}/a", bytes(size), "application/x-any")
        if size <= 2048:
            assert answer.status == 200
        else:
            assert refused(answer) == (413, "file_too_large")
            assert "VAULTRY_FILE_BYTES" in answer.json()["message"]
    finally:
        site.services.close()


def test_the_files_of_a_vault_have_a_quota_together(tmp_path, clock):
    site = make_site(tmp_path, clock, vault_file_bytes="3000")
    try:
        desk = open_desk(site)
        bucket = desk.bucket()
        stored(desk.operator, f"{bucket}/a", bytes(2000), "application/x-any")
        answer = put(desk.operator, f"{bucket}/b", bytes(1001), "application/x-any")
        assert refused(answer) == (413, "quota_reached")
        assert "VAULTRY_VAULT_FILE_BYTES" in answer.json()["message"]
        stored(desk.operator, f"{bucket}/b", bytes(1000), "application/x-any")
        # What it replaces makes room.
        stored(desk.operator, f"{bucket}/a", bytes(1999) + b"x", "application/x-any", x_upsert="true")
        wish = {"bucketId": bucket, "sourceKey": "a", "destinationKey": "c"}
        assert refused(desk.operator.send("POST", f"{FILES}/object/copy", wish)) == (413, "quota_reached")
    finally:
        site.services.close()


def test_an_upload_whose_connection_is_lost_leaves_nothing(desk):
    path = f"{desk.bucket()}/a.pdf"
    bearer = {"authorization": f"Bearer {desk.operator.token}", "content-type": "application/pdf"}
    url = f"/{desk.operator.slug}{FILES}/object/{path}"
    answer = desk.site.client.request("POST", url, headers=bearer, body=PDF, broken_off=True)
    assert refused(answer) == (400, "body_incomplete")
    assert refused(fetch(desk.operator, path)) == (404, "not_found")
    assert desk.objects() == []
    left = [found for found in (desk.site.services.settings.cache / "uploads").iterdir() if found.is_dir()]
    assert left == []


def test_a_repeated_upload_with_its_key_gets_the_first_answer(desk):
    path = f"{desk.bucket()}/a.pdf"
    first = stored(desk.operator, path, PDF, idempotency_key="once")
    again = put(desk.operator, path, PDF, idempotency_key="once")
    assert (again.json(), again.header("idempotency-replayed")) == (first, "true")
    assert refused(put(desk.operator, path, PDF + b"2", idempotency_key="once")) == (409, "idempotency_key_reused")
    assert refused(put(desk.operator, path, PDF, idempotency_key="twice")) == (409, "already_exists")
    assert ask(desk.operator, f"object/info/{path}", method="GET")["version"] == "1"
    assert len(desk.objects()) == 1
