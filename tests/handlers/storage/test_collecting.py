"""Contents and uploads that nothing can need any more: when they go, when they stay, and beside whom."""

from db.files import contents
from db.files.ledger import release
from db.history.points import restore
from tests.handlers.http.site import OPERATOR, Clock
from tests.handlers.storage.desk import FILES, PDF, Desk, ask, fetch, put, refused, stored
from tests.handlers.storage.test_resumable import BODY, begun, refused_by_the_store

DAY_S = 86_400
# Points in time are kept for 30 days; what refers to a content for a day more.
KEPT_DAYS = 31


def age(clock: Clock, days: float) -> None:
    """Let time pass. A store in a folder takes the time of its objects from whoever put them."""
    clock.tick(days * DAY_S)


def take_away(desk: Desk, name: str = "a.pdf") -> None:
    ask(desk.operator, "object/notes", {"prefixes": [name]}, "DELETE")


def test_a_content_without_a_file_stays_as_long_as_a_point_in_time_may_refer_to_it(desk, clock):
    stored(desk.operator, f"{desk.bucket()}/a.pdf", PDF)
    take_away(desk)
    assert desk.maintain() == {}
    age(clock, KEPT_DAYS)
    assert desk.maintain() == {}
    assert len(desk.objects()) == 1
    age(clock, 0.01)
    assert desk.maintain() == {"forgotten": 1, "objects": 1}
    assert desk.objects() == []
    assert desk.maintain() == {}


def test_a_content_with_a_file_stays(desk, clock):
    bucket = desk.bucket()
    for name in ("a.pdf", "b.pdf"):
        stored(desk.operator, f"{bucket}/{name}", PDF)
    take_away(desk)
    for _ in range(3):
        age(clock, KEPT_DAYS + 1)
        assert desk.maintain() == {}
    assert fetch(desk.operator, f"{bucket}/b.pdf").body == PDF


def test_a_content_that_is_put_again_is_taken_back(desk, clock):
    path = f"{desk.bucket()}/a.pdf"
    stored(desk.operator, path, PDF)
    take_away(desk)
    desk.maintain()
    age(clock, KEPT_DAYS + 1)
    stored(desk.operator, path, PDF)
    assert desk.maintain() == {}
    take_away(desk)
    # Nobody has noted yet that it is without a file again.
    age(clock, KEPT_DAYS + 1)
    assert desk.maintain() == {}
    assert len(desk.objects()) == 1


def test_a_past_point_brings_its_files_back_with_their_contents(desk, clock):
    bucket = desk.bucket()
    kept = stored(desk.operator, f"{bucket}/a.pdf", PDF)
    clock.tick(60)
    at = desk.site.clock().text
    clock.tick(60)
    take_away(desk)
    desk.maintain()
    age(clock, 29)
    desk.maintain()
    with desk.site.services.vault(desk.choir.entry) as vault:
        restore(vault, desk.site.services.site, at, OPERATOR)
    assert fetch(desk.operator, f"{bucket}/a.pdf").body == PDF
    # The note that it had no file was made before the restore, and is void.
    age(clock, 3)
    assert desk.maintain() == {}
    assert fetch(desk.operator, kept["Key"]).body == PDF


def test_an_upload_at_the_moment_of_forgetting_stores_its_content_anew(desk, clock, monkeypatch):
    path = f"{desk.bucket()}/a.pdf"
    stored(desk.operator, path, PDF)
    take_away(desk)
    desk.maintain()
    age(clock, KEPT_DAYS + 1)
    looked = contents.find_blob

    def forgotten_after_the_look(tx, sha256):
        found = looked(tx, sha256)
        monkeypatch.setattr(contents, "find_blob", looked)
        forget.append(found)
        return found

    forget: list[object] = []
    monkeypatch.setattr(contents, "find_blob", forgotten_after_the_look)
    exists = type(desk.site.services.site.store).exists

    def collected_meanwhile(self, key, *, op):
        there = exists(self, key, op=op)
        if forget and op == "files:look":
            forget.clear()
            assert desk.maintain() == {"forgotten": 1, "objects": 1}
        return there

    monkeypatch.setattr(type(desk.site.services.site.store), "exists", collected_meanwhile)
    stored(desk.operator, path, PDF)
    monkeypatch.undo()
    assert fetch(desk.operator, path).body == PDF
    assert len(desk.objects()) == 1
    assert desk.maintain() == {}


