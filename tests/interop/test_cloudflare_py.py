"""The published `cloudflare` package for Python against a running server: the whole surface, sync and async."""

import asyncio
import hashlib
import urllib.request
from typing import Any

import cloudflare
import httpx
import pytest

from tests.interop.d1_desk import ACCOUNT, D1Server, d1_server

_open: list[cloudflare.Cloudflare] = []


@pytest.fixture
def server(tmp_path):
    with d1_server(tmp_path) as running:
        yield running
        while _open:
            _open.pop().close()


def client(server: D1Server, **options: Any) -> cloudflare.Cloudflare:
    """The package's client, closed with the server; by default with the operator's token."""
    made = cloudflare.Cloudflare(base_url=server.base, **{"api_token": server.token, **options})
    _open.append(made)
    return made


def put(address: str, text: bytes) -> str | None:
    """The ETag of an upload."""
    with urllib.request.urlopen(urllib.request.Request(address, data=text, method="PUT")) as answer:
        etag: str | None = answer.headers["ETag"]
        return etag


def test_the_whole_surface(server):
    databases = client(server).d1.database
    made = databases.create(account_id=ACCOUNT, name="shop", primary_location_hint="weur")
    uuid = str(made.uuid)
    for number in range(11):
        databases.create(account_id=ACCOUNT, name=f"other-{number}")
    listed = [known.name for known in databases.list(account_id=ACCOUNT, per_page=10)]
    assert len(listed) == 12
    assert [known.name for known in databases.list(account_id=ACCOUNT, name="sho")] == ["shop"]
    found = databases.get(uuid, account_id=ACCOUNT, fields=["uuid", "name"])
    assert (found.uuid, found.name, found.file_size) == (uuid, "shop", None)
    edited = databases.edit(uuid, account_id=ACCOUNT, read_replication={"mode": "auto"})
    assert edited.read_replication is not None
    assert edited.read_replication.mode == "auto"
    databases.update(uuid, account_id=ACCOUNT, read_replication={"mode": "disabled"})

    databases.query(uuid, account_id=ACCOUNT, sql="CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)")
    page = databases.query(uuid, account_id=ACCOUNT, sql="INSERT INTO t (y) VALUES (?) RETURNING x", params=["a"])
    assert page.result[0].results == [{"x": 1}]
    batch: Any = [{"sql": "INSERT INTO t (y) VALUES (?)", "params": ["b"]}, {"sql": "SELECT count(*) AS n FROM t"}]
    page = databases.query(uuid, account_id=ACCOUNT, batch=batch)
    assert [item.results for item in page.result] == [[], [{"n": 2}]]
    raw = databases.raw(uuid, account_id=ACCOUNT, sql="SELECT y FROM t ORDER BY y").result[0].results
    assert raw is not None
    assert (raw.columns, raw.rows) == (["y"], [["a"], ["b"]])

    before = databases.time_travel.get_bookmark(uuid, account_id=ACCOUNT)
    databases.query(uuid, account_id=ACCOUNT, sql="DELETE FROM t")
    assert before.bookmark is not None
    done = databases.time_travel.restore(uuid, account_id=ACCOUNT, bookmark=before.bookmark)
    assert done.previous_bookmark is not None
    assert done.previous_bookmark > before.bookmark

    text = exported(databases, uuid)
    assert b'INSERT INTO "t"' in text
    second = str(databases.create(account_id=ACCOUNT, name="copy").uuid)
    imported(databases, second, text)
    assert exported(databases, second) == text
    assert databases.delete(uuid, account_id=ACCOUNT) is None
    with pytest.raises(cloudflare.NotFoundError) as refused:
        databases.get(uuid, account_id=ACCOUNT)
    assert refused.value.errors[0].code == 7404


def exported(databases: Any, uuid: str) -> bytes:
    told = databases.export(uuid, account_id=ACCOUNT, output_format="polling")
    while told.status not in ("complete", "error"):
        told = databases.export(uuid, account_id=ACCOUNT, output_format="polling", current_bookmark=told.at_bookmark)
    assert told.status == "complete"
    with urllib.request.urlopen(told.result.signed_url) as answer:
        body: bytes = answer.read()
        return body


