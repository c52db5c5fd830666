"""Music and media put and handed out by links, in parts and past the service on S3: the same rules at each door."""

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from db.errors import StoreUnavailable
from domain.charter import Founding
from handlers.tenant.provisioning import provision
from tests.domain.band.band_site import NOW, SLUG
from tests.domain.band.pictures import jpeg
from tests.domain.band.riverside import build, email
from tests.domain.band.shelf import FILES, FIRST, PDF, downloads, fetch, key, put, refused, stored
from tests.handlers.http.site import OPERATOR, Choir, Clock, make_site
from tests.handlers.storage.test_resumable import add, begin, stands
from tests.moto_s3 import moto_s3


def test_a_link_for_putting_takes_one_file_in_the_name_of_its_signer(riverside):
    path = f"music/{riverside.ids.pieces[FIRST]}/a.pdf"
    sign = f"{FILES}/object/upload/sign/{path}"
    assert riverside.caller("M16").send("POST", sign, {}).status == 403
    url = riverside.caller("M21").send("POST", sign, {}).json()["url"]
    answer = riverside.caller("").send("PUT", f"{FILES}{url}", PDF, content_type="application/pdf")
    assert answer.status == 200, answer.text
    (row,) = riverside.stored("SELECT uploaded_by, file_name FROM music_files")
    assert row == {"uploaded_by": riverside.ids.users["M21"], "file_name": "a.pdf"}


def test_a_file_that_comes_in_parts_is_measured_and_described_as_any_other(riverside):
    picture = jpeg(300, 200, before=b"\xff\xe1\xff\xff" + bytes(65_533))
    said = base64.b64encode(json.dumps({"title": "Hall"}).encode()).decode()
    caller = riverside.caller("Dana")
    told = {"bucketName": "assets", "objectName": "hall.jpg", "contentType": "image/jpeg"}
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
    answer = begin(caller, "", "", None, length=len(picture), upload_metadata=f"{metadata},metadata {said}")
    url = f"{FILES}/upload/{answer.header('location')}"
    assert add(caller, url, 0, picture[:5000]).status == 204
    assert stands(caller, url) == 5000
    assert add(caller, url, 5000, picture[5000:]).status == 204
    (row,) = riverside.stored("SELECT title, width, height, file_name FROM media_assets")
    assert row == {"title": "Hall", "width": 300, "height": 200, "file_name": "hall.jpg"}


def test_a_repeated_upload_is_one_file(riverside):
    path, once = f"{FILES}/object/music/{riverside.ids.pieces[FIRST]}/a.pdf", {"idempotency_key": "upload 1"}
    answers = [
        riverside.caller("M21").send("POST", path, PDF, content_type="application/pdf", **once) for _ in range(2)
    ]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert riverside.value("SELECT count(*) FROM music_files") == 1
    first = key(riverside, answers[0].json()["Id"])
    for _ in range(2):
        again = riverside.caller("M21").send(
            "PUT", f"{FILES}/object/{first}", b"%PDF-2", content_type="application/pdf", idempotency_key="replace 1"
        )
        assert again.status == 200, again.text
    assert riverside.stored("SELECT version FROM music_files") == [{"version": 2}]


def test_a_download_whose_content_breaks_off_is_not_logged(riverside, monkeypatch):
    path = key(riverside, stored(riverside, "a.pdf"))

    def broken(*_: object):
        yield b"%PDF"
        raise StoreUnavailable("gone")

    monkeypatch.setattr("handlers.storage.downloads.read_content", broken)
    with pytest.raises(StoreUnavailable):
        fetch(riverside, "M21", path)
    assert downloads(riverside) == []


class OnS3:
    """As much of Riverside's site as these tests need, over a store in S3."""

    def __init__(self, folder, url: str) -> None:
        self.site = make_site(folder, Clock(NOW), store=url, secret="s" * 40, mail_from="post@bands.example",
                              cache=str(folder / "cache"), file_redirect_bytes="5000")  # fmt: skip
        founding = Founding(SLUG, "Riverside Concert Band", email("Sam"), {"owner_name": "Sam"})
        made = provision(self.site.services, "band", founding, OPERATOR)
        self.tenant = Choir(SLUG, made.entry, email("Sam"), made.link)
        self.ids = self.site.vault_write(self.tenant, lambda tx: build(tx, self.site.clock()))

    def caller(self, who: str):
        return self.site.sign_in(SLUG, email(who)) if who else self.site.guest(SLUG)

    def stored(self, sql, **values):
        return self.site.vault_rows(self.tenant, sql, **values)

    def value(self, sql, **values):
        return next(iter(self.stored(sql, **values)[0].values()))


@pytest.fixture
def on_s3(tmp_path) -> Iterator[OnS3]:
    with moto_s3() as s3, pytest.MonkeyPatch.context() as patch:
        for name, value in s3.environment().items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.delenv("AWS_CA_BUNDLE", raising=False)
        made = OnS3(tmp_path, s3.url(f"band/{tmp_path.name}"))
        yield made
        made.site.services.close()


def test_on_s3_the_table_stands_before_the_address_and_the_address_is_the_download(on_s3):
    long = PDF.ljust(9000)
    path = key(on_s3, stored(on_s3, "score.pdf", body=long, who="Sam"))
    assert refused(fetch(on_s3, "M16", path)) == (403, "download_denied")
    assert refused(fetch(on_s3, "", path)) == (401, "not_signed_in")
    assert downloads(on_s3) == []
    answer = fetch(on_s3, "Dana", path)
    assert (answer.status, answer.header("x-access-reason")) == (302, "download_all_permission")
    assert httpx.get(answer.header("location") or "", trust_env=False).content == long
    assert [row["user_id"] for row in downloads(on_s3)] == [on_s3.ids.users["Dana"]]
    svg = put(on_s3, "Dana", "assets/a.svg", b"<svg>".ljust(9000), "image/svg+xml").json()["Key"]
    shown = httpx.get(fetch(on_s3, "", svg).header("location") or "", trust_env=False)
    assert shown.headers["content-disposition"] == "attachment"


def test_a_picture_put_past_the_service_is_measured_when_it_becomes_a_file(on_s3):
    picture, dana = jpeg(40, 30).ljust(9000, b"\0"), on_s3.caller("Dana")
    wish = {"size": len(picture), "contentType": "image/jpeg", "metadata": {"alt_text": "hall"}}
    told = dana.send("POST", f"{FILES}/object/upload/direct/assets/a.jpg", wish).json()
    assert httpx.put(told["url"], content=picture, headers=told["headers"], trust_env=False).status_code == 200
    done = dana.send("PUT", f"{FILES}/object/upload/direct/assets/a.jpg", {"token": told["token"]})
    assert done.status == 200, done.text
    (row,) = on_s3.stored("SELECT alt_text, width, height FROM media_assets")
    assert row == {"alt_text": "hall", "width": 40, "height": 30}