def test_an_upload_that_commits_first_is_seen_by_the_forgetting(desk, clock):
    bucket = desk.bucket()
    stored(desk.operator, f"{bucket}/a.pdf", PDF)
    take_away(desk)
    desk.maintain()
    age(clock, KEPT_DAYS + 1)
    stored(desk.operator, f"{bucket}/b.pdf", PDF)
    before = desk.site.clock().later(seconds=-KEPT_DAYS * DAY_S)
    assert desk.site.vault_write(desk.choir, lambda tx: release(tx, before, desk.site.clock())) == 0
    assert fetch(desk.operator, f"{bucket}/b.pdf").body == PDF


def test_an_object_that_no_row_knows_goes_when_no_upload_can_be_that_old(desk, clock, monkeypatch):
    path = f"{desk.bucket()}/a.pdf"

    def killed(*_: object) -> None:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr("handlers.storage.uploads.put_file", killed)
        # Killed, it cannot clean up behind itself either.
        patch.setattr(type(desk.site.services.site.store), "delete", refused_by_the_store)
        assert put(desk.operator, path, PDF).status == 500
    assert len(desk.objects()) == 1
    assert refused(fetch(desk.operator, path)) == (404, "not_found")
    age(clock, 0.9)
    assert desk.maintain() == {}
    age(clock, 0.2)
    assert desk.maintain() == {"objects": 1}
    assert desk.objects() == []


def test_where_requests_may_not_delete_everything_else_works(desk, clock, monkeypatch):
    """As on AWS, where only the maintenance function may."""
    with monkeypatch.context() as patch:
        patch.setattr(type(desk.site.services.site.store), "delete", refused_by_the_store)
        bucket = desk.bucket()
        stored(desk.operator, f"{bucket}/a.pdf", PDF)
        stored(desk.operator, f"{bucket}/a.pdf", PDF, x_upsert="true")
        assert refused(put(desk.operator, f"{bucket}/a.pdf", PDF + b"2")) == (409, "already_exists")
        begun(desk.operator, bucket, "b.pdf", BODY)
        url = begun(desk.operator, bucket, "c.pdf", BODY[:100])
        assert desk.operator.send("DELETE", url, tus_resumable="1.0.0").status == 204
        assert desk.operator.send("HEAD", url, tus_resumable="1.0.0").status == 404
        assert fetch(desk.operator, f"{bucket}/b.pdf").body == BODY
    age(clock, 2)
    assert desk.maintain()["uploads"] >= 4
    assert sum(key.startswith("files/") for key in desk.objects()) == len(desk.objects()) == 2


def test_uploads_that_nobody_goes_on_with_are_removed_after_a_day(desk, clock):
    url = begun(desk.operator, desk.bucket(), "a.pdf", BODY[:100])
    age(clock, 1)
    assert desk.maintain() == {}
    age(clock, 0.1)
    assert desk.maintain() == {"uploads": 2}
    assert refused(desk.operator.send("PATCH", url, tus_resumable="1.0.0")) == (404, "upload_not_found")
    assert desk.objects() == []


def test_a_file_whose_row_is_gone_goes_too(desk):
    stored(desk.librarian, f"scores/{desk.owned}/a.pdf", PDF)
    desk.site.vault_write(desk.choir, lambda tx: tx.execute("DELETE FROM editions WHERE id = :id", id=desk.owned))
    assert refused(desk.operator.send("GET", f"{FILES}/object/scores/{desk.owned}/a.pdf")) == (404, "not_found")
    assert desk.maintain() == {"ownerless": 1}
    assert desk.site.vault_rows(desk.choir, "SELECT 1 FROM vaultry_files") == []