def imported(databases: Any, uuid: str, text: bytes) -> None:
    etag = hashlib.md5(text, usedforsecurity=False).hexdigest()
    begun = databases.import_(uuid, account_id=ACCOUNT, action="init", etag=etag)
    assert put(begun.upload_url, text) == f'"{etag}"'
    told = databases.import_(uuid, account_id=ACCOUNT, action="ingest", etag=etag, filename=begun.filename)
    while told.status not in ("complete", "error"):
        told = databases.import_(uuid, account_id=ACCOUNT, action="poll", current_bookmark=told.at_bookmark)
    assert told.status == "complete", told.error
    assert told.result.num_queries > 1


def test_errors_are_the_packages_own(server):
    databases = client(server, max_retries=0).d1.database
    uuid = str(databases.create(account_id=ACCOUNT, name="shop").uuid)
    with pytest.raises(cloudflare.BadRequestError) as refused:
        databases.create(account_id=ACCOUNT, name="shop")
    assert [error.code for error in refused.value.errors] == [7502]
    with pytest.raises(cloudflare.BadRequestError) as refused:
        databases.query(uuid, account_id=ACCOUNT, sql="SELECT * FROM nope")
    assert "no such table: nope: SQLITE_ERROR" in str(refused.value)
    with pytest.raises(cloudflare.PermissionDeniedError):
        databases.get(uuid, account_id="nobody")
    unknown = client(server, api_token="vlt_" + "A" * 43, max_retries=0)
    with pytest.raises(cloudflare.AuthenticationError):
        unknown.d1.database.get(uuid, account_id=ACCOUNT)


def test_a_key_with_an_address_is_as_good_as_a_token(server):
    by_key = client(server, api_token=None, api_email="ops@example.org", api_key=server.token)
    assert by_key.d1.database.create(account_id=ACCOUNT, name="shop").name == "shop"
    verified = client(server).user.tokens.verify()
    assert verified is not None
    assert verified.status == "active"


def test_what_cannot_be_repeated_is_not_repeated(server):
    """A refusal says so, and the package asks once."""
    asked: list[str] = []
    hooks = {"request": [lambda request: asked.append(request.url.path)]}
    counted = client(server, http_client=httpx.Client(event_hooks=hooks))
    with pytest.raises(cloudflare.BadRequestError):
        counted.d1.database.create(account_id=ACCOUNT, name="a b")
    assert len(asked) == 1


def test_the_whole_surface_async(server):
    async def work() -> None:
        async with cloudflare.AsyncCloudflare(base_url=server.base, api_token=server.token) as opened:
            databases = opened.d1.database
            uuid = str((await databases.create(account_id=ACCOUNT, name="shop")).uuid)
            await databases.query(uuid, account_id=ACCOUNT, sql="CREATE TABLE t (x)")
            inserts = (
                databases.query(uuid, account_id=ACCOUNT, sql="INSERT INTO t VALUES (?)", params=[str(n)])
                for n in range(20)
            )
            await asyncio.gather(*inserts)
            page = await databases.query(uuid, account_id=ACCOUNT, sql="SELECT count(*) AS n FROM t")
            assert page.result[0].results == [{"n": 20}]
            raw = await databases.raw(uuid, account_id=ACCOUNT, sql="SELECT 'a' AS a")
            assert raw.result[0].results is not None
            assert raw.result[0].results.rows == [["a"]]
            assert [known.name async for known in databases.list(account_id=ACCOUNT)] == ["shop"]
            bookmark = await databases.time_travel.get_bookmark(uuid, account_id=ACCOUNT)
            assert bookmark.bookmark is not None
            await databases.time_travel.restore(uuid, account_id=ACCOUNT, bookmark=bookmark.bookmark)
            told = await databases.export(uuid, account_id=ACCOUNT, output_format="polling")
            assert told.status in ("active", "complete")
            etag = hashlib.md5(b"SELECT 1;", usedforsecurity=False).hexdigest()
            begun = await databases.import_(uuid, account_id=ACCOUNT, action="init", etag=etag)
            assert begun.filename == f"{etag}.sql"
            assert (await databases.get("shop", account_id=ACCOUNT)).uuid == uuid
            edited = await databases.edit(uuid, account_id=ACCOUNT, read_replication={"mode": "auto"})
            assert edited.uuid == uuid
            await databases.update(uuid, account_id=ACCOUNT, read_replication={"mode": "disabled"})
            await databases.delete(uuid, account_id=ACCOUNT)

    asyncio.run(work())
